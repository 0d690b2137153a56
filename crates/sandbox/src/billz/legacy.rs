//! The calls of old, `POST /v1/orders` with a method and parameters, which the worker before this one made.

use serde_json::{Value, json};

use super::{Refusal, text};
use crate::{message::Reply, world::World};

impl World {
    /// Answers `{result}`, or an error whose only content is its text.
    pub(crate) fn legacy(&mut self, body: &Value) -> (Reply, bool) {
        let parameters = body.get("params").cloned().unwrap_or(Value::Null);
        let done = match body.get("method").and_then(Value::as_str) {
            Some("order.create") => self.legacy_create(&parameters),
            Some("order.add_item") => self.legacy_add_item(&parameters),
            Some("order.add_customer") => on_order(&parameters, |id| {
                self.attach_customer(id, &parameters).map(|_| json!("ok"))
            }),
            Some("order.postpone") => self.park(&parameters).map(|_| json!("ok")),
            Some("order.make_payment") => on_order(&parameters, |id| self.pay(id, &parameters).map(|_| json!("ok"))),
            _ => Err(Refusal::bad("unknown method")),
        };
        match done {
            Ok(result) => (Reply::json(200, &json!({"result": result})), true),
            Err(refusal) => {
                let (status, message) = match &refusal {
                    Refusal::Bad(message) | Refusal::Sale { message, .. } => (400, message.as_str()),
                    Refusal::Missing(message) => (404, *message),
                };
                (Reply::json(status, &json!({"error": {"message": message}})), false)
            }
        }
    }

    /// The shop's first cash box is taken: the old call names none.
    fn legacy_create(&mut self, parameters: &Value) -> Result<Value, Refusal> {
        let shop_id = text(parameters, "shop_id")?;
        let shop = self.settings.shops.iter().find(|shop| shop.id == shop_id);
        let cashbox_id = shop.and_then(|shop| shop.cash_boxes.first()).map(|(id, _)| id.clone());
        let body = json!({"shop_id": shop_id, "cashbox_id": cashbox_id, "comment": ""});
        self.create_order(&body).map(|envelope| envelope["id"].clone())
    }

    fn legacy_add_item(&mut self, parameters: &Value) -> Result<Value, Refusal> {
        let body = json!({
            "product_id": parameters["product_id"],
            "sold_measurement_value": parameters["measurement_value"],
        });
        on_order(parameters, |id| self.add_product(id, &body).map(|_| json!("ok")))
    }
}

fn on_order(parameters: &Value, call: impl FnOnce(&str) -> Result<Value, Refusal>) -> Result<Value, Refusal> {
    call(text(parameters, "order_id")?)
}
