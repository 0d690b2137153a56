use std::time::{Duration, Instant};

use billwright_services::KafkaServer;
use tokio::net::TcpStream;

#[tokio::test]
async fn a_killed_broker_serves_again_on_the_same_address_after_a_restart() {
    let begun = Instant::now();
    let server = KafkaServer::start().await.unwrap();
    let started = begun.elapsed();
    server.kill().await.unwrap();
    assert!(
        TcpStream::connect(server.brokers()).await.is_err(),
        "nobody listens on a killed broker's port"
    );
    // `restart` returns only when the broker itself says that it is part of its cluster.
    tokio::time::timeout(Duration::from_secs(90), server.restart())
        .await
        .unwrap()
        .unwrap();
    assert!(TcpStream::connect(server.brokers()).await.is_ok());
    assert!(started > Duration::ZERO);
}
