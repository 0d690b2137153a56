use reqwest::Method;
use serde_json::json;

use crate::test_app::{Answer, TestApp};

#[tokio::test]
async fn a_change_is_made_only_to_the_version_that_the_client_knows() {
    let app = TestApp::start().await;
    app.user("c").await;
    let first = app.get("/api/users/c").await;
    let tag = first.header("etag").to_owned();
    let put = |tag: &str, active: bool| {
        let body = json!({"isActive": active});
        Answer::of(
            app.request(Method::PUT, "/api/users/c")
                .header("if-match", tag)
                .json(&body),
        )
    };
    let changed = put(&tag, false).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_ne!(changed.header("etag"), tag);
    assert_eq!(changed.header("etag"), app.get("/api/users/c").await.header("etag"));
    let stale = put(&tag, true).await;
    assert_eq!((stale.status, stale.error().1.as_str()), (412, "precondition_failed"));
    assert_eq!(app.get("/api/users/c").await.json()["isActive"], false);
    let stale = Answer::of(app.request(Method::DELETE, "/api/users/c").header("if-match", &tag)).await;
    assert_eq!(stale.status, 412);
    assert_eq!(put("*", true).await.status, 200);
    let deleted = Answer::of(
        app.request(Method::DELETE, "/api/users/c")
            .header("if-match", app.get("/api/users/c").await.header("etag")),
    )
    .await;
    assert_eq!(deleted.status, 200);
}

#[tokio::test]
async fn of_many_who_change_the_same_version_one_succeeds() {
    let app = TestApp::start().await;
    app.user("c").await;
    app.billing("c").await;
    let tag = app.get("/api/billings/000000001").await.header("etag").to_owned();
    let all = (0..12).map(|total| {
        let body = json!({"totalInvoice": total, "isPaid": total % 2 == 0});
        Answer::of(
            app.request(Method::PUT, "/api/billings/000000001")
                .header("if-match", &tag)
                .json(&body),
        )
    });
    let statuses: Vec<u16> = futures_util::future::join_all(all)
        .await
        .iter()
        .map(|answer| answer.status)
        .collect();
    assert_eq!(
        statuses.iter().filter(|status| **status == 200).count(),
        1,
        "{statuses:?}"
    );
    assert_eq!(
        statuses.iter().filter(|status| **status == 412).count(),
        11,
        "{statuses:?}"
    );
}

#[tokio::test]
async fn a_client_that_has_the_version_is_not_sent_it_again() {
    let app = TestApp::start().await;
    app.user("c").await;
    let tag = app.get("/api/users/c").await.header("etag").to_owned();
    let again = Answer::of(app.request(Method::GET, "/api/users/c").header("if-none-match", &tag)).await;
    assert_eq!(
        (again.status, again.text.as_str(), again.header("etag")),
        (304, "", &*tag)
    );
    let head = Answer::of(app.request(Method::HEAD, "/api/users/c")).await;
    assert_eq!((head.status, head.text.as_str(), head.header("etag")), (200, "", &*tag));
}
