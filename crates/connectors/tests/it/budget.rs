//! The budget over real Redis. Three budgets with connections of their own stand for three processes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use billwright_connectors::budget::{Budget, BudgetSettings, BudgetSource, Cancelled, RateLimit, Urgency};
use billwright_services::{RedisServer, shared};
use tokio::{
    task::{JoinHandle, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

fn budget(redis_url: &str, limit: &str, scope: &str) -> Budget {
    let client = redis::Client::open(redis_url).unwrap();
    let mut settings = BudgetSettings::new(limit.parse().unwrap(), Some(client), scope);
    "billwright-test".clone_into(&mut settings.key_prefix);
    Budget::new(settings).unwrap()
}

/// A name for a test's own slots. Its key in Redis ends by itself within about a minute.
fn scope() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// The most moments that lie within any window of this length. The moments are those at which a test noticed its grants;
/// `late` is how late it may have noticed one.
fn busiest_window(moments: &[Instant], window: Duration, late: Duration) -> usize {
    let window = window.saturating_sub(late);
    let within = |from: &Instant| {
        moments
            .iter()
            .filter(|at| **at >= *from && **at < *from + window)
            .count()
    };
    moments.iter().map(within).max().unwrap_or(0)
}

/// Measures how late this machine, which may be busy with other things, lets a task go on.
struct Lateness(Arc<AtomicU64>, JoinHandle<()>);

impl Lateness {
    fn measure() -> Self {
        const TICK: Duration = Duration::from_millis(2);
        let worst = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&worst);
        let task = tokio::spawn(async move {
            loop {
                let due = Instant::now() + TICK;
                tokio::time::sleep_until(due).await;
                let late = u64::try_from(due.elapsed().as_micros()).unwrap();
                seen.fetch_max(late, Ordering::Relaxed);
            }
        });
        Self(worst, task)
    }

    fn worst(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

impl Drop for Lateness {
    fn drop(&mut self) {
        self.1.abort();
    }
}

/// Acquires `count` slots of each budget at once; gives when each was granted, in order.
async fn drain(budgets: &[Budget], count: usize, urgency: Urgency) -> Vec<Instant> {
    let mut calls = JoinSet::new();
    for budget in budgets.iter().cycle().take(count) {
        let budget = budget.clone();
        calls.spawn(async move {
            budget.acquire(urgency, &CancellationToken::new()).await.unwrap();
            Instant::now()
        });
    }
    let mut granted = calls.join_all().await;
    granted.sort();
    granted
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_calls_of_three_processes_keep_to_the_limit_and_use_it() {
    let (url, scope) = (shared::redis_url().await.unwrap(), scope());
    let budgets: Vec<_> = (0..3).map(|_| budget(&url, "40/2s", &scope)).collect();
    let (lateness, started) = (Lateness::measure(), Instant::now());
    let (granted, bare) = tokio::join!(drain(&budgets, 100, Urgency::Ordinary), bare_loop(&url, 99));
    let took = granted.last().unwrap().duration_since(started).as_secs_f64();
    assert!(busiest_window(&granted, Duration::from_secs(2), lateness.worst()) <= 40);
    let allowed = 99.0 / 20.0;
    assert!(took >= allowed * 0.9, "took {took} s of {allowed} s");
    // On a machine that is too busy for the bare loop the budget needs not be better than that.
    let bare = bare.as_secs_f64();
    let at_most = if bare <= allowed * 1.06 {
        allowed * 1.1
    } else {
        bare * 1.25
    };
    assert!(
        took <= at_most,
        "took {took} s of {allowed} s; the bare loop took {bare} s"
    );
}

/// How long the machine needs for nothing but a look at Redis in each of so many slots, as far apart as those of `40/2s`
/// and as late as those may be.
async fn bare_loop(redis_url: &str, slots: u32) -> Duration {
    let mut connection = redis::Client::open(redis_url)
        .unwrap()
        .get_multiplexed_async_connection()
        .await
        .unwrap();
    let started = Instant::now();
    let mut next = started;
    for _ in 0..slots {
        next = next.max(Instant::now() - Duration::from_millis(40)) + Duration::from_millis(52);
        tokio::time::sleep_until(next).await;
        let _: String = redis::cmd("PING").query_async(&mut connection).await.unwrap();
    }
    started.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_waits_one_slot_at_most_behind_two_hundred_calls() {
    let (url, scope) = (shared::redis_url().await.unwrap(), scope());
    let budgets: Vec<_> = (0..3).map(|_| budget(&url, "5/s", &scope)).collect();
    let granted = Arc::new(AtomicUsize::new(0));
    let ordinary: Vec<_> = (0..200)
        .map(|index: usize| {
            let (budget, granted) = (budgets[index % 3].clone(), Arc::clone(&granted));
            tokio::spawn(async move {
                budget
                    .acquire(Urgency::Ordinary, &CancellationToken::new())
                    .await
                    .unwrap();
                granted.fetch_add(1, Ordering::SeqCst);
            })
        })
        .collect();
    let waiting = || {
        budgets
            .iter()
            .map(|budget| budget.state().ordinary_waiting)
            .sum::<usize>()
    };
    while waiting() + granted.load(Ordering::SeqCst) < 200 {
        tokio::task::yield_now().await;
    }
    for budget in &budgets {
        let before = granted.load(Ordering::SeqCst);
        budget
            .acquire(Urgency::Payment, &CancellationToken::new())
            .await
            .unwrap();
        let overtaken_by = granted.load(Ordering::SeqCst) - before;
        assert!(overtaken_by <= 1, "{overtaken_by} ordinary calls came first");
    }
    assert!(waiting() > 180);
    for call in ordinary {
        call.abort();
    }
}

#[tokio::test]
async fn calls_of_one_process_are_served_in_the_order_of_arrival() {
    let (url, scope) = (shared::redis_url().await.unwrap(), scope());
    let budget = budget(&url, "100/s", &scope);
    let (served, mut order) = tokio::sync::mpsc::unbounded_channel();
    for index in 0..20 {
        let (called, served) = (budget.clone(), served.clone());
        tokio::spawn(async move {
            called
                .acquire(Urgency::Ordinary, &CancellationToken::new())
                .await
                .unwrap();
            served.send(index).unwrap();
        });
        // On the one thread of this test the call stands in line before the next one is made.
        tokio::task::yield_now().await;
    }
    drop(served);
    let mut seen = Vec::new();
    while let Some(index) = order.recv().await {
        seen.push(index);
    }
    assert_eq!(seen, (0..20).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_call_of_another_process_comes_first() {
    let (url, scope) = (shared::redis_url().await.unwrap(), scope());
    let (left, right) = (budget(&url, "5/s", &scope), budget(&url, "5/s", &scope));
    let never = CancellationToken::new();
    left.acquire(Urgency::Ordinary, &never).await.unwrap();
    let begin = Instant::now();
    let older = {
        let left = left.clone();
        tokio::spawn(async move {
            left.acquire(Urgency::Ordinary, &CancellationToken::new())
                .await
                .unwrap();
            Instant::now()
        })
    };
    while left.state().ordinary_waiting == 0 || begin.elapsed() < Duration::from_millis(20) {
        tokio::task::yield_now().await;
    }
    right.acquire(Urgency::Ordinary, &never).await.unwrap();
    assert!(older.await.unwrap() < Instant::now());
    let total = begin.elapsed();
    assert!(
        total >= Duration::from_millis(380) && total < Duration::from_secs(2),
        "{total:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_given_up_leave_nothing_behind() {
    let (url, scope) = (shared::redis_url().await.unwrap(), scope());
    let budget = budget(&url, "1/m", &scope);
    budget
        .acquire(Urgency::Ordinary, &CancellationToken::new())
        .await
        .unwrap();
    let cancel = CancellationToken::new();
    let given_up: Vec<_> = (0..20)
        .map(|_| {
            let (budget, cancel) = (budget.clone(), cancel.clone());
            tokio::spawn(async move { budget.acquire(Urgency::Payment, &cancel).await })
        })
        .collect();
    let dropped = {
        let budget = budget.clone();
        tokio::spawn(async move { budget.acquire(Urgency::Ordinary, &CancellationToken::new()).await })
    };
    // Of each urgency the first alone stands in Redis.
    wait_until_listed(&url, &scope, 2).await;
    assert_eq!(
        (budget.state().payments_waiting, budget.state().ordinary_waiting),
        (20, 1)
    );
    cancel.cancel();
    dropped.abort();
    for call in given_up {
        assert_eq!(call.await.unwrap(), Err(Cancelled));
    }
    assert!(dropped.await.unwrap_err().is_cancelled());
    wait_until_listed(&url, &scope, 0).await;
    assert_eq!(
        (budget.state().payments_waiting, budget.state().ordinary_waiting),
        (0, 0)
    );
    assert_eq!(budget.acquire(Urgency::Ordinary, &cancel).await, Err(Cancelled));
}

/// Waits until so many calls stand in Redis.
async fn wait_until_listed(url: &str, scope: &str, expected: usize) {
    let mut connection = redis::Client::open(url)
        .unwrap()
        .get_multiplexed_async_connection()
        .await
        .unwrap();
    let key = format!("billwright-test:billz-budget:{scope}");
    let deadline = Instant::now() + Duration::from_secs(3);
    loop {
        let fields: Vec<String> = redis::cmd("HKEYS")
            .arg(&key)
            .query_async(&mut connection)
            .await
            .unwrap();
        let listed = fields.iter().filter(|field| field.starts_with("w:")).count();
        if listed == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{listed} are listed, expected {expected}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_holds_every_process_back_and_longer_each_time() {
    let (url, scope) = (shared::redis_url().await.unwrap(), scope());
    let (left, right) = (budget(&url, "1000/s", &scope), budget(&url, "1000/s", &scope));
    let never = CancellationToken::new();
    assert_eq!(
        left.slow_down(Some(Duration::from_millis(300))).await,
        Duration::from_millis(300)
    );
    let waited = right.acquire(Urgency::Payment, &never).await.unwrap();
    assert!(
        waited > Duration::from_millis(250) && waited < Duration::from_secs(2),
        "{waited:?}"
    );

    assert_eq!(left.slow_down(None).await, Duration::from_secs(1));
    // The answers of calls that were under way when the penalty began do not add to it.
    assert!(right.slow_down(None).await <= Duration::from_secs(1));
    right.acquire(Urgency::Payment, &never).await.unwrap();
    assert_eq!(right.slow_down(None).await, Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_each_process_goes_on_at_its_share_and_comes_back() {
    let redis = RedisServer::start().await.unwrap();
    let (lateness, scope) = (Lateness::measure(), scope());
    let budgets: Vec<_> = (0..3).map(|_| budget(&redis.url(), "50/s", &scope)).collect();
    let mut granted = drain(&budgets, 12, Urgency::Ordinary).await;
    assert!(
        budgets
            .iter()
            .all(|budget| budget.state().source == BudgetSource::Shared)
    );

    redis.kill().await.unwrap();
    let killed = Instant::now();
    let alone = drain(&budgets, 30, Urgency::Ordinary).await;
    assert!(
        budgets
            .iter()
            .all(|budget| budget.state().source == BudgetSource::Local)
    );
    let took = alone.last().unwrap().duration_since(killed);
    // Ten calls of each process at a quarter of 50/s; more slowly, since each starts at a moment of its own.
    assert!(
        took > Duration::from_millis(700) && took < Duration::from_secs(4),
        "{took:?}"
    );
    granted.extend(alone);

    redis.restart().await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while budgets
        .iter()
        .any(|budget| budget.state().source != BudgetSource::Shared)
    {
        assert!(Instant::now() < deadline, "the budget stays local");
        granted.extend(drain(&budgets, 6, Urgency::Ordinary).await);
    }
    granted.extend(drain(&budgets, 60, Urgency::Ordinary).await);
    granted.sort();
    assert!(busiest_window(&granted, Duration::from_secs(1), lateness.worst()) <= 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_does_not_answer_is_not_waited_for() {
    let redis = RedisServer::start().await.unwrap();
    let budget = budget(&redis.url(), "20/s", &scope());
    drain(std::slice::from_ref(&budget), 2, Urgency::Ordinary).await;
    redis.pause().unwrap();
    let started = Instant::now();
    drain(std::slice::from_ref(&budget), 1, Urgency::Payment).await;
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    redis.resume().unwrap();
}

#[tokio::test]
async fn no_limit_costs_nothing_and_needs_no_redis() {
    let nowhere = redis::Client::open("redis://127.0.0.1:1").unwrap();
    let budget = Budget::new(BudgetSettings::new(RateLimit::OFF, Some(nowhere), "x")).unwrap();
    let started = Instant::now();
    for _ in 0..10_000 {
        budget
            .acquire(Urgency::Ordinary, &CancellationToken::new())
            .await
            .unwrap();
    }
    assert!(started.elapsed() < Duration::from_millis(200));
    assert_eq!(budget.state().source, BudgetSource::Off);
}

#[tokio::test]
async fn without_a_redis_of_its_own_a_process_has_the_whole_limit() {
    let budget = Budget::new(BudgetSettings::new("50/s".parse().unwrap(), None, "x")).unwrap();
    let (lateness, started) = (Lateness::measure(), Instant::now());
    let granted = drain(&[budget], 26, Urgency::Ordinary).await;
    assert!(busiest_window(&granted, Duration::from_secs(1), lateness.worst()) <= 50);
    let took = started.elapsed();
    assert!(
        took > Duration::from_millis(500) && took < Duration::from_millis(1500),
        "{took:?}"
    );
}
