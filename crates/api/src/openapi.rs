//! The OpenAPI document. Calls, parameters and answers stand beside the handlers (`routes/`); here is what they share:
//! what the document says of the API as a whole, and of what every call may answer.

mod bodies;
mod params;
mod schemas;
mod views;

use std::sync::LazyLock;

pub(crate) use bodies::{BillingBody, BillingChangeBody, UserBody, UserChangeBody};
pub(crate) use params::{
    BillingListParams, BillingPath, IdempotencyHeader, IfMatchHeader, ListQueryParams, OfUserParam, OfUserPath,
    UserListParams, UserPath,
};
use utoipa::{
    OpenApi as _,
    openapi::{
        Content, Header, HeaderBuilder, HttpMethod, ObjectBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder,
        Type,
        path::Operation,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;
pub(crate) use views::{BillingView, DeletedView, UserView};

use crate::{error::ErrorView, router};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Billwright billing API",
        description = "Users of the billing product and their billings.\n\nEvery route is also served without `/api`. Every \
                       answer carries `X-Correlation-Id`, which a request may set. Values are read as generously as the \
                       service before this one read them: numbers and booleans may come as text. What cannot be read is \
                       refused with every problem at once in `details`. See `docs/API.md` for lists, repeats, versions \
                       and access.",
        license(name = "ISC", identifier = "ISC"),
    ),
    servers((url = "/")),
    components(schemas(ErrorView)),
    tags(
        (name = "users", description = "Those whom billings are made out to"),
        (name = "billings", description = "What they owe"),
    )
)]
struct Document;

static DOCUMENT: LazyLock<OpenApi> = LazyLock::new(|| {
    let (_, paths) = OpenApiRouter::new().nest("/api", router::calls()).split_for_parts();
    let mut document = Document::openapi().merge_from(paths);
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(
        "apiKey",
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
            "X-Api-Key",
            "Where keys are configured; also taken as `Authorization: Bearer`",
        ))),
    );
    components.add_security_scheme(
        "token",
        SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .bearer_format("JWT")
                .description(Some("Where tokens are configured"))
                .build(),
        ),
    );
    for path in document.paths.paths.values_mut() {
        let operations = [
            (HttpMethod::Get, &mut path.get),
            (HttpMethod::Put, &mut path.put),
            (HttpMethod::Post, &mut path.post),
            (HttpMethod::Delete, &mut path.delete),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                add_what_all_share(&method, operation);
            }
        }
    }
    document
});

/// What every call may answer, beside its own answers.
fn add_what_all_share(method: &HttpMethod, operation: &mut Operation) {
    let shared = [
        (
            "401",
            "Access is restricted, and the key or token is missing or not good",
        ),
        ("403", "The key or token does not allow this"),
        ("404", "There is no such route"),
        ("429", "Too many requests; `Retry-After` says when to come back"),
        (
            "500",
            "A fault of the service; the log has more under the correlation id",
        ),
        (
            "503",
            "The database is away, or there is too much to do; `Retry-After` says when to come back",
        ),
    ];
    let with_body = [
        ("408", "The body did not arrive in time"),
        ("413", "The body is larger than 1 MiB"),
        ("415", "The body is no JSON in UTF-8"),
    ];
    let reads_a_body = !matches!(method, HttpMethod::Get);
    let responses = &mut operation.responses.responses;
    for (status, description) in shared.into_iter().chain(with_body.into_iter().filter(|_| reads_a_body)) {
        responses
            .entry(status.to_owned())
            .or_insert_with(|| RefOr::T(error_response(description)));
    }
    if matches!(method, HttpMethod::Delete) {
        responses
            .entry("400".to_owned())
            .or_insert_with(|| RefOr::T(error_response("A header is wrong")));
    }
    for (status, response) in responses.iter_mut() {
        if let RefOr::T(response) = response {
            let described = |description: &str, kind: Type| -> RefOr<Header> {
                HeaderBuilder::new()
                    .description(Some(description))
                    .schema(Some(ObjectBuilder::new().schema_type(kind)))
                    .build()
                    .into()
            };
            response.headers.insert(
                "X-Correlation-Id".to_owned(),
                described("Ties the answer to the log", Type::String),
            );
            if matches!(status.as_str(), "429" | "503") {
                response.headers.insert(
                    "Retry-After".to_owned(),
                    described("Seconds to wait before another try", Type::Integer),
                );
            }
        }
    }
}

fn error_response(description: &str) -> Response {
    let content = Content::new(Some(Ref::from_schema_name("Error")));
    ResponseBuilder::new()
        .description(description)
        .content("application/json", content)
        .build()
}

/// The document as JSON text, as it is committed and served.
pub fn openapi_json() -> String {
    let mut text = DOCUMENT.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}
