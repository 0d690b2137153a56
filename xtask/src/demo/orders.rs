//! The order worker's part of the demo: jobs on the queue, their effects in Billz, MongoDB and Telegram.

use anyhow::{Context as _, Result, ensure};
use billwright_domain::Phone;
use billwright_sandbox::{OrderRecord, OrderState, PRODUCT_ID, SCARCE_PRODUCT_ID};
use bson::{Bson, DateTime, Document, doc, oid::ObjectId};
use serde_json::{Value, json};

use super::{
    screen::Effects,
    stage::{Stage, until},
};

pub(super) const CLIENT_PHONE: &str = "+998901112233";
pub(super) const OTHER_PHONE: &str = "+998935557788";
/// `orderID` of the order that is placed, and of the one that cannot be.
const ORDER_ID: &str = "12345";
const SOLD_OUT_ORDER_ID: &str = "12346";

/// The documents that the shop has before any job: a client, who is not in Billz yet, a seller and a card.
#[derive(Debug)]
pub(super) struct Shop {
    client: ObjectId,
    seller: ObjectId,
    card: ObjectId,
}

impl Shop {
    pub(super) fn new() -> Self {
        Self {
            client: ObjectId::new(),
            seller: ObjectId::new(),
            card: ObjectId::new(),
        }
    }

    /// Writes the documents as the shop's own back end would.
    pub(super) async fn documents(&self, stage: &Stage) -> Result<Effects> {
        let insert = async |collection: &str, mut document: Document| {
            let now = DateTime::now();
            document.extend(doc! {"createdAt": now, "updatedAt": now, "__v": 0});
            stage
                .billz
                .collection::<Document>(collection)
                .insert_one(document)
                .await
        };
        let phone = Bson::Double(998_901_112_233.0);
        insert(
            "clients",
            doc! {"_id": self.client, "phone": phone, "firstName": "Aziza", "lastName": "Karimova"},
        )
        .await?;
        insert(
            "users",
            doc! {"_id": self.seller, "externalID": "emp123", "name": "Dilshod"},
        )
        .await?;
        insert(
            "cards",
            doc! {"_id": self.card, "name": "Terminal", "externalID": "card123", "isActive": true},
        )
        .await?;
        Ok(vec![format!(
            "a client ({}), a seller and a payment card are in MongoDB",
            Phone::parse(CLIENT_PHONE)?
        )])
    }

    /// The documented example, for this shop's client and seller.
    fn order(&self, order_id: &str, product: &str) -> Value {
        json!({
            "isPostPonement": false, "isPaid": false, "deliveryStatus": "pending", "storeId": "store123",
            "storeExternalID": "ext_store_123", "paymentMethod": "online", "regionId": ObjectId::new().to_hex(),
            "paidAmount": 0,
            "deliveryAddress": {"street": "Main Street 123", "city": "Tashkent", "apartment": "5A", "floor": "2", "entrance": "A"},
            "coordinates": {"latitude": 41.2995, "longitude": 69.2401, "accuracy": 10},
            "products": [{
                "productID": product, "qty": 2, "name": {"en": "Product Name", "uz": "Mahsulot nomi"}, "sku": "SKU123",
                "barCode": "1234567890123", "imageUrl": "https://example.com/image.jpg", "subTotalPrice": 100,
                "totalPrice": 100, "discountAmount": 0
            }],
            "subTotalPrice": 100, "discountAmount": 0, "totalPrice": 100, "deliverySubTotalPrice": 20,
            "clientIdSys": self.client.to_hex(), "createdBy": self.seller.to_hex(), "region": "Tashkent",
            "store": "Main Store", "orderID": order_id, "employeeName": "John Doe", "userId": ObjectId::new().to_hex()
        })
    }

    /// A client is made in Billz once, however often it is asked for.
    pub(super) async fn create_client(&self, stage: &Stage) -> Result<Effects> {
        let phone = Phone::parse(OTHER_PHONE)?;
        let payload = json!({"clientPhone": OTHER_PHONE, "clientFirstName": "John", "clientLastName": "Doe"});
        let first = stage.job("CREATE_CLIENT", &payload).await?.completed()?;
        ensure!(first["created"] == true, "the first job created nobody: {first}");
        let second = stage.job("CREATE_CLIENT", &payload).await?.completed()?;
        ensure!(
            second["created"] == false && second["clientId"] == first["clientId"],
            "not found again: {second}"
        );
        let count = stage.bed.sandbox.ledger().client_count(OTHER_PHONE);
        ensure!(count == 1, "Billz has {count} clients with this number");
        Ok(vec![
            format!("the first job made client {} in Billz for {phone}", first["clientId"]),
            "the second found the same one; Billz has exactly one client with this number".to_owned(),
        ])
    }

    /// A complete order: parked, since it is not paid yet, with its units locked.
    pub(super) async fn place_order(&self, stage: &Stage) -> Result<Effects> {
        let before = available(stage, PRODUCT_ID)?;
        let result = stage
            .job("PLACE_ORDER", &self.order(ORDER_ID, PRODUCT_ID))
            .await?
            .completed()?;
        ensure!(
            result["parked"] == true && result["alreadyPlaced"] == false,
            "not parked: {result}"
        );
        let sale = self.sale(stage).await?;
        ensure!(
            sale.state == OrderState::Parked,
            "the sale is {:?} in Billz",
            sale.state
        );
        ensure!(
            sale.comment == format!("Order {ORDER_ID} - Tashkent"),
            "the comment is `{}`",
            sale.comment
        );
        let clients = stage.billz.collection::<Document>("clients");
        let client = stage
            .document(&clients, doc! {"_id": self.client, "billzId": {"$exists": true}})
            .await?;
        ensure!(
            sale.customer_id.as_deref() == client.get_str("billzId").ok(),
            "another client is attached"
        );
        let after = available(stage, PRODUCT_ID)?;
        let locked = before.parse::<i64>()? - after.parse::<i64>()?;
        ensure!(locked == 2, "{locked} units are locked instead of 2");
        Ok(vec![
            format!(
                "Billz: sale {} is parked as \"{}\", total {}, seller and client attached",
                sale.id, sale.comment, sale.total
            ),
            format!("Billz: {locked} units are locked, {after} are left to others"),
            format!(
                "MongoDB: the order has billzId {}, the client {}",
                sale.id,
                client.get_str("billzId")?
            ),
        ])
    }

    /// The same order again: from a producer's retry, and from a new job.
    pub(super) async fn place_order_again(&self, stage: &Stage) -> Result<Effects> {
        let before = stage.bed.sandbox.ledger().calls.len();
        let correlation_id = uuid::Uuid::now_v7().to_string();
        let order = self.order(ORDER_ID, PRODUCT_ID);
        let again = stage
            .job_as("PLACE_ORDER", &order, &correlation_id)
            .await?
            .completed()?;
        ensure!(again["alreadyPlaced"] == true, "placed twice: {again}");
        let calls = stage.bed.sandbox.ledger().calls.len();
        let repeated = stage
            .job_as("PLACE_ORDER", &order, &correlation_id)
            .await?
            .completed()?;
        ensure!(repeated == again, "the repeated job has another result: {repeated}");
        let ledger = stage.bed.sandbox.ledger();
        let sales = ledger.orders_with_comment(ORDER_ID).len();
        ensure!(sales == 1, "Billz has {sales} sales of this order");
        let writes = ledger.calls[before..]
            .iter()
            .filter(|call| call.method != "GET" && call.name.starts_with("billz"))
            .count();
        ensure!(writes == 0, "{writes} writes were sent to Billz");
        Ok(vec![
            format!(
                "a new job: alreadyPlaced, sale {}; Billz was only read, and has one sale",
                again["billzOrderId"]
            ),
            format!(
                "a producer's retry of that job: the same result, {} calls",
                ledger.calls.len() - calls
            ),
        ])
    }

    /// A payment through the shop's card document, and the same again.
    pub(super) async fn pay(&self, stage: &Stage) -> Result<Effects> {
        let sale = self.sale(stage).await?.id;
        let payload = json!({"orderId": sale, "cardId": self.card.to_hex(), "totalPrice": 100});
        let first = stage.job("MAKE_PAYMENT", &payload).await?.completed()?;
        ensure!(
            first["paid"] == true && first["alreadyPaid"] == false,
            "not paid: {first}"
        );
        let second = stage.job("MAKE_PAYMENT", &payload).await?.completed()?;
        ensure!(second["alreadyPaid"] == true, "the second payment says {second}");
        let ledger = stage.bed.sandbox.ledger();
        let payments = ledger.payments_of(&sale);
        ensure!(
            payments.len() == 1,
            "Billz has {} payments of this sale",
            payments.len()
        );
        let record = ledger.order(&sale).context("the sale is gone")?;
        ensure!(
            record.state == OrderState::Paid,
            "the sale is {:?} in Billz",
            record.state
        );
        Ok(vec![
            format!(
                "the first job paid {} by payment type {}",
                payments[0].amount, payments[0].payment_type_id
            ),
            "the second says alreadyPaid; Billz has exactly one payment of this sale".to_owned(),
        ])
    }

    /// A payload that can never work fails at once and says why.
    pub(super) async fn bad_payload(&self, stage: &Stage) -> Result<Effects> {
        let payload = json!({"qty": "many", "orderId": "order123"});
        let checked = stage.job("ADD_ITEM", &payload).await;
        ensure!(checked.is_err(), "`billwright enqueue` took it: {checked:?}");
        let reason = stage.unchecked_job("ADD_ITEM", &payload).await?.failed_at_once()?;
        ensure!(
            reason.contains("productId") && reason.contains("qty"),
            "the reason does not name the fields: {reason}"
        );
        let unknown = stage.unchecked_job("SELL_SHOP", &json!({})).await?.failed_at_once()?;
        ensure!(
            unknown.contains("SELL_SHOP") && unknown.contains("PLACE_ORDER"),
            "the known types are not named: {unknown}"
        );
        Ok(vec![
            "`billwright enqueue` refuses it; from a producer that checks nothing it fails at the first of five attempts:"
                .to_owned(),
            reason,
            unknown,
        ])
    }

    /// An order that Billz refuses leaves nothing behind but the document that says why.
    pub(super) async fn sold_out(&self, stage: &Stage) -> Result<Effects> {
        let reason = stage
            .job("PLACE_ORDER", &self.order(SOLD_OUT_ORDER_ID, SCARCE_PRODUCT_ID))
            .await?
            .failed_at_once()?;
        let ledger = stage.bed.sandbox.ledger();
        let left = ledger.orders_with_comment(SOLD_OUT_ORDER_ID).len();
        ensure!(left == 0, "{left} sales of this order were left in Billz");
        let orders = stage.billz.collection::<Document>("orders");
        let order = stage.document(&orders, doc! {"orderID": SOLD_OUT_ORDER_ID}).await?;
        ensure!(
            order.get("billzId").is_none_or(|id| id == &Bson::Null),
            "the order still has a billzId"
        );
        Ok(vec![
            format!("refused: {reason}"),
            "the draft is deleted in Billz; the order stays in MongoDB, without a billzId".to_owned(),
        ])
    }

    /// The team was told, each time without a whole phone number.
    pub(super) async fn messages(&self, stage: &Stage) -> Result<Effects> {
        let about = [ORDER_ID, SOLD_OUT_ORDER_ID, "100"];
        let texts = until(
            "the messages of the placed, the paid and the refused order",
            async || {
                let texts: Vec<String> = stage
                    .bed
                    .sandbox
                    .ledger()
                    .messages
                    .into_iter()
                    .map(|message| message.plain_text)
                    .collect();
                Ok(about
                    .iter()
                    .all(|what| texts.iter().any(|text| text.contains(what)))
                    .then_some(texts))
            },
        )
        .await?;
        let digits = Phone::parse(CLIENT_PHONE)?;
        ensure!(
            !texts.iter().any(|text| text.contains(digits.digits())),
            "a message tells a whole phone number"
        );
        let firsts = texts.iter().filter_map(|text| text.lines().next());
        Ok(firsts.map(|line| format!("Telegram: {line}")).collect())
    }

    /// The sale that the order's document names, as Billz has it.
    async fn sale(&self, stage: &Stage) -> Result<OrderRecord> {
        let orders = stage.billz.collection::<Document>("orders");
        let order = stage.document(&orders, doc! {"orderID": ORDER_ID}).await?;
        let id = order.get_str("billzId").context("the order has no billzId")?;
        stage
            .bed
            .sandbox
            .ledger()
            .order(id)
            .cloned()
            .context("Billz has no such sale")
    }
}

/// Units of a product that nobody holds.
fn available(stage: &Stage, product: &str) -> Result<String> {
    let ledger = stage.bed.sandbox.ledger();
    let record = ledger.stock.iter().find(|record| record.product_id == product);
    Ok(record
        .context("Billz does not know the product")?
        .available
        .normalize()
        .to_string())
}
