use billwright_domain::{Clock, SystemClock};
use billwright_store::billing::seed::{Seeded, seed};

use crate::test_app::TestApp;

#[tokio::test]
async fn seeded_users_and_billings_are_served_and_numbers_go_on_after_them() {
    let app = TestApp::start().await;
    let mut told = 0;
    let seeded = seed(&app.mongo, 300, 5000, 7, SystemClock.now(), |written| told = written)
        .await
        .unwrap();
    assert_eq!(
        seeded,
        Seeded {
            users: 300,
            billings: 5000
        }
    );
    assert_eq!(told, 5300);
    assert_eq!(
        app.get("/api/users?limit=1&count=true").await.header("x-total-count"),
        "300"
    );
    let last = app.get("/api/billings?sort=-billingId&limit=1").await.json();
    assert_eq!(last[0]["billingId"], "000005000");
    let user_id = last[0]["userId"].as_str().unwrap();
    let user = app.get(&format!("/api/users/{user_id}")).await.json();
    assert_eq!(user["address"]["country"], "Colombia");
    app.user("c").await;
    assert_eq!(app.billing("c").await["billingId"], "000005001");
    let paid = app.get("/api/billings?isPaid=true&limit=1&count=true").await;
    let paid: u64 = paid.header("x-total-count").parse().unwrap();
    assert!((3500..4900).contains(&paid), "{paid} of 5000 are paid");
    assert_eq!(
        seed(&app.mongo, 0, 5, 7, SystemClock.now(), |_| {})
            .await
            .unwrap()
            .billings,
        0
    );
}
