//! The worker's process is killed at every boundary between two steps and inside every call to Billz, and another process
//! goes on: one order, one payment of the right amount, no stray draft, and documents that say so.
//!
//! Where to kill is learned from a run that nothing disturbs. Each death has a queue and a Billz of its own; those of one
//! kind of job share a process, which is killed once all of its workers have come to the place where they are to die.

use std::time::{Duration, Instant};

use billwright_connectors::{
    billz::{CallContext, Line},
    breaker::BreakerSettings,
};
use billwright_domain::{BillzProductId, CorrelationId, Quantity, ShopId};
use billwright_sandbox::{
    Decimal, DraftComment, Fault, Ledger, OrderState, PRODUCT_ID, SCARCE_PRODUCT_ID, SELLER_ID, SHOP_ID,
    SandboxSettings, Variants,
};
use futures_util::future::join_all;
use mongodb::bson::{Document, doc, oid::ObjectId};
use serde_json::{Value, json};

use crate::{
    child::{WorkerOrder, WorkerProcess},
    world::{DEADLINE, Ended, World, billz_at, order, until},
};

/// The jobs that deaths interrupt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scenario {
    /// `PLACE_ORDER` of a new client with a discount and a seller, parked; Billz keeps comments on drafts.
    Park,
    /// The same, paid; Billz keeps no comments on drafts, so that a lost one is told by other means.
    Pay,
    /// `PLACE_ORDER` of which the second line is out of stock, so that everything is taken back.
    TakeBack,
    /// `MAKE_PAYMENT`.
    Payment,
}

/// Where a worker dies.
#[derive(Debug, Clone)]
enum Death {
    /// At the boundary of this number and name.
    At(usize, String),
    /// Inside a call.
    Inside {
        call: &'static str,
        /// So many calls of its name come before it.
        after: u64,
        /// Whether Billz does what it asks for.
        granted: bool,
        inside: Inside,
    },
}

#[derive(Debug, Clone, Copy)]
enum Inside {
    /// Billz got the call, and it never takes effect.
    NoEffect,
    /// Billz got the call, and it takes effect once the worker is dead.
    EffectAfterDeath,
    /// It took effect, and the answer is not sent.
    NoAnswer,
}

impl Inside {
    fn fault(self) -> Fault {
        match self {
            Self::NoEffect => Fault::Hang,
            Self::EffectAfterDeath => Fault::Hold,
            Self::NoAnswer => Fault::HangAfter,
        }
    }
}

/// One job in a world of its own.
struct Case {
    world: World,
    scenario: Scenario,
    /// Its number, and its correlation id in the database that all share.
    name: String,
    job: String,
    /// The sale of a payment.
    sale: Option<String>,
    /// How many calls were made to prepare it.
    prepared: usize,
}

impl Case {
    async fn new(home: &World, scenario: Scenario, number: u64) -> Self {
        let draft_comment = if scenario == Scenario::Pay {
            DraftComment::Dropped
        } else {
            DraftComment::Stored
        };
        let settings = SandboxSettings {
            // Also what makes the ids of its sales its own.
            seed: number + 1,
            variants: Variants {
                draft_comment,
                ..Variants::default()
            },
            ..SandboxSettings::default()
        };
        let name = format!("case-{number}");
        let world = home.beside(&name, settings).await;
        let (kind, payload, sale) = match scenario {
            Scenario::Payment => payment(&world).await,
            _ => ("PLACE_ORDER", placement(&world, scenario, number).await, None),
        };
        let data = json!({"type": kind, "payload": payload, "correlationId": name});
        let job = world.add_data(&data).await;
        Self {
            prepared: world.sandbox.ledger().calls.len(),
            world,
            scenario,
            name,
            job,
            sale,
        }
    }

    /// A worker that dies somewhere.
    fn doomed(&self, stops_at: Option<usize>) -> WorkerOrder {
        // Long enough that a busy machine loses none, but for payments, whose locks run out by themselves.
        let lock = Duration::from_secs(if self.scenario == Scenario::Payment { 4 } else { 60 });
        WorkerOrder {
            prefix: self.world.prefix.clone(),
            billz_url: self.world.sandbox.billz_url(),
            lock,
            // It must be there still when the last of those who die with it has come to its end.
            patience: Duration::from_mins(2),
            stops_at,
        }
    }

    /// A worker that goes on after a death.
    fn next(&self) -> WorkerOrder {
        WorkerOrder {
            patience: Duration::from_millis(1_500),
            ..self.doomed(None)
        }
    }

    /// Whether the worker has come to where it is to die.
    fn has_reached(&self, process: &WorkerProcess, death: &Death) -> bool {
        match death {
            Death::At(number, name) => process.boundaries_of(&self.world.prefix).get(*number) == Some(name),
            Death::Inside {
                call, granted, inside, ..
            } => self.world.sandbox.ledger().calls.iter().any(|seen| {
                let is_done = seen.effect || !granted || !matches!(inside, Inside::NoAnswer);
                seen.name == *call && seen.fault.as_deref() == Some(inside.fault().name()) && is_done
            }),
        }
    }

    async fn document(&self, collection: &str, filter: Document) -> Document {
        let mut found: Vec<Document> =
            futures_util::TryStreamExt::try_collect(self.world.collection(collection).find(filter).await.unwrap())
                .await
                .unwrap();
        assert_eq!(found.len(), 1, "{}: {collection} {found:?}", self.name);
        found.remove(0)
    }

    async fn check(&self, ended: Ended, why: &str) {
        let ledger = self.world.sandbox.ledger();
        let operation = self.document("operations", doc! { "correlationId": &self.name }).await;
        let state = operation.get_str("state").unwrap();
        match self.scenario {
            Scenario::TakeBack => {
                let reason = ended.reason();
                assert!(reason.contains("20016"), "{why}: {reason}");
                assert_eq!(state, "failed", "{why}");
                assert!(
                    ledger.live_orders().is_empty(),
                    "{why}: {reason}: {:?}, {:?}",
                    ledger.live_orders(),
                    self.world.logs(&self.job).await
                );
                let order = self.document("orders", doc! { "orderID": &self.name }).await;
                assert!(order.get_str("billzError").unwrap().contains("20016"), "{why}");
                assert!(!order.contains_key("billzId"), "{why}");
            }
            Scenario::Payment => {
                assert_eq!(ended.value()["paid"], true, "{why}");
                assert_eq!(state, "completed", "{why}");
                check_paid(&ledger, self.sale.as_deref().unwrap(), 100, why);
                let order = self.document("orders", doc! { "billzId": self.sale.as_deref() }).await;
                assert!(order.get_bool("isPaid").unwrap(), "{why}");
                assert_eq!(order.get_i32("paidAmount").unwrap(), 100, "{why}");
            }
            Scenario::Park | Scenario::Pay => {
                assert_eq!(state, "completed", "{why}");
                self.check_placed(&ended.value(), &ledger, why).await;
            }
        }
        let section = if self.scenario == Scenario::TakeBack {
            "errors"
        } else {
            "billz"
        };
        let told = doc! { "correlationId": &self.name, "section": section };
        let told = self.world.collection("logs").count_documents(told).await.unwrap();
        // One, or two where the worker died between this and noting that it is done.
        assert!((1..=2).contains(&told), "{why}: told {told} times");
    }

    async fn check_placed(&self, placed: &Value, ledger: &Ledger, why: &str) {
        let pays = self.scenario == Scenario::Pay;
        assert_eq!(
            (&placed["paid"], &placed["parked"], &placed["alreadyPlaced"]),
            (&json!(pays), &json!(!pays), &json!(false)),
            "{why}: {placed}"
        );
        let live = ledger.live_orders();
        assert_eq!(live.len(), 1, "{why}: {live:?}");
        let sale = live[0];
        let state = if pays { OrderState::Paid } else { OrderState::Parked };
        assert_eq!((sale.state, sale.total), (state, Decimal::from(200)), "{why}");
        assert_eq!(placed["billzOrderId"], json!(sale.id), "{why}");
        assert_eq!(sale.comment, format!("Order {} - Tashkent", self.name), "{why}");
        let lines: Vec<_> = sale.lines.iter().map(|line| line.quantity).collect();
        assert_eq!(lines, [Decimal::from(3), Decimal::from(1)], "{why}");
        assert!(sale.lines.iter().all(|line| line.seller_ids == [SELLER_ID]), "{why}");
        if pays {
            check_paid(ledger, &sale.id, 200, why);
        }
        assert_eq!(
            (ledger.payments.len(), ledger.clients.len()),
            (usize::from(pays), 1),
            "{why}"
        );
        assert_eq!(sale.customer_id.as_ref(), Some(&ledger.clients[0].id), "{why}");

        let document = self.document("orders", doc! { "orderID": &self.name }).await;
        assert_eq!(document.get_str("billzId").unwrap(), sale.id, "{why}");
        assert_eq!(document.get_i32("billzAmount").unwrap(), 200, "{why}");
        assert_eq!(document.get_datetime("datePaid").is_ok(), pays, "{why}");
        let client = doc! { "_id": document.get_object_id("clientIdSys").unwrap() };
        let client = self.document("clients", client).await;
        assert_eq!(client.get_str("billzId").unwrap(), ledger.clients[0].id, "{why}");
        let saga = self
            .document("order_sagas", doc! { "_id": document.get_object_id("_id").unwrap() })
            .await;
        assert_eq!(saga.get_str("state").unwrap(), "placed", "{why}");
    }
}

fn check_paid(ledger: &Ledger, sale: &str, amount: i64, why: &str) {
    assert_eq!(ledger.times_paid(sale), 1, "{why}");
    let paid: Vec<_> = ledger.payments_of(sale).iter().map(|payment| payment.amount).collect();
    assert_eq!(paid, [Decimal::from(amount)], "{why}");
}

async fn placement(world: &World, scenario: Scenario, number: u64) -> Value {
    let phone = 998_900_000_000 + number;
    let client = world.client(phone.to_string().parse().unwrap(), None).await;
    let seller = ObjectId::new();
    let user = doc! { "_id": seller, "externalID": SELLER_ID };
    world.collection("users").insert_one(user).await.unwrap();
    let mut payload = order(&format!("case-{number}"), client);
    payload["createdBy"] = json!(seller.to_hex());
    if scenario == Scenario::TakeBack {
        payload["products"][1]["productID"] = json!(SCARCE_PRODUCT_ID);
        payload["products"][1]["qty"] = json!(2);
    } else {
        payload["discountAmount"] = json!(25);
        payload["totalPrice"] = json!(200);
    }
    if scenario == Scenario::Pay {
        payload["isPaid"] = json!(true);
        payload["cardId"] = json!("card123");
    }
    payload
}

/// A draft of 100, its document, and the payload that pays it.
async fn payment(world: &World) -> (&'static str, Value, Option<String>) {
    let billz = billz_at(
        &world.sandbox.billz_url(),
        Duration::from_secs(30),
        BreakerSettings::default(),
    );
    let calls = billz.calls(CallContext::ordinary(CorrelationId::parse("prepared").unwrap()));
    let shop = ShopId::parse(SHOP_ID).unwrap();
    let sale = calls.create_order(&shop, "").await.unwrap().id;
    let line = Line {
        product: BillzProductId::parse(PRODUCT_ID).unwrap(),
        quantity: Quantity::new(Decimal::from(2)).unwrap(),
        seller: None,
    };
    calls.add_item(&sale, &line).await.unwrap();
    let document = doc! { "billzId": sale.as_str(), "totalPrice": 100 };
    world.collection("orders").insert_one(document).await.unwrap();
    let payload = json!({"orderId": sale, "cardId": "card123", "totalPrice": 100});
    ("MAKE_PAYMENT", payload, Some(sale.to_string()))
}

/// Every death that a job can die, learned from a run that nothing disturbs.
async fn deaths(home: &World, scenario: Scenario) -> Vec<Death> {
    let calm = Case::new(home, scenario, 0).await;
    let process = WorkerProcess::start(home, vec![calm.next()]).await;
    let ended = calm.world.ended(&calm.job).await;
    calm.check(ended, "undisturbed").await;
    let last = if scenario == Scenario::TakeBack {
        "saga:cancelled"
    } else {
        "operation:completed"
    };
    until("the last boundary is told", || async {
        process
            .boundaries_of(&calm.world.prefix)
            .iter()
            .any(|boundary| boundary == last)
    })
    .await;
    let boundaries = process.boundaries_of(&calm.world.prefix);
    process.kill().await;
    let mut deaths: Vec<_> = (0..).zip(boundaries).map(|(at, name)| Death::At(at, name)).collect();
    let calls = &calm.world.sandbox.ledger().calls[calm.prepared..];
    for (at, call) in calls.iter().enumerate() {
        let after = calls[..at].iter().filter(|earlier| earlier.name == call.name).count();
        let inside = |inside| Death::Inside {
            call: call.name,
            after: u64::try_from(after).unwrap(),
            granted: call.effect,
            inside,
        };
        deaths.extend([inside(Inside::NoEffect), inside(Inside::NoAnswer)]);
        if call.method != "GET" {
            deaths.push(inside(Inside::EffectAfterDeath));
        }
    }
    deaths
}

/// How many workers die at a time.
const AT_ONCE: usize = 24;

/// Lets a job die all its deaths. Says how many there were.
async fn survives(scenario: Scenario) -> usize {
    let home = World::new().await;
    let deaths = deaths(&home, scenario).await;
    let mut number = 0;
    let mut killed = 0;
    for deaths in deaths.chunks(AT_ONCE) {
        let mut cases = Vec::new();
        for death in deaths {
            number += 1;
            cases.push((Case::new(&home, scenario, number).await, death));
        }
        killed += die(&home, &cases).await;
        join_all(cases.into_iter().map(|(case, _)| end(case))).await;
    }
    assert_eq!(killed, deaths.len(), "a death was left out");
    let (at_boundaries, inside): (Vec<_>, Vec<_>) = deaths.iter().partition(|death| matches!(death, Death::At(..)));
    println!(
        "{scenario:?}: killed at {} boundaries and {} times inside a call",
        at_boundaries.len(),
        inside.len()
    );
    home.end().await;
    killed
}

async fn end(case: Case) {
    if let Some(sandbox) = std::sync::Arc::into_inner(case.world.sandbox) {
        sandbox.stop().await;
    }
}

async fn die(home: &World, cases: &[(Case, &Death)]) -> usize {
    let mut orders = Vec::new();
    for (case, death) in cases {
        let stops_at = match death {
            Death::At(number, _) => Some(*number),
            Death::Inside {
                call, after, inside, ..
            } => {
                case.world.sandbox.faults().after(*after, call, inside.fault());
                None
            }
        };
        orders.push(case.doomed(stops_at));
    }
    let process = WorkerProcess::start(home, orders).await;
    let deadline = Instant::now() + DEADLINE;
    for (case, death) in cases {
        while !case.has_reached(&process, death) {
            let passed = process.boundaries_of(&case.world.prefix);
            let log = case.world.logs(&case.job).await;
            assert!(
                Instant::now() < deadline,
                "{:?} does not come to {death:?}, but to {passed:?}; its log says {log:?}",
                case.scenario
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    process.kill().await;
    for (case, _) in cases {
        case.world.sandbox.faults().clear();
        if case.scenario != Scenario::Payment {
            case.world.let_locks_run_out(&case.job).await;
        }
    }
    let next = WorkerProcess::start(home, cases.iter().map(|(case, _)| case.next()).collect()).await;
    let ends = cases.iter().map(|(case, death)| async move {
        let ended = case.world.ended(&case.job).await;
        case.check(ended, &format!("{:?}, {death:?}", case.scenario)).await;
    });
    join_all(ends).await;
    next.kill().await;
    cases.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_to_be_parked_survives_a_kill_everywhere() {
    let killed = survives(Scenario::Park).await;
    assert!(killed > 50, "only {killed} places to die were found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_to_be_paid_survives_a_kill_everywhere() {
    let killed = survives(Scenario::Pay).await;
    assert!(killed > 50, "only {killed} places to die were found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn taking_an_order_back_survives_a_kill_everywhere() {
    let killed = survives(Scenario::TakeBack).await;
    assert!(killed > 50, "only {killed} places to die were found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_survives_a_kill_everywhere() {
    let killed = survives(Scenario::Payment).await;
    assert!(killed > 10, "only {killed} places to die were found");
}
