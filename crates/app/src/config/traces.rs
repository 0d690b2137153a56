//! Where traces go. The variables are those of the OpenTelemetry specification.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use url::Url;

use super::Reader;
use crate::env_vars::{
    OTEL_BSP_MAX_QUEUE_SIZE, OTEL_BSP_SCHEDULE_DELAY, OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS,
    OTEL_EXPORTER_OTLP_PROTOCOL, OTEL_EXPORTER_OTLP_TIMEOUT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
    OTEL_RESOURCE_ATTRIBUTES, OTEL_SDK_DISABLED, OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG,
};

/// Where traces go and which.
#[derive(Debug, Clone)]
pub(crate) struct TracesConfig {
    /// Where spans are posted to.
    pub(crate) endpoint: Url,
    /// Headers for the collector; their values may be keys.
    pub(crate) headers: Vec<(String, SecretString)>,
    /// How long the collector may take.
    pub(crate) timeout: Duration,
    /// The service's name, as traces show it.
    pub(crate) service_name: String,
    /// Further attributes of this process.
    pub(crate) attributes: Vec<(String, String)>,
    /// Which traces are kept.
    pub(crate) sampler: Sampler,
    /// How long finished spans are gathered.
    pub(crate) delay: Duration,
    /// How many finished spans wait at most; what is over that is dropped.
    pub(crate) queue: usize,
}

/// Which traces are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sampler {
    /// Whether the decision of the caller counts, where there is one.
    pub(crate) parent_based: bool,
    /// The share that is kept, from 0 to 1.
    pub(crate) ratio: f64,
}

impl TracesConfig {
    /// Reads all of it. The outer `None` is a problem, the inner one says that nothing is exported.
    #[expect(
        clippy::option_option,
        reason = "a reader's `None` always means that a problem was noted"
    )]
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Option<Self>> {
        let base = reader.optional(&OTEL_EXPORTER_OTLP_ENDPOINT, address);
        let own = reader.optional(&OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, address);
        let disabled = reader.boolean(&OTEL_SDK_DISABLED)?;
        let headers = reader.optional(&OTEL_EXPORTER_OTLP_HEADERS, |text| {
            let pairs = pairs(text).ok_or_else(|| "headers, as `name=value,other=value`".to_owned())?;
            Ok(pairs.into_iter().map(|(name, value)| (name, value.into())).collect())
        });
        let _ = reader.optional(&OTEL_EXPORTER_OTLP_PROTOCOL, |text| match text {
            "http/protobuf" => Ok(()),
            _ => Err("`http/protobuf`, the one protocol that is spoken".to_owned()),
        });
        let timeout = reader.number(&OTEL_EXPORTER_OTLP_TIMEOUT, 1..=600_000_u64);
        let service_name = reader.text(&OTEL_SERVICE_NAME);
        let attributes = reader.optional(&OTEL_RESOURCE_ATTRIBUTES, |text| {
            pairs(text).ok_or_else(|| "attributes, as `name=value,other=value`".to_owned())
        });
        let sampler = sampler(reader);
        let delay = reader.number(&OTEL_BSP_SCHEDULE_DELAY, 1..=600_000_u64);
        let queue = reader.number(&OTEL_BSP_MAX_QUEUE_SIZE, 1..=1_000_000_usize);
        let endpoint = match (own, base) {
            (Some(own), _) => Some(own),
            (None, Some(mut base)) => {
                let path = format!("{}/v1/traces", base.path().trim_end_matches('/'));
                base.set_path(&path);
                Some(base)
            }
            (None, None) => None,
        };
        let Some(endpoint) = endpoint.filter(|_| !disabled) else {
            return Some(None);
        };
        let attributes: Vec<(String, String)> = attributes.unwrap_or_default();
        let named = |attributes: &[(String, String)]| {
            let found = attributes.iter().find(|(name, _)| name == "service.name");
            found.map(|(_, value)| value.clone())
        };
        Some(Some(Self {
            endpoint,
            headers: headers.unwrap_or_default(),
            timeout: Duration::from_millis(timeout?),
            service_name: service_name
                .or_else(|| named(&attributes))
                .unwrap_or_else(|| "billwright".to_owned()),
            attributes,
            sampler: sampler?,
            delay: Duration::from_millis(delay?),
            queue: queue?,
        }))
    }
}

fn address(text: &str) -> Result<Url, String> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| "the collector's address, as `http://collector:4318`".to_owned())
}

/// `name=value` pairs as the specification writes them: comma separated, percent-encoded.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    text.split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
            let name = name.trim();
            (!name.is_empty()).then(|| (name.to_owned(), value.into_owned()))
        })
        .collect()
}

fn sampler(reader: &mut Reader<'_>) -> Option<Sampler> {
    let known = "`always_on`, `always_off`, `traceidratio`, or one of them with `parentbased_` before it";
    let (parent_based, ratio) = reader.optional(&OTEL_TRACES_SAMPLER, |text| {
        let bare = text.strip_prefix("parentbased_");
        let ratio = match bare.unwrap_or(text) {
            "always_on" => Some(1.0),
            "always_off" => Some(0.0),
            "traceidratio" => None,
            _ => return Err(known.to_owned()),
        };
        Ok((bare.is_some(), ratio))
    })?;
    let argument = reader.optional(&OTEL_TRACES_SAMPLER_ARG, |text| {
        let share: Option<f64> = text.parse().ok();
        share
            .filter(|share| (0.0..=1.0).contains(share))
            .ok_or_else(|| "a share from 0 to 1".to_owned())
    })?;
    Some(Sampler {
        parent_based,
        ratio: ratio.unwrap_or(argument),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    fn read(values: &[(&'static str, &str)]) -> Result<Option<TracesConfig>, String> {
        let source = Source::of(values);
        let mut reader = Reader::new(&source);
        let found = TracesConfig::read(&mut reader);
        reader.finish().map_err(|problems| problems.to_string())?;
        Ok(found.unwrap())
    }

    #[test]
    fn nothing_is_exported_where_no_collector_is_named() {
        assert!(read(&[]).unwrap().is_none());
        let disabled = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"),
            ("OTEL_SDK_DISABLED", "true"),
        ];
        assert!(read(&disabled).unwrap().is_none());
    }

    #[test]
    fn the_path_is_added_to_the_common_address_alone() {
        let endpoint = |values: &[(&'static str, &str)]| read(values).unwrap().unwrap().endpoint.to_string();
        let common = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/in/");
        assert_eq!(endpoint(&[common]), "http://c:4318/in/v1/traces");
        let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t:1/x");
        assert_eq!(endpoint(&[common, own]), "http://t:1/x");
    }

    #[test]
    fn the_name_may_stand_among_the_attributes() {
        let named = |values: &[(&'static str, &str)]| {
            let mut all = vec![("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318")];
            all.extend_from_slice(values);
            read(&all).unwrap().unwrap().service_name
        };
        assert_eq!(named(&[]), "billwright");
        let attributes = (
            "OTEL_RESOURCE_ATTRIBUTES",
            "service.name=shop%20one,deployment.environment=test",
        );
        assert_eq!(named(&[attributes]), "shop one");
        assert_eq!(named(&[attributes, ("OTEL_SERVICE_NAME", "x")]), "x");
    }

    #[test]
    fn names_every_problem_at_once_and_shows_no_key() {
        let report = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "geheim"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_TRACES_SAMPLER", "some"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ])
        .unwrap_err();
        for name in ["ENDPOINT", "HEADERS", "PROTOCOL", "SAMPLER", "QUEUE_SIZE"] {
            assert!(report.contains(name), "{name} is missing in:\n{report}");
        }
        assert!(!report.contains("geheim"));
        let ratio = [
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "2"),
        ];
        assert!(read(&ratio).unwrap_err().contains("OTEL_TRACES_SAMPLER_ARG"));
    }
}
