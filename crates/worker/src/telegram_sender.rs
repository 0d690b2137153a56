//! Delivers the notifications that wait in MongoDB: one process at a time, one message a second, twenty a minute.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use billwright_connectors::telegram::{Telegram, TelegramError};
use billwright_domain::Clock;
use billwright_store::{
    Mongo, StoreError,
    billz::{
        leases::{HeldLease, Leases, Memory},
        notifications::{DueNotification, Notifications},
    },
    bson::{Bson, doc},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Telegram's limits for one group.
const GAP_MS: i64 = 1_000;
const PER_MINUTE: usize = 20;
const MINUTE_MS: i64 = 60_000;

/// The lease of the process that sends.
const LEASE: &str = "telegram-sender";
const LEASE_LENGTH: Duration = Duration::from_secs(30);

/// How often a message is tried that a person could make deliverable: a bot that is in no group, a wrong token.
const MOST_ATTEMPTS: i32 = 50;

/// Sends what is due until `stop`.
pub(crate) async fn run(mongo: Mongo, telegram: Telegram, clock: Arc<dyn Clock>, stop: CancellationToken) {
    let sender = Sender {
        notifications: Notifications::new(&mongo),
        leases: Leases::new(&mongo),
        telegram,
        clock,
        owner: Uuid::now_v7().to_string(),
    };
    while !stop.is_cancelled() {
        match stop.run_until_cancelled(sender.hold_and_send()).await {
            None => {}
            Some(Ok(())) => pause(&stop, Duration::from_secs(3)).await,
            Some(Err(error)) => {
                tracing::debug!(%error, "notifications cannot be sent right now");
                pause(&stop, Duration::from_secs(2)).await;
            }
        }
    }
    // The next process need not wait for the lease to run out.
    let _runs_out_by_itself = sender.leases.release(&[LEASE.to_owned()], &sender.owner).await;
}

async fn pause(stop: &CancellationToken, length: Duration) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(length) => {}
    }
}

struct Sender {
    notifications: Notifications,
    leases: Leases,
    telegram: Telegram,
    clock: Arc<dyn Clock>,
    owner: String,
}

impl Sender {
    /// Sends while the lease is ours; returns at once while another process has it.
    async fn hold_and_send(&self) -> Result<(), StoreError> {
        let Some(lease) = self
            .leases
            .acquire(LEASE, &self.owner, LEASE_LENGTH, Memory::Left)
            .await?
        else {
            return Ok(());
        };
        let mut pace = Pace::remembered(&lease);
        let mut renewed = Instant::now();
        loop {
            if renewed.elapsed() > LEASE_LENGTH / 3 {
                let since = Instant::now();
                if self
                    .leases
                    .renew(&[LEASE.to_owned()], &self.owner, LEASE_LENGTH)
                    .await?
                    == 0
                {
                    return Ok(());
                }
                renewed = since;
            }
            let wait = pace.wait(self.clock.now().timestamp_millis());
            if !wait.is_zero() {
                tokio::time::sleep(wait.min(LEASE_LENGTH / 6)).await;
                continue;
            }
            match self.notifications.take_due().await? {
                Some(message) => {
                    pace.sent(self.clock.now().timestamp_millis());
                    // Before it is sent: who takes over must not be faster than Telegram allows.
                    let sent = pace.0.iter().copied().map(Bson::Int64).collect::<Vec<_>>();
                    self.leases.remember(LEASE, &self.owner, doc! { "sent": sent }).await?;
                    self.deliver(&message, &mut pace).await?;
                }
                None => tokio::time::sleep(Duration::from_millis(500)).await,
            }
        }
    }

    async fn deliver(&self, message: &DueNotification, pace: &mut Pace) -> Result<(), StoreError> {
        let mut text = message.text.clone();
        if message.count > 1 {
            text.push_str("\n\n🔁 ");
            text.push_str(&message.count.to_string());
            text.push_str(" times");
        }
        let Err(error) = self.telegram.send(&text).await else {
            metrics::counter!("billwright_notifications_delivered_total", "outcome" => "sent").increment(1);
            return self.notifications.mark_sent(message.id).await;
        };
        metrics::counter!("billwright_notifications_delivered_total", "outcome" => error.outcome()).increment(1);
        tracing::warn!(%error, attempts = message.attempts, "a notification was not delivered");
        match &error {
            TelegramError::RateLimited { retry_after } => {
                pace.held_back(self.clock.now().timestamp_millis(), *retry_after);
                self.notifications
                    .put_off(message.id, *retry_after, &error.to_string())
                    .await
            }
            TelegramError::Migrated { .. } => {
                self.notifications
                    .put_off(message.id, Duration::ZERO, &error.to_string())
                    .await
            }
            TelegramError::BadRequest { .. } => self.notifications.mark_failed(message.id, &error.to_string()).await,
            _ if message.attempts >= MOST_ATTEMPTS => {
                self.notifications.mark_failed(message.id, &error.to_string()).await
            }
            TelegramError::Kicked { .. } | TelegramError::Unauthorized => {
                // A person must act first; all messages wait for that.
                pace.held_back(self.clock.now().timestamp_millis(), Duration::from_mins(1));
                self.notifications
                    .put_off(message.id, Duration::from_mins(10), &error.to_string())
                    .await
            }
            TelegramError::Unavailable { .. } | TelegramError::OutcomeUnknown { .. } => {
                let doubled = 2_u64 << message.attempts.clamp(0, 8);
                pace.held_back(self.clock.now().timestamp_millis(), Duration::from_secs(1));
                self.notifications
                    .put_off(message.id, Duration::from_secs(doubled.min(300)), &error.to_string())
                    .await
            }
        }
    }
}

/// When messages went out lately, in milliseconds since 1970, the oldest first.
#[derive(Debug, Default)]
struct Pace(VecDeque<i64>);

impl Pace {
    fn remembered(lease: &HeldLease) -> Self {
        let sent = lease.memory.get_array("sent").map(Vec::as_slice).unwrap_or_default();
        Self(sent.iter().filter_map(Bson::as_i64).collect())
    }

    fn sent(&mut self, now: i64) {
        self.0.push_back(now);
        while self.0.len() > PER_MINUTE {
            self.0.pop_front();
        }
    }

    /// Nothing goes out before `length` has passed: as if a message went out so late that the gap ends then.
    fn held_back(&mut self, now: i64, length: Duration) {
        let length = i64::try_from(length.as_millis()).unwrap_or(MINUTE_MS);
        self.sent(now.saturating_add(length - GAP_MS));
    }

    fn wait(&mut self, now: i64) -> Duration {
        // A clock that was set back must not stop the messages for long.
        self.0.retain(|sent| *sent <= now + 24 * 60 * MINUTE_MS);
        let after_gap = self.0.back().map_or(now, |last| last + GAP_MS);
        let after_minute = match self.0.front() {
            Some(first) if self.0.len() >= PER_MINUTE => first + MINUTE_MS,
            _ => now,
        };
        let wait = after_gap.max(after_minute).saturating_sub(now).max(0);
        Duration::from_millis(u64::try_from(wait).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_to_one_a_second_and_twenty_a_minute() {
        let (mut pace, mut now, mut sent) = (Pace::default(), 0, Vec::new());
        for _ in 0..100 {
            now += i64::try_from(pace.wait(now).as_millis()).unwrap();
            pace.sent(now);
            sent.push(now);
        }
        assert!(sent.windows(2).all(|pair| pair[1] - pair[0] >= GAP_MS));
        assert!(
            sent.windows(PER_MINUTE + 1)
                .all(|window| window[PER_MINUTE] - window[0] >= MINUTE_MS)
        );
        assert!(now <= 5 * MINUTE_MS, "slower than the limit asks for: {now} ms");
    }

    #[test]
    fn a_wish_to_slow_down_is_honoured() {
        let mut pace = Pace::default();
        pace.sent(0);
        pace.held_back(0, Duration::from_secs(30));
        assert_eq!(pace.wait(0), Duration::from_secs(30));
        assert_eq!(pace.wait(30_000), Duration::ZERO);
    }
}
