//! Faults by script: what goes wrong, at which call, how often.

mod fault;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub use self::fault::{Delay, Fault};
use crate::world::Endpoint;

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
