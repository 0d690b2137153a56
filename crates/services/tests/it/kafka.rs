use billwright_services::KafkaServer;
use tokio::net::TcpStream;

#[tokio::test]
async fn a_killed_broker_serves_again_on_the_same_address_after_a_restart() {
    let server = KafkaServer::start().await.unwrap();
    let pid = server.pid().unwrap();
    server.kill().await.unwrap();
    assert!(
        TcpStream::connect(server.brokers()).await.is_err(),
        "nobody listens on a killed broker's port"
    );
    // Returns only when the broker itself says that it is part of its cluster.
    server.restart().await.unwrap();
    assert!(
        TcpStream::connect(server.brokers()).await.is_ok(),
        "nobody listens on a restarted broker's port"
    );
    assert_ne!(server.pid().unwrap(), pid);
}
