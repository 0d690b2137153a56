//! The documentation that the API serves, and the copy of it that is committed.

use crate::test_app::TestApp;

#[test]
fn the_committed_openapi_document_is_the_one_of_the_handlers() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == billwright_api::openapi_json(),
        "docs/openapi.json is out of date; write it anew with `cargo run -p billwright -- print-docs openapi > docs/openapi.json`"
    );
}

#[tokio::test]
async fn the_document_and_its_page_are_served() {
    let app = TestApp::start().await;
    let document = app.get("/api/openapi.json").await;
    assert_eq!(
        document.json()["openapi"].as_str().map(|version| &version[..3]),
        Some("3.1")
    );
    for path in [
        "/api/users",
        "/api/users/{id}",
        "/api/billings",
        "/api/billings/{id}",
        "/api/billings/user/{userId}",
    ] {
        assert!(document.json()["paths"].get(path).is_some(), "{path} is not described");
    }
    let page = app.get("/api/docs").await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    assert!(
        page.text.contains("12122121-eefwedf-1121333"),
        "the examples are the documented ones"
    );
}
