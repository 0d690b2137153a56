//! What the sandbox knows: sales, clients, goods, tokens and messages, all behind one lock.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write as _,
    time::Instant,
};

use chrono::{DateTime, NaiveDateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    clock,
    ledger::{CallRecord, ClientRecord, Ledger, StockRecord},
    order::Order,
    settings::{Product, SandboxSettings},
    telegram::Chats,
};

/// A call that the sandbox knows, by the name under which faults are set and the ledger keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `POST /v1/auth/login`
    Login,
    /// `POST /v2/auth/refresh`
    Refresh,
    /// `POST /v1/client`
    CreateClient,
    /// `GET /v1/client`
    FindClients,
    /// `GET /v1/shop`
    Shops,
    /// `GET /v1/cash-box`
    CashBoxes,
    /// `GET /v1/company-payment-type`
    PaymentTypes,
    /// `GET /v1/user`
    Users,
    /// `POST /v2/order`
    CreateOrder,
    /// `POST /v2/order-product/{id}`
    AddProduct,
    /// `PUT /v1/order-item/{id}`
    SetQuantity,
    /// `PUT /v2/order-customer-new/{id}`
    AttachCustomer,
    /// `POST /v2/order-manual-discount/{id}`
    Discount,
    /// `POST /v1/recalculate-order-bill/{id}`
    Recalculate,
    /// `POST /v2/order/create_postpone`
    Park,
    /// `POST /v2/order/return-postpone`
    Unpark,
    /// `POST /v2/order-payment/{id}`
    Pay,
    /// `GET /v2/order/{id}`
    GetOrder,
    /// `GET /v2/order-notes`
    OrderNotes,
    /// `GET /v3/order-search`
    OrderSearch,
    /// `DELETE /v2/order/{id}`
    DeleteOrder,
    /// `POST /v1/orders`, the calls of old
    Legacy,
    /// Telegram `sendMessage`
    #[serde(rename = "sendMessage")]
    SendMessage,
    /// Telegram `getMe`
    #[serde(rename = "getMe")]
    GetMe,
    /// Telegram `getChat`
    #[serde(rename = "getChat")]
    GetChat,
    /// Any path that nobody serves.
    Unknown,
}

impl Endpoint {
    /// Every endpoint.
    pub const ALL: &'static [Self] = &[
        Self::Login,
        Self::Refresh,
        Self::CreateClient,
        Self::FindClients,
        Self::Shops,
        Self::CashBoxes,
        Self::PaymentTypes,
        Self::Users,
        Self::CreateOrder,
        Self::AddProduct,
        Self::SetQuantity,
        Self::AttachCustomer,
        Self::Discount,
        Self::Recalculate,
        Self::Park,
        Self::Unpark,
        Self::Pay,
        Self::GetOrder,
        Self::OrderNotes,
        Self::OrderSearch,
        Self::DeleteOrder,
        Self::Legacy,
        Self::SendMessage,
        Self::GetMe,
        Self::GetChat,
        Self::Unknown,
    ];

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Refresh => "refresh",
            Self::CreateClient => "create_client",
            Self::FindClients => "find_clients",
            Self::Shops => "shops",
            Self::CashBoxes => "cash_boxes",
            Self::PaymentTypes => "payment_types",
            Self::Users => "users",
            Self::CreateOrder => "create_order",
            Self::AddProduct => "add_product",
            Self::SetQuantity => "set_quantity",
            Self::AttachCustomer => "attach_customer",
            Self::Discount => "discount",
            Self::Recalculate => "recalculate",
            Self::Park => "park",
            Self::Unpark => "unpark",
            Self::Pay => "pay",
            Self::GetOrder => "get_order",
            Self::OrderNotes => "order_notes",
            Self::OrderSearch => "order_search",
            Self::DeleteOrder => "delete_order",
            Self::Legacy => "legacy",
            Self::SendMessage => "sendMessage",
            Self::GetMe => "getMe",
            Self::GetChat => "getChat",
            Self::Unknown => "unknown",
        }
    }

    /// The endpoint of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|endpoint| endpoint.name() == name)
    }

    /// Writes that Billz puts on its own queue, and answers over HTTP only when it is asked to.
    pub(crate) fn is_queued_write(self) -> bool {
        matches!(
            self,
            Self::CreateOrder
                | Self::AddProduct
                | Self::SetQuantity
                | Self::AttachCustomer
                | Self::Discount
                | Self::Recalculate
                | Self::Park
                | Self::Unpark
                | Self::Pay
                | Self::DeleteOrder
        )
    }

    /// The key of the list that the call answers with, if it answers with one.
    pub(crate) fn list_key(self) -> Option<&'static str> {
        match self {
            Self::FindClients => Some("clients"),
            Self::Shops => Some("shops"),
            Self::CashBoxes => Some("cash_boxes"),
            Self::PaymentTypes => Some("company_payment_types"),
            Self::Users => Some("users"),
            Self::OrderNotes => Some("orders"),
            Self::OrderSearch => Some("orders_sorted_by_date_list"),
            _ => None,
        }
    }
}

/// An access or refresh token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub(crate) expires: DateTime<Utc>,
    pub(crate) spent: bool,
}

/// The state of the sandbox.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) settings: SandboxSettings,
    pub(crate) started: Instant,
    pub(crate) products: BTreeMap<String, Product>,
    /// Units of each product that parked sales hold.
    locked: HashMap<String, Decimal>,
    pub(crate) orders: Vec<Order>,
    order_index: HashMap<String, usize>,
    /// Parked sales by the end of their hold.
    pub(crate) holds: BTreeSet<(NaiveDateTime, usize)>,
    pub(crate) clients: Vec<ClientRecord>,
    client_index: HashMap<String, usize>,
    /// Clients by the digits of their phone number.
    pub(crate) clients_by_digits: HashMap<String, Vec<usize>>,
    pub(crate) access_tokens: HashMap<String, Token>,
    pub(crate) refresh_tokens: HashMap<String, Token>,
    pub(crate) chats: Chats,
    calls: std::collections::VecDeque<CallRecord>,
    calls_dropped: u64,
    next_call: u64,
    counters: HashMap<&'static str, u64>,
}

impl World {
    pub(crate) fn new(settings: SandboxSettings) -> Self {
        let mut world = Self {
            started: Instant::now(),
            products: settings
                .products
                .iter()
                .map(|product| (product.id.clone(), product.clone()))
                .collect(),
            locked: HashMap::new(),
            orders: Vec::new(),
            order_index: HashMap::new(),
            holds: BTreeSet::new(),
            clients: Vec::new(),
            client_index: HashMap::new(),
            clients_by_digits: HashMap::new(),
            access_tokens: HashMap::new(),
            refresh_tokens: HashMap::new(),
            chats: Chats::new(&settings.telegram),
            calls: std::collections::VecDeque::new(),
            calls_dropped: 0,
            next_call: 1,
            counters: HashMap::new(),
            settings,
        };
        if let Some(shop) = world.settings.shops.first() {
            let shop_id = shop.id.clone();
            let cashbox_id = shop.cash_boxes.first().map(|(id, _)| id.clone()).unwrap_or_default();
            for id in world.settings.drafts.clone() {
                let place = world.open_order(id, shop_id.clone(), cashbox_id.clone(), String::new());
                world.orders[place].is_example = true;
            }
        }
        world
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        clock::now(self.settings.clock_offset)
    }

    /// The next id of a kind: shaped as a UUID, and the same in every run with the same seed.
    pub(crate) fn next_id(&mut self, kind: &'static str) -> String {
        let count = self.next_count(kind);
        let digest = Sha256::digest(format!("{}/{kind}/{count}", self.settings.seed));
        let mut id = String::with_capacity(36);
        for (position, byte) in digest.iter().take(16).enumerate() {
            if matches!(position, 4 | 6 | 8 | 10) {
                id.push('-');
            }
            let byte = match position {
                6 => (byte & 0x0f) | 0x40,
                8 => (byte & 0x3f) | 0x80,
                _ => *byte,
            };
            let _ = write!(id, "{byte:02x}");
        }
        id
    }

    pub(crate) fn next_count(&mut self, kind: &'static str) -> u64 {
        let count = self.counters.entry(kind).or_insert(0);
        *count += 1;
        *count
    }

    /// Opens a draft sale and returns where it lies.
    pub(crate) fn open_order(&mut self, id: String, shop_id: String, cashbox_id: String, comment: String) -> usize {
        let count = self.next_count("order number");
        let number = format!("{}", 4_400_000_000 + (self.settings.seed % 1_000) * 100_000 + count);
        let place = self.orders.len();
        self.order_index.insert(id.clone(), place);
        self.orders
            .push(Order::draft(id, number, shop_id, cashbox_id, comment, self.now()));
        place
    }

    pub(crate) fn order_place(&self, id: &str) -> Option<usize> {
        self.order_index.get(id).copied()
    }

    pub(crate) fn add_client(&mut self, client: ClientRecord) {
        let place = self.clients.len();
        self.client_index.insert(client.id.clone(), place);
        self.clients_by_digits
            .entry(digits(&client.phone_number))
            .or_default()
            .push(place);
        self.clients.push(client);
    }

    pub(crate) fn client(&self, id: &str) -> Option<&ClientRecord> {
        self.client_index.get(id).and_then(|place| self.clients.get(*place))
    }

    /// The product, also one that nobody named when the settings take any.
    pub(crate) fn product(&self, id: &str) -> Option<Product> {
        self.products.get(id).cloned().or_else(|| {
            (self.settings.any_product && !id.is_empty())
                .then(|| Product::new(id, id, self.settings.any_product_price, Decimal::from(1_000_000_000)))
        })
    }

    /// Units of a product that no parked sale holds.
    pub(crate) fn available(&self, product_id: &str) -> Decimal {
        let stock = self.product(product_id).map_or(Decimal::ZERO, |product| product.stock);
        stock - self.locked.get(product_id).copied().unwrap_or_default()
    }

    /// Locks the units of a sale until `until`.
    pub(crate) fn hold(&mut self, place: usize, until: NaiveDateTime) {
        for (product_id, quantity) in self.orders[place].quantities() {
            *self.locked.entry(product_id).or_default() += quantity;
        }
        self.orders[place].holds_stock = true;
        self.holds.insert((until, place));
    }

    /// Gives the units of a sale back, if it holds them.
    pub(crate) fn release(&mut self, place: usize) {
        if let Some(until) = self.orders[place].park_until {
            self.holds.remove(&(until, place));
        }
        if std::mem::take(&mut self.orders[place].holds_stock) {
            for (product_id, quantity) in self.orders[place].quantities() {
                *self.locked.entry(product_id).or_default() -= quantity;
            }
        }
    }

    /// Writes the units of a sale off.
    pub(crate) fn write_off(&mut self, place: usize) {
        self.release(place);
        for (product_id, quantity) in self.orders[place].quantities() {
            if let Some(product) = self.products.get_mut(&product_id) {
                product.stock -= quantity;
            }
        }
    }

    /// Sets the stock of a product; `false` if there is no such product.
    pub(crate) fn set_stock(&mut self, product_id: &str, stock: Decimal) -> bool {
        match self.products.get_mut(product_id) {
            Some(product) => {
                product.stock = stock;
                true
            }
            None => false,
        }
    }

    pub(crate) fn revoke_tokens(&mut self) {
        self.access_tokens.clear();
        self.refresh_tokens.clear();
    }

    /// Writes a call down and returns its number.
    pub(crate) fn record_call(&mut self, mut call: CallRecord) -> u64 {
        let sequence = self.next_call;
        self.next_call += 1;
        call.sequence = sequence;
        self.calls.push_back(call);
        if self.calls.len() > self.settings.calls_kept.max(1) {
            self.calls.pop_front();
            self.calls_dropped += 1;
        }
        sequence
    }

    /// The call of a number, unless it was dropped.
    pub(crate) fn call_mut(&mut self, sequence: u64) -> Option<&mut CallRecord> {
        let first = self.calls.front()?.sequence;
        let place = usize::try_from(sequence.checked_sub(first)?).ok()?;
        self.calls.get_mut(place)
    }

    /// Everything that happened, as it is now.
    pub(crate) fn ledger(&self) -> Ledger {
        Ledger {
            calls: self.calls.iter().cloned().collect(),
            ..self.ledger_without_calls()
        }
    }

    /// Everything that happened but the calls, of which there may be many.
    pub(crate) fn ledger_without_calls(&self) -> Ledger {
        let today = clock::company_time(self.now());
        let stock_record = |product: &Product| StockRecord {
            product_id: product.id.clone(),
            price: product.price,
            stock: product.stock,
            available: self.available(&product.id),
        };
        let happened = self.orders.iter().filter(|order| !order.is_untouched_example());
        Ledger {
            calls: Vec::new(),
            calls_dropped: self.calls_dropped,
            orders: happened.map(|order| order.record(today)).collect(),
            clients: self.clients.clone(),
            payments: self
                .orders
                .iter()
                .flat_map(|order| order.payments.iter().cloned())
                .collect(),
            messages: self.chats.messages().to_vec(),
            stock: self.products.values().map(stock_record).collect(),
        }
    }
}

/// The digits of a phone number.
pub(crate) fn digits(phone: &str) -> String {
    phone.chars().filter(char::is_ascii_digit).collect()
}
