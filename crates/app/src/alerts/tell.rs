//! Tells people what is wrong and what is over, each once.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use billwright_connectors::telegram::{Telegram, TelegramError, escape_html};
use billwright_store::{
    StoreError,
    alerts::{AlertToTell, Alerts},
    billz::notifications::{NewNotification, Notifications},
};

use super::{Alert, observe::PATIENCE, rules::spoken};
use crate::config::AlertsConfig;

/// How people are told.
pub(super) enum Teller {
    /// There is no group to tell. The log and the metrics tell anyway.
    Nobody,
    /// Through the worker's queue of notifications.
    Queue(Notifications),
    /// Straight to Telegram.
    Direct(Telegram),
}

/// Why somebody was not told.
#[derive(Debug, thiserror::Error)]
enum NotTold {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Telegram(#[from] TelegramError),
}

/// What fires already, by anybody's word. Nothing while that is unknown.
pub(super) async fn firing(alerts: Option<&Alerts>) -> BTreeSet<Alert> {
    let Some(alerts) = alerts else {
        return BTreeSet::new();
    };
    match tokio::time::timeout(PATIENCE, alerts.firing()).await {
        Ok(Ok(firing)) => firing.iter().filter_map(|alert| Alert::named(&alert.name)).collect(),
        Ok(Err(_)) | Err(_) => BTreeSet::new(),
    }
}

/// Notes what is wrong, ends what is over, and tells both.
pub(super) async fn settle(
    wrong: &BTreeMap<Alert, String>,
    config: &AlertsConfig,
    alerts: Option<&Alerts>,
    teller: &Teller,
) {
    for alert in Alert::ALL {
        let value = f64::from(u8::from(wrong.contains_key(&alert)));
        metrics::gauge!("billwright_alert_firing", "alert" => alert.name()).set(value);
    }
    let Some(alerts) = alerts else { return };
    if let Err(error) = keep_and_tell(wrong, config, alerts, teller).await {
        // Readiness says it louder where MongoDB is away.
        tracing::debug!(%error, "alerts cannot be kept right now; the next look tries again");
    }
}

async fn keep_and_tell(
    wrong: &BTreeMap<Alert, String>,
    config: &AlertsConfig,
    alerts: &Alerts,
    teller: &Teller,
) -> Result<(), StoreError> {
    for (alert, detail) in wrong {
        alerts.seen(alert.name(), detail).await?;
    }
    alerts.end_unseen(config.over_after).await?;
    while let Some(alert) = alerts.take_untold().await? {
        if alert.firing {
            tracing::error!(alert = alert.name, detail = alert.detail, "alert");
        } else {
            tracing::info!(alert = alert.name, "the alert is over");
        }
        match tell(&alert, config, teller).await {
            Ok(()) => alerts.told(&alert).await?,
            Err(error) => {
                tracing::warn!(alert = alert.name, %error, "nobody could be told of an alert yet; it is tried again");
                return alerts.not_told(&alert).await;
            }
        }
    }
    Ok(())
}

async fn tell(alert: &AlertToTell, config: &AlertsConfig, teller: &Teller) -> Result<(), NotTold> {
    let html = message(alert, &config.runbook);
    match teller {
        Teller::Nobody => {}
        Teller::Direct(telegram) => {
            telegram.send(&html).await?;
        }
        Teller::Queue(notifications) => {
            let kind = if alert.firing { "alert_firing" } else { "alert_over" };
            // Told twice, as after a crash between here and the note of it, they fold into one message.
            let fold = format!("{kind}:{}:{}", alert.name, alert.since.timestamp_millis());
            let message = NewNotification {
                kind,
                fold: Some(fold),
                text: html,
                spacing: Duration::ZERO,
            };
            notifications.add(&message).await?;
            metrics::counter!("billwright_notifications_total", "kind" => kind, "outcome" => "queued").increment(1);
        }
    }
    Ok(())
}

fn message(alert: &AlertToTell, runbook: &str) -> String {
    let title = Alert::named(&alert.name).map_or(alert.name.as_str(), |known| known.title());
    if !alert.firing {
        let lasted = alert
            .lasted
            .map(|lasted| format!("\n\n⏱ It lasted {}.", spoken(lasted)));
        return format!("🟢 <b>Over: {}</b>{}", escape_html(title), lasted.unwrap_or_default());
    }
    format!(
        "🚨 <b>{}</b>\n\n{}\n📖 {}#{}",
        escape_html(title),
        escape_html(&alert.detail),
        escape_html(runbook),
        escape_html(&alert.name),
    )
}

#[cfg(test)]
mod tests {
    use billwright_store::bson::DateTime;

    use super::*;

    fn alert(firing: bool) -> AlertToTell {
        AlertToTell {
            name: "oldest_job".to_owned(),
            firing,
            detail: "3 < 4".to_owned(),
            since: DateTime::from_millis(0),
            lasted: (!firing).then(|| Duration::from_secs(90)),
        }
    }

    #[test]
    fn says_what_is_wrong_and_where_to_read_on() {
        assert_eq!(
            message(&alert(true), "docs/RUNBOOK.md"),
            "🚨 <b>Jobs wait too long</b>\n\n3 &lt; 4\n📖 docs/RUNBOOK.md#oldest_job"
        );
        assert_eq!(
            message(&alert(false), ""),
            "🟢 <b>Over: Jobs wait too long</b>\n\n⏱ It lasted 1 min 30 s."
        );
    }
}
