//! A job's options as the producer wrote them, read leniently: one odd value must not cost the others.

use std::time::Duration;

use billwright_trace_context::TraceContext;
use bullmq::JobOptions;
use serde_json::{Map, Value, json};

use crate::retry_policy::{Backoff, ProducerRetries};

/// What we need of a job's options.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ProducerOptions {
    /// How the producer wants failures to be treated.
    pub(crate) retries: ProducerRetries,
    /// How many log lines to keep; `None` keeps all.
    pub(crate) keep_logs: Option<i64>,
    /// How many entries of the stack trace to keep; `None` keeps as many as we think best.
    pub(crate) stack_trace_limit: Option<usize>,
    /// The trace that the producer's telemetry left, unless it asked for the job to stay out of it.
    pub(crate) trace: Option<TraceContext>,
}

impl ProducerOptions {
    /// Reads the options' JSON text; text that is none is as good as no options.
    pub(crate) fn read(raw: &str) -> Self {
        let options: Value = serde_json::from_str(raw).unwrap_or_default();
        let attempts = whole(&options["attempts"]).filter(|attempts| *attempts > 0);
        Self {
            retries: ProducerRetries {
                attempts: attempts.map(|attempts| u32::try_from(attempts).unwrap_or(u32::MAX)),
                backoff: backoff(&options["backoff"]),
            },
            // Node calls it `keepLogs`, and writes it shortened as `kl`.
            keep_logs: [&options["keepLogs"], &options["kl"]]
                .into_iter()
                .find_map(whole)
                .filter(|keep| *keep > 0),
            stack_trace_limit: whole(&options["stackTraceLimit"]).and_then(|limit| usize::try_from(limit).ok()),
            trace: trace(&options),
        }
    }
}

fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        value
            .as_f64()
            .and_then(|double| format!("{:.0}", double.floor()).parse().ok())
    })
}

fn millis(value: &Value) -> Duration {
    Duration::from_millis(
        whole(value)
            .and_then(|delay| u64::try_from(delay).ok())
            .unwrap_or_default(),
    )
}

fn backoff(value: &Value) -> Backoff {
    match value {
        Value::Number(_) => Backoff::Fixed {
            delay: millis(value),
            jitter: 0.0,
        },
        Value::Object(fields) => {
            let (delay, jitter) = (millis(&value["delay"]), value["jitter"].as_f64().unwrap_or(0.0));
            match fields.get("type").and_then(Value::as_str) {
                Some("fixed") => Backoff::Fixed { delay, jitter },
                Some("exponential") => Backoff::Exponential { delay, jitter },
                _ => Backoff::Custom,
            }
        }
        _ => Backoff::None,
    }
}

/// `tm` holds the propagation headers, as JSON text or as an object.
fn trace(options: &Value) -> Option<TraceContext> {
    let omitted = [&options["omc"], &options["telemetry"]["omitContext"]];
    if omitted.into_iter().any(|omitted| omitted == &Value::Bool(true)) {
        return None;
    }
    let carrier = match options
        .get("tm")
        .or_else(|| options.get("telemetry")?.get("metadata"))?
    {
        Value::String(text) => serde_json::from_str(text).ok()?,
        other => other.clone(),
    };
    TraceContext::find(|name| carrier.get(name)?.as_str())
}

/// The options with every value that the library's types refuse made into one that they take, or left out; `None` where
/// they take them as they are.
pub(crate) fn repaired(raw: &str) -> Option<String> {
    if serde_json::from_str::<JobOptions>(raw).is_ok() {
        return None;
    }
    let Ok(Value::Object(options)) = serde_json::from_str::<Value>(raw) else {
        return Some("{}".to_owned());
    };
    let mut good = Map::new();
    for (name, value) in options {
        let candidates = [Some(value.clone()), coerced(&name, &value)];
        if let Some(value) = candidates.into_iter().flatten().find(|value| is_taken(&name, value)) {
            good.insert(name, value);
        }
    }
    Some(Value::Object(good).to_string())
}

fn is_taken(name: &str, value: &Value) -> bool {
    let mut alone = Map::new();
    alone.insert(name.to_owned(), value.clone());
    serde_json::from_value::<JobOptions>(Value::Object(alone)).is_ok()
}

fn coerced(name: &str, value: &Value) -> Option<Value> {
    match (name, value) {
        // BullMQ counts -1 as "keep all of them".
        ("removeOnComplete" | "removeOnFail", Value::Number(number)) if number.as_f64()? < 0.0 => Some(json!(false)),
        (_, Value::Number(_)) => Some(json!(whole(value)?.max(0))),
        ("backoff", Value::Object(_)) => {
            let kind = value["type"].as_str().unwrap_or("fixed");
            Some(json!({"type": kind, "delay": whole(&value["delay"]).unwrap_or(0).max(0)}))
        }
        (_, Value::Object(fields)) => Some(Value::Object(
            fields
                .iter()
                .filter_map(|(name, value)| match value {
                    Value::Number(_) => Some((name.clone(), json!(whole(value)?.max(0)))),
                    other => Some((name.clone(), other.clone())),
                })
                .collect(),
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_odd_option_does_not_cost_the_others() {
        let raw = r#"{"attempts":3,"removeOnComplete":-1,"delay":-5,"backoff":{"type":"exponential","delay":10.5},"removeOnFail":{"age":3.7}}"#;
        let repaired: Value = serde_json::from_str(&repaired(raw).unwrap()).unwrap();
        assert_eq!(
            repaired,
            json!({"attempts": 3, "removeOnComplete": false, "delay": 0,
                "backoff": {"type": "exponential", "delay": 10}, "removeOnFail": {"age": 3}})
        );
        assert!(super::repaired(r#"{"attempts":3,"unknown":{}}"#).is_none());
        let options = ProducerOptions::read(raw);
        assert_eq!(options.retries.attempts, Some(3));
    }

    #[test]
    fn no_attempts_means_that_the_producer_did_not_say() {
        for raw in [r#"{"attempts":0}"#, "{}", "", "[]", r#"{"attempts":null}"#] {
            assert_eq!(ProducerOptions::read(raw).retries.attempts, None, "{raw}");
        }
        assert_eq!(ProducerOptions::read(r#"{"attempts":1}"#).retries.attempts, Some(1));
    }

    #[test]
    fn continues_a_trace_however_it_is_wrapped() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let text = json!({"tm": json!({"traceparent": parent}).to_string()}).to_string();
        let read = |raw: &str| ProducerOptions::read(raw).trace.map(|trace| trace.parent);
        assert_eq!(read(&text).as_deref(), Some(parent));
        let object = json!({"tm": {"traceparent": parent}}).to_string();
        assert_eq!(read(&object).as_deref(), Some(parent));
        assert_eq!(read(r#"{"tm":{"traceparent":"x"}}"#), None);
        let omitted = json!({"tm": {"traceparent": parent}, "omc": true}).to_string();
        assert_eq!(read(&omitted), None);
    }
}
