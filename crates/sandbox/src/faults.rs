//! Faults by script: what goes wrong, at which call, how often.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::world::Endpoint;

/// One thing that goes wrong with a call.
///
/// Unless it says otherwise a fault that replaces the answer leaves the call without effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// Time passes before the call takes effect (also when the caller has gone by then).
    Latency {
        /// How much.
        delay: Delay,
    },
    /// The call takes effect at once, and time passes before the answer.
    SlowAnswer {
        /// How much.
        delay: Delay,
    },
    /// This answer instead of the true one.
    Answer {
        /// Status.
        status: u16,
        /// `Content-Type`.
        #[serde(default = "json_type")]
        content_type: String,
        /// Body.
        #[serde(default)]
        body: String,
        /// `Retry-After`, in seconds.
        #[serde(default)]
        retry_after: Option<u64>,
        /// Whether the call takes effect all the same.
        #[serde(default)]
        effect: bool,
    },
    /// The connection is cut, and the call has no effect.
    CutBefore,
    /// The call takes effect, then the connection is cut.
    CutAfter,
    /// The call takes effect; half of the answer's body comes, then the connection is cut.
    TruncatedBody,
    /// The call takes effect; the answer has no body.
    EmptyBody,
    /// The call takes effect; the body comes in small pieces.
    SlowDrip {
        /// Bytes a piece.
        bytes: usize,
        /// Milliseconds between pieces.
        every_ms: u64,
    },
    /// The call is held before its effect until [`Faults::release`]; then it goes on as any other, also when the caller has
    /// gone by then.
    Hold,
    /// No effect, and silence for ever.
    Hang,
    /// The call takes effect, then silence for ever.
    HangAfter,
    /// All tokens are revoked before the call.
    TokenRevoked,
    /// The goods of the call or of its sale are sold out before the call.
    SoldOut,
    /// Status 200 and an envelope that says that it failed.
    EnvelopeError {
        /// `status_code` in the envelope.
        status_code: u16,
        /// `error.code`.
        code: String,
        /// `error.message`.
        message: String,
    },
    /// The sale is refused with `data.error_code`, in the shape that the variants choose.
    SaleError {
        /// 20016, 20020, …
        error_code: u32,
        /// Text.
        message: String,
    },
}

/// How long something takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delay {
    /// Always so many milliseconds.
    FixedMs(u64),
    /// Evenly between two numbers of milliseconds.
    BetweenMs(u64, u64),
    /// One of a list, by chance.
    OneOfMs(Vec<u64>),
}

impl Delay {
    fn draw(&self, chance: &mut StdRng) -> Duration {
        Duration::from_millis(match self {
            Self::FixedMs(ms) => *ms,
            Self::BetweenMs(from, to) => chance.random_range(*from..=(*to).max(*from)),
            Self::OneOfMs(list) if list.is_empty() => 0,
            Self::OneOfMs(list) => list[chance.random_range(0..list.len())],
        })
    }
}

fn json_type() -> String {
    "application/json".to_owned()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Fault {
    /// The call takes so long, before its effect.
    pub fn latency(delay: Duration) -> Self {
        Self::Latency {
            delay: Delay::FixedMs(millis(delay)),
        }
    }

    /// The call takes between so long and so long, before its effect.
    pub fn latency_between(from: Duration, to: Duration) -> Self {
        Self::Latency {
            delay: Delay::BetweenMs(millis(from), millis(to)),
        }
    }

    /// The call takes one of these times, before its effect.
    pub fn latency_of(list: &[Duration]) -> Self {
        Self::Latency {
            delay: Delay::OneOfMs(list.iter().copied().map(millis).collect()),
        }
    }

    /// The answer comes so long after the effect.
    pub fn slow_answer(delay: Duration) -> Self {
        Self::SlowAnswer {
            delay: Delay::FixedMs(millis(delay)),
        }
    }

    /// A status without effect, with a JSON body.
    pub fn status(status: u16) -> Self {
        Self::Answer {
            status,
            content_type: json_type(),
            body: format!(r#"{{"code":{status},"message":"fault by script","error":"fault by script","data":null}}"#),
            retry_after: None,
            effect: false,
        }
    }

    /// A status although the call took effect.
    pub fn status_after_effect(status: u16) -> Self {
        match Self::status(status) {
            Self::Answer {
                status,
                content_type,
                body,
                retry_after,
                ..
            } => Self::Answer {
                status,
                content_type,
                body,
                retry_after,
                effect: true,
            },
            other => other,
        }
    }

    /// 429, with `Retry-After` when seconds are given.
    pub fn rate_limited(retry_after: Option<u64>) -> Self {
        Self::Answer {
            status: 429,
            content_type: json_type(),
            body: r#"{"code":429,"message":"too many requests","error":"too many requests","data":null}"#.to_owned(),
            retry_after,
            effect: false,
        }
    }

    /// A page of HTML with a status of success, as a proxy on the way may send it; no effect.
    pub fn html_page() -> Self {
        Self::Answer {
            status: 200,
            content_type: "text/html".to_owned(),
            body: "<html><body><h1>Please stand by</h1></body></html>".to_owned(),
            retry_after: None,
            effect: false,
        }
    }

    /// A page of HTML with status 502; no effect.
    pub fn bad_gateway_page() -> Self {
        Self::Answer {
            status: 502,
            content_type: "text/html".to_owned(),
            body: "<html><body><h1>502 Bad Gateway</h1></body></html>".to_owned(),
            retry_after: None,
            effect: false,
        }
    }

    /// Status 200 after the effect, and a body that is not JSON although it says so.
    pub fn broken_json() -> Self {
        Self::Answer {
            status: 200,
            content_type: json_type(),
            body: r#"{"id": "#.to_owned(),
            retry_after: None,
            effect: true,
        }
    }

    /// The body byte by byte, one every 20 ms.
    pub fn slow_drip() -> Self {
        Self::SlowDrip { bytes: 1, every_ms: 20 }
    }

    /// Status 200 and an envelope with `status_code` 500.
    pub fn processing_error(code: &str, message: &str) -> Self {
        Self::EnvelopeError {
            status_code: 500,
            code: code.to_owned(),
            message: message.to_owned(),
        }
    }

    /// Stock not sufficient (20016).
    pub fn out_of_stock() -> Self {
        Self::SaleError {
            error_code: 20016,
            message: "stock not sufficient".to_owned(),
        }
    }

    /// Wrong payment amount (20020).
    pub fn wrong_amount() -> Self {
        Self::SaleError {
            error_code: 20020,
            message: "wrong payment amount".to_owned(),
        }
    }

    /// The name under which the ledger writes it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Latency { .. } => "latency",
            Self::SlowAnswer { .. } => "slow_answer",
            Self::Answer { .. } => "answer",
            Self::CutBefore => "cut_before",
            Self::CutAfter => "cut_after",
            Self::TruncatedBody => "truncated_body",
            Self::EmptyBody => "empty_body",
            Self::SlowDrip { .. } => "slow_drip",
            Self::Hold => "hold",
            Self::Hang => "hang",
            Self::HangAfter => "hang_after",
            Self::TokenRevoked => "token_revoked",
            Self::SoldOut => "sold_out",
            Self::EnvelopeError { .. } => "envelope_error",
            Self::SaleError { .. } => "sale_error",
        }
    }
}

/// A fault and the calls that it befalls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Name of the call ([`Endpoint::name`]), or `*` for any.
    pub call: String,
    /// Only calls about this sale.
    #[serde(default)]
    pub order: Option<String>,
    /// Lets so many matching calls pass first.
    #[serde(default)]
    pub skip: u64,
    /// Befalls so many calls, then is gone; `None`: as long as it is set.
    #[serde(default)]
    pub times: Option<u64>,
    /// Chance that a matching call is befallen, by the sandbox's seed; 1 is always.
    #[serde(default = "always")]
    pub probability: f64,
    /// What goes wrong.
    pub fault: Fault,
}

fn always() -> f64 {
    1.0
}

impl FaultRule {
    /// A fault that befalls every call of a name.
    pub fn every(call: &str, fault: Fault) -> Self {
        Self {
            call: call.to_owned(),
            order: None,
            skip: 0,
            times: None,
            probability: always(),
            fault,
        }
    }

    /// What is wrong with the rule, if anything.
    pub fn problem(&self) -> Option<String> {
        if self.call != "*" && Endpoint::named(&self.call).is_none() {
            let known: Vec<&str> = Endpoint::ALL.iter().map(|endpoint| endpoint.name()).collect();
            return Some(format!(
                "no call is named `{}`; there are `*`, `{}`",
                self.call,
                known.join("`, `")
            ));
        }
        if !(0.0..=1.0).contains(&self.probability) {
            return Some(format!("probability {} is not between 0 and 1", self.probability));
        }
        match &self.fault {
            Fault::Answer { status, .. } if !(200..=599).contains(status) => {
                Some(format!("{status} is no status of an answer; expected 200 to 599"))
            }
            Fault::Answer { content_type, .. } if content_type.chars().any(|letter| !(' '..='~').contains(&letter)) => {
                Some("`content_type` must be printable ASCII".to_owned())
            }
            Fault::SlowDrip { bytes: 0, .. } => Some("`bytes` of a slow drip must be 1 or more".to_owned()),
            _ => None,
        }
    }

    fn matches(&self, endpoint: Endpoint, order_id: Option<&str>) -> bool {
        (self.call == "*" || self.call == endpoint.name())
            && self.order.as_deref().is_none_or(|wanted| Some(wanted) == order_id)
    }
}

/// What befalls one call.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) before: Duration,
    pub(crate) after: Duration,
    pub(crate) fault: Option<Fault>,
    /// Changes when held calls may go on; the call of a plan without one is not held.
    pub(crate) held: Option<watch::Receiver<()>>,
    pub(crate) names: Vec<&'static str>,
}

/// Where faults are set. Delays add up; of the other faults the one that was set first befalls the call.
#[derive(Debug, Clone)]
pub struct Faults(Arc<Mutex<Script>>);

#[derive(Debug)]
struct Script {
    rules: Vec<FaultRule>,
    chance: StdRng,
    gate: watch::Sender<()>,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Script {
            rules: Vec::new(),
            chance: StdRng::seed_from_u64(seed),
            gate: watch::channel(()).0,
        })))
    }

    /// Befalls the next call of a name.
    ///
    /// # Panics
    /// When no call has that name: a typing error in a test must not pass as "nothing went wrong".
    pub fn next(&self, call: &str, fault: Fault) {
        self.times(call, 1, fault);
    }

    /// Befalls the next calls of a name. Panics as [`Faults::next`] does.
    ///
    /// # Panics
    /// When no call has that name.
    pub fn times(&self, call: &str, times: u64, fault: Fault) {
        self.must_add(FaultRule {
            times: Some(times),
            ..FaultRule::every(call, fault)
        });
    }

    /// Befalls one call of a name, after so many that pass.
    ///
    /// # Panics
    /// When no call has that name.
    pub fn after(&self, skip: u64, call: &str, fault: Fault) {
        self.must_add(FaultRule {
            skip,
            times: Some(1),
            ..FaultRule::every(call, fault)
        });
    }

    /// Befalls the next call of a name about one sale.
    ///
    /// # Panics
    /// When no call has that name.
    pub fn next_for(&self, call: &str, order_id: &str, fault: Fault) {
        self.must_add(FaultRule {
            order: Some(order_id.to_owned()),
            times: Some(1),
            ..FaultRule::every(call, fault)
        });
    }

    /// Befalls every call of a name (`*`: of any).
    ///
    /// # Panics
    /// When no call has that name.
    pub fn always(&self, call: &str, fault: Fault) {
        self.must_add(FaultRule::every(call, fault));
    }

    /// Befalls calls of a name with a chance between 0 and 1.
    ///
    /// # Panics
    /// When no call has that name, or the chance is none.
    pub fn with_probability(&self, call: &str, probability: f64, fault: Fault) {
        self.must_add(FaultRule {
            probability,
            ..FaultRule::every(call, fault)
        });
    }

    /// Adds a rule; the error says what is wrong with it.
    pub fn add(&self, rule: FaultRule) -> Result<(), String> {
        if let Some(problem) = rule.problem() {
            return Err(problem);
        }
        self.lock().rules.push(rule);
        Ok(())
    }

    /// The rules that are set and not used up.
    pub fn rules(&self) -> Vec<FaultRule> {
        self.lock().rules.clone()
    }

    /// Forgets every rule, and lets held calls go on.
    pub fn clear(&self) {
        self.lock().rules.clear();
        self.release();
    }

    /// Lets the calls go on that [`Fault::Hold`] holds now.
    pub fn release(&self) {
        self.lock().gate.send_replace(());
    }

    fn must_add(&self, rule: FaultRule) {
        if let Err(problem) = self.add(rule) {
            panic!("{problem}");
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn reseed(&self, seed: u64) {
        self.lock().chance = StdRng::seed_from_u64(seed);
    }

    pub(crate) fn plan(&self, endpoint: Endpoint, order_id: Option<&str>) -> Plan {
        let mut script = self.lock();
        let Script { rules, chance, gate } = &mut *script;
        let mut plan = Plan::default();
        for rule in rules.iter_mut().filter(|rule| rule.matches(endpoint, order_id)) {
            let is_delay = matches!(
                rule.fault,
                Fault::Latency { .. } | Fault::SlowAnswer { .. } | Fault::Hold
            );
            if !is_delay && plan.fault.is_some() {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            if rule.times == Some(0) || (rule.probability < 1.0 && !chance.random_bool(rule.probability)) {
                continue;
            }
            rule.times = rule.times.map(|times| times - 1);
            plan.names.push(rule.fault.name());
            match &rule.fault {
                Fault::Latency { delay } => plan.before += delay.draw(chance),
                Fault::SlowAnswer { delay } => plan.after += delay.draw(chance),
                Fault::Hold => plan.held = Some(gate.subscribe()),
                other => plan.fault = Some(other.clone()),
            }
        }
        rules.retain(|rule| rule.times != Some(0));
        plan
    }
}
