use std::collections::HashSet;

use billwright_store::billing::{
    BillingStore,
    lists::{Condition, ListQuery, Listed, Order, Window},
};
use futures_util::TryStreamExt;
use mongodb::bson::{DateTime, Document, doc, oid::ObjectId};
use reqwest::Method;
use serde_json::Value;

use crate::test_app::{Answer, TestApp};

fn day(number: i64) -> DateTime {
    DateTime::from_millis(number * 86_400_000)
}

async fn with_billings(app: &TestApp, count: i64) {
    let billings: Vec<Document> = (0..count)
        .map(|n| {
            doc! {
                "_id": ObjectId::new(), "userId": format!("user-{}", n % 10), "billingId": format!("{:09}", n + 1),
                "generationDate": day(n / 3), "dueDate": day(n % 7), "isPaid": n % 2 == 0, "totalInvoice": 125_000,
                "paymentDate": null,
            }
        })
        .collect();
    app.billings().insert_many(billings).await.unwrap();
}

fn ids(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let list = answer.json();
    list.as_array()
        .unwrap()
        .iter()
        .map(|item| item["_id"].as_str().unwrap().to_owned())
        .collect()
}

fn next(answer: &Answer) -> Option<String> {
    let links = answer.header("link");
    let link = links.split(", ").find(|link| link.ends_with("rel=\"next\""))?;
    Some(link.split(['<', '>']).nth(1).unwrap().to_owned())
}

#[tokio::test]
async fn a_list_without_a_limit_is_whole_and_a_plain_array() {
    let app = TestApp::start().await;
    assert_eq!(app.get("/api/billings").await.text, "[]");
    with_billings(&app, 20_000).await;
    let whole = app.get("/api/billings").await;
    assert_eq!(whole.header("content-length"), "", "a long list is streamed");
    let seen: HashSet<String> = ids(&whole).into_iter().collect();
    assert_eq!(seen.len(), 20_000);
    assert_eq!((whole.header("link"), whole.header("x-total-count")), ("", ""));
    let sorted = app.get("/billings?sort=-billingId").await.json();
    assert_eq!(sorted[0]["billingId"], "000020000");
    assert_eq!(sorted[19_999]["billingId"], "000000001");
}

#[tokio::test]
async fn pages_and_cursors_visit_every_document_once_in_every_order() {
    let app = TestApp::start().await;
    with_billings(&app, 100).await;
    app.billings()
        .insert_many((0..5).map(|n| doc! { "userId": "user-1", "billingId": format!("bill-{n}"), "isPaid": true }))
        .await
        .unwrap();
    for order in [
        "_id",
        "-_id",
        "billingId",
        "-billingId",
        "generationDate",
        "-generationDate",
        "dueDate",
        "-dueDate",
    ] {
        let mut seen = Vec::new();
        let mut path = format!("/api/billings?limit=7&sort={order}");
        loop {
            let answer = app.get(&path).await;
            seen.extend(ids(&answer));
            match next(&answer) {
                Some(next) => path = next,
                None => break,
            }
        }
        assert_eq!(seen.len(), 105, "{order}");
        assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 105, "{order}");
        assert_eq!(
            seen,
            ids(&app.get(&format!("/api/billings?sort={order}")).await),
            "{order}"
        );
        let mut pages = Vec::new();
        for page in 1..=11 {
            let answer = app
                .get(&format!("/api/billings?limit=10&sort={order}&page={page}"))
                .await;
            pages.extend(ids(&answer));
            assert_eq!(next(&answer).is_some(), page < 11, "{order}, page {page}");
            assert_eq!(answer.header("link").contains("rel=\"prev\""), page > 1);
        }
        assert_eq!(pages, seen, "{order}");
    }
}

#[tokio::test]
async fn filters_can_be_combined_and_counted() {
    let app = TestApp::start().await;
    with_billings(&app, 140).await;
    let count = async |query: &str| {
        let counted = app.get(&format!("/api/billings?limit=1&count=true&{query}")).await;
        let listed = app
            .get(&format!("/api/billings?{query}"))
            .await
            .json()
            .as_array()
            .unwrap()
            .len();
        assert_eq!(counted.header("x-total-count"), listed.to_string(), "{query}");
        listed
    };
    assert_eq!(count("").await, 140);
    assert_eq!(count("userId=user-3").await, 14);
    assert_eq!(count("isPaid=true").await, 70);
    assert_eq!(count("userId=user-3&isPaid=no").await, 14);
    assert_eq!(count("dueBefore=1970-01-03").await, 40);
    assert_eq!(count("dueAfter=1970-01-03&dueBefore=1970-01-05T00:00:00Z").await, 20);
    assert_eq!(count("q=00000012").await, 10);
    assert_eq!(count("q=user-1").await, 14);
    assert_eq!(count("q=.*").await, 0, "a prefix is no pattern");
    assert_eq!(count("userId=nobody").await, 0);
    let users = [("a", "Cali", true), ("ab", "Cali", false), ("b", "Bogotá", true)];
    for (id, city, active) in users {
        let user = doc! { "userId": id, "address": { "city": city }, "isActive": active };
        app.users().insert_one(user).await.unwrap();
    }
    for (query, expected) in [
        ("city=Cali", 2),
        ("city=Bogot%C3%A1", 1),
        ("isActive=false", 1),
        ("q=a", 2),
        ("userId=a", 1),
    ] {
        let found = app.get(&format!("/api/users?{query}")).await.json();
        assert_eq!(found.as_array().unwrap().len(), expected, "{query}");
    }
}

#[tokio::test]
async fn the_billings_of_a_user_come_newest_first() {
    let app = TestApp::start().await;
    with_billings(&app, 100).await;
    let all = app.get("/api/billings/user/user-4").await.json();
    let dates: Vec<&str> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["generationDate"].as_str().unwrap())
        .collect();
    assert_eq!(dates.len(), 10);
    assert!(dates.is_sorted_by(|a, b| a >= b), "{dates:?}");
    let first = app.get("/billings/user/user-4?limit=3&isPaid=true").await;
    let rest = app.get(&next(&first).unwrap()).await;
    assert_eq!(ids(&first).len(), 3);
    assert!(ids(&rest).iter().all(|id| !ids(&first).contains(id)));
    assert_eq!(app.get("/api/billings/user/nobody").await.text, "[]");
}

#[tokio::test]
async fn bad_parameters_are_refused_together_and_unknown_ones_ignored() {
    let app = TestApp::start().await;
    let bad = app
        .get("/api/billings?limit=0&page=-1&sort=password&isPaid=maybe&dueAfter=soon&cursor=!")
        .await;
    assert_eq!(bad.status, 400);
    assert_eq!(bad.error().1, "validation_failed");
    assert_eq!(bad.fields(), ["isPaid", "dueAfter", "sort", "limit", "page", "cursor"]);
    assert_eq!(app.get("/api/users?_=1727&dueBefore=x").await.status, 200);
    with_billings(&app, 3).await;
    let cursor = next(&app.get("/api/billings?limit=1").await).unwrap();
    let other_order = app.get(&format!("{cursor}&sort=-dueDate")).await;
    assert_eq!(
        (other_order.status, other_order.fields()),
        (400, vec!["cursor".to_owned()])
    );
}

#[tokio::test]
async fn a_list_is_written_as_csv_where_that_is_wanted() {
    let app = TestApp::start().await;
    app.users()
        .insert_one(doc! { "userId": "a,\"b\"", "address": { "city": "Cali" }, "isActive": true })
        .await
        .unwrap();
    let csv = Answer::of(app.request(Method::GET, "/api/users").header("accept", "text/csv")).await;
    assert!(csv.header("content-type").starts_with("text/csv"));
    let lines: Vec<&str> = csv.text.split("\r\n").collect();
    assert_eq!(
        lines[0],
        "_id,userId,address.city,address.country,address.zipCode,address.address,phone.codeNumber,phone.phoneNumber,isActive,createdAt,updatedAt"
    );
    assert!(lines[1].ends_with(",\"a,\"\"b\"\"\",Cali,,,,,,true,,"), "{}", lines[1]);
    with_billings(&app, 3000).await;
    let long = Answer::of(
        app.request(Method::GET, "/api/billings?sort=billingId")
            .header("accept", "text/csv"),
    )
    .await;
    let lines: Vec<&str> = long.text.lines().collect();
    assert_eq!(lines.len(), 3001);
    assert!(lines[3000].contains(",user-9,000003000,"), "{}", lines[3000]);
}

#[tokio::test]
async fn a_page_of_very_large_documents_is_answered_in_constant_memory_and_goes_on() {
    let app = TestApp::start().await;
    let filler = "x".repeat(1_000_000);
    for n in 0..40 {
        app.users()
            .insert_one(doc! { "userId": format!("{n:02}"), "filler": &filler })
            .await
            .unwrap();
    }
    let page = app.get("/api/users?limit=39&sort=userId").await;
    let users = page.json();
    assert_eq!(users.as_array().unwrap().len(), 39);
    let rest = app.get(&next(&page).unwrap()).await.json();
    assert_eq!(
        (rest.as_array().unwrap().len(), &rest[0]["userId"]),
        (1, &Value::from("39"))
    );
}

#[tokio::test]
async fn a_client_that_breaks_off_a_long_list_leaves_no_cursor_open() {
    let app = TestApp::start().await;
    with_billings(&app, 20_000).await;
    let mut response = app.request(Method::GET, "/api/billings").send().await.unwrap();
    assert!(response.chunk().await.unwrap().is_some());
    drop(response);
    let namespace = format!("{}.billings", app.database.name());
    let admin = app.database.client().database("admin");
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let idle = admin
            .aggregate([
                doc! { "$currentOp": { "idleCursors": true } },
                doc! { "$match": { "type": "idleCursor", "ns": &namespace } },
            ])
            .await
            .unwrap();
        let idle: Vec<Document> = idle.try_collect().await.unwrap();
        if idle.is_empty() {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{idle:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Every stage of a plan, by name.
fn stages(plan: &Document, found: &mut Vec<String>) {
    found.extend(plan.get_str("stage").ok().map(str::to_owned));
    for (_, value) in plan {
        match value {
            mongodb::bson::Bson::Document(nested) => stages(nested, found),
            mongodb::bson::Bson::Array(items) => {
                items
                    .iter()
                    .filter_map(|item| item.as_document())
                    .for_each(|item| stages(item, found));
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn an_index_serves_every_filter_and_every_order() {
    let app = TestApp::start().await;
    with_billings(&app, 500).await;
    let users = (0..500).map(
        |n| doc! { "userId": format!("u{n}"), "isActive": n % 2 == 0, "address": { "city": format!("c{}", n % 9) } },
    );
    app.users().insert_many(users).await.unwrap();
    let store = BillingStore::new(app.mongo.clone(), None);
    let filters = [
        (Listed::Billings, vec![Condition::UserId("user-1".into())]),
        (Listed::Billings, vec![Condition::IsPaid(true)]),
        (
            Listed::Billings,
            vec![Condition::DueBefore(chrono::DateTime::UNIX_EPOCH)],
        ),
        (
            Listed::Billings,
            vec![Condition::DueAfter(chrono::DateTime::UNIX_EPOCH)],
        ),
        (
            Listed::Billings,
            vec![
                Condition::IsPaid(false),
                Condition::DueBefore(chrono::DateTime::UNIX_EPOCH),
            ],
        ),
        (Listed::Billings, vec![Condition::Prefix("00000001".into())]),
        (Listed::Users, vec![Condition::UserId("u1".into())]),
        (Listed::Users, vec![Condition::IsActive(true)]),
        (Listed::Users, vec![Condition::City("c1".into())]),
        (Listed::Users, vec![Condition::Prefix("u1".into())]),
    ];
    let whole = |listed, conditions, order, window| ListQuery {
        listed,
        conditions,
        order,
        window,
    };
    let page = Window::Page { limit: 10, skip: 0 };
    for (listed, conditions) in filters {
        for window in [Window::Whole, page.clone()] {
            let query = whole(listed, conditions.clone(), None, window);
            let mut found = Vec::new();
            stages(&store.explain(&query).await.unwrap(), &mut found);
            assert!(found.iter().any(|stage| stage == "IXSCAN"), "{query:?}: {found:?}");
            assert!(!found.iter().any(|stage| stage == "COLLSCAN"), "{query:?}: {found:?}");
            // A prefix is looked for in two indexes, whose documents only a sort can bring together.
            let may_sort = query.conditions.iter().any(|one| matches!(one, Condition::Prefix(_)));
            assert!(
                may_sort || !found.iter().any(|stage| stage == "SORT"),
                "{query:?}: {found:?}"
            );
        }
    }
    for listed in [Listed::Users, Listed::Billings] {
        for field in listed.orders() {
            for text in [(*field).to_owned(), format!("-{field}")] {
                let order = Order::parse(listed, &text);
                let all = whole(listed, Vec::new(), order, Window::Whole);
                let document = store.list(&all, false).await.unwrap().next().await.unwrap().unwrap();
                let third = document.documents().unwrap().nth(2).unwrap().unwrap();
                let position = Box::new(all.position_of(third).unwrap());
                for window in [Window::Whole, page.clone(), Window::After { limit: 10, position }] {
                    let query = whole(listed, Vec::new(), order, window);
                    let plan = store.explain(&query).await.unwrap();
                    let mut found = Vec::new();
                    stages(&plan, &mut found);
                    assert!(found.iter().any(|stage| stage == "IXSCAN"), "{query:?}: {plan:?}");
                    assert!(
                        !found.iter().any(|stage| stage == "SORT" || stage == "COLLSCAN"),
                        "{query:?}: {plan:?}"
                    );
                }
            }
        }
    }
}
