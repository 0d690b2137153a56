//! `/api/openapi.json`, and `/api/docs`: the same document as a page for people. The page is made here, from the document,
//! with a style of its own and nothing from elsewhere, so that it works without a network.

use std::{fmt::Write, sync::LazyLock};

use axum::response::{IntoResponse, Response};
use http::{HeaderName, header};
use serde_json::Value;

use crate::openapi::openapi_json;

static JSON: LazyLock<String> = LazyLock::new(openapi_json);

static PAGE: LazyLock<String> = LazyLock::new(|| {
    let document = serde_json::from_str(&JSON).unwrap_or_default();
    Page { document: &document }.html()
});

const STYLE: &str = include_str!("docs_page.css");

/// The OpenAPI document.
pub(crate) async fn openapi() -> Response {
    (
        [(header::CONTENT_TYPE, "application/json; charset=utf-8")],
        JSON.as_str(),
    )
        .into_response()
}

/// The page. Only its own style may be used, and nothing may frame it.
pub(crate) async fn page() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
    ];
    (headers, PAGE.as_str()).into_response()
}

struct Page<'a> {
    document: &'a Value,
}

impl Page<'_> {
    fn html(&self) -> String {
        let info = &self.document["info"];
        let title = escape(text(&info["title"]));
        let mut html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n\
             <body>\n<header><h1>{title} <small>{}</small></h1>{}<p>For programs: <a href=\"openapi.json\">openapi.json</a> \
             (OpenAPI {})</p></header>\n",
            escape(text(&info["version"])),
            prose(text(&info["description"])),
            escape(text(&self.document["openapi"])),
        );
        let tags = items(&self.document["tags"]);
        html.push_str("<nav aria-label=\"Calls\"><ul>\n");
        self.each_call(|path, method, call| {
            let id = escape(text(&call["operationId"]));
            let _ = writeln!(
                html,
                "<li><a href=\"#{id}\"><b class=\"{method}\">{}</b> <code>{}</code></a></li>",
                method.to_uppercase(),
                escape(path)
            );
        });
        html.push_str("</ul></nav>\n<main>\n");
        for tag in tags {
            let name = text(&tag["name"]);
            let _ = writeln!(html, "<h2>{}</h2>{}", escape(name), prose(text(&tag["description"])));
            self.each_call(|path, method, call| {
                if items(&call["tags"]).iter().any(|tag| text(tag) == name) {
                    self.call(path, method, call, &mut html);
                }
            });
        }
        html.push_str("<h2>Shapes</h2>\n");
        for (name, schema) in pairs(&self.document["components"]["schemas"]) {
            Self::shape(name, schema, &mut html);
        }
        html.push_str("</main>\n</body>\n</html>\n");
        html
    }

    fn each_call(&self, mut visit: impl FnMut(&str, &str, &Value)) {
        for (path, methods) in pairs(&self.document["paths"]) {
            for method in ["get", "post", "put", "delete"] {
                if let Some(call) = methods.get(method) {
                    visit(path, method, call);
                }
            }
        }
    }

    fn call(&self, path: &str, method: &str, call: &Value, html: &mut String) {
        let _ = writeln!(
            html,
            "<section id=\"{}\"><h3><b class=\"{method}\">{}</b> <code>{}</code></h3><p><strong>{}</strong></p>{}",
            escape(text(&call["operationId"])),
            method.to_uppercase(),
            escape(path),
            escape(text(&call["summary"])),
            prose(text(&call["description"])),
        );
        let params = items(&call["parameters"]);
        if !params.is_empty() {
            html.push_str("<h4>Parameters</h4><div class=\"wide\"><table><tr><th>Name</th><th>In</th><th>Value</th><th>Meaning</th></tr>\n");
            for param in params {
                let _ = writeln!(
                    html,
                    "<tr><td><code>{}</code>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                    escape(text(&param["name"])),
                    if param["required"] == true { " (required)" } else { "" },
                    escape(text(&param["in"])),
                    kind(&param["schema"]),
                    inline(text(&param["description"])),
                );
            }
            html.push_str("</table></div>\n");
        }
        let body = &call["requestBody"]["content"]["application/json"]["schema"];
        if !body.is_null() {
            let _ = writeln!(html, "<h4>Body</h4><p>{}</p>{}", kind(body), self.example_of(body));
        }
        html.push_str(
            "<h4>Answers</h4><div class=\"wide\"><table><tr><th>Status</th><th>Meaning</th><th>Body</th></tr>\n",
        );
        for (status, answer) in pairs(&call["responses"]) {
            let bodies: Vec<String> = pairs(&answer["content"])
                .map(|(media, content)| format!("{} <small>{}</small>", kind(&content["schema"]), escape(media)))
                .collect();
            let _ = writeln!(
                html,
                "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
                escape(status),
                inline(text(&answer["description"])),
                bodies.join("<br>"),
            );
        }
        html.push_str("</table></div></section>\n");
    }

    fn shape(name: &str, schema: &Value, html: &mut String) {
        let _ = writeln!(
            html,
            "<section id=\"shape-{0}\"><h3>{0}</h3>{1}<div class=\"wide\"><table><tr><th>Field</th><th>Value</th><th>Meaning</th></tr>",
            escape(name),
            prose(text(&schema["description"])),
        );
        let required = items(&schema["required"]);
        for (field, value) in pairs(&schema["properties"]) {
            let needed = required.iter().any(|name| text(name) == field);
            let _ = writeln!(
                html,
                "<tr><td><code>{}</code>{}</td><td>{}</td><td>{}</td></tr>",
                escape(field),
                if needed { " (required)" } else { "" },
                kind(value),
                inline(text(&value["description"])),
            );
        }
        html.push_str("</table></div>");
        html.push_str(&example(schema));
        html.push_str("</section>\n");
    }

    fn example_of(&self, schema: &Value) -> String {
        let name = text(&schema["$ref"]).rsplit('/').next().unwrap_or_default();
        example(&self.document["components"]["schemas"][name])
    }
}

fn example(schema: &Value) -> String {
    match schema.get("example").map(serde_json::to_string_pretty) {
        Some(Ok(example)) => format!("<pre>{}</pre>", escape(&example)),
        _ => String::new(),
    }
}

/// What values a schema describes, in short.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|target| target.rsplit('/').next()) {
        return format!("<a href=\"#shape-{0}\">{0}</a>", escape(name));
    }
    for alternatives in ["oneOf", "anyOf"] {
        if let Some(options) = schema[alternatives].as_array() {
            return options.iter().map(kind).collect::<Vec<_>>().join(" or ");
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words
            .iter()
            .map(|word| format!("<code>{}</code>", escape(&word.to_string())))
            .collect();
        return words.join(", ");
    }
    if schema["type"] == "array" {
        return format!("list of {}", kind(&schema["items"]));
    }
    let types = match &schema["type"] {
        Value::String(one) => escape(one),
        Value::Array(many) => many
            .iter()
            .map(|one| escape(text(one)))
            .collect::<Vec<_>>()
            .join(" or "),
        _ => "anything".to_owned(),
    };
    let bounds: Vec<String> = [("minimum", "at least"), ("maximum", "at most"), ("format", "as")]
        .iter()
        .filter_map(|(name, word)| {
            let bound = schema.get(*name)?;
            Some(format!(
                "{word} {}",
                escape(bound.as_str().unwrap_or(&bound.to_string()))
            ))
        })
        .collect();
    if bounds.is_empty() {
        types
    } else {
        format!("{types}, {}", bounds.join(", "))
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn pairs(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value))
}

/// Paragraphs of the document's prose.
fn prose(text: &str) -> String {
    let paragraphs = text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty());
    paragraphs.fold(String::new(), |html, paragraph| {
        html + "<p>" + &inline(paragraph) + "</p>"
    })
}

/// Text with what stands between back-ticks as code.
fn inline(text: &str) -> String {
    let mut html = String::new();
    for (position, part) in escape(text).split('`').enumerate() {
        if position % 2 == 1 {
            let _ = write!(html, "<code>{part}</code>");
        } else {
            html.push_str(part);
        }
    }
    html
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_call_and_loads_nothing() {
        for call in ["create_user", "list_billings_of_user", "delete_billing"] {
            assert!(PAGE.contains(&format!("<section id=\"{call}\">")), "{call} is missing");
        }
        for loads in ["<script", "<link", "src=", "url(", "@import", "http://", "https://"] {
            assert!(!PAGE.contains(loads), "the page loads something by {loads}");
        }
    }

    #[test]
    fn escapes_what_the_document_says() {
        assert_eq!(
            inline("a `<b>` & \"c\""),
            "a <code>&lt;b&gt;</code> &amp; &quot;c&quot;"
        );
    }
}
