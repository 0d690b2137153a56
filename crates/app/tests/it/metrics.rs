//! What `/metrics` shows is what `docs/METRICS.md` says.

use std::collections::{BTreeMap, BTreeSet};

use billwright_sandbox::ORDER_ID;
use serde_json::json;

use crate::world::{World, until};

/// A metric as the page says: its kind, and its labels with the values in backticks, or none where the operator decides.
struct Listed {
    kind: String,
    labels: BTreeMap<String, BTreeSet<String>>,
}

fn listed(page: &str) -> BTreeMap<String, Listed> {
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let labels = cells[3].split("<br>").filter(|label| *label != "none").map(|label| {
            let (name, values) = label.split_once(':').unwrap();
            // Values stand alone; a sentence about them has words outside of backticks.
            let is_list = values
                .split_whitespace()
                .all(|word| word.starts_with('`') && word.ends_with('`'));
            let values = values.split_whitespace().filter(|_| is_list);
            let values = values.map(|value| value.trim_matches('`').to_owned());
            (name.trim_matches('`').to_owned(), values.collect())
        });
        let listed = Listed {
            kind: cells[2].to_owned(),
            labels: labels.collect(),
        };
        (cells[1].trim_matches('`').to_owned(), listed)
    })
    .collect()
}

/// What is wrong with a page of metrics.
fn problems(page: &str, listed: &BTreeMap<String, Listed>) -> BTreeSet<String> {
    let described: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next())
        .collect();
    let mut problems = BTreeSet::new();
    for line in page.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            match listed.get(name) {
                None => problems.insert(format!("{name} is not in the list")),
                Some(metric) if metric.kind != kind => problems.insert(format!("{name} is a {kind}")),
                Some(_) if !described.contains(name) => problems.insert(format!("{name} has no HELP")),
                Some(_) => false,
            };
        }
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix));
        let Some(metric) = listed.get(name).or_else(|| listed.get(base?)) else {
            problems.insert(format!("{name} is not in the list"));
            continue;
        };
        let mut found = BTreeSet::new();
        for label in labels.trim_end_matches('}').split("\",") {
            let Some((label, value)) = label.split_once("=\"") else {
                continue;
            };
            let value = value.trim_end_matches('"');
            if label == "le" {
                continue;
            }
            found.insert(label.to_owned());
            match metric.labels.get(label) {
                Some(values) if !values.is_empty() && !values.contains(value) => {
                    problems.insert(format!("{name}: `{label}` may not be `{value}`"));
                }
                _ => {}
            }
        }
        if !found.iter().eq(metric.labels.keys()) {
            problems.insert(format!("{name}: the labels are {found:?}"));
        }
    }
    problems
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_of_a_real_run_is_described_and_bounded() {
    let mut world = World::new().await;
    world.set("ALERT_INTERVAL_SECONDS", "1");
    world.set("ALERT_OVER_AFTER_SECONDS", "2");
    let (_, page, _) = world.command(&["print-docs", "metrics"]).await;
    let listed = listed(&page);
    let done = world.add("GET_ORDER", json!({ "orderId": ORDER_ID }), None).await;
    let failed = world.add("GET_ORDER", json!({}), None).await;
    let unknown = world.add("NO_SUCH_TYPE", json!({}), None).await;
    let client = json!({ "clientPhone": "998901234568", "clientFirstName": "A" });
    let created = world.add("CREATE_CLIENT", client, None).await;
    world
        .publish(r#"{"type":"Customer.Created","payload":{"userId":"u1"}}"#, &[])
        .await;
    world.publish("no json", &[]).await;
    let process = world.start(&[]).await;
    process.ready().await;
    let queue = world.queue().await;
    for id in [&done, &failed, &unknown, &created] {
        until("the job to end", async || queue.end_of(id).await.unwrap()).await;
    }
    until("the event to be applied", async || {
        (process.get("api/users/u1", &[]).await.0 == 200).then_some(())
    })
    .await;
    let needed = [
        "billwright_jobs_total{type=\"GET_ORDER\",outcome=\"completed\"} 1",
        "bullmq_job_count{queue=\"billz-operations\",state=\"completed\"} 2",
        "bullmq_job_count{queue=\"billz-operations\",state=\"failed\"} 2",
        "billwright_queue_workers{queue=\"billz-operations\"} 1",
        "billwright_events_dead_letters_total{reason=\"not_json\"} 1",
        "billwright_dependency_condition{dependency=\"worker.redis\"} 1",
        "billwright_alert_firing{alert=\"dead_letters\"} 1",
        "billwright_mongodb_ping_seconds_count{database=\"billing\"}",
        "billwright_build_info{version=",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_start_time_seconds",
        "billwright_notifications_delivered_total{outcome=\"sent\"}",
    ];
    let page = until("every metric", async || {
        let (_, page) = process.get("metrics", &[]).await;
        needed.iter().all(|needed| page.contains(needed)).then_some(page)
    })
    .await;
    let problems = problems(&page, &listed);
    assert!(problems.is_empty(), "{problems:#?}");
    let (status, body) = process.get("health/startup", &[]).await;
    assert_eq!((status, body.contains("started")), (200, true), "{body}");
    process.stop().await;
    world.end().await;
}

#[test]
fn what_is_not_in_the_list_is_found() {
    let listed = listed("| `a_total` | counter | `type`: `X` `Y`<br>`topic`: the topics of `T` | Tells. |\n");
    let page = |rest: &str| format!("# HELP a_total x\n# TYPE a_total counter\n{rest}\n");
    assert!(problems(&page("a_total{type=\"X\",topic=\"t\"} 1"), &listed).is_empty());
    for wrong in [
        "a_total{type=\"Z\",topic=\"t\"} 1",
        "a_total{type=\"X\"} 1",
        "b_total 1",
    ] {
        assert_eq!(problems(&page(wrong), &listed).len(), 1, "{wrong}");
    }
    assert_eq!(problems("# TYPE a_total counter\n", &listed).len(), 1);
}
