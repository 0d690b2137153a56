//! For every invariant: a run in which all is well passes, and a planted violation of it is found.

use std::collections::{BTreeMap, BTreeSet};

use billwright_sandbox::{ClientRecord, Decimal, Ledger, LineRecord, OrderRecord, OrderState, PaymentRecord};
use bson::{DateTime, Document, doc};
use serde_json::json;

use super::*;
use crate::chaos::{
    book::{ApiBook, Complaint, EventBook, ExpectedBilling, ExpectedUser, PlacedOrder, PutJob},
    fleet::Usage,
    queue::Standing,
};

fn job(id: &str, kind: &str, payload: serde_json::Value, standing: Standing) -> (PutJob, Standing) {
    let job = PutJob {
        id: id.to_owned(),
        kind: kind.to_owned(),
        payload,
        correlation_id: format!("correlation-{id}"),
        is_wrong: false,
        accepted: true,
    };
    (job, standing)
}

fn sale(id: &str, state: OrderState, comment: &str) -> OrderRecord {
    let at = chrono::DateTime::UNIX_EPOCH;
    let payment = PaymentRecord {
        id: format!("payment-{id}"),
        order_id: id.to_owned(),
        payment_type_id: "card123".to_owned(),
        amount: Decimal::from(100),
        round: 1,
        at,
    };
    OrderRecord {
        id: id.to_owned(),
        number: "1".to_owned(),
        state,
        shop_id: "shop".to_owned(),
        cashbox_id: "box".to_owned(),
        lines: vec![LineRecord {
            product_id: "prod123".to_owned(),
            quantity: Decimal::from(2),
            unit_price: Decimal::from(50),
            seller_ids: Vec::new(),
        }],
        subtotal: Decimal::from(100),
        total: Decimal::from(100),
        comment: comment.to_owned(),
        customer_id: None,
        park_until: None,
        payments: if state == OrderState::Paid {
            vec![payment]
        } else {
            Vec::new()
        },
        created_at: at,
        paid_at: None,
        deleted: state == OrderState::Deleted,
    }
}

fn client(phone: &str) -> ClientRecord {
    ClientRecord {
        id: "client".to_owned(),
        first_name: "John".to_owned(),
        last_name: String::new(),
        phone_number: phone.to_owned(),
        birth_date: String::new(),
        chat_id: String::new(),
        created_at: chrono::DateTime::UNIX_EPOCH,
    }
}

fn jobs() -> Vec<(PutJob, Standing)> {
    let mut wrong = job(
        "4",
        "PAY_EVERYTHING",
        json!({}),
        Standing::Failed("unknown type".to_owned()),
    );
    wrong.0.is_wrong = true;
    vec![
        job(
            "1",
            "PLACE_ORDER",
            json!({"orderID": "C1"}),
            Standing::Completed(json!({"billzOrderId": "parked", "paid": false})),
        ),
        job(
            "2",
            "PLACE_ORDER",
            json!({"orderID": "C2"}),
            Standing::Completed(json!({"billzOrderId": "paid", "paid": true})),
        ),
        job(
            "3",
            "CREATE_ORDER",
            json!({}),
            Standing::Completed(json!({"orderId": "steps"})),
        ),
        wrong,
        job(
            "5",
            "ADD_ITEM",
            json!({"orderId": "steps", "productId": "prod123", "qty": 2}),
            Standing::Completed(json!({"orderId": "steps"})),
        ),
    ]
}

/// A small run in which all is well: a parked order, a paid one, a sale made step by step, a wrong job, a user with a
/// billing, a customer of the events, an event that waits, and a dead letter.
fn well() -> Observed {
    let orders = vec![
        sale("parked", OrderState::Parked, "Order C1 - Tashkent"),
        sale("paid", OrderState::Paid, "Order C2 - Tashkent"),
        sale("steps", OrderState::Draft, "correlation-3"),
    ];
    let placed = |number: &str| PlacedOrder {
        number: number.to_owned(),
        lines: BTreeMap::from([("prod123".to_owned(), 2)]),
        total: 100,
    };
    let user = ExpectedUser {
        city: Some("Cali".to_owned()),
        active: true,
    };
    let user_document = |id: &str| doc! {"userId": id, "address": {"city": "Cali"}, "isActive": true};
    Observed {
        jobs: jobs(),
        placed: vec![placed("C1"), placed("C2")],
        api: ApiBook {
            users: BTreeMap::from([("api-1".to_owned(), user.clone())]),
            billings: BTreeMap::from([(
                "000000001".to_owned(),
                ExpectedBilling {
                    user_id: "api-1".to_owned(),
                    total: 7,
                    paid: false,
                },
            )]),
            deleted: BTreeSet::from(["000000002".to_owned()]),
            ..ApiBook::default()
        },
        events: EventBook {
            users: BTreeMap::from([("event-1".to_owned(), user)]),
            waiting: BTreeMap::from([("event-2".to_owned(), 1)]),
            first_billings: 1,
            poison: BTreeSet::from([(3, 8)]),
            produced: 3,
        },
        complaints: Vec::new(),
        phones: BTreeSet::from(["998901112233".to_owned()]),
        secrets: vec!["the-secret".to_owned()],
        ledger: Ledger {
            calls: Vec::new(),
            calls_dropped: 0,
            payments: orders.iter().flat_map(|sale| sale.payments.clone()).collect(),
            orders,
            clients: vec![client("+998901112233")],
            messages: Vec::new(),
            stock: Vec::new(),
        },
        orders: vec![
            doc! {"_id": 1, "orderID": "C1", "billzId": "parked", "billzAmount": 100},
            doc! {"_id": 2, "orderID": "C2", "billzId": "paid", "paidAmount": 100, "datePaid": DateTime::MIN},
        ],
        sagas: Vec::new(),
        notifications: vec![doc! {"kind": "operation_failed", "count": 1_i64}],
        users: vec![user_document("api-1"), user_document("event-1")],
        billings: vec![
            doc! {"userId": "api-1", "billingId": "000000001", "totalInvoice": 7, "isPaid": false},
            doc! {"userId": "event-1", "billingId": "000000003", "totalInvoice": 100_000, "isPaid": false},
        ],
        set_aside: vec![doc! {"userId": "event-2"}],
        last_number: 3,
        dead_letters: vec![((3, 8), "the value is no JSON".to_owned())],
        outputs: vec![(
            "billwright-1.log".to_owned(),
            "client +998…2233, job 1234567890".to_owned(),
        )],
        most: BTreeMap::from([(
            "billwright-1".to_owned(),
            Usage {
                resident_kib: 100_000,
                handles: 90,
                ..Usage::default()
            },
        )]),
        queue_lost: false,
        clocks_jumped: false,
    }
}

/// The invariants that a run breaks after `plant` did something to it.
fn broken_by(plant: impl FnOnce(&mut Observed)) -> Vec<String> {
    let mut observed = well();
    plant(&mut observed);
    check(&observed)
        .into_iter()
        .map(|violation| violation.invariant)
        .collect()
}

fn order(observed: &mut Observed, number: &str) -> usize {
    let place = observed
        .orders
        .iter()
        .position(|order| order.get_str("orderID").is_ok_and(|found| found == number));
    place.unwrap()
}

#[test]
fn a_run_in_which_all_is_well_breaks_nothing() {
    assert_eq!(check(&well()), Vec::new());
}

/// What is planted, by the invariant that it breaks.
type Plant = (&'static str, fn(&mut Observed));

const PLANTS: &[Plant] = &[
    ("every_accepted_job_has_ended", |run| run.jobs[0].1 = Standing::Missing),
    ("every_accepted_job_has_ended", |run| {
        run.jobs[4].1 = Standing::Unfinished;
    }),
    ("what_is_wrong_is_refused", |run| {
        run.jobs[3].1 = Standing::Completed(json!({}));
    }),
    ("a_failure_states_its_reason", |run| {
        run.jobs[3].1 = Standing::Failed(" ".to_owned());
    }),
    ("duplicates_have_one_result", |run| {
        let mut again = run.jobs[2].clone();
        again.1 = Standing::Completed(json!({"orderId": "another"}));
        run.jobs.push(again);
    }),
    ("a_client_is_made_once", |run| {
        run.ledger.clients.push(client("998 90 111 22 33"));
    }),
    ("an_order_has_one_sale", |run| {
        run.ledger
            .orders
            .push(sale("again", OrderState::Parked, "Order C1 - Tashkent"));
    }),
    ("a_sale_has_the_lines_of_its_order", |run| {
        run.ledger.orders[0].lines[0].quantity = Decimal::from(4);
    }),
    ("a_line_is_added_once", |run| {
        run.ledger.orders[2].lines[0].quantity = Decimal::from(4);
    }),
    ("a_line_is_added_once", |run| run.ledger.orders[2].lines.clear()),
    ("a_sale_is_paid_once_and_in_full", |run| {
        let mut again = run.ledger.payments[0].clone();
        again.round = 2;
        run.ledger.payments.push(again);
    }),
    ("a_sale_is_paid_once_and_in_full", |run| {
        run.ledger.payments[0].amount = Decimal::from(99);
    }),
    ("a_sale_is_paid_once_and_in_full", |run| run.ledger.payments.clear()),
    ("no_sale_is_left_behind", |run| {
        run.ledger.orders.push(sale("stray", OrderState::Draft, ""));
    }),
    ("orders_equal_the_ledger", |run| {
        let place = order(run, "C2");
        run.orders[place].remove("datePaid");
    }),
    ("orders_equal_the_ledger", |run| run.ledger.orders[0].deleted = true),
    ("orders_equal_the_ledger", |run| {
        let place = order(run, "C1");
        run.orders[place].insert("billzAmount", 99);
    }),
    ("every_failure_was_told", |run| run.notifications.clear()),
    ("users_equal_the_model", |run| {
        run.users.pop();
    }),
    ("users_equal_the_model", |run| run.users.push(run.users[0].clone())),
    ("users_equal_the_model", |run| {
        run.users[0].insert("isActive", false);
    }),
    ("billings_equal_the_model", |run| {
        run.billings[0].insert("totalInvoice", 8);
    }),
    ("billings_equal_the_model", |run| {
        let document: Document = doc! {"userId": "event-1", "billingId": "000000002"};
        run.billings.push(document);
    }),
    ("numbers_are_unique_and_gapless", |run| run.last_number = 4),
    ("numbers_are_unique_and_gapless", |run| {
        run.billings[1].insert("billingId", "000000002");
    }),
    ("the_dead_letters_are_the_poison", |run| run.dead_letters.clear()),
    ("the_dead_letters_are_the_poison", |run| {
        run.dead_letters.push(((0, 1), "why".to_owned()));
    }),
    ("what_waits_has_no_customer", |run| run.set_aside.clear()),
    ("no_process_grows_without_bound", |run| {
        run.most.insert(
            "billwright-2".to_owned(),
            Usage {
                resident_kib: 10_000_000,
                handles: 1,
                ..Usage::default()
            },
        );
    }),
    ("nothing_private_is_shown", |run| {
        run.outputs[0].1.push_str("\nlogin with the-secret");
    }),
    ("nothing_private_is_shown", |run| {
        run.outputs[0].1.push_str("\ncall +998901112233");
    }),
];

#[test]
fn what_is_planted_is_found_by_the_invariant_that_it_breaks() {
    for (number, (invariant, plant)) in PLANTS.iter().enumerate() {
        let broken = broken_by(plant);
        assert!(
            broken.iter().any(|name| name == invariant),
            "plant {number}: {invariant} is not in {broken:?}"
        );
    }
    for invariant in ON_THE_WAY {
        let complaint = Complaint {
            invariant,
            text: "seen".to_owned(),
        };
        assert_eq!(broken_by(|run| run.complaints.push(complaint)), [invariant]);
    }
    let planted: BTreeSet<&str> = PLANTS
        .iter()
        .map(|(invariant, _)| *invariant)
        .chain(ON_THE_WAY)
        .collect();
    assert_eq!(
        planted,
        names().into_iter().collect(),
        "an invariant without a plant proves nothing"
    );
}

#[test]
fn an_empty_draft_may_be_left_where_billz_keeps_no_comments_and_clocks_jumped() {
    let draft = |comment: &str, lines: usize| {
        let mut draft = sale("stray", OrderState::Draft, comment);
        draft.lines.truncate(lines);
        draft
    };
    for (draft, clocks_jumped, excused) in [
        (draft("", 0), true, true),
        (draft("", 0), false, false),
        (draft("", 1), true, false),
        (draft("correlation-9", 0), true, false),
    ] {
        let broken = broken_by(|run| {
            run.ledger.orders.push(draft.clone());
            run.clocks_jumped = clocks_jumped;
        });
        let expected: &[&str] = if excused { &[] } else { &["no_sale_is_left_behind"] };
        assert_eq!(broken, expected, "{draft:?}, clocks jumped: {clocks_jumped}");
    }
}

#[test]
fn a_redis_that_forgot_the_queue_may_have_forgotten_jobs() {
    let broken = broken_by(|run| {
        run.jobs[4].1 = Standing::Missing;
        run.queue_lost = true;
    });
    assert_eq!(broken, Vec::<String>::new());
}
