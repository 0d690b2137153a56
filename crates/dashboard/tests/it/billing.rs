//! Customers and billings: finding them, what their pages show, and marking a billing as paid.

use mongodb::bson::{DateTime as BsonDateTime, Document, doc};
use reqwest::StatusCode;

use crate::test_dashboard::{TestDashboard, open};

const DAY: i64 = 24 * 3600 * 1000;

async fn billing_dashboard() -> TestDashboard {
    let mut dashboard = TestDashboard::worker().await;
    dashboard.sources.billing_database = Some(dashboard.mongo.clone());
    dashboard.sources.publishes_changes = true;
    dashboard
}

fn at(dashboard: &TestDashboard, days: i64) -> BsonDateTime {
    BsonDateTime::from_millis(dashboard.now().timestamp_millis() + days * DAY)
}

async fn user(dashboard: &TestDashboard, id: &str, city: &str, active: bool) {
    let user = doc! {
        "userId": id, "isActive": active, "createdAt": at(dashboard, -30), "updatedAt": at(dashboard, -3),
        "address": { "city": city, "address": "Calle Secreta 64" },
        "phone": { "codeNumber": "+57", "phoneNumber": 3_001_234_567_i64 },
    };
    dashboard.database.collection("users").insert_one(user).await.unwrap();
}

async fn billing(dashboard: &TestDashboard, id: &str, user: &str, paid: bool, due_in_days: i64) {
    let billing = doc! {
        "billingId": id, "userId": user, "isPaid": paid, "totalInvoice": 100_000, "serviceId": "1",
        "generationDate": at(dashboard, -14), "dueDate": at(dashboard, due_in_days),
    };
    dashboard
        .database
        .collection("billings")
        .insert_one(billing)
        .await
        .unwrap();
}

#[tokio::test]
async fn customers_are_found_by_id_city_state_and_billing() {
    let dashboard = billing_dashboard().await;
    user(&dashboard, "c-100", "Cali", true).await;
    user(&dashboard, "c-101", "Bogotá", false).await;
    user(&dashboard, "d-1", "Cali", true).await;
    billing(&dashboard, "000000007", "d-1", false, 3).await;
    let dashboard = dashboard.start().await;
    let mut browser = dashboard.signed_in("bob").await;

    let page = browser.get("/dashboard/customers?user=c-1").await;
    page.shows(&[">c-100<", ">c-101<", "+********4567"])
        .hides(&[">d-1<", "3001234567", "Secreta"]);
    let page = browser.get("/dashboard/customers?city=Cali&state=active").await;
    page.shows(&[">c-100<", ">d-1<"]).hides(&[">c-101<"]);
    browser
        .get("/dashboard/customers?state=suspended")
        .await
        .shows(&[">c-101<"])
        .hides(&[">c-100<"]);
    let found = browser.get("/dashboard/customers?billing=000000007").await;
    assert_eq!(
        (found.status, found.location()),
        (StatusCode::SEE_OTHER, "/dashboard/customer?id=d-1")
    );
    browser
        .get("/dashboard/customers?billing=9")
        .await
        .shows(&["No customer fits"]);
    // What could be an operator or a pattern is text like any other.
    browser
        .get("/dashboard/customers?user=.*&city=%7B%22%24gt%22%3A%22%22%7D")
        .await
        .shows(&["No customer fits"]);
    dashboard.drop_all().await;
}

#[tokio::test]
async fn long_lists_are_paged_through_by_place() {
    let dashboard = billing_dashboard().await;
    let users = (0..120).map(|number| doc! { "userId": format!("c-{number:03}"), "isActive": true });
    dashboard
        .database
        .collection::<Document>("users")
        .insert_many(users)
        .await
        .unwrap();
    let dashboard = dashboard.start().await;
    let mut browser = dashboard.signed_in("bob").await;
    let mut path = "/dashboard/customers?user=c-".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = browser.get(&path).await;
        seen.extend(
            page.text
                .split("/dashboard/customer?id=")
                .skip(1)
                .map(|rest| rest[..5].to_owned()),
        );
        let Some(next) = page
            .text
            .split("rel=\"next\"")
            .next()
            .filter(|before| before.len() < page.text.len())
        else {
            break;
        };
        let href = next.rsplit("href=\"").next().unwrap().trim_end_matches("\" ");
        path = href.replace("&amp;", "&").replace("&#38;", "&");
    }
    let wanted: Vec<String> = (0..120).map(|number| format!("c-{number:03}")).collect();
    assert_eq!(seen, wanted);
    // A place that somebody made up counts as none.
    browser
        .get("/dashboard/customers?after=00ff&user=c-")
        .await
        .shows(&[">c-000<"]);
    dashboard.drop_all().await;
}

#[tokio::test]
async fn a_customers_page_tells_what_happened() {
    let dashboard = billing_dashboard().await;
    user(&dashboard, "c-1", "Cali", false).await;
    billing(&dashboard, "000000001", "c-1", false, -2).await;
    billing(&dashboard, "000000002", "c-1", true, 5).await;
    let dashboard = dashboard.start().await;
    let mut browser = dashboard.signed_in("bob").await;
    let page = browser.get("/dashboard/customer?id=c-1").await;
    page.shows(&[
        "suspended",
        "Billing 000000001 fell due and is not paid.",
        "Billing 000000002 was made out.",
        "The customer was made.",
        "known, not shown here",
    ]);
    page.hides(&["Secreta", "3001234567", "Mark paid"]);
    let nobody = browser.get("/dashboard/customer?id=nobody").await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
    nobody.shows(&["Nothing is known of a customer nobody."]);
    dashboard.drop_all().await;
}

#[tokio::test]
async fn billings_are_found_by_number_customer_and_state() {
    let dashboard = billing_dashboard().await;
    billing(&dashboard, "000000001", "c-1", false, -2).await;
    billing(&dashboard, "000000002", "c-1", true, -5).await;
    billing(&dashboard, "000000003", "c-2", false, 5).await;
    let dashboard = dashboard.start().await;
    let mut browser = dashboard.signed_in("bob").await;
    let mut shown = async |query: &str| {
        let page = browser.get(&format!("/dashboard/billings?{query}")).await;
        let numbers = ["000000001", "000000002", "000000003"];
        let found = numbers
            .iter()
            .filter(|number| page.text.contains(&format!("<code>{number}</code>")));
        found.map(|number| number[8..].to_owned()).collect::<String>()
    };
    assert_eq!(shown("").await, "123");
    assert_eq!(shown("state=overdue").await, "1");
    assert_eq!(shown("state=unpaid").await, "13");
    assert_eq!(shown("state=paid").await, "2");
    assert_eq!(shown("user=c-1&state=unpaid").await, "1");
    assert_eq!(shown("billing=3").await, "3");
    assert_eq!(shown("billing=000000002").await, "2");
    assert_eq!(shown("billing=77").await, "");
    dashboard.drop_all().await;
}

/// The version that the form of the billing on the page carries.
fn version(page: &str) -> String {
    let after = page.split("name=\"version\" value=\"").nth(1).unwrap();
    after.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn an_operator_marks_a_billing_paid_as_the_api_would() {
    let dashboard = billing_dashboard().await;
    billing(&dashboard, "000000001", "c-1", false, -2).await;
    let dashboard = dashboard.start().await;
    let mut browser = dashboard.signed_in("anna").await;
    let version = version(&browser.get("/dashboard/billings").await.text);
    let fields = [("version", version.as_str()), ("user", "c-1"), ("from", "list")];
    let path = "/dashboard/billings/000000001/paid";

    let question = browser.post(path, &fields).await;
    question.shows(&["Mark this billing as paid?", "name=\"confirmed\""]);
    let stored = async || {
        let billings = dashboard.database.collection::<Document>("billings");
        billings
            .find_one(doc! { "billingId": "000000001" })
            .await
            .unwrap()
            .unwrap()
    };
    assert!(!stored().await.get_bool("isPaid").unwrap());

    let confirmed = [&fields[..], &[("confirmed", "yes")]].concat();
    let done = browser.post(path, &confirmed).await;
    assert_eq!(
        (done.status, done.location()),
        (StatusCode::SEE_OTHER, "/dashboard/billings?billing=000000001")
    );
    browser
        .get(done.location())
        .await
        .shows(&["Billing 000000001 is paid."]);
    let billing = stored().await;
    assert!(billing.get_bool("isPaid").unwrap());
    assert_eq!(
        billing.get_datetime("paymentDate").unwrap().timestamp_millis(),
        dashboard.now().timestamp_millis()
    );
    let outbox = dashboard.database.collection::<Document>("event_outbox");
    let told = outbox.find_one(doc! {}).await.unwrap().unwrap();
    assert_eq!(told.get_str("type").unwrap(), "Billing.Paid");
    let entry = &dashboard.audit().await[0];
    assert_eq!(
        (entry.entry.action.as_str(), entry.entry.who.as_str()),
        ("billing.pay", "anna")
    );
    assert_eq!(entry.entry.target, path);

    // A second time there is nothing left to do, and what changed meanwhile is not what the operator saw.
    browser
        .post(path, &confirmed)
        .await
        .shows(&["Billing 000000001 is paid already."]);
    let outdated = doc! { "$set": { "isPaid": false, "totalInvoice": 5 } };
    let billings = dashboard.database.collection::<Document>("billings");
    billings.update_one(doc! {}, outdated).await.unwrap();
    let refused = browser.post(path, &confirmed).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    refused.shows(&["was changed since the page was loaded"]);
    browser
        .post("/dashboard/billings/1/paid", &confirmed)
        .await
        .shows(&["There is no billing 1."]);
    dashboard.drop_all().await;
}

#[tokio::test]
async fn a_viewer_marks_nothing() {
    let dashboard = billing_dashboard().await;
    billing(&dashboard, "000000001", "c-1", false, -2).await;
    let dashboard = dashboard.start().await;
    let mut browser = dashboard.signed_in("bob").await;
    browser
        .get("/dashboard/billings")
        .await
        .shows(&["000000001"])
        .hides(&["Mark paid"]);
    let fields = [("version", ""), ("user", ""), ("from", ""), ("confirmed", "yes")];
    let refused = browser.post("/dashboard/billings/000000001/paid", &fields).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let billings = dashboard.database.collection::<Document>("billings");
    assert!(billings.find_one(doc! { "isPaid": false }).await.unwrap().is_some());
    dashboard.drop_all().await;
}

#[tokio::test]
async fn says_that_mongodb_is_away_or_that_billing_is_not_here() {
    let mut dashboard = TestDashboard::worker().await;
    dashboard.sources.billing_database = Some(open("mongodb://127.0.0.1:1/?directConnection=true", "away").await);
    let dashboard = dashboard.start().await;
    let mut browser = dashboard.signed_in("bob").await;
    for path in [
        "/dashboard/customers",
        "/dashboard/billings",
        "/dashboard/customer?id=c",
        "/dashboard/set-aside",
    ] {
        let began = std::time::Instant::now();
        browser.get(path).await.shows(&["MongoDB is away"]);
        assert!(began.elapsed().as_secs() < 4, "{path}: {:?}", began.elapsed());
    }
    dashboard.drop_all().await;
    let dashboard = TestDashboard::worker().await.start().await;
    let mut browser = dashboard.signed_in("bob").await;
    for path in [
        "/dashboard/customers",
        "/dashboard/billings",
        "/dashboard/events",
        "/dashboard/dead-letters",
    ] {
        browser.get(path).await.shows(&["Not configured here"]);
    }
    dashboard.drop_all().await;
}
