//! The customer events: partitions, events that wait, dead letters, and what an operator does about them.

use std::time::{Duration, Instant};

use billwright_events::{EventsHandle, EventsSettings};
use mongodb::bson::{Document, doc};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    producer::{FutureProducer, FutureRecord},
    util::Timeout,
};
use reqwest::StatusCode;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{browser::Answer, test_dashboard::TestDashboard};

/// A dashboard beside a running consumer of a topic of its own.
struct Bed {
    dashboard: TestDashboard,
    topic: String,
    brokers: String,
    producer: FutureProducer,
    consumer: EventsHandle,
    cancel: CancellationToken,
}

impl Bed {
    async fn start() -> Self {
        let brokers = billwright_services::shared::kafka_brokers().await.unwrap();
        let topic = format!("dashboard-{}", Uuid::new_v4().simple());
        let admin: AdminClient<DefaultClientContext> = config(&brokers).create().unwrap();
        let new = NewTopic::new(&topic, 2, TopicReplication::Fixed(1));
        admin.create_topics([&new], &AdminOptions::new()).await.unwrap();
        let mut dashboard = TestDashboard::worker().await;
        let mut settings = EventsSettings::new(&brokers);
        settings.topics = vec![topic.clone()];
        settings.group_id.clone_from(&topic);
        "the-consumer".clone_into(&mut settings.client_id);
        // The tests do by hand what the sweep would do.
        settings.set_aside_sweep = Duration::from_hours(1);
        dashboard.sources.billing_database = Some(dashboard.mongo.clone());
        dashboard.sources.events = Some(settings.clone());
        let cancel = CancellationToken::new();
        let consumer = billwright_events::start(
            settings,
            dashboard.mongo.clone(),
            dashboard.sources.clock.clone(),
            dashboard.sources.health.clone(),
            cancel.clone(),
        );
        dashboard.sources.consumer.set(consumer.control()).unwrap();
        Self {
            dashboard: dashboard.start().await,
            topic,
            producer: config(&brokers).create().unwrap(),
            brokers,
            consumer,
            cancel,
        }
    }

    async fn put(&self, partition: i32, value: &[u8]) {
        let record = FutureRecord::to(&self.topic)
            .key("c-1")
            .payload(value)
            .partition(partition);
        self.producer.send(record, Timeout::Never).await.unwrap();
    }

    async fn stop(self) {
        self.cancel.cancel();
        self.consumer.finished().await;
        let admin: AdminClient<DefaultClientContext> = config(&self.brokers).create().unwrap();
        let letters = format!("{}.dlq", self.topic);
        admin
            .delete_topics(&[&self.topic, &letters], &AdminOptions::new())
            .await
            .unwrap();
        self.dashboard.drop_all().await;
    }
}

fn config(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    config
}

const CREATED: &[u8] = br#"{"type":"Customer.Created","payload":{"userId":"c-1"}}"#;
const SUSPENDED: &[u8] = br#"{"type":"Customer.Suspended","payload":{"userId":"c-2","name":"Ana","phone":3001234567}}"#;
const BROKEN: &[u8] =
    br#"{"type":"Customer.Created","payload":{"userId":"c-3","name":"Ana Secreta","phone":"3001234567"#;

#[tokio::test(flavor = "multi_thread")]
async fn shows_each_partition_with_its_owner_and_lag() {
    let bed = Bed::start().await;
    bed.put(1, CREATED).await;
    let mut browser = bed.dashboard.signed_in("bob").await;
    // What the broker, the store and the consumer say comes in its own time.
    for text in ["the-consumer", "consumes", "<dt>Still to apply</dt><dd>0</dd>"] {
        browser.until("/dashboard/events", &[text]).await;
    }
    let page = browser.until("/dashboard/events", &["caught up"]).await;
    page.shows(&[&format!("<code>{}/1</code>", bed.topic)]);
    page.hides(&["Let paused partitions go on"]);
    bed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_waits_is_shown_masked_applied_once_its_customer_is_there_or_discarded() {
    let bed = Bed::start().await;
    bed.put(0, SUSPENDED).await;
    bed.put(0, SUSPENDED).await;
    let mut anna = bed.dashboard.signed_in("anna").await;
    let mut bob = bed.dashboard.signed_in("bob").await;
    let list = anna.until("/dashboard/set-aside?user=c-2", &["2 entries"]).await;
    list.shows(&["Customer.Suspended", ">c-2<"]);
    anna.get("/dashboard/set-aside?user=c-3")
        .await
        .shows(&["No event waits."]);
    let href = |page: &Answer, place: usize| {
        let after = page.text.split("href=\"/dashboard/set-aside/").nth(place).unwrap();
        format!("/dashboard/set-aside/{}", after.split('"').next().unwrap())
    };
    let (first, second) = (href(&list, 1), href(&list, 2));
    let page = bob.get(&first).await;
    page.shows(&["c-2", "not known yet", "xxx", "0000000000"]);
    page.hides(&["Ana", "3001234567", "Discard"]);

    for action in ["apply", "discard"] {
        let refused = bob.post(&format!("{first}/{action}"), &[("confirmed", "yes")]).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
    }
    anna.post(&format!("{first}/apply"), &[])
        .await
        .shows(&["There is still no customer c-2"]);
    anna.post(&format!("{first}/discard"), &[])
        .await
        .shows(&["Discard this event for good?"]);
    let discarded = anna.post(&format!("{first}/discard"), &[("confirmed", "yes")]).await;
    assert_eq!(discarded.location(), "/dashboard/set-aside");
    assert_eq!(anna.get(&first).await.status, StatusCode::NOT_FOUND);

    let users = bed.dashboard.database.collection::<Document>("users");
    users
        .insert_one(doc! { "userId": "c-2", "isActive": true })
        .await
        .unwrap();
    anna.get(&second).await.shows(&["is there by now", "Apply now"]);
    let applied = anna.post(&format!("{second}/apply"), &[]).await;
    assert_eq!(applied.location(), "/dashboard/customer?id=c-2");
    anna.get(applied.location())
        .await
        .shows(&["1 event was applied.", "suspended"]);
    let actions: Vec<String> = bed
        .dashboard
        .audit()
        .await
        .into_iter()
        .map(|entry| entry.entry.action)
        .collect();
    assert_eq!(actions[..3], ["event.apply", "event.discard", "event.apply"]);
    bed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_shown_masked_and_put_back_after_a_preview() {
    let bed = Bed::start().await;
    let mut anna = bed.dashboard.signed_in("anna").await;
    let mut bob = bed.dashboard.signed_in("bob").await;
    bed.put(0, BROKEN).await;
    let list = anna.until("/dashboard/dead-letters", &["1 entry"]).await;
    // Letters of one key lie in one partition, one after the other.
    let first = list.text.split("name=\"place\" value=\"").nth(1).unwrap();
    let first = first.split('"').next().unwrap().to_owned();
    let partition = first.strip_suffix("/0").unwrap().to_owned();
    let place = |offset: i32| format!("{partition}/{offset}");
    bed.put(1, b"\x00\x00\x00\x00\x2aAna").await;
    let list = anna.until("/dashboard/dead-letters", &[&place(1)]).await;
    list.shows(&["not_json", "not put back", "Put all 2 back"]);
    let page = bob.get(&format!("/dashboard/dead-letters/{}", place(0))).await;
    page.shows(&["c-3", "xxx xxxxxxx", "x-dead-letter-code"]);
    page.hides(&["Ana", "Secreta", "3001234567", "Put back…"]);
    let hex = bob.get(&format!("/dashboard/dead-letters/{}", place(1))).await;
    hex.shows(&["00 00 00 00 2a 41 6e 61", "no text"]);

    let preview = format!("/dashboard/dead-letters/replay?place={}", place(0));
    anna.get(&preview)
        .await
        .shows(&["1 dead letter would go back", "Nothing was sent yet", &bed.topic]);
    bob.get("/dashboard/dead-letters")
        .await
        .hides(&["Put all 2 back", "type=\"checkbox\""]);
    let refused = bob
        .post("/dashboard/dead-letters/replay", &[("place", &place(0))])
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);

    let replayed = anna
        .post("/dashboard/dead-letters/replay", &[("place", &place(0))])
        .await;
    assert_eq!(replayed.location(), "/dashboard/dead-letters");
    // It is as broken as before, so that it comes back as another dead letter.
    let again = place(2);
    let list = anna.until("/dashboard/dead-letters", &[again.as_str()]).await;
    list.shows(&["put back</span>", "Put all 2 back"]);
    anna.get("/dashboard/dead-letters/replay?all=yes").await.shows(&[
        "2 dead letters would go back",
        &place(1),
        &again,
    ]);
    anna.get("/dashboard/dead-letters?state=new")
        .await
        .hides(&[&format!("\"/dashboard/dead-letters/{}\"", place(0))]);
    let entry = &bed.dashboard.audit().await[0];
    assert_eq!(entry.entry.action, "dead-letters.replay");
    assert!(entry.detail.as_deref().unwrap().contains(&place(0)));
    bed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_dead_letters_is_shown_or_put_back() {
    let bed = Bed::start().await;
    bed.put(0, CREATED).await;
    let mut anna = bed.dashboard.signed_in("anna").await;
    let elsewhere = format!("{}/0/0", bed.topic);
    let page = anna.get(&format!("/dashboard/dead-letters/{elsewhere}")).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    let refused = anna
        .post("/dashboard/dead-letters/replay", &[("place", elsewhere.as_str())])
        .await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    anna.post("/dashboard/dead-letters/replay", &[])
        .await
        .shows(&["No dead letter was chosen"]);
    bed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn says_within_two_seconds_that_the_brokers_are_away() {
    let mut dashboard = TestDashboard::worker().await;
    dashboard.sources.billing_database = Some(dashboard.mongo.clone());
    dashboard.sources.events = Some(EventsSettings::new("127.0.0.1:1"));
    let dashboard = dashboard.start().await;
    let mut browser = dashboard.signed_in("anna").await;
    for path in [
        "/dashboard/events",
        "/dashboard/dead-letters",
        "/dashboard/dead-letters/customers.dlq/0/1",
        "/dashboard/dead-letters/replay?all=yes",
    ] {
        let began = Instant::now();
        browser.get(path).await.shows(&["Kafka is away"]);
        assert!(
            began.elapsed() < Duration::from_millis(2500),
            "{path}: {:?}",
            began.elapsed()
        );
    }
    dashboard.drop_all().await;
}
