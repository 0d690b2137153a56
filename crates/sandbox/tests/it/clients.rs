//! Clients and their search.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Shop;

#[tokio::test]
async fn creation_answers_with_nothing_but_an_id() {
    let shop = Shop::open().await;
    let (status, body) = shop.client("+998901112233").await;
    assert_eq!(status, 200);
    let object = body.as_object().unwrap();
    assert_eq!(object.keys().collect::<Vec<_>>(), ["id"]);
    let id = body["id"].as_str().unwrap();
    assert_eq!((id.len(), id.matches('-').count(), id.as_bytes()[14]), (36, 4, b'4'));
    assert_eq!(shop.sandbox.ledger().client_count("998901112233"), 1);
}

#[tokio::test]
async fn creation_needs_a_first_name_and_a_phone_number() {
    let shop = Shop::open().await;
    for body in [
        json!({}),
        json!({"first_name": "A"}),
        json!({"phone_number": "1"}),
        json!([]),
        Value::Null,
        json!({"first_name": "A", "phone_number": "none"}),
        json!({"first_name": 1, "phone_number": "1"}),
    ] {
        let (status, answer) = shop.post("/v1/client", body).await;
        assert_eq!(
            (status.as_u16(), &answer["error"]["code"]),
            (400, &json!("BAD_REQUEST"))
        );
    }
    assert!(shop.sandbox.ledger().clients.is_empty());
}

#[tokio::test]
async fn search_finds_by_phone_in_the_documented_shape() {
    let shop = Shop::open().await;
    let (_, created) = shop.client("+998901112233").await;
    shop.client("+998901112244").await;
    let (status, found) = shop.get("/v1/client?phone_number=%2B998901112233&limit=5&page=1").await;
    assert_eq!((status.as_u16(), &found["count"]), (200, &json!(1)));
    let rows = found["clients"].as_array().unwrap();
    assert_eq!(rows.len(), 1);
    assert!(chrono::NaiveDate::parse_from_str(rows[0]["created_at"].as_str().unwrap(), "%Y-%m-%d").is_ok());
    let mut row = rows[0].clone();
    row["created_at"] = json!("");
    assert_eq!(
        row,
        json!({"id": created["id"], "first_name": "Aziza", "last_name": "", "phone_numbers": ["+998901112233"],
            "cards": [], "chat_id": "", "balance": 0, "birth_date": "", "created_at": "",
            "first_transaction_date": "", "last_transaction_date": ""})
    );
    // Digits alone are the same number.
    assert_eq!(
        shop.get("/v1/client?phone_number=998901112233").await.1["clients"][0]["id"],
        created["id"]
    );
    assert_eq!(
        shop.get("/v1/client?phone_number=998900000000").await.1,
        json!({"count": 0, "clients": null})
    );
}

#[tokio::test]
async fn search_goes_by_text_and_chat_and_pages() {
    let shop = Shop::open().await;
    for place in 0..12 {
        let body = json!({"first_name": format!("Name{place}"), "last_name": "Karimova", "chat_id": place.to_string(),
            "phone_number": format!("99890000000{place:02}"), "date_of_birth": "1990-01-02"});
        shop.done(Method::POST, "/v1/client", body).await;
    }
    let count = |body: &Value| (body["count"].clone(), body["clients"].as_array().map_or(0, Vec::len));
    assert_eq!(count(&shop.get("/v1/client").await.1), (json!(12), 10));
    assert_eq!(count(&shop.get("/v1/client?page=2").await.1), (json!(12), 2));
    assert_eq!(count(&shop.get("/v1/client?limit=5&page=3").await.1), (json!(12), 2));
    assert_eq!(count(&shop.get("/v1/client?page=3").await.1), (json!(12), 0));
    assert_eq!(
        count(&shop.get("/v1/client?search=name1%20karim").await.1),
        (json!(1), 1)
    );
    assert_eq!(
        count(&shop.get("/v1/client?search=karimova&limit=100").await.1),
        (json!(12), 12)
    );
    assert_eq!(
        count(&shop.get("/v1/client?search=%2800%29%200-07").await.1),
        (json!(1), 1)
    );
    let (_, chat) = shop.get("/v1/client?chat_id=7").await;
    assert_eq!(chat["clients"][0]["first_name"], "Name7");
    assert_eq!(chat["clients"][0]["birth_date"], "1990-01-02");
    assert_eq!(shop.get("/v1/client?limit=none").await.0, 400);
}
