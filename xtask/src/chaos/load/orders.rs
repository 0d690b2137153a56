//! The shop of a run: its clients and cards, and orders as its back end would send them.

use std::collections::BTreeMap;

use anyhow::Result;
use billwright_sandbox::{PAYMENT_TYPE_ID, SCARCE_PRODUCT_ID, SELLER_ID};
use bson::{Bson, DateTime, Document, doc, oid::ObjectId};
use rand::{Rng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::{Value, json};

use super::World;
use crate::chaos::{book::PlacedOrder, stage::PRICES};

/// Clients who order, several orders each.
const CLIENTS: usize = 25;

/// What the shop's own back end wrote before any job.
#[derive(Debug, Clone)]
pub(super) struct Shop {
    clients: Vec<ObjectId>,
    seller: ObjectId,
    card: ObjectId,
}

impl Shop {
    /// Writes the documents.
    pub(super) async fn open(world: &World) -> Result<Self> {
        let shop = Self {
            clients: (0..CLIENTS).map(|_| ObjectId::new()).collect(),
            seller: ObjectId::new(),
            card: ObjectId::new(),
        };
        let now = DateTime::now();
        let documents = |collection: &str| world.stage.billz.collection::<Document>(collection);
        let clients = shop.clients.iter().zip(0_u32..).map(|(id, number)| {
            let digits = format!("99893{:07}", 1_000_000 + number);
            world.book.phone(digits.clone());
            let phone = Bson::Double(digits.parse().unwrap_or_default());
            doc! {"_id": id, "phone": phone, "firstName": format!("Client {number}"), "lastName": "Karimova",
            "createdAt": now, "updatedAt": now, "__v": 0}
        });
        documents("clients").insert_many(clients).await?;
        documents("users")
            .insert_one(doc! {"_id": shop.seller, "externalID": SELLER_ID, "name": "Dilshod"})
            .await?;
        let card = doc! {"_id": shop.card, "name": "Terminal", "externalID": PAYMENT_TYPE_ID, "isActive": true};
        documents("cards").insert_one(card).await?;
        Ok(shop)
    }

    /// An order drawn by chance, and its payload. Some cannot be placed.
    pub(super) fn order(&self, chance: &mut StdRng, number: String) -> (PlacedOrder, Value) {
        let sold_out = chance.random_bool(0.06);
        let mut lines = BTreeMap::new();
        for _ in 0..chance.random_range(1..=3) {
            let (product, _) = PRICES.choose(chance).unwrap_or(&PRICES[0]);
            *lines.entry((*product).to_owned()).or_insert(0) += chance.random_range(1..=3_i64);
        }
        let mut sub_total: i64 = lines.iter().map(|(product, units)| price(product) * units).sum();
        if sold_out {
            lines.insert(SCARCE_PRODUCT_ID.to_owned(), 1);
            sub_total += 100;
        }
        let discount = if chance.random_bool(0.3) {
            chance.random_range(1..10)
        } else {
            0
        };
        let total = sub_total - discount;
        // Some back ends reckon differently: such an order is parked and never paid.
        let said = if chance.random_bool(0.05) { total + 1 } else { total };
        let paid = chance.random_bool(0.35);
        let products: Vec<Value> = lines
            .iter()
            .map(|(product, units)| {
                json!({"productID": product, "qty": units, "name": {"en": product}, "sku": "SKU", "totalPrice": price(product) * units})
            })
            .collect();
        let client = self.clients.choose(chance).copied().unwrap_or_default();
        let mut payload = json!({
            "orderID": number, "region": "Tashkent", "clientIdSys": client.to_hex(), "createdBy": self.seller.to_hex(),
            "products": products, "subTotalPrice": sub_total, "discountAmount": discount, "totalPrice": said,
            "isPaid": paid, "isPostPonement": chance.random_bool(0.1), "paymentMethod": "online",
            "deliveryAddress": {"street": "Main Street 123", "city": "Tashkent"},
        });
        if paid {
            payload["cardId"] = json!(self.card(chance));
        }
        (PlacedOrder { number, lines, total }, payload)
    }

    /// A card, by its document or by its name in Billz.
    pub(super) fn card(&self, chance: &mut StdRng) -> String {
        if chance.random_bool(0.5) {
            self.card.to_hex()
        } else {
            PAYMENT_TYPE_ID.to_owned()
        }
    }
}

/// What a unit costs.
pub(super) fn price(product: &str) -> i64 {
    let found = PRICES.iter().find(|(id, _)| *id == product);
    found.map_or(100, |(_, price)| i64::from(*price))
}
