//! The style sheet and the script, both ours, within the binary.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};
use sha2::{Digest, Sha256};

use crate::{section::Trouble, text::Text};

struct Asset {
    name: &'static str,
    kind: &'static str,
    content: &'static [u8],
    etag: String,
}

static ASSETS: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    [
        asset(
            "style.css",
            "text/css; charset=utf-8",
            include_bytes!("../assets/style.css"),
        ),
        asset("icon.svg", "image/svg+xml", include_bytes!("../assets/icon.svg")),
        asset(
            "live.js",
            "text/javascript; charset=utf-8",
            include_bytes!("../assets/live.js"),
        ),
    ]
});

fn asset(name: &'static str, kind: &'static str, content: &'static [u8]) -> Asset {
    Asset {
        name,
        kind,
        content,
        etag: format!("\"{}\"", hex::encode(&Sha256::digest(content)[..12])),
    }
}

/// Serves an asset. A browser asks every time whether its copy is still good, so that a new version is seen at once.
pub(crate) async fn serve(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return Trouble::NotFound(Text::of("trouble-no-page")).into_response();
    };
    let shared = [
        (header::ETAG, asset.etag.as_str()),
        (header::CACHE_CONTROL, "private, no-cache"),
    ];
    let known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|tags| {
            tags.split(',')
                .any(|tag| tag.trim().trim_start_matches("W/") == asset.etag)
        });
    if known {
        (StatusCode::NOT_MODIFIED, shared).into_response()
    } else {
        (shared, [(header::CONTENT_TYPE, asset.kind)], asset.content).into_response()
    }
}
