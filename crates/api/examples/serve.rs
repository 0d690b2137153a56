//! Serves the API alone, for trying it out: `cargo run -p billwright-api --example serve -- MONGODB_URI PORT`.
#![expect(clippy::print_stdout, reason = "says where it listens")]

use std::{net::SocketAddr, time::Duration};

use billwright_api::{Api, ApiSettings};
use billwright_domain::{HealthBoard, SystemClock};
use billwright_store::{Mongo, MongoSettings};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let mut arguments = std::env::args().skip(1);
    let uri = arguments
        .next()
        .unwrap_or_else(|| "mongodb://localhost:27017".to_owned());
    let port: u16 = arguments.next().map_or(Ok(3000), |port| port.parse())?;
    let mongo = Mongo::open(&MongoSettings {
        uri: uri.into(),
        database: "billwright-example".to_owned(),
        server_selection_timeout: Duration::from_millis(700),
        max_pool_size: 100,
    })
    .await?;
    let api = Api::open(
        ApiSettings::default(),
        mongo,
        SystemClock::shared(),
        HealthBoard::default(),
    );
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("http://{}/api/docs", listener.local_addr()?);
    let router = api.router().fallback(billwright_api::not_found);
    axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}
