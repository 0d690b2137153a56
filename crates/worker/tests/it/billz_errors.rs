//! Every answer that Billz can give instead of the right one, to every call of every job type: what is final fails the job at
//! once, in Billz's words, and leaves nothing; what passes is tried again, and takes effect once.
//!
//! Which calls a job makes is learned from a run that nothing disturbs. Jobs of one world run one after the other, so that
//! an answer befalls the call that it is meant for; worlds run side by side.

mod answer;
mod scenario;

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::AssertUnwindSafe,
    sync::Mutex,
};

use billwright_connectors::billz::{BillzCalls, CallContext, Line, NewClient};
use billwright_domain::{BillzOrderId, BillzProductId, CorrelationId, Phone, Quantity, ShopId};
use billwright_sandbox::{
    Decimal, FaultRule, OrderState, PAYMENT_TYPE_ID, PRODUCT_ID, SCARCE_PRODUCT_ID, SELLER_ID, SHOP_ID, SandboxSettings,
};
use futures_util::{FutureExt, StreamExt, stream};
use mongodb::bson::doc;
use serde_json::{Value, json};

use self::{
    answer::{Answer, Meaning},
    scenario::{SCENARIOS, Scenario, Subject, effects},
};
use crate::world::{DEADLINE, Ended, World, order, until};

/// A call of a job, by its name and how many of that name come before it.
#[derive(Debug, Clone, Copy)]
struct Place {
    call: &'static str,
    after: u64,
}

#[derive(Debug, Clone, Copy)]
struct Case {
    scenario: Scenario,
    place: Place,
    answer: Answer,
}

/// A world whose jobs run one after the other.
struct Lane {
    world: World,
    calls: BillzCalls,
    name: String,
    jobs: u64,
}

impl Lane {
    async fn new(home: &World, number: u64) -> Self {
        let name = format!("lane-{number}");
        let settings = SandboxSettings {
            // Also what makes the ids of its sales its own.
            seed: number + 1,
            ..SandboxSettings::default()
        };
        let world = home.beside(&name, settings).await;
        let context = CallContext::ordinary(CorrelationId::parse("prepared").unwrap());
        Self {
            calls: world.billz().calls(context),
            world,
            name,
            jobs: number * 1_000,
        }
    }

    /// A draft of one product at 50, parked where that is asked for.
    async fn sale(&self, parked: bool) -> BillzOrderId {
        let sale = self
            .calls
            .create_order(&ShopId::parse(SHOP_ID).unwrap(), "")
            .await
            .unwrap()
            .id;
        let line = Line {
            product: BillzProductId::parse(PRODUCT_ID).unwrap(),
            quantity: Quantity::new(Decimal::ONE).unwrap(),
            seller: None,
        };
        self.calls.add_item(&sale, &line).await.unwrap();
        if parked {
            self.calls
                .park(&sale, "", "2099-01-01T00:00:00".parse().unwrap())
                .await
                .unwrap();
        }
        sale
    }

    async fn subject(&mut self, scenario: Scenario) -> (Subject, Value) {
        self.jobs += 1;
        let phone = (998_910_000_000 + self.jobs).to_string();
        let mut subject = Subject {
            number: format!("{}-{}", self.name, self.jobs),
            phone: phone.clone(),
            ..Subject::default()
        };
        let parked = matches!(scenario, Scenario::CancelPostpone | Scenario::DeleteParked);
        if !scenario.places() && !matches!(scenario, Scenario::CreateClient | Scenario::CreateOrder) {
            subject.sale = self.sale(parked).await.to_string();
        }
        if scenario == Scenario::AddClient {
            let client = NewClient {
                first_name: "Known".to_owned(),
                last_name: None,
                phone: Phone::parse(&phone).unwrap(),
            };
            subject.client = self.calls.create_client(&client).await.unwrap().to_string();
        }
        let sale = &subject.sale;
        let payload = match scenario {
            Scenario::CreateClient => json!({"clientPhone": phone, "clientFirstName": "Aziza"}),
            Scenario::CreateOrder => json!({}),
            Scenario::AddItem => json!({"productId": PRODUCT_ID, "qty": 2, "orderId": sale, "employeeID": SELLER_ID}),
            Scenario::AddClient => json!({"customerId": subject.client, "orderId": sale}),
            Scenario::Discount => json!({"orderId": sale, "amount": 5, "totalPrice": 50}),
            Scenario::Pay => json!({"orderId": sale, "cardId": PAYMENT_TYPE_ID, "totalPrice": 50}),
            Scenario::Postpone
            | Scenario::CancelPostpone
            | Scenario::DeleteDraft
            | Scenario::DeleteParked
            | Scenario::Get => json!({"orderId": sale}),
            Scenario::PlaceParked | Scenario::PlacePaid | Scenario::TakeBack => {
                let client = self.world.client(phone.parse().unwrap(), None).await;
                let mut payload = order(&subject.number, client);
                payload["discountAmount"] = json!(25);
                payload["totalPrice"] = json!(200);
                if scenario == Scenario::PlacePaid {
                    payload["isPaid"] = json!(true);
                    payload["cardId"] = json!(PAYMENT_TYPE_ID);
                }
                if scenario == Scenario::TakeBack {
                    payload["products"][1]["productID"] = json!(SCARCE_PRODUCT_ID);
                    payload["products"][1]["qty"] = json!(2);
                }
                payload
            }
        };
        subject.sales_before = self.world.sandbox.ledger_without_calls().live_orders().len();
        (subject, payload)
    }

    /// Runs one job. Says how it ended and after how many attempts.
    async fn run(&self, scenario: Scenario, subject: &Subject, payload: Value) -> (Ended, String) {
        let data = json!({"type": scenario.kind(), "payload": payload, "correlationId": subject.number});
        let job = self.world.add_data(&data).await;
        let ended = self.world.ended(&job).await;
        (ended, self.world.field(&job, "atm").await.unwrap_or_default())
    }

    /// The calls that a job makes where nothing goes wrong.
    async fn places(&mut self, scenario: Scenario) -> Vec<Place> {
        let (subject, payload) = self.subject(scenario).await;
        let before = self.world.sandbox.ledger().calls.len();
        let (ended, _) = self.run(scenario, &subject, payload).await;
        let ledger = self.world.sandbox.ledger();
        match scenario {
            Scenario::TakeBack => assert!(ended.reason().contains("20016")),
            _ => drop(ended.value()),
        }
        if scenario != Scenario::Get {
            let done = u32::from(scenario != Scenario::TakeBack);
            assert_eq!(effects(scenario, &subject, &ledger), Some(done), "{scenario:?}");
        }
        let calls: Vec<_> = ledger.calls[before..].iter().map(|call| call.name).collect();
        let earlier = |at: usize| calls[..at].iter().filter(|name| **name == calls[at]).count();
        (0..calls.len())
            .map(|at| Place {
                call: calls[at],
                after: u64::try_from(earlier(at)).unwrap(),
            })
            .collect()
    }

    async fn check(&mut self, case: Case) {
        let Case {
            scenario,
            place,
            answer,
        } = case;
        let (subject, payload) = self.subject(scenario).await;
        let faults = self.world.sandbox.faults();
        let rule = FaultRule {
            skip: place.after,
            times: answer.times(),
            ..FaultRule::every(place.call, answer.fault())
        };
        faults.add(rule).unwrap();
        let before = self.world.sandbox.ledger().calls.len();
        let (ended, attempts) = self.run(scenario, &subject, payload).await;
        let ledger = self.world.sandbox.ledger();
        let befallen = ledger.calls[before..]
            .iter()
            .filter(|call| call.fault.is_some())
            .count();
        assert!(befallen > 0, "{case:?}: nothing went wrong");
        faults.clear();
        let why = format!("{case:?} of {subject:?}: {attempts} attempts, {ended:?}");
        check_end(case, &ended, &attempts, &why);
        self.check_books(case, &subject, &ended, &why).await;
    }

    /// What Billz and MongoDB hold after a job agrees with how it ended.
    async fn check_books(&self, case: Case, subject: &Subject, ended: &Ended, why: &str) {
        let scenario = case.scenario;
        let done = u32::from(matches!(ended, Ended::Completed(_)));
        if scenario.places() && done == 0 && !case.hides_the_sale() {
            // Where the way back was barred the maintenance goes on with it.
            until(&format!("nothing is left of the order: {why}"), || async {
                let due = doc! { "$set": { "compensationDue": mongodb::bson::DateTime::MIN } };
                let open = doc! { "state": "compensating", "comment": { "$regex": &subject.number } };
                let sagas = self.world.collection("order_sagas");
                sagas.update_many(open.clone(), due).await.unwrap();
                sagas.count_documents(open).await.unwrap() == 0
            })
            .await;
        }
        let ledger = self.world.sandbox.ledger_without_calls();
        if scenario != Scenario::Get && !case.hides_the_sale() {
            assert_eq!(effects(scenario, subject, &ledger), Some(done), "{why}");
            let sales =
                isize::try_from(subject.sales_before).unwrap() + scenario.more_sales() * isize::try_from(done).unwrap();
            assert_eq!(
                ledger.live_orders().len(),
                usize::try_from(sales).unwrap(),
                "{why}: {:?}",
                ledger.live_orders()
            );
        }
        if let (Scenario::DeleteParked, Ended::Failed(reason)) = (scenario, ended) {
            let returned = ledger
                .order(&subject.sale)
                .is_some_and(|sale| sale.state == OrderState::Draft);
            assert_eq!(reason.contains("taken out of the park"), returned, "{why}");
        }
        if scenario.places() && !case.hides_the_sale() {
            let orders = self.world.collection("orders");
            let document = orders
                .find_one(doc! { "orderID": &subject.number })
                .await
                .unwrap()
                .unwrap();
            assert_eq!(document.contains_key("billzId"), done == 1, "{why}: {document}");
            assert_eq!(document.contains_key("billzError"), done == 0, "{why}: {document}");
        }
        for (section, expected) in [("billz", done), ("errors", 1 - done)] {
            let told = doc! { "section": section, "correlationId": &subject.number };
            let told = self.world.collection("logs").count_documents(told).await.unwrap();
            assert_eq!(told, u64::from(expected), "{why}: {section}");
        }
    }

    async fn end(self) {
        if let Some(sandbox) = std::sync::Arc::into_inner(self.world.sandbox) {
            sandbox.stop().await;
        }
    }
}

impl Case {
    /// Whether the answer means that the job's work is done already.
    fn is_taken_for_done(&self) -> bool {
        self.hides_the_sale() && self.scenario.deletes()
    }

    /// Whether Billz says that a sale is gone which is not.
    fn hides_the_sale(&self) -> bool {
        let removes = self.scenario.deletes() || self.scenario == Scenario::TakeBack;
        removes && self.answer == Answer::NotFound && matches!(self.place.call, "delete_order" | "get_order")
    }

    /// Whether the order cannot be taken back while this lasts.
    fn bars_the_way_back(&self) -> bool {
        self.scenario == Scenario::TakeBack && self.place.call == "delete_order"
    }
}

/// A job ended as its answer asks for.
fn check_end(case: Case, ended: &Ended, attempts: &str, why: &str) {
    let (reason, completed) = match ended {
        Ended::Completed(_) => ("", true),
        Ended::Failed(reason) => (&**reason, false),
    };
    if case.is_taken_for_done() {
        assert!(completed, "{why}");
        return;
    }
    let fails = case.scenario == Scenario::TakeBack;
    match case.answer.meaning() {
        Meaning::Final(text) => {
            assert!(reason.contains(text) || (fails && reason.contains("20016")), "{why}");
            // An order that could not be taken back is tried again, until it is.
            assert!(attempts == "1" || case.bars_the_way_back(), "{why}");
        }
        Meaning::NeverPasses(text) => {
            assert!(reason.contains(text) || (fails && reason.contains("20016")), "{why}");
            assert!(attempts == "5", "{why}");
        }
        Meaning::Unnoticed | Meaning::Rest => {
            assert!(if fails { reason.contains("20016") } else { completed }, "{why}");
            assert_eq!(attempts, "1", "{why}");
        }
        Meaning::Passes => {
            assert!(if fails { reason.contains("20016") } else { completed }, "{why}");
            let unnoticed = case.answer == Answer::BrokenJson;
            assert!(unnoticed || attempts != "1", "{why}");
        }
    }
}

/// How many workers are at it at a time.
const AT_ONCE: usize = 12;

/// All cases, in groups that one worker is to run.
async fn cases(home: &World) -> Vec<Vec<Case>> {
    let mut lane = Lane::new(home, 0).await;
    let worker = lane.world.start();
    let mut of_answer = BTreeMap::<Answer, Vec<Case>>::new();
    let (mut lanes, mut barred) = (Vec::new(), Vec::new());
    let mut learned = Vec::new();
    let mut seen = BTreeSet::new();
    for scenario in SCENARIOS {
        let places = lane.places(scenario).await;
        learned.push(format!(
            "{scenario:?}: {:?}",
            places.iter().map(|place| place.call).collect::<Vec<_>>()
        ));
        for place in places {
            // However an order ends, its way there is the same.
            if scenario.places() && !seen.insert((place.call, place.after)) {
                continue;
            }
            for answer in Answer::ALL {
                let case = Case {
                    scenario,
                    place,
                    answer,
                };
                if case.bars_the_way_back() {
                    barred.push(case);
                } else if !matches!(place.call, "login" | "shops") {
                    of_answer.entry(answer).or_default().push(case);
                } else if place.call != "login" || answer != Answer::UnauthorizedOnce {
                    // A worker makes these calls once.
                    lanes.push(vec![case]);
                }
            }
        }
    }
    println!("{}", learned.join("\n"));
    worker.stop().await;
    lane.end().await;
    for (answer, cases) in of_answer {
        lanes.extend(cases.chunks(answer.at_a_time()).map(<[Case]>::to_vec));
    }
    lanes.extend(barred.chunks(6).map(<[Case]>::to_vec));
    // The longest first, so that none is left alone at the end.
    lanes.sort_by_key(|cases| std::cmp::Reverse(cases.len()));
    lanes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_to_every_call_of_every_type_has_the_outcome_that_is_promised() {
    let home = World::new().await;
    let lanes = cases(&home).await;
    let count: usize = lanes.iter().map(Vec::len).sum();
    println!("{count} cases in {} worlds", lanes.len());
    let (home_ref, wrong) = (&home, &Mutex::new(Vec::new()));
    stream::iter((1..).zip(lanes))
        .for_each_concurrent(AT_ONCE, |(number, cases)| async move {
            // Whoever looks after orders that were not taken back looks after all of a database.
            let looks_after = cases.iter().any(Case::bars_the_way_back);
            let own = if looks_after { Some(World::new().await) } else { None };
            let mut lane = Lane::new(own.as_ref().unwrap_or(home_ref), number).await;
            let mut settings = lane.world.settings();
            if !looks_after {
                settings.look_after_every = DEADLINE * 60;
            }
            let worker = lane.world.start_with(settings, lane.world.billz(), None);
            for case in cases {
                if AssertUnwindSafe(lane.check(case)).catch_unwind().await.is_err() {
                    wrong.lock().unwrap().push(case);
                    lane.world.sandbox.faults().clear();
                }
            }
            worker.stop().await;
            lane.end().await;
            if let Some(own) = own {
                own.end().await;
            }
        })
        .await;
    let wrong = wrong.lock().unwrap().clone();
    assert!(
        wrong.is_empty(),
        "{} of {count} cases went wrong: {wrong:#?}",
        wrong.len()
    );
    home.end().await;
}
