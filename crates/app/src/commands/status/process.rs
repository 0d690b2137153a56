//! What the running process says of itself.

use std::time::Duration;

use billwright_connectors::export::ExportTarget;
use serde::Serialize;
use serde_json::Value;
use url::Url;

use crate::{commands::check::local_address, config::HttpConfig};

/// What the running process says of itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProcessState {
    /// Where it answers.
    pub(crate) address: String,
    /// Its version.
    pub(crate) version: String,
    /// `up`, `degraded`, `down` or `stopping`.
    pub(crate) status: String,
    /// The condition of what it depends on, by name.
    pub(crate) dependencies: Value,
}

/// Asks the process that has the port of this configuration.
pub(crate) async fn ask(config: &HttpConfig, patience: Duration) -> Result<ProcessState, String> {
    let address = local_address(config);
    let base = Url::parse(&format!("http://{address}/")).map_err(|error| error.to_string())?;
    let target = ExportTarget::new(&base, patience).map_err(|error| error.to_string())?;
    let live = get(&target, &base, "health/live").await?;
    let version = live["version"]
        .as_str()
        .ok_or("something else than Billwright answers there")?;
    let ready = get(&target, &base, "health/ready").await?;
    Ok(ProcessState {
        address: address.to_string(),
        version: version.to_owned(),
        status: ready["status"].as_str().unwrap_or("unknown").to_owned(),
        dependencies: ready["dependencies"].clone(),
    })
}

async fn get(target: &ExportTarget, base: &Url, path: &str) -> Result<Value, String> {
    let request = axum::http::Request::get(format!("{base}{path}"))
        .body(axum::body::Bytes::new())
        .map_err(|error| error.to_string())?;
    let response = target.send(request).await.map_err(|error| error.to_string())?;
    serde_json::from_slice(response.body()).map_err(|_| "something else than Billwright answers there".to_owned())
}
