//! Every metric on `/metrics`: the one list behind its `HELP` lines and `docs/METRICS.md`.

use metrics::Unit;

/// A metric.
#[derive(Debug)]
pub(crate) struct Metric {
    /// Its name; a counter's ends in `_total`, and what has a unit ends in it.
    pub(crate) name: &'static str,
    /// What it is.
    pub(crate) kind: Kind,
    /// What it counts or measures in.
    pub(crate) unit: Unit,
    /// Its labels.
    pub(crate) labels: &'static [Label],
    /// What it tells.
    pub(crate) help: &'static str,
    /// Under which heading it is documented.
    pub(crate) section: &'static str,
}

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Only rises, until the process restarts.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts values by size.
    Histogram,
}

impl Kind {
    /// The word of Prometheus.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A label and the values that it can have: never more than a few dozen.
#[derive(Debug)]
pub(crate) struct Label {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its values.
    pub(crate) values: Values,
}

/// The values that a label can have.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Values {
    /// These.
    These(&'static [&'static str]),
    /// As many as the operator set up; what they are.
    SetUp(&'static str),
}

const fn these(name: &'static str, values: &'static [&'static str]) -> Label {
    Label {
        name,
        values: Values::These(values),
    }
}

const fn set_up(name: &'static str, what: &'static str) -> Label {
    Label {
        name,
        values: Values::SetUp(what),
    }
}

const JOB_TYPE: Label = these(
    "type",
    &[
        "CREATE_CLIENT",
        "CREATE_ORDER",
        "ADD_ITEM",
        "ADD_CLIENT",
        "POSTPONE_ORDER",
        "CANCEL_POSTPONE",
        "CREATE_DISCOUNT",
        "MAKE_PAYMENT",
        "DELETE_ORDER",
        "GET_ORDER",
        "PLACE_ORDER",
        "unknown",
    ],
);
const QUEUE: Label = these("queue", &["billz-operations"]);
const CALL: Label = these(
    "call",
    &[
        "login",
        "shops",
        "cashboxes",
        "payment_types",
        "sellers",
        "find_client",
        "create_client",
        "create_order",
        "add_item",
        "attach_client",
        "discount",
        "park",
        "return_from_park",
        "pay",
        "delete_order",
        "order",
        "find_orders",
    ],
);
const URGENCY: Label = these("urgency", &["payment", "ordinary"]);
const TOPIC: Label = set_up("topic", "the topics of `KAFKA_TOPIC`");
const PARTITION: Label = set_up("partition", "the partitions of the topic");
const METHOD: Label = these(
    "method",
    &["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "other"],
);
const ROUTE: Label = set_up(
    "route",
    "the patterns of the routes, such as `/api/users/{id}`, or `unknown`",
);
const STATUS: Label = set_up("status", "the HTTP statuses in use");
const OUTCOME_OF_NOTICE: Label = these("outcome", &["queued", "lost"]);
const OUTCOME_OF_MESSAGE: Label = these(
    "outcome",
    &[
        "ok",
        "rate_limited",
        "migrated",
        "kicked",
        "bad_request",
        "unauthorized",
        "unavailable",
        "outcome_unknown",
    ],
);

macro_rules! metrics_of {
    ($($section:literal { $($name:literal $kind:ident $unit:ident [$($label:expr),*] $help:literal;)+ })+) => {
        /// All of them, in the order in which they are documented.
        pub(crate) static ALL: &[Metric] = &[$($(Metric {
            name: $name,
            kind: Kind::$kind,
            unit: Unit::$unit,
            labels: &[$($label),*],
            help: $help,
            section: $section,
        },)+)+];
    };
}

metrics_of! {
    "Jobs" {
        "billwright_jobs_total" Counter Count [JOB_TYPE, these("outcome", &["completed", "failed", "delayed", "handed_back", "rate_limited"])] "Attempts at jobs that ended, by type and outcome. `delayed` is tried again.";
        "billwright_job_duration_seconds" Histogram Seconds [JOB_TYPE] "How long attempts took, waits for the budget of Billz included.";
        "billwright_job_wait_seconds" Histogram Seconds [JOB_TYPE] "How long jobs waited between being added and their first attempt.";
        "billwright_jobs_active" Gauge Count [] "Jobs that this process has in hand.";
        "billwright_jobs_stalled_total" Counter Count [] "Jobs that lost their worker and went back to the queue.";
        "billwright_payments_promoted_total" Counter Count [] "Payments that were moved to the head of the queue.";
        "bullmq_job_count" Gauge Count [QUEUE, these("state", &["waiting", "paused", "prioritized", "delayed", "active", "completed", "failed", "waiting-children"])] "Number of jobs in the queue by state. The same in every process: take the maximum, not the sum.";
        "billwright_queue_oldest_job_age_seconds" Gauge Seconds [QUEUE] "How long the oldest job that could run has waited; 0 when none waits.";
        "billwright_queue_workers" Gauge Count [QUEUE] "Workers that are connected to the queue, of all processes.";
    }
    "Orders" {
        "billwright_sagas" Gauge Count [these("state", &["running", "compensating"])] "Orders that are being placed, or taken back.";
        "billwright_saga_steps_total" Counter Count [set_up("step", "the steps of an order, such as `draft`, `line` or `pay`")] "Steps of orders that were settled.";
        "billwright_saga_compensations_total" Counter Count [these("outcome", &["done", "failed"])] "Orders that were taken back, or could not be yet.";
        "billwright_stray_drafts_deleted_total" Counter Count [] "Drafts in Billz that belonged to nothing and were deleted.";
    }
    "Billz" {
        "billwright_billz_calls_total" Counter Count [CALL, these("outcome", &["ok", "refused", "unauthorized", "forbidden", "not_found", "rate_limited", "unavailable", "outcome_unknown", "bad_reply", "breaker_open", "cancelled"])] "Calls of Billz by outcome.";
        "billwright_billz_call_duration_seconds" Histogram Seconds [CALL] "How long Billz took to answer, without waits for the budget.";
        "billwright_billz_budget_wait_seconds" Histogram Seconds [URGENCY] "How long calls waited for a slot of the budget.";
        "billwright_billz_budget_waiting" Gauge Count [URGENCY] "Calls of this process that wait for a slot of the budget.";
        "billwright_billz_breaker_state" Gauge Count [] "The breaker before Billz: 0 closed, 1 one call is tried, 2 open.";
    }
    "Events" {
        "billwright_events_total" Counter Count [these("type", &["Customer.Created", "Customer.Updated", "Customer.Suspended", "Customer.Reactivated", "Customer.Deleted", "none"]), these("outcome", &["applied", "repeated", "stale", "set_aside", "dead_letter"])] "Events by type and outcome; what cannot be read has the type `none`.";
        "billwright_events_lag" Gauge Count [TOPIC, PARTITION] "Events of a partition that are still to be applied, where this process has the partition.";
        "billwright_events_delay_seconds" Histogram Seconds [] "How long after their writing events were applied.";
        "billwright_events_batch_size" Histogram Count [] "Messages in a batch.";
        "billwright_events_batch_duration_seconds" Histogram Seconds [] "How long batches took.";
        "billwright_events_dead_letters_total" Counter Count [these("reason", &["no_value", "too_large", "not_json", "not_an_event", "unknown_type", "invalid_payload", "refused", "expired"])] "Messages that went to the dead letters.";
        "billwright_events_set_aside" Gauge Count [] "Events that wait for their customer.";
        "billwright_events_set_aside_applied_total" Counter Count [] "Events that were applied once their customer had appeared.";
        "billwright_events_paused" Gauge Count [TOPIC, PARTITION] "Whether a partition stands still: 1 if it does.";
        "billwright_events_bad_messages" Gauge Count [TOPIC, PARTITION] "Whether too many messages of a partition are bad: 1 if they are.";
        "billwright_events_published_total" Counter Count [] "Changes of users and billings that were published.";
    }
    "HTTP" {
        "billwright_http_requests_total" Counter Count [METHOD, ROUTE, STATUS] "Requests by route and status.";
        "billwright_http_request_duration_seconds" Histogram Seconds [METHOD, ROUTE, STATUS] "How long requests took until the answer began.";
        "billwright_http_refused_total" Counter Count [these("too_many", &["connections", "requests", "large_bodies", "waiting", "creations"])] "Requests that were refused with 503, since there were too many of something.";
    }
    "Dependencies" {
        "billwright_dependency_condition" Gauge Count [these("dependency", &["worker.redis", "worker.mongodb", "worker.billz", "billing.mongodb", "events.kafka", "events.mongodb"])] "The condition of what the process depends on: 1 up, 0.5 degraded, 0 down.";
        "billwright_mongodb_ping_seconds" Histogram Seconds [these("database", &["billz", "billing"])] "How long MongoDB took to answer a ping.";
        "billwright_redis_ping_seconds" Histogram Seconds [] "How long Redis took to answer a ping.";
    }
    "Notifications" {
        "billwright_notifications_total" Counter Count [these("kind", &["order_placed", "payment_made", "order_deleted", "operation_failed", "breaker_opened", "breaker_closed", "alert_firing", "alert_over"]), OUTCOME_OF_NOTICE] "Notifications that were put into the queue, or lost since MongoDB was away.";
        "billwright_notifications_delivered_total" Counter Count [these("outcome", &["sent", "rate_limited", "migrated", "kicked", "bad_request", "unauthorized", "unavailable", "outcome_unknown"])] "Attempts to deliver notifications.";
        "billwright_notifications_waiting" Gauge Count [] "Notifications that wait to be sent.";
        "billwright_telegram_messages_total" Counter Count [OUTCOME_OF_MESSAGE] "Calls of Telegram by outcome.";
        "billwright_telegram_call_duration_seconds" Histogram Seconds [] "How long Telegram took to answer.";
        "billwright_alert_firing" Gauge Count [these("alert", &["oldest_job", "no_worker", "breaker_open", "event_lag", "dead_letters", "bad_messages"])] "Whether this process sees what an alert is about: 1 if it does.";
    }
    "Process" {
        "billwright_build_info" Gauge Count [set_up("version", "the version of the binary")] "Always 1.";
        "process_cpu_seconds_total" Counter Seconds [] "Total user and system CPU time spent in seconds.";
        "process_open_fds" Gauge Count [] "Number of open file descriptors.";
        "process_max_fds" Gauge Count [] "Maximum number of open file descriptors.";
        "process_virtual_memory_bytes" Gauge Bytes [] "Virtual memory size in bytes.";
        "process_virtual_memory_max_bytes" Gauge Bytes [] "Maximum amount of virtual memory available in bytes.";
        "process_resident_memory_bytes" Gauge Bytes [] "Resident memory size in bytes.";
        "process_start_time_seconds" Gauge Seconds [] "Start time of the process since unix epoch in seconds.";
        "process_threads" Gauge Count [] "Number of OS threads in the process.";
    }
}

/// Describes every metric to whoever renders them.
pub(super) fn describe() {
    // Those of the process are described by the library that collects them.
    for metric in ALL.iter().filter(|metric| !metric.name.starts_with("process_")) {
        let (name, unit, help) = (metric.name, metric.unit, metric.help);
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(name, unit, help),
            Kind::Gauge => metrics::describe_gauge!(name, unit, help),
            Kind::Histogram => metrics::describe_histogram!(name, unit, help),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_and_are_there_once() {
        let mut names: Vec<_> = ALL.iter().map(|metric| metric.name).collect();
        for metric in ALL {
            let is_total = metric.name.ends_with("_total");
            assert_eq!(is_total, metric.kind == Kind::Counter, "{}", metric.name);
            if metric.unit == Unit::Seconds {
                assert!(
                    metric.name.trim_end_matches("_total").ends_with("_seconds"),
                    "{}",
                    metric.name
                );
            }
            assert!(metric.help.ends_with('.'), "{}", metric.name);
        }
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn every_alert_is_a_value_of_its_metric() {
        let metric = ALL
            .iter()
            .find(|metric| metric.name == "billwright_alert_firing")
            .unwrap();
        let alerts: Vec<_> = crate::alerts::Alert::ALL.iter().map(|alert| alert.name()).collect();
        assert!(matches!(metric.labels[0].values, Values::These(values) if values == alerts));
    }

    /// Names of metrics in text: dashboards, rules and documents must not name what does not exist.
    fn named_in(text: &str) -> Vec<String> {
        let is_part = |found: char| found.is_ascii_alphanumeric() || found == '_';
        text.split(|found: char| !is_part(found))
            .filter(|word| {
                ["billwright_", "bullmq_", "process_"]
                    .iter()
                    .any(|start| word.starts_with(start))
            })
            .map(ToOwned::to_owned)
            .collect()
    }

    #[test]
    fn what_dashboards_and_rules_name_exists() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
        for file in [
            "deploy/grafana/billwright.json",
            "deploy/prometheus/billwright.rules.yml",
            "docs/RUNBOOK.md",
        ] {
            let text = std::fs::read_to_string(format!("{root}{file}")).unwrap();
            let names = named_in(&text);
            assert!(!names.is_empty(), "{file} names no metric");
            for name in names {
                let base = ["_bucket", "_sum", "_count"]
                    .iter()
                    .find_map(|suffix| name.strip_suffix(suffix))
                    .unwrap_or(&name);
                let known = ALL.iter().any(|metric| metric.name == name || metric.name == base);
                assert!(known, "{file} names `{name}`, which does not exist");
            }
        }
    }
}
