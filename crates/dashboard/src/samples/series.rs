//! The series that are charted: the one list, with the metric that each is taken from. Metrics themselves are described in
//! `docs/METRICS.md`.

use metrics::Key;

/// A series.
#[derive(Debug)]
pub(crate) struct Series {
    /// Its name in `operations_samples`.
    pub(crate) name: &'static str,
    /// The metric.
    pub(super) metric: &'static str,
    /// Which of the metric's labels belong to it.
    pub(super) takes: fn(&Key) -> bool,
}

macro_rules! series {
    ($($list:ident { $($name:ident $text:literal = $metric:literal, $takes:expr;)+ })+) => {
        /// The names of the series.
        pub(crate) mod name {
            $($(
                #[doc = concat!("From `", $metric, "`.")]
                pub(crate) const $name: &str = $text;
            )+)+
        }
        $(
            pub(super) const $list: &[Series] = &[$(Series { name: $text, metric: $metric, takes: $takes },)+];
        )+
    };
}

series! {
    COUNTS {
        JOBS_COMPLETED "jobs_completed" = "billwright_jobs_total", |key| is(key, "outcome", "completed");
        JOBS_FAILED "jobs_failed" = "billwright_jobs_total", |key| is(key, "outcome", "failed");
        JOBS_RETRIED "jobs_retried" = "billwright_jobs_total", |key| is(key, "outcome", "delayed");
        BILLZ_OK "billz_ok" = "billwright_billz_calls_total", |key| is(key, "outcome", "ok");
        BILLZ_FAILED "billz_failed" = "billwright_billz_calls_total", |key| !is(key, "outcome", "ok");
        API_REQUESTS "api_requests" = "billwright_http_requests_total", is_api;
        API_FAILED "api_failed" = "billwright_http_requests_total", |key| is_api(key) && label(key, "status").starts_with('5');
        EVENTS_APPLIED "events_applied" = "billwright_events_total", |key| is(key, "outcome", "applied");
        EVENTS_SET_ASIDE "events_set_aside" = "billwright_events_total", |key| is(key, "outcome", "set_aside");
        EVENTS_DEAD "events_dead" = "billwright_events_dead_letters_total", any;
        NOTIFICATIONS_SENT "notifications_sent" = "billwright_notifications_delivered_total", |key| is(key, "outcome", "sent");
        NOTIFICATIONS_FAILED "notifications_failed" = "billwright_notifications_delivered_total", |key| !is(key, "outcome", "sent");
    }
    TIMES {
        JOB_TIME "job_time" = "billwright_job_duration_seconds", any;
        BILLZ_TIME "billz_time" = "billwright_billz_call_duration_seconds", any;
        BUDGET_WAIT "budget_wait" = "billwright_billz_budget_wait_seconds", any;
        API_TIME "api_time" = "billwright_http_request_duration_seconds", is_api;
        EVENTS_DELAY "events_delay" = "billwright_events_delay_seconds", any;
    }
    LEVELS {
        QUEUE_WAITING "queue_waiting" = "bullmq_job_count", |key| matches!(label(key, "state"), "waiting" | "paused" | "prioritized");
        QUEUE_OLDEST "queue_oldest" = "billwright_queue_oldest_job_age_seconds", any;
        BUDGET_WAITING "budget_waiting" = "billwright_billz_budget_waiting", any;
        EVENTS_LAG "events_lag" = "billwright_events_lag", any;
    }
}

fn label<'a>(key: &'a Key, name: &str) -> &'a str {
    key.labels()
        .find(|label| label.key() == name)
        .map_or("", |label| label.value())
}

fn is(key: &Key, name: &str, value: &str) -> bool {
    label(key, name) == value
}

fn is_api(key: &Key) -> bool {
    label(key, "route").starts_with("/api/")
}

fn any(_: &Key) -> bool {
    true
}
