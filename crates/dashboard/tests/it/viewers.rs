//! What many viewers cost.

use std::time::{Duration, Instant};

use billwright_dashboard::QueueSource;
use billwright_services::RedisServer;
use billwright_worker::{RedisSettings, admin::QueueAddress};
use futures_util::{StreamExt as _, future::join_all};

use crate::test_dashboard::TestDashboard;

/// For how long the viewers watch.
const WATCHED: Duration = Duration::from_secs(5);

/// How many commands the server has run, without those that ask for this.
async fn commands(redis: &mut redis::aio::MultiplexedConnection) -> Vec<(String, u64)> {
    let stats: String = redis::cmd("INFO").arg("commandstats").query_async(redis).await.unwrap();
    let count = |line: &str| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        Some((name.to_owned(), rest.split(',').next()?.parse().ok()?))
    };
    stats
        .lines()
        .filter_map(count)
        .filter(|(name, _)| name != "info")
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_viewers_cost_redis_at_most_two_polls_a_second() {
    // A server of its own, since nobody else's commands may count.
    let server = RedisServer::start().await.unwrap();
    let mut dashboard = TestDashboard::worker().await;
    dashboard.sources.queue = Some(QueueSource::new(QueueAddress {
        redis: RedisSettings {
            url: server.url().into(),
        },
        ..dashboard.queue.clone()
    }));
    let dashboard = dashboard.start().await;
    let mut bob = dashboard.signed_in("bob").await;
    bob.get("/dashboard").await;
    let (address, cookie) = (
        dashboard.address.unwrap(),
        bob.cookie("billwright_session").unwrap().clone(),
    );
    let mut redis = redis::Client::open(server.url())
        .unwrap()
        .get_multiplexed_async_connection()
        .await
        .unwrap();

    // One look, by one viewer who came alone, is the measure.
    let watch = |time: Duration| {
        let cookie = format!("billwright_session={cookie}");
        async move {
            let request = reqwest::Client::new()
                .get(format!("http://{address}/dashboard/live"))
                .header("cookie", cookie);
            let mut stream = request.send().await.unwrap().bytes_stream();
            let until = tokio::time::Instant::now() + time;
            let mut told = 0;
            while let Ok(Some(chunk)) = tokio::time::timeout_at(until, stream.next()).await {
                told += String::from_utf8_lossy(&chunk.unwrap()).matches("event: live").count();
            }
            told
        }
    };
    let before = commands(&mut redis).await;
    let began = Instant::now();
    let told = join_all((0..50).map(|_| watch(WATCHED))).await;
    let seconds = began.elapsed().as_secs_f64();
    let after = commands(&mut redis).await;
    assert!(told.iter().all(|told| *told >= 3), "every viewer is told: {told:?}");
    let calls = |stats: &[(String, u64)], name: &str| {
        stats
            .iter()
            .find(|(found, _)| found == name)
            .map_or(0, |(_, calls)| *calls)
    };
    let polls = calls(&after, "llen") - calls(&before, "llen");
    assert!(polls >= 3, "the queue was looked at: {after:?}");
    // A poll is one transaction or script of several commands; each kind of command shows how many polls there were.
    for (name, total) in &after {
        let made = total - calls(&before, name);
        #[expect(clippy::cast_precision_loss, reason = "a few hundred at most")]
        let a_second = made as f64 / seconds;
        println!("{name}: {made} in {seconds:.1} s");
        let within_a_poll = if matches!(name.as_str(), "zcard" | "llen" | "hget" | "hmget" | "exists") {
            8.0
        } else {
            1.0
        };
        assert!(a_second <= 2.0 * within_a_poll + 0.5, "{name}: {a_second:.1} a second");
    }
    dashboard.drop_all().await;
}
