//! What the parent's death does to the servers, seen from outside: the test runs itself as the parent.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use billwright_services::{MongoServer, RedisServer};
use redis::AsyncCommands;

/// Set in the child only.
const PARENT: &str = "BILLWRIGHT_TEST_IS_THE_PARENT";

#[tokio::test]
async fn servers_and_their_data_are_gone_after_their_parent_is_killed() {
    if std::env::var_os(PARENT).is_some() {
        return be_the_parent().await;
    }
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            "supervision::servers_and_their_data_are_gone_after_their_parent_is_killed",
        ])
        .env(PARENT, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(parent.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let report: Vec<String> = lines
        .skip_while(|line| !line.contains("started "))
        .take(1)
        .collect::<Vec<_>>();
    let words: Vec<&str> = report[0]
        .split_whitespace()
        .skip_while(|word| *word != "started")
        .skip(1)
        .collect();
    let [mongo, redis, folder] = words[..] else {
        panic!("the parent said {report:?}")
    };
    assert!(is_running(mongo) && is_running(redis) && Path::new(folder).is_dir());

    parent.kill().unwrap();
    parent.wait().unwrap();

    let deadline = Instant::now() + Duration::from_secs(20);
    while is_running(mongo) || is_running(redis) || Path::new(folder).exists() {
        assert!(
            Instant::now() < deadline,
            "still there: mongod {mongo}, redis {redis}, folder {folder}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn be_the_parent() {
    let mongo = MongoServer::start().await.unwrap();
    let redis = RedisServer::start().await.unwrap();
    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let () = connection.set("key", "value").await.unwrap();
    let (_, folder): (String, String) = redis::cmd("CONFIG")
        .arg("GET")
        .arg("dir")
        .query_async(&mut connection)
        .await
        .unwrap();
    println!("\nstarted {} {} {folder}", mongo.pid().unwrap(), redis.pid().unwrap());
    std::future::pending::<()>().await;
}

fn is_running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'))
}
