//! What a sandbox is started with: its shops, goods, keys, limits, and which of Billz's unknown habits it shows.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use chrono::TimeDelta;
use rust_decimal::Decimal;

use crate::{variants::Variants, world::Endpoint};

/// The secret token (integration key) that [`SandboxSettings::default`] accepts at login.
pub const SECRET_TOKEN: &str = "sandbox-secret-token";
/// The bot token that [`SandboxSettings::default`] accepts.
pub const BOT_TOKEN: &str = "123456789:sandbox-bot-token";
/// The Telegram group in which the default bot is a member.
pub const GROUP_ID: i64 = -1_001_234_567_890;
/// The main shop.
pub const SHOP_ID: &str = "shop-main";
/// The cash box of [`SHOP_ID`].
pub const CASHBOX_ID: &str = "cashbox-main";
/// A second shop, named as the seed's example order names it.
pub const OTHER_SHOP_ID: &str = "ext_store_123";
/// The cash box of [`OTHER_SHOP_ID`]; a sale of the main shop is refused with it.
pub const OTHER_CASHBOX_ID: &str = "cashbox-ext";
/// The company payment type (a card) that the seed's example payment names.
pub const PAYMENT_TYPE_ID: &str = "card123";
/// The company payment type for cash.
pub const CASH_PAYMENT_TYPE_ID: &str = "cash123";
/// A seller, named as in the seed's example.
pub const SELLER_ID: &str = "emp123";
/// The product of the seed's example order: 50 a piece, so that two make the example's total of 100.
pub const PRODUCT_ID: &str = "prod123";
/// The product of the seed's example line: 75 a piece, so that two make the example payment of 150.
pub const OTHER_PRODUCT_ID: &str = "product123";
/// A product of which exactly one piece is in stock, at 100.
pub const SCARCE_PRODUCT_ID: &str = "product-scarce";
/// A product sold by weight, 19.99 a unit, of which 10.5 units are in stock, with free pricing allowed.
pub const WEIGHED_PRODUCT_ID: &str = "product-weighed";
/// An empty draft sale that is there from the start, because the seed's examples add a line to it and pay it.
pub const ORDER_ID: &str = "order123";

/// Everything that a sandbox can be told at its start.
///
/// The default is deterministic, binds a free port of the loopback address, has no limits of rate, and holds everything
/// that the example payloads of the seed's README name.
#[derive(Debug, Clone)]
pub struct SandboxSettings {
    /// Address to listen on; port 0 takes a free one.
    pub address: SocketAddr,
    /// From this all ids, order numbers and chances derive.
    pub seed: u64,
    /// Integration keys accepted at login.
    pub secret_tokens: Vec<String>,
    /// How long an access token is good.
    pub token_lifetime: Duration,
    /// What `expires_in` says, in seconds; `None`: the truth. (Billz's own example contradicts its text.)
    pub expires_in: Option<u64>,
    /// Shops with their cash boxes.
    pub shops: Vec<Shop>,
    /// Company payment types.
    pub payment_types: Vec<PaymentType>,
    /// Users, who are the sellers too.
    pub sellers: Vec<Seller>,
    /// Goods with price and stock.
    pub products: Vec<Product>,
    /// Ids of empty draft sales of the first shop that exist from the start. The ledger knows of one only after somebody
    /// touched it.
    pub drafts: Vec<String>,
    /// Take any product id, as if it cost [`SandboxSettings::any_product_price`] and were never short. Off by default: an
    /// unknown product is refused.
    pub any_product: bool,
    /// Price of a unit of a product that nobody named, when `any_product` is on.
    pub any_product_price: Decimal,
    /// Billz calls a second that one address may make; `None`: no limit.
    pub rate_limit: Option<RateLimit>,
    /// Calls that the integration key's role does not have; they are answered with 403.
    pub forbidden: Vec<Endpoint>,
    /// How long Billz takes over a write whose answer was not asked for over HTTP.
    pub queue_delay: Duration,
    /// Added to the machine's time, so that tokens and parked sales can be made to expire.
    pub clock_offset: TimeDelta,
    /// Which of the habits that nobody knows Billz shows.
    pub variants: Variants,
    /// The Telegram side.
    pub telegram: TelegramSettings,
    /// How many calls the ledger keeps; older ones are dropped (and counted).
    pub calls_kept: usize,
}

impl SandboxSettings {
    /// The settings of the command: a given port of the loopback address, and the limits of the real services.
    pub fn like_the_real_services(port: u16) -> Self {
        Self {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
            rate_limit: Some(RateLimit::per_second(2)),
            telegram: TelegramSettings {
                group_limit: Some(GroupLimit::default()),
                ..TelegramSettings::default()
            },
            calls_kept: 10_000,
            ..Self::default()
        }
    }
}

impl Default for SandboxSettings {
    fn default() -> Self {
        Self {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            seed: 1,
            secret_tokens: vec![SECRET_TOKEN.to_owned()],
            token_lifetime: Duration::from_hours(15 * 24),
            expires_in: None,
            shops: vec![
                Shop::new(SHOP_ID, "Main store", &[(CASHBOX_ID, "Till 1")]),
                Shop::new(OTHER_SHOP_ID, "Second store", &[(OTHER_CASHBOX_ID, "Till 2")]),
            ],
            payment_types: vec![
                PaymentType {
                    id: PAYMENT_TYPE_ID.to_owned(),
                    name: "Карта".to_owned(),
                    is_cash: false,
                },
                PaymentType {
                    id: CASH_PAYMENT_TYPE_ID.to_owned(),
                    name: "Наличные".to_owned(),
                    is_cash: true,
                },
            ],
            sellers: vec![
                Seller {
                    id: SELLER_ID.to_owned(),
                    first_name: "Dilshod".to_owned(),
                },
                Seller {
                    id: "emp124".to_owned(),
                    first_name: "Malika".to_owned(),
                },
            ],
            products: vec![
                Product::new(PRODUCT_ID, "Product Name", Decimal::from(50), Decimal::from(1_000_000)),
                Product::new(
                    OTHER_PRODUCT_ID,
                    "Other product",
                    Decimal::from(75),
                    Decimal::from(1_000_000),
                ),
                Product::new(SCARCE_PRODUCT_ID, "The last one", Decimal::from(100), Decimal::ONE),
                Product {
                    free_pricing: true,
                    ..Product::new(
                        WEIGHED_PRODUCT_ID,
                        "By weight",
                        Decimal::new(1999, 2),
                        Decimal::new(105, 1),
                    )
                },
            ],
            drafts: vec![ORDER_ID.to_owned()],
            any_product: false,
            any_product_price: Decimal::from(100),
            rate_limit: None,
            forbidden: Vec::new(),
            queue_delay: Duration::from_millis(200),
            clock_offset: TimeDelta::zero(),
            variants: Variants::default(),
            telegram: TelegramSettings::default(),
            calls_kept: 200_000,
        }
    }
}

/// A shop and its cash boxes.
#[derive(Debug, Clone)]
pub struct Shop {
    /// Id, as `shop_id` names it.
    pub id: String,
    /// Name that people see.
    pub name: String,
    /// Cash boxes: id and name.
    pub cash_boxes: Vec<(String, String)>,
}

impl Shop {
    /// A shop with cash boxes given as id and name.
    pub fn new(id: &str, name: &str, cash_boxes: &[(&str, &str)]) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            cash_boxes: cash_boxes
                .iter()
                .map(|(id, name)| ((*id).to_owned(), (*name).to_owned()))
                .collect(),
        }
    }
}

/// A company payment type; payments name it by `id`, never by the id of the general payment type inside it.
#[derive(Debug, Clone)]
pub struct PaymentType {
    /// Id of the row.
    pub id: String,
    /// Name that people see.
    pub name: String,
    /// Whether it is cash.
    pub is_cash: bool,
}

/// A user of the company, who can be named as seller.
#[derive(Debug, Clone)]
pub struct Seller {
    /// Id of the user and of the seller.
    pub id: String,
    /// First name.
    pub first_name: String,
}

/// A product with its price and stock.
#[derive(Debug, Clone)]
pub struct Product {
    /// Id.
    pub id: String,
    /// Name that people see.
    pub name: String,
    /// Retail price of a unit, in whole currency units.
    pub price: Decimal,
    /// Wholesale price of a unit; `None`: as the retail price.
    pub wholesale_price: Option<Decimal>,
    /// Units in the shop, those that parked sales lock included.
    pub stock: Decimal,
    /// Whether a sale may set its own price.
    pub free_pricing: bool,
}

impl Product {
    /// A product with a retail price and a stock.
    pub fn new(id: &str, name: &str, price: Decimal, stock: Decimal) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            price,
            wholesale_price: None,
            stock,
            free_pricing: false,
        }
    }
}

/// How many calls Billz takes from one address, and what it does to one that does not stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Calls answered within any window of one second; the rest gets 429.
    pub per_second: u32,
    /// What a burst leads to; `None`: nothing but 429.
    pub block: Option<BurstBlock>,
}

impl RateLimit {
    /// A limit without blocking.
    pub fn per_second(per_second: u32) -> Self {
        Self {
            per_second,
            block: None,
        }
    }
}

/// The filter that blocks an address which keeps calling while it is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BurstBlock {
    /// So many refused calls within one second block the address.
    pub refused_per_second: u32,
    /// How long it stays blocked.
    pub lasts: Duration,
}

/// The Telegram side of a sandbox.
#[derive(Debug, Clone)]
pub struct TelegramSettings {
    /// The one bot's token.
    pub bot_token: String,
    /// Chats in which the bot may write: id and title.
    pub groups: Vec<(i64, String)>,
    /// Telegram's limit for a group; `None`: none.
    pub group_limit: Option<GroupLimit>,
}

impl Default for TelegramSettings {
    fn default() -> Self {
        Self {
            bot_token: BOT_TOKEN.to_owned(),
            groups: vec![(GROUP_ID, "Orders".to_owned())],
            group_limit: None,
        }
    }
}

/// How many messages one group takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupLimit {
    /// Messages within any minute.
    pub per_minute: u32,
    /// Messages within any second.
    pub per_second: u32,
}

impl Default for GroupLimit {
    fn default() -> Self {
        Self {
            per_minute: 20,
            per_second: 1,
        }
    }
}
