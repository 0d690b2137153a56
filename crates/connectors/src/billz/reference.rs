//! What changes so rarely that it is looked up once: shops, cash boxes, payment types, sellers.

use std::{collections::HashMap, sync::Arc};

use billwright_domain::{BillzSellerId, CashboxId, PaymentTypeId, ShopId};
use serde_json::Value;
use tokio::sync::Mutex;

use super::{
    BillzCalls, BillzError,
    answer::{Effect, unreadable},
    request::Call,
    wire,
};
use crate::redact;

/// A shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shop {
    /// Its id.
    pub id: ShopId,
    /// Its name.
    pub name: String,
    /// Its cash boxes, as far as the list of shops tells them.
    pub cashboxes: Vec<Cashbox>,
}

/// A cash box (till).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cashbox {
    /// Its id.
    pub id: CashboxId,
    /// Its name.
    pub name: String,
    /// The shop where it stands, where Billz says so.
    pub shop: Option<ShopId>,
}

/// A way in which customers pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentType {
    /// Its id, which payments name.
    pub id: PaymentTypeId,
    /// Its name.
    pub name: String,
    /// Whether it is cash.
    pub is_cash: bool,
}

/// Somebody who works for the company: cashier or seller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seller {
    /// The id, which lines name.
    pub id: BillzSellerId,
    /// The name.
    pub name: String,
}

/// Everything that a look-up anew brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceData {
    /// The shops that the key may see.
    pub shops: Arc<[Shop]>,
    /// The cash boxes that the key may see.
    pub cashboxes: Arc<[Cashbox]>,
    /// The company's payment types.
    pub payment_types: Arc<[PaymentType]>,
}

/// What was looked up. Whoever needs a list that is not there yet looks it up while the others wait.
#[derive(Debug, Default)]
pub(super) struct Reference {
    shops: Mutex<Option<Arc<[Shop]>>>,
    cashboxes: Mutex<Option<Arc<[Cashbox]>>>,
    payment_types: Mutex<Option<Arc<[PaymentType]>>>,
    sellers: Mutex<Option<Arc<[Seller]>>>,
    cashbox_of: Mutex<HashMap<ShopId, CashboxId>>,
}

impl Reference {
    pub(super) async fn forget(&self) {
        *self.shops.lock().await = None;
        *self.cashboxes.lock().await = None;
        *self.payment_types.lock().await = None;
        *self.sellers.lock().await = None;
        self.cashbox_of.lock().await.clear();
    }
}

/// The most pages that a list is followed over.
const MOST_PAGES: usize = 50;

impl BillzCalls {
    /// The shops that the key may see. Looked up once.
    pub async fn shops(&self) -> Result<Arc<[Shop]>, BillzError> {
        let mut kept = self.billz().reference().shops.lock().await;
        let call = Call::get("shops", &["v1", "shop"])
            .with("limit", "100")
            .with("only_allowed", "true");
        self.once(&mut kept, call, 100, &["shops"], shop).await
    }

    /// The cash boxes that the key may see. Looked up once.
    pub async fn cashboxes(&self) -> Result<Arc<[Cashbox]>, BillzError> {
        let mut kept = self.billz().reference().cashboxes.lock().await;
        let call = Call::get("cashboxes", &["v1", "cash-box"]).with("limit", "100");
        self.once(&mut kept, call, 100, &["cash_boxes", "cashboxes"], cashbox)
            .await
    }

    /// The ways in which the company's customers pay. Looked up once.
    pub async fn payment_types(&self) -> Result<Arc<[PaymentType]>, BillzError> {
        let mut kept = self.billz().reference().payment_types.lock().await;
        let call = Call::get("payment_types", &["v1", "company-payment-type"]).with("limit", "1000");
        self.once(&mut kept, call, 1000, &["company_payment_types"], payment_type)
            .await
    }

    /// The company's sellers and cashiers. Looked up once.
    pub async fn sellers(&self) -> Result<Arc<[Seller]>, BillzError> {
        let mut kept = self.billz().reference().sellers.lock().await;
        let call = Call::get("sellers", &["v1", "user"]).with("limit", "1000");
        self.once(&mut kept, call, 1000, &["users"], seller).await
    }

    /// The cash box for a shop's sales: the configured one, else the shop's first. Looked up once for each shop.
    pub(super) async fn cashbox_of(&self, shop: &ShopId) -> Result<CashboxId, BillzError> {
        let settings = self.billz().settings();
        if let Some(configured) = settings.cashbox_id.as_ref().filter(|_| *shop == settings.shop_id) {
            return Ok(configured.clone());
        }
        let mut kept = self.billz().reference().cashbox_of.lock().await;
        if let Some(known) = kept.get(shop) {
            return Ok(known.clone());
        }
        let found = self.find_cashbox(shop).await?;
        kept.insert(shop.clone(), found.clone());
        Ok(found)
    }

    async fn find_cashbox(&self, shop: &ShopId) -> Result<CashboxId, BillzError> {
        let shops = self.shops().await?;
        let listed = shops.iter().find(|row| row.id == *shop);
        if let Some(first) = listed.and_then(|row| row.cashboxes.first()) {
            return Ok(first.id.clone());
        }
        let all = self.cashboxes().await?;
        let of_shop = all.iter().find(|row| row.shop.as_ref() == Some(shop));
        // Where the rows name no shop, they are this shop's only if there is no other.
        let only_shop = shops.len() == 1 && listed.is_some();
        let found = of_shop.or_else(|| all.iter().find(|row| row.shop.is_none() && only_shop));
        found.map(|row| row.id.clone()).ok_or_else(|| BillzError::Refused {
            call: "cashboxes",
            code: None,
            text: format!(
                "no cash box of shop `{}` is listed: check BILLZ_SHOP_ID, or name one with BILLZ_CASHBOX_ID",
                redact::text(shop.as_str())
            ),
        })
    }

    /// What is kept, or the whole list behind `call`.
    async fn once<T: Clone>(
        &self,
        kept: &mut Option<Arc<[T]>>,
        call: Call,
        page_size: usize,
        keys: &[&str],
        read: fn(&Value) -> Option<T>,
    ) -> Result<Arc<[T]>, BillzError> {
        if let Some(kept) = kept {
            return Ok(Arc::clone(kept));
        }
        let found: Arc<[T]> = self.list(call, page_size, MOST_PAGES, keys, read).await?.rows.into();
        *kept = Some(Arc::clone(&found));
        Ok(found)
    }

    /// The rows of all pages of a list. Rows that cannot be read are left out: they are nothing that we could name.
    pub(super) async fn list<T>(
        &self,
        call: Call,
        page_size: usize,
        most_pages: usize,
        keys: &[&str],
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Listed<T>, BillzError> {
        let mut listed = Listed {
            rows: Vec::new(),
            is_whole: false,
        };
        let mut seen = 0;
        for page in 1..=most_pages {
            let read_page = |answer: Value| {
                let rows =
                    wire::rows(&answer, keys).map_err(|shape| unreadable(call.name, Effect::Repeatable, shape))?;
                let found: Vec<T> = rows.iter().filter_map(&read).collect();
                Ok((found, rows.len(), wire::count(&answer)))
            };
            let page = call.clone().with("page", page.to_string());
            let (found, length, count) = self.send(page, read_page).await?;
            listed.rows.extend(found);
            seen += length;
            // A short page is the last, unless Billz makes its pages shorter than it was asked to. Its `count` is believed
            // only where it says that there is more.
            let is_more = length >= page_size || count > seen;
            if length == 0 || !is_more {
                listed.is_whole = true;
                break;
            }
        }
        Ok(listed)
    }
}

/// What was read of a list.
pub(super) struct Listed<T> {
    pub(super) rows: Vec<T>,
    /// Whether the list ended before the patience did.
    pub(super) is_whole: bool,
}

fn name(row: &Value) -> String {
    wire::text(row, "name").unwrap_or_default().to_owned()
}

fn shop(row: &Value) -> Option<Shop> {
    let id = ShopId::parse(wire::text(row, "id")?).ok()?;
    let cashboxes = row["cash_boxes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(cashbox)
        .collect();
    Some(Shop {
        id,
        name: name(row),
        cashboxes,
    })
}

fn cashbox(row: &Value) -> Option<Cashbox> {
    Some(Cashbox {
        id: CashboxId::parse(wire::text(row, "id")?).ok()?,
        name: name(row),
        shop: wire::text(row, "shop_id")
            .or_else(|| wire::text(&row["shop"], "id"))
            .and_then(|id| ShopId::parse(id).ok()),
    })
}

fn payment_type(row: &Value) -> Option<PaymentType> {
    Some(PaymentType {
        id: PaymentTypeId::parse(wire::text(row, "id")?).ok()?,
        name: name(row),
        is_cash: row["is_cash_payment_type"].as_bool().unwrap_or(false),
    })
}

fn seller(row: &Value) -> Option<Seller> {
    let parts = [wire::text(row, "first_name"), wire::text(row, "last_name")];
    Some(Seller {
        id: BillzSellerId::parse(wire::text(row, "id")?).ok()?,
        name: parts.into_iter().flatten().collect::<Vec<_>>().join(" "),
    })
}
