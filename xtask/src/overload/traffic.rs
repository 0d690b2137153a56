//! What is asked of the API, and what came of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::Instant};

use super::client::{Answer, Call, Client};

/// Users that are there before anything is measured.
pub(super) const USERS: u64 = 500;

/// What came of the requests of one phase.
#[derive(Debug, Default, Clone)]
pub(super) struct Tally {
    /// Requests that were sent.
    pub(super) sent: u64,
    /// Requests that were due while their caller still waited for the answer to another.
    pub(super) not_sent: u64,
    /// Answers by status.
    pub(super) statuses: BTreeMap<u16, u64>,
    /// How long what was carried out took.
    pub(super) accepted: Vec<Duration>,
    /// How long refusals took.
    pub(super) refused: Vec<Duration>,
    /// Refusals that do not say when to come back.
    pub(super) silent_refusals: u64,
    /// Requests whose connection broke off, by what was said about it.
    pub(super) broken: BTreeMap<String, u64>,
    /// Answers that no caller should have had.
    pub(super) wrong: BTreeSet<String>,
}

/// What the service said is stored.
#[derive(Debug, Default)]
pub(super) struct Stored {
    /// Numbers of billings.
    pub(super) billings: BTreeSet<String>,
    /// Ids of users.
    pub(super) users: BTreeSet<String>,
}

/// Who calls whom, and what was promised to them.
#[derive(Debug, Clone)]
pub(super) struct Traffic {
    address: SocketAddr,
    stored: Arc<Mutex<Stored>>,
    next_user: Arc<AtomicU64>,
    tally: Arc<Mutex<Tally>>,
}

impl Traffic {
    pub(super) fn to(address: SocketAddr) -> Self {
        Self {
            address,
            stored: Arc::default(),
            next_user: Arc::new(AtomicU64::new(USERS)),
            tally: Arc::default(),
        }
    }

    /// Makes the users whom everything is about.
    pub(super) async fn prepare(&self) {
        let mut client = Client::new(self.address);
        for number in 0..USERS {
            let call = create_user(&format!("storm-{number}"));
            self.make(&mut client, call, true).await;
        }
    }

    /// `callers` call, each as soon as it has its answer: what can be served.
    pub(super) async fn closed_loop(&self, callers: u64, length: Duration) -> Tally {
        let until = Instant::now() + length;
        let mut calling = JoinSet::new();
        for caller in 0..callers {
            let traffic = self.clone();
            calling.spawn(async move {
                let mut client = Client::new(traffic.address);
                let mut chance = StdRng::seed_from_u64(caller);
                while Instant::now() < until {
                    let (call, creates_user) = traffic.draw(&mut chance);
                    traffic.make(&mut client, call, creates_user).await;
                }
            });
        }
        while calling.join_next().await.is_some() {}
        self.take()
    }

    /// So many requests a second come from `callers`, whatever becomes of those before.
    pub(super) async fn open_loop(&self, callers: u64, a_second: f64, length: Duration) -> Tally {
        let begun = Instant::now();
        let until = begun + length;
        #[expect(clippy::cast_precision_loss, reason = "callers are thousands")]
        let every = Duration::from_secs_f64(callers as f64 / a_second);
        let mut calling = JoinSet::new();
        for caller in 0..callers {
            let traffic = self.clone();
            calling.spawn(async move {
                let mut client = Client::new(traffic.address);
                let mut chance = StdRng::seed_from_u64(!caller);
                let mut due = begun + every.mul_f64(chance.random());
                while due < until {
                    tokio::time::sleep_until(due).await;
                    let (call, creates_user) = traffic.draw(&mut chance);
                    traffic.make(&mut client, call, creates_user).await;
                    due += every;
                    let mut missed = 0;
                    while due < Instant::now().min(until) {
                        due += every;
                        missed += 1;
                    }
                    lock(&traffic.tally).not_sent += missed;
                }
            });
        }
        while calling.join_next().await.is_some() {}
        self.take()
    }

    /// What was tallied since it was last taken.
    fn take(&self) -> Tally {
        std::mem::take(&mut *lock(&self.tally))
    }

    /// What the service said is stored.
    pub(super) fn stored(&self) -> std::sync::MutexGuard<'_, Stored> {
        lock(&self.stored)
    }

    /// The next request: reads, creations and lists as they come. Says whether it makes a user.
    fn draw(&self, chance: &mut StdRng) -> (Call, bool) {
        let user = format!("storm-{}", chance.random_range(0..USERS));
        let get = |path: String| Call {
            method: "GET",
            path,
            body: String::new(),
        };
        match chance.random_range(0..100) {
            0..55 => (get(format!("/api/users/{user}")), false),
            55..65 => (get("/api/billings?limit=50".to_owned()), false),
            65..72 => (get(format!("/api/billings/user/{user}")), false),
            72 => (get("/api/users".to_owned()), false),
            73..95 => {
                let body = json!({"userId": user, "dueDate": "2030-01-31T00:00:00.000Z", "totalInvoice": 125_000});
                let call = Call {
                    method: "POST",
                    path: "/api/billings".to_owned(),
                    body: body.to_string(),
                };
                (call, false)
            }
            _ => {
                let number = self.next_user.fetch_add(1, Ordering::Relaxed);
                (create_user(&format!("storm-{number}")), true)
            }
        }
    }

    async fn make(&self, client: &mut Client, call: Call, creates_user: bool) {
        let what = format!("{} {}", call.method, call.path.split('?').next().unwrap_or_default());
        let creates = call.method == "POST";
        let begun = Instant::now();
        let answer = client.send(call).await;
        let took = begun.elapsed();
        if let Ok(answer) = &answer
            && answer.status == 201
        {
            self.note_stored(answer, creates_user);
        }
        let mut tally = lock(&self.tally);
        tally.sent += 1;
        match answer {
            Ok(answer) => {
                *tally.statuses.entry(answer.status).or_default() += 1;
                match answer.status {
                    429 | 503 => {
                        tally.refused.push(took);
                        tally.silent_refusals += u64::from(!answer.says_when);
                    }
                    200 if !creates => tally.accepted.push(took),
                    201 if creates => tally.accepted.push(took),
                    status => {
                        let body = String::from_utf8_lossy(&answer.body);
                        let shown: String = body.chars().take(200).collect();
                        // A few tell as much as all of them.
                        if tally.wrong.len() < 20 {
                            tally
                                .wrong
                                .insert(format!("{what} was answered with {status}: {shown}"));
                        }
                    }
                }
            }
            Err(error) => *tally.broken.entry(error.root_cause().to_string()).or_default() += 1,
        }
    }

    fn note_stored(&self, answer: &Answer, creates_user: bool) {
        let document: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let mut stored = lock(&self.stored);
        if creates_user {
            stored.users.extend(document["userId"].as_str().map(str::to_owned));
        } else {
            stored
                .billings
                .extend(document["billingId"].as_str().map(str::to_owned));
        }
    }
}

fn create_user(id: &str) -> Call {
    Call {
        method: "POST",
        path: "/api/users".to_owned(),
        body: json!({"userId": id, "address": {"city": "Tashkent"}}).to_string(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The time that so many of a hundred kept to.
pub(super) fn percentile(times: &[Duration], of_a_hundred: usize) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    let at = (times.len() * of_a_hundred).div_ceil(100).saturating_sub(1);
    times.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 50), Duration::from_millis(100));
        assert_eq!(percentile(&times, 99), Duration::from_millis(198));
        assert_eq!(percentile(&times, 100), Duration::from_millis(200));
        assert_eq!(percentile(&times[..1], 99), Duration::from_millis(200));
        assert_eq!(percentile(&[], 99), Duration::ZERO);
    }
}
