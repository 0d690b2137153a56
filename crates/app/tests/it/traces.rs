//! Traces go on through us, and reach a collector.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use billwright_sandbox::ORDER_ID;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::any_value::Value as Attribute,
    trace::v1::{Span, span::SpanKind},
};
use prost::Message as _;
use rdkafka::{Message as _, message::Headers as _};
use serde_json::json;

use crate::world::{World, until};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PRODUCER: &str = "b7ad6b7169203331";

fn traceparent() -> String {
    format!("00-{TRACE}-{PRODUCER}-01")
}

/// A collector that keeps what it is sent.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<(HeaderMap, ExportTraceServiceRequest)>>>);

impl Collector {
    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/v1/traces", post(take)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    fn spans(&self) -> Vec<Span> {
        let taken = self.0.lock().unwrap();
        let resources = taken.iter().flat_map(|(_, request)| &request.resource_spans);
        let scopes = resources.flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }
}

async fn take(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    collector.0.lock().unwrap().push((headers, request));
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let names: Vec<_> = spans.iter().map(|span| &span.name).collect();
    let found = spans
        .iter()
        .find(|span| span.name == name && hex::encode(&span.trace_id) == TRACE);
    found.unwrap_or_else(|| panic!("no span `{name}` of the producer's trace among {names:?}"))
}

/// Whether `span` lies below `ancestor`.
fn lies_below(span: &Span, ancestor: &Span, spans: &[Span]) -> bool {
    let mut at = span;
    while let Some(parent) = spans.iter().find(|parent| parent.span_id == at.parent_span_id) {
        if parent.span_id == ancestor.span_id {
            return true;
        }
        at = parent;
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_leads_from_the_producer_through_jobs_events_and_requests() {
    let collector = Collector::default();
    let mut world = World::new().await;
    world.set("OTEL_EXPORTER_OTLP_ENDPOINT", collector.start().await);
    world.set("OTEL_EXPORTER_OTLP_HEADERS", "x-key=geheim");
    world.set("OTEL_SERVICE_NAME", "shop");
    // Only the stop may bring the spans out.
    world.set("OTEL_BSP_SCHEDULE_DELAY", "600000");
    let out = format!("{}-out", world.topic);
    world.create_topic(&out, None).await;
    world.set("KAFKA_EVENTS_TOPIC", &out);
    let job = world
        .add("GET_ORDER", json!({ "orderId": ORDER_ID }), Some(&traceparent()))
        .await;
    let client =
        json!({ "clientPhone": "+998901234567", "clientFirstName": "Shahnoza", "clientLastName": "Geheimova" });
    let other = world.add("CREATE_CLIENT", client, Some(&traceparent())).await;
    let event =
        json!({ "type": "Customer.Created", "payload": { "userId": "u1", "phone": { "phoneNumber": 77_123_456 } } });
    world
        .publish(&event.to_string(), &[("traceparent", &traceparent())])
        .await;
    let process = world.start(&[]).await;
    process.ready().await;
    let queue = world.queue().await;
    for id in [&job, &other] {
        until("the job to end", async || queue.end_of(id).await.unwrap()).await;
    }
    let headers = [("traceparent", traceparent())];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    until("the event to be applied", async || {
        (process.get("api/users/u1", &headers).await.0 == 200).then_some(())
    })
    .await;
    let published = world.first_of(&out).await;
    assert!(collector.spans().is_empty(), "spans came before the process stopped");
    let log = process.stop().await;

    let spans = collector.spans();
    let get_order = named(&spans, "job.get_order");
    assert_eq!(hex::encode(&get_order.parent_span_id), PRODUCER);
    assert_eq!(get_order.kind, SpanKind::Consumer as i32);
    let call = named(&spans, "billz.order");
    assert!(lies_below(call, get_order, &spans));
    assert_eq!(call.kind, SpanKind::Client as i32);
    let calls = world.sandbox.ledger();
    assert!(!calls.calls_named("get_order").is_empty());
    assert_eq!(
        hex::encode(&named(&spans, "event.customer.created").parent_span_id),
        PRODUCER
    );
    assert_eq!(
        hex::encode(&named(&spans, "GET /api/users/{id}").parent_span_id),
        PRODUCER
    );

    // What is published goes on with the trace of the event that changed something.
    let headers = published.headers().unwrap();
    let parent = headers.iter().find(|header| header.key == "traceparent").unwrap();
    let parent = std::str::from_utf8(parent.value.unwrap()).unwrap();
    assert!(parent.starts_with(&format!("00-{TRACE}-")), "{parent}");
    assert!(parent.ends_with("-01") && !parent.contains(PRODUCER), "{parent}");

    for (headers, request) in collector.0.lock().unwrap().iter() {
        assert_eq!(headers["x-key"], "geheim");
        for resource in &request.resource_spans {
            let attributes = &resource.resource.as_ref().unwrap().attributes;
            let name = attributes.iter().find(|pair| pair.key == "service.name").unwrap();
            let value = name.value.as_ref().unwrap().value.as_ref().unwrap();
            assert_eq!(value, &Attribute::StringValue("shop".to_owned()));
        }
    }
    // Neither spans nor logs hold personal data or secrets.
    let everything = format!("{spans:?} {log:?}");
    for secret in [
        "998901234567",
        "901234567",
        "Shahnoza",
        "Geheimova",
        "77123456",
        "geheim",
        "sandbox-secret-token",
    ] {
        assert!(!everything.contains(secret), "`{secret}` was written");
    }
    // The correlation id stands in every line of the job.
    let of_job: Vec<_> = log.iter().filter(|line| line["job.id"] == json!(job)).collect();
    assert!(!of_job.is_empty());
    for line in of_job {
        assert_eq!(line["correlation.id"], json!(job), "{line}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_costs_one_warning() {
    let mut world = World::new().await;
    world.set("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    world.set("OTEL_BSP_SCHEDULE_DELAY", "50");
    let job = world.add("GET_ORDER", json!({ "orderId": ORDER_ID }), None).await;
    let process = world.start(&["--roles", "worker"]).await;
    let queue = world.queue().await;
    until("the job to end", async || queue.end_of(&job).await.unwrap()).await;
    let is_warning = |line: &&serde_json::Value| {
        line["message"]
            .as_str()
            .is_some_and(|text| text.starts_with("traces cannot be exported"))
    };
    until("the warning", async || {
        process.log().iter().any(|line| is_warning(&line)).then_some(())
    })
    .await;
    let job = world.add("GET_ORDER", json!({ "orderId": ORDER_ID }), None).await;
    until("the second job to end", async || queue.end_of(&job).await.unwrap()).await;
    let log = process.stop().await;
    assert_eq!(log.iter().filter(is_warning).count(), 1);
    world.end().await;
}
