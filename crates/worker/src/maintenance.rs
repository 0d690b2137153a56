//! Goes on with orders that no job will finish any more: what could not be taken back is taken back, and an order whose job
//! ended half way is given up.

use std::{sync::Arc, time::Duration};

use billwright_connectors::billz::{CallContext, Urgency};
use billwright_domain::CorrelationId;
use billwright_store::billz::order_sagas::{Saga, SagaState};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    bullmq_queue::RedisLink,
    context::Context,
    guard::Guard,
    job_error::{Decide, JobError},
    notify::Notice,
    saga::{
        compensation::{TakenBack, take_back},
        journal::SagaJournal,
    },
    write_once::Journal,
};

/// How long an order may stand still half way before somebody looks whether its job still lives.
const IDLE: Duration = Duration::from_mins(10);
/// How many are dealt with in one round.
const AT_ONCE: usize = 20;

/// Looks every so often and goes on until `stop`.
pub(crate) async fn run(context: Arc<Context>, link: RedisLink, every: Duration, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
        if context.billz.breaker().check().is_err() {
            continue;
        }
        if let Some(Err(error)) = stop.run_until_cancelled(round(&context, &link, &stop)).await {
            tracing::debug!(
                error = error.text(),
                "unfinished orders cannot be looked after right now"
            );
        }
    }
}

async fn round(context: &Context, link: &RedisLink, stop: &CancellationToken) -> Result<(), JobError> {
    let (running, compensating) = context.sagas.open_counts().await.decide()?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "a gauge is a double, and counts stay far below 2^53"
    )]
    {
        metrics::gauge!("billwright_sagas", "state" => "running").set(running as f64);
        metrics::gauge!("billwright_sagas", "state" => "compensating").set(compensating as f64);
    }
    let neglected = context.sagas.neglected(IDLE, AT_ONCE).await.decide()?;
    for problem in neglected.unreadable {
        tracing::warn!(%problem, "an unfinished order cannot be looked after");
    }
    for saga in neglected.sagas {
        let order = saga.order;
        if let Err(error) = look_after(saga, context, link, stop).await {
            tracing::debug!(%order, error = error.text(), "an unfinished order stays as it is for now");
        }
    }
    Ok(())
}

async fn look_after(seen: Saga, context: &Context, link: &RedisLink, stop: &CancellationToken) -> Result<(), JobError> {
    if seen.state == SagaState::Running && link.will_run(&seen.job_id).await.map_err(JobError::Retry)? {
        return Ok(());
    }
    let Some(order) = seen.order_id() else { return Ok(()) };
    let guard = Guard::new(
        context.leases.clone(),
        context.operations.clone(),
        context.queues.clone(),
        format!("maintenance:{}", Uuid::now_v7()),
        context.lease_length,
        stop,
    );
    let finished = finish(&seen, &order, &guard, context).await;
    guard.release().await;
    finished
}

async fn finish(
    seen: &Saga,
    order: &billwright_domain::DocumentId,
    guard: &Guard,
    context: &Context,
) -> Result<(), JobError> {
    let lease = guard.acquire(&format!("order:{order}")).await?;
    let Some(saga) = context.sagas.take_over(order, lease.fence).await.decide()? else {
        return Ok(());
    };
    // A job may have moved it while the lease was waited for.
    if saga.state != seen.state || saga.updated_at != seen.updated_at {
        return Ok(());
    }
    let mut journal = SagaJournal::new(saga, context);
    if journal.saga.state == SagaState::Running {
        journal.give_up("its job ended before the order was placed").await?;
    }
    let correlation_id =
        CorrelationId::parse(&journal.saga.correlation_id).map_err(|problem| JobError::reject(problem.to_string()))?;
    let calls = context.billz.calls(CallContext {
        correlation_id,
        urgency: Urgency::Ordinary,
        cancel: guard.lost().clone(),
    });
    match take_back(&mut journal, &calls, guard, context).await? {
        TakenBack::NothingLeft => tracing::info!(order = %order, "an order was taken back after its job had ended"),
        TakenBack::PaidAfterAll => {
            let Some(sale) = journal.saga.sale() else { return Ok(()) };
            let paid = calls.order(&sale).await.decide()?;
            context
                .orders
                .mark_placed(order, &sale, paid.total, true, context.clock.now())
                .await
                .decide()?;
            journal.settle("pay", billwright_store::bson::Document::new()).await?;
            journal.placed().await?;
            context
                .notify
                .tell(&Notice::paid_after_failure(order.as_str(), &sale))
                .await;
        }
    }
    Ok(())
}
