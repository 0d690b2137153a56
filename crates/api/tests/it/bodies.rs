use reqwest::Method;
use serde_json::{Value, json};

use crate::test_app::{Answer, TestApp};

#[tokio::test]
async fn every_problem_of_a_body_comes_in_one_answer_under_the_historical_sentence() {
    let app = TestApp::start().await;
    let bad = app
        .post(
            "/api/billings",
            &json!({"totalInvoice": "much", "isPaid": "perhaps", "dueDate": "soon"}),
        )
        .await;
    assert_eq!(bad.status, 400);
    assert_eq!(bad.error(), ("userId is required".into(), "validation_failed".into()));
    assert_eq!(bad.fields(), ["userId", "dueDate", "totalInvoice", "isPaid"]);
    for body in [json!({"userId": ""}), json!({"userId": null}), json!({})] {
        assert_eq!(app.post("/api/users", &body).await.error().0, "userId is required");
    }
    let nested = app
        .post(
            "/api/users",
            &json!({"userId": "c", "address": {"city": {}}, "phone": 7}),
        )
        .await;
    assert_eq!(nested.fields(), ["address.city", "phone"]);
    let due = app.post("/api/billings", &json!({"userId": "c"})).await;
    assert_eq!(due.error().0, "dueDate is required");
}

#[tokio::test]
async fn what_is_no_json_object_is_refused() {
    let app = TestApp::start().await;
    let send = |content_type: &'static str, body: Vec<u8>| {
        Answer::of(
            app.request(Method::POST, "/api/users")
                .header("content-type", content_type)
                .body(body),
        )
    };
    let broken = send("application/json", b"{\"userId\":".to_vec()).await;
    assert_eq!(
        (broken.status, broken.error()),
        (400, ("Invalid JSON".into(), "invalid_json".into()))
    );
    let deep = send("application/json", "[".repeat(50_000).into_bytes()).await;
    assert_eq!((deep.status, deep.error().0.as_str()), (400, "Invalid JSON"));
    let bytes = send("application/json", vec![0xff, 0xfe, 0x00]).await;
    assert_eq!((bytes.status, bytes.error().0.as_str()), (400, "Invalid JSON"));
    for body in ["[]", "7", "null", "\"text\""] {
        let refused = send("application/json", body.into()).await;
        assert_eq!(
            (refused.status, refused.error().0.as_str()),
            (400, "A JSON object is required"),
            "{body}"
        );
    }
    let empty = Answer::of(app.request(Method::POST, "/api/users")).await;
    assert_eq!(
        (empty.status, empty.error().0.as_str()),
        (400, "A JSON object is required")
    );
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-16",
    ] {
        let refused = send(content_type, b"{\"userId\":\"c\"}".to_vec()).await;
        assert_eq!(
            (refused.status, refused.error().1.as_str()),
            (415, "unsupported_media_type")
        );
    }
    let taken = send("application/json; charset=utf-8", b"{\"userId\":\"c\"}".to_vec()).await;
    assert_eq!(taken.status, 201);
}

#[tokio::test]
async fn a_body_over_a_mebibyte_is_refused_whether_or_not_it_says_its_length() {
    let app = TestApp::start().await;
    let body = json!({"userId": "c", "address": {"city": "x".repeat(1024 * 1024)}}).to_string();
    let announced = app
        .request(Method::POST, "/api/users")
        .header("content-type", "application/json")
        .body(body.clone());
    let refused = Answer::of(announced).await;
    assert_eq!((refused.status, refused.error().1.as_str()), (413, "body_too_large"));
    let chunks: Vec<Result<Vec<u8>, std::io::Error>> = body
        .as_bytes()
        .chunks(64 * 1024)
        .map(|chunk| Ok(chunk.to_vec()))
        .collect();
    let stream = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    let streamed = app
        .request(Method::POST, "/api/users")
        .header("content-type", "application/json")
        .body(stream);
    assert_eq!(Answer::of(streamed).await.status, 413);
    let fits = json!({"userId": "c", "address": {"city": "x".repeat(1024 * 1024 - 100)}});
    assert_eq!(app.post("/api/users", &fits).await.status, 201);
}

#[tokio::test]
async fn operators_never_reach_mongodb() {
    let app = TestApp::start().await;
    app.user("c").await;
    let operator = json!({"$gt": ""});
    for (method, path, body) in [
        (Method::POST, "/api/users", json!({"userId": operator})),
        (
            Method::POST,
            "/api/billings",
            json!({"userId": operator, "dueDate": "2025-10-15"}),
        ),
        (
            Method::POST,
            "/api/billings",
            json!({"userId": "c", "dueDate": {"$ne": 1}}),
        ),
        (Method::PUT, "/api/users/c", json!({"isActive": {"$ne": true}})),
        (Method::PUT, "/api/users/c", json!({"address": {"city": operator}})),
        (Method::PUT, "/api/users/c", json!({"address": [1]})),
    ] {
        let refused = Answer::of(app.request(method, path).json(&body)).await;
        assert_eq!(refused.status, 400, "{body} was taken");
    }
    // Dropped like every field that is not known.
    let changed = app
        .put(
            "/api/users/c",
            &json!({"$set": {"isActive": false}, "address.city": "x"}),
        )
        .await
        .json();
    assert_eq!(changed["isActive"], true);
    assert!(changed.get("address.city").is_none() && changed.get("address").is_none());
    for path in [
        "/api/users/$ne",
        "/api/users/%7B%22$gt%22:%22%22%7D",
        "/api/billings/[$ne]=1",
        "/api/users/%00",
    ] {
        assert_eq!(app.get(path).await.status, 404, "{path}");
    }
    let query = app.get("/api/users?userId[$ne]=x").await;
    assert_eq!((query.status, query.fields()), (400, vec!["userId[$ne]".to_owned()]));
}

#[tokio::test]
async fn unknown_routes_and_methods_are_answered_in_the_same_shape() {
    let app = TestApp::start().await;
    for path in ["/", "/api", "/api/nothing", "/api/users/a/b", "/api/billings/user"] {
        let answer = app.get(path).await;
        if path == "/api/billings/user" {
            assert_eq!(answer.error().0, "Billing not found");
        } else {
            assert_eq!(
                (answer.status, answer.error()),
                (404, ("Not found".into(), "not_found".into())),
                "{path}"
            );
        }
    }
    let patched = Answer::of(app.request(Method::PATCH, "/api/users/c")).await;
    assert_eq!(
        (patched.status, patched.error().1.as_str()),
        (405, "method_not_allowed")
    );
    assert!(patched.header("allow").contains("PUT"));
    assert_eq!(app.get("/api/users/%ff%fe").await.status, 404);
}

#[tokio::test]
async fn the_correlation_id_is_echoed_or_made_up() {
    let app = TestApp::start().await;
    let with = |id: &'static str| {
        Answer::of(
            app.request(Method::GET, "/api/users/nobody")
                .header("x-correlation-id", id),
        )
    };
    assert_eq!(with("order-7/a").await.header("x-correlation-id"), "order-7/a");
    for unfit in ["", "with space", "\u{e9}", &"x".repeat(201)] {
        let value = reqwest::header::HeaderValue::from_bytes(unfit.as_bytes()).unwrap();
        let answer = Answer::of(app.request(Method::GET, "/api/users").header("x-correlation-id", value)).await;
        let made_up: uuid::Uuid = answer.header("x-correlation-id").parse().unwrap();
        assert_eq!(made_up.get_version_num(), 7);
    }
    let body: Value = app.get("/nowhere").await.json();
    assert!(body["correlationId"].is_string());
}
