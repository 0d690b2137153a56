//! The lists that change rarely: shops, cash boxes, payment types, users.

use serde_json::{Value, json};

use super::listing::Page;
use crate::{
    message::Request,
    settings::Shop,
    variants::{CashBoxKey, ShopCashBoxes},
    world::World,
};

const COMPANY_ID: &str = "company-sandbox";

impl World {
    pub(crate) fn list_shops(&self, request: &Request) -> Value {
        let listed = self.settings.variants.shop_cash_boxes == ShopCashBoxes::Listed;
        let shop_view = |shop: &Shop| {
            let mut view = json!({
                "id": shop.id,
                "company_id": COMPANY_ID,
                "name": shop.name,
                "cash_boxes_count": shop.cash_boxes.len(),
            });
            if listed {
                view["cash_boxes"] = cash_boxes_of(shop).collect();
            }
            view
        };
        self.rows(request, "shops", self.settings.shops.iter().map(shop_view).collect())
    }

    pub(crate) fn list_cash_boxes(&self, request: &Request) -> Value {
        let key = match self.settings.variants.cash_box_key {
            CashBoxKey::CashBoxes => "cash_boxes",
            CashBoxKey::Cashboxes => "cashboxes",
        };
        self.rows(
            request,
            key,
            self.settings.shops.iter().flat_map(cash_boxes_of).collect(),
        )
    }

    pub(crate) fn list_payment_types(&self, request: &Request) -> Value {
        let rows = self.settings.payment_types.iter().map(|kind| {
            json!({
                "id": kind.id,
                "company_id": COMPANY_ID,
                "name": kind.name,
                "token": "",
                "is_editable": !kind.is_cash,
                "is_cash_payment_type": kind.is_cash,
                "payment_type": {
                    "id": general_payment_type(&kind.id),
                    "name": if kind.is_cash { "Cash" } else { "Custom" },
                },
            })
        });
        self.rows(request, "company_payment_types", rows.collect())
    }

    pub(crate) fn list_users(&self, request: &Request) -> Value {
        let rows = self
            .settings
            .sellers
            .iter()
            .map(|seller| json!({"id": seller.id, "first_name": seller.first_name, "last_name": ""}));
        self.rows(request, "users", rows.collect())
    }

    fn rows(&self, request: &Request, key: &str, rows: Vec<Value>) -> Value {
        let count = rows.len();
        let page = Page::of(request, 10).unwrap_or_default();
        self.list(key, count, page.cut(rows))
    }
}

fn cash_boxes_of(shop: &Shop) -> impl Iterator<Item = Value> + '_ {
    shop.cash_boxes.iter().map(|(id, name)| json!({"id": id, "name": name}))
}

/// The id inside `payment_type`, which payments must not use.
pub(crate) fn general_payment_type(company_payment_type_id: &str) -> String {
    format!("general-{company_payment_type_id}")
}
