//! What an operator can ask and do.

use std::ops::ControlFlow;

use billwright_events::admin::{
    self, DeadLetterTopic, TailRequest,
    dead_letters::{self, Replay},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::bed::{Bed, eventually, is_active};

#[tokio::test(flavor = "multi_thread")]
async fn lag_and_tail_tell_what_is_there_without_personal_data() {
    let bed = Bed::new().await;
    let settings = bed.settings();
    let mongo = bed.mongo().await;
    let phone = json!({"phoneNumber": 3_001_234_567_u64});
    bed.event("Customer.Created", &json!({"userId": "c", "phone": phone}))
        .await;
    bed.put(Some("c"), Some(b"poison"), &[]).await;
    let lags = admin::lag(&settings, &mongo).await.unwrap();
    assert_eq!((lags.len(), lags.iter().map(|lag| lag.lag).sum::<i64>()), (6, 2));
    let consumer = bed.start().await;
    bed.drained().await;
    let lags = admin::lag(&settings, &mongo).await.unwrap();
    assert!(lags.iter().all(|lag| lag.lag == 0));
    assert_eq!(lags.iter().filter_map(|lag| lag.position).max(), Some(2));

    let request = TailRequest {
        topic: None,
        last: 10,
        follow: true,
    };
    let mut rows = Vec::new();
    let show = |row| {
        rows.push(row);
        if rows.len() == 2 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    admin::tail(&settings, &request, &CancellationToken::new(), show)
        .await
        .unwrap();
    assert_eq!(rows[0].kind.as_deref(), Some("Customer.Created"));
    assert_eq!((rows[0].user_id.as_deref(), &rows[0].problem), (Some("c"), &None));
    assert!(rows[1].problem.as_deref().unwrap().contains("no JSON"));
    assert!(!serde_json::to_string(&rows).unwrap().contains("3001234567"));
    consumer.stop().await;
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_shown_and_put_back_once() {
    let bed = Bed::new().await;
    let settings = bed.settings();
    let consumer = bed.start().await;
    assert!(dead_letters::list(&settings, 10).await.unwrap().is_empty());
    // As if it came from a later version: this one learns nothing new, so that it comes back.
    let value = br#"{"type": "Customer.Married", "payload": {"userId": "c"}}"#;
    let (partition, offset) = bed.put(Some("c"), Some(value), &[("trace", "t-1")]).await;
    bed.drained().await;

    let rows = dead_letters::list(&settings, 10).await.unwrap();
    assert_eq!(
        (rows.len(), rows[0].code.as_str(), rows[0].replayed),
        (1, "unknown_type", false)
    );
    let source = rows[0].source.clone().unwrap();
    assert_eq!(
        (source.topic.as_str(), source.partition, source.offset),
        (bed.topic.as_str(), partition, offset)
    );
    let shown = dead_letters::show(&settings, &rows[0].place).await.unwrap();
    assert_eq!(shown.value.unwrap().as_bytes(), value);

    // A transaction that was aborted leaves offsets at the end that hold no message.
    let tried = admin::probe_dead_letters(&settings, &bed.topic).await.unwrap();
    assert_eq!(tried, DeadLetterTopic::Writable);
    assert_eq!(dead_letters::list(&settings, 10).await.unwrap(), rows);

    let planned = dead_letters::replay(&settings, &Replay::New, true).await.unwrap();
    assert_eq!((planned.len(), &planned[0].skipped), (1, &None));
    assert_eq!(
        bed.ends(&bed.topic)[&partition],
        offset + 1,
        "a dry run puts nothing back"
    );
    dead_letters::replay(&settings, &Replay::New, false).await.unwrap();
    eventually("it came and went again", async || {
        consumer.handle.state().dead_letters == 2
    })
    .await;
    bed.drained().await;
    let rows = dead_letters::list(&settings, 10).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.replayed).collect::<Vec<_>>(), [false, true]);
    let again = dead_letters::show(&settings, &rows[0].place).await.unwrap();
    assert_eq!(
        again
            .headers
            .iter()
            .filter(|(name, _)| name == "x-dead-letter-reason")
            .count(),
        1
    );
    assert!(again.headers.contains(&("trace".to_owned(), Some("t-1".to_owned()))));
    assert_eq!(
        dead_letters::replay(&settings, &Replay::New, false)
            .await
            .unwrap()
            .len(),
        1
    );
    eventually("that one came back too", async || {
        consumer.handle.state().dead_letters == 3
    })
    .await;
    consumer.stop().await;
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_dead_letters_than_are_held_at_a_time_are_all_put_back_once() {
    const MANY: usize = 2_300;
    let bed = Bed::new().await;
    let mut settings = bed.settings();
    settings.bad_messages.pause_share = 1.1;
    let consumer = bed.start_with(settings.clone()).await;
    let puts = (0..MANY).map(|_| bed.put(Some("c"), Some(b"poison"), &[]));
    let partition = futures_util::future::join_all(puts).await[0].0;
    bed.drained().await;
    consumer.stop().await;

    let planned = dead_letters::replay(&settings, &Replay::New, true).await.unwrap();
    assert_eq!(planned.len(), MANY);
    let done = dead_letters::replay(&settings, &Replay::New, false).await.unwrap();
    assert_eq!(done, planned);
    assert_eq!(bed.ends(&bed.topic)[&partition], 2 * i64::try_from(MANY).unwrap());
    assert!(
        dead_letters::replay(&settings, &Replay::New, false)
            .await
            .unwrap()
            .is_empty()
    );
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_dead_letter_can_be_put_back_after_its_cause_is_gone() {
    let bed = Bed::new().await;
    let mut settings = bed.settings();
    settings.set_aside_expiry = std::time::Duration::from_millis(50);
    settings.set_aside_sweep = std::time::Duration::from_millis(50);
    let consumer = bed.start_with(settings.clone()).await;
    bed.event("Customer.Suspended", &json!({"userId": "c"})).await;
    eventually("it is dead", async || consumer.handle.state().dead_letters == 1).await;
    bed.event("Customer.Created", &json!({"userId": "c"})).await;
    bed.drained().await;
    assert!(is_active(&bed.user("c").await.unwrap()));
    let rows = dead_letters::list(&settings, 10).await.unwrap();
    dead_letters::replay(&settings, &Replay::One(rows[0].place.clone()), false)
        .await
        .unwrap();
    eventually("it is applied", async || !is_active(&bed.user("c").await.unwrap())).await;
    consumer.stop().await;
    bed.clear().await;
}
