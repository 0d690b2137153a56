use std::time::Duration;

use billwright_services::RedisServer;
use redis::AsyncCommands;

async fn connect(url: &str) -> redis::RedisResult<redis::aio::MultiplexedConnection> {
    redis::Client::open(url)?.get_multiplexed_async_connection().await
}

#[tokio::test]
async fn with_append_only_a_write_survives_a_kill_and_without_it_does_not() {
    for (server, expected) in [
        (RedisServer::builder().append_only().start().await.unwrap(), Some(7)),
        (RedisServer::start().await.unwrap(), None),
    ] {
        let () = connect(&server.url()).await.unwrap().set("key", 7).await.unwrap();
        server.kill().await.unwrap();
        assert!(
            connect(&server.url()).await.is_err(),
            "nobody listens on a killed server's port"
        );
        server.restart().await.unwrap();
        let found: Option<i32> = connect(&server.url()).await.unwrap().get("key").await.unwrap();
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn a_password_is_asked_for() {
    let server = RedisServer::builder().password("s3cret").start().await.unwrap();
    let () = connect(&server.url()).await.unwrap().set("key", 1).await.unwrap();
    let without = format!("redis://127.0.0.1:{}", server.port());
    let refused = connect(&without).await.unwrap().get::<_, Option<i32>>("key").await;
    assert!(refused.is_err(), "read without the password");
}

#[tokio::test]
async fn a_paused_server_keeps_its_connections_and_answers_only_once_resumed() {
    let server = RedisServer::start().await.unwrap();
    let mut connection = connect(&server.url()).await.unwrap();
    server.pause().unwrap();
    let mut other = connection.clone();
    let mut ping = tokio::spawn(async move { redis::cmd("PING").query_async::<String>(&mut other).await });
    assert!(
        tokio::time::timeout(Duration::from_millis(200), &mut ping)
            .await
            .is_err(),
        "a paused server answered"
    );
    server.resume().unwrap();
    let answer: String = redis::cmd("PING").query_async(&mut connection).await.unwrap();
    assert_eq!(answer, "PONG");
}

#[tokio::test]
async fn dropping_the_server_stops_it_and_removes_its_data() {
    let server = RedisServer::start().await.unwrap();
    let mut connection = connect(&server.url()).await.unwrap();
    let (_, folder): (String, String) = redis::cmd("CONFIG")
        .arg("GET")
        .arg("dir")
        .query_async(&mut connection)
        .await
        .unwrap();
    assert!(std::path::Path::new(&folder).is_dir());
    let url = server.url();
    drop(server);
    assert!(connect(&url).await.is_err(), "the server still answers");
    assert!(!std::path::Path::new(&folder).exists(), "the data are still there");
}
