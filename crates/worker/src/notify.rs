//! Who is told what on Telegram. A message is put into the queue in MongoDB; [`crate::telegram_sender`] delivers it, and no
//! job waits for that or fails because of it.

use std::time::Duration;

use billwright_connectors::telegram::escape_html;
use billwright_domain::{BillzOrderId, Money};
use billwright_store::{
    StoreError,
    billz::notifications::{NewNotification, Notifications},
};
use sha2::{Digest, Sha256};

/// Failures that are equal are told again after this long at the earliest, with a count.
const SPACING: Duration = Duration::from_mins(1);

/// Something that the group is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    kind: &'static str,
    fold: Option<String>,
    pub(crate) text: String,
}

impl Notice {
    /// An order was placed.
    pub(crate) fn order_placed(
        number: &str,
        sale: &BillzOrderId,
        total: Money,
        paid: bool,
        warnings: &[String],
    ) -> Self {
        let title = if paid { "Order placed and paid" } else { "Order placed" };
        let mut text = format!(
            "🔔 <b>{title}</b>\n\n📦 Order: <code>{}</code>\n💰 Total: <b>{total}</b>\n🏪 Billz: <code>{}</code>",
            escape_html(number),
            escape_html(sale.as_str())
        );
        for warning in warnings {
            text.push_str("\n⚠️ ");
            text.push_str(&escape_html(warning));
        }
        Self::plain("order_placed", text)
    }

    /// A payment was made.
    pub(crate) fn payment_made(sale: &BillzOrderId, amount: Money) -> Self {
        let sale = escape_html(sale.as_str());
        Self::plain(
            "payment_made",
            format!("💳 <b>Payment made</b>\n\n💰 Amount: <b>{amount}</b>\n🏪 Billz: <code>{sale}</code>"),
        )
    }

    /// A sale was deleted.
    pub(crate) fn order_deleted(sale: &BillzOrderId) -> Self {
        let sale = escape_html(sale.as_str());
        Self::plain(
            "order_deleted",
            format!("🗑 <b>Order deleted</b>\n\n🏪 Billz: <code>{sale}</code>"),
        )
    }

    /// An operation failed for good. Equal failures fold; what they are about does not make them different.
    pub(crate) fn operation_failed(kind: &str, reason: &str, order_id: Option<&str>, job_id: &str) -> Self {
        let mut text = format!(
            "🚨 <b>Operation failed</b>\n\n❌ Type: <b>{}</b>\n💬 Reason: <code>{}</code>",
            escape_html(kind),
            escape_html(&shortened(reason))
        );
        if let Some(order_id) = order_id {
            text.push_str("\n📦 Order: <code>");
            text.push_str(&escape_html(order_id));
            text.push_str("</code>");
        }
        text.push_str("\n🔎 Job: <code>");
        text.push_str(&escape_html(job_id));
        text.push_str("</code>");
        // Numbers and ids differ between failures that are the same to people.
        let shape: String = reason
            .chars()
            .map(|found| if found.is_ascii_digit() { '#' } else { found })
            .collect();
        let digest = hex::encode(&Sha256::digest(format!("{kind}\0{shape}"))[..12]);
        Self {
            kind: "operation_failed",
            fold: Some(format!("failed:{digest}")),
            text,
        }
    }

    /// A sale could not be taken back and then turned out to be paid.
    pub(crate) fn paid_after_failure(number: &str, sale: &BillzOrderId) -> Self {
        Self::plain(
            "operation_failed",
            format!(
                "⚠️ <b>Paid after all</b>\n\nThe job of order <code>{}</code> failed, but its sale \
                 <code>{}</code> is paid in Billz. The order was marked as paid.",
                escape_html(number),
                escape_html(sale.as_str())
            ),
        )
    }

    /// The breaker opened.
    pub(crate) fn breaker_opened() -> Self {
        Self {
            fold: Some("breaker_opened".to_owned()),
            ..Self::plain(
                "breaker_opened",
                "🔴 <b>Billz cannot be reached</b>\n\nJobs wait in the queue and go on by themselves.".to_owned(),
            )
        }
    }

    /// The breaker closed.
    pub(crate) fn breaker_closed() -> Self {
        Self {
            fold: Some("breaker_closed".to_owned()),
            ..Self::plain("breaker_closed", "🟢 <b>Billz can be reached again</b>".to_owned())
        }
    }

    fn plain(kind: &'static str, text: String) -> Self {
        Self { kind, fold: None, text }
    }
}

/// A reason as long as a message can bear; Telegram takes 4,096 characters in all.
fn shortened(reason: &str) -> String {
    if reason.chars().count() <= 1_500 {
        return reason.to_owned();
    }
    reason.chars().take(1_500).chain("…".chars()).collect()
}

/// Puts notices into the queue, or drops them where Telegram is not configured.
#[derive(Debug, Clone)]
pub(crate) struct Notify(Option<Notifications>);

impl Notify {
    /// `None` where there is no group to tell.
    pub(crate) fn new(notifications: Option<Notifications>) -> Self {
        Self(notifications)
    }

    /// Puts a notice into the queue. Nobody fails because that failed; the answer is whether the same may work later.
    pub(crate) async fn tell(&self, notice: &Notice) -> Told {
        let Some(notifications) = &self.0 else {
            return Told::AsFarAsPossible;
        };
        let message = NewNotification {
            kind: notice.kind,
            fold: notice.fold.clone(),
            text: notice.text.clone(),
            spacing: SPACING,
        };
        let stored = notifications.add(&message).await;
        let outcome = if stored.is_ok() { "queued" } else { "lost" };
        metrics::counter!("billwright_notifications_total", "kind" => notice.kind, "outcome" => outcome).increment(1);
        match stored {
            Ok(()) => Told::AsFarAsPossible,
            Err(error) => {
                tracing::warn!(%error, kind = notice.kind, "a notification was not stored");
                if matches!(error, StoreError::Unavailable(_)) {
                    Told::NotYet
                } else {
                    Told::AsFarAsPossible
                }
            }
        }
    }
}

/// What came of telling something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// It is stored, or there is nobody to tell, or it can never be stored.
    AsFarAsPossible,
    /// It is not stored, because MongoDB is away.
    NotYet,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_interpolated_is_markup() {
        let sale = BillzOrderId::parse("s<1>").unwrap();
        let texts = [
            Notice::order_placed("<b>", &sale, Money::whole(1), false, &["a & b".to_owned()]).text,
            Notice::operation_failed("X<", "<script>", Some("<o>"), "<j>").text,
            Notice::payment_made(&sale, Money::whole(1)).text,
            Notice::order_deleted(&sale).text,
        ];
        for text in texts {
            let bare = ["<b>", "</b>", "<code>", "</code>"]
                .iter()
                .fold(text.clone(), |text, tag| text.replace(tag, ""));
            assert!(!bare.contains('<') && !bare.contains('>'), "{text}");
        }
    }

    #[test]
    fn failures_fold_by_what_they_say_but_not_by_their_numbers() {
        let fold = |kind, reason| Notice::operation_failed(kind, reason, None, "1").fold;
        assert_eq!(fold("A", "order 12 is gone"), fold("A", "order 34 is gone"));
        assert_ne!(fold("A", "x"), fold("B", "x"));
        assert_ne!(fold("A", "x"), fold("A", "y"));
    }
}
