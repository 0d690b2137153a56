//! What each process tells the dashboards of all: that it lives and how it does, and what it counted and measured.

use std::time::Duration;

use billwright_connectors::{billz::Billz, breaker::BreakerState, budget::BudgetSource};
use billwright_domain::Condition;
use billwright_store::operations::{
    processes::{BEAT, ProcessBillz, ProcessDependency, ProcessReport, Processes},
    samples::Samples,
};
use tokio_util::sync::CancellationToken;

use crate::{samples::SampleRecorder, sources::Sources};

/// How long one sign of life may take to be written.
const PATIENCE: Duration = Duration::from_secs(4);

/// Tells until `stop`, and then what is left. A database that is away is tried again with the next beat; what was counted in
/// between is kept.
pub async fn report(sources: Sources, recorder: SampleRecorder, stop: CancellationToken) {
    let Some(mongo) = sources.operations_database() else {
        return;
    };
    let id = hex::encode(rand::random::<[u8; 4]>());
    let (processes, samples) = (Processes::new(mongo), Samples::new(mongo));
    let since = sources.clock.now();
    let mut away = false;
    loop {
        let told = ProcessReport {
            id: id.clone(),
            name: sources.process.name.clone(),
            version: sources.process.version.to_owned(),
            roles: sources.process.roles.clone(),
            since,
            dependencies: dependencies(&sources),
            billz: sources.billz.as_ref().map(billz),
        };
        let stopping = stop.is_cancelled();
        let additions = recorder.take();
        let write = async {
            if stopping {
                processes.leave(&id).await?;
            } else {
                processes.beat(&told).await?;
            }
            if !additions.is_empty() {
                samples.add(&id, sources.clock.now(), &additions).await?;
            }
            Ok::<_, billwright_store::StoreError>(())
        };
        let outcome = tokio::time::timeout(PATIENCE, write).await;
        let failed = match &outcome {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("no answer within {} s", PATIENCE.as_secs())),
        };
        if failed.is_some() {
            recorder.give_back(&additions);
        }
        if failed.is_some() != away {
            away = failed.is_some();
            if let Some(reason) = &failed {
                tracing::warn!(reason, "the dashboards do not hear of this process for now");
            } else {
                tracing::info!("the dashboards hear of this process again");
            }
        }
        if stopping {
            return;
        }
        // A stop ends the wait, and the next turn writes what is left.
        let _ = stop.run_until_cancelled(tokio::time::sleep(BEAT)).await;
    }
}

fn dependencies(sources: &Sources) -> Vec<ProcessDependency> {
    let all = sources.health.all().into_iter();
    all.map(|(name, health)| ProcessDependency {
        name: name.to_owned(),
        condition: match health.condition {
            Condition::Up => "up",
            Condition::Degraded => "degraded",
            Condition::Down => "down",
        }
        .to_owned(),
        detail: health.detail,
    })
    .collect()
}

fn billz(billz: &Billz) -> ProcessBillz {
    let budget = billz.budget().state();
    let (breaker, open_until) = match billz.breaker().state() {
        BreakerState::Closed => ("closed", None),
        BreakerState::HalfOpen => ("half_open", None),
        BreakerState::Open { until } => ("open", Some(until)),
    };
    let count = |waiting: usize| i64::try_from(waiting).unwrap_or(i64::MAX);
    ProcessBillz {
        breaker: breaker.to_owned(),
        open_until,
        budget: match budget.source {
            BudgetSource::Shared => "shared",
            BudgetSource::Local => "local",
            BudgetSource::Off => "off",
        }
        .to_owned(),
        payments_waiting: count(budget.payments_waiting),
        ordinary_waiting: count(budget.ordinary_waiting),
    }
}
