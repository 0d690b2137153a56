//! Sales as Billz shows them, for people who look at an order: asked for on demand, kept for some seconds for everybody, and
//! only while no job needs the budget of calls.

use std::{sync::Arc, time::Duration};

use billwright_connectors::billz::{Billz, BillzError, CallContext, ErrorClass, Sale, Urgency};
use billwright_domain::{BillzOrderId, Clock, CorrelationId};
use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::{
    cached::CachedMap,
    section::{Dependency, Needs, Trouble, configured},
    text::Text,
};

/// How long one look serves everybody.
const FRESH: Duration = Duration::from_secs(20);
/// How long a look may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// One look at a sale.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    /// When.
    pub(crate) at: DateTime<Utc>,
    /// The sale; `None` where Billz has it no more.
    pub(crate) sale: Option<Sale>,
}

/// The looks that were taken.
pub(crate) struct Sales {
    billz: Option<Billz>,
    clock: Arc<dyn Clock>,
    seen: CachedMap<Look>,
}

impl Sales {
    pub(crate) fn new(billz: Option<Billz>, clock: Arc<dyn Clock>) -> Self {
        Self {
            billz,
            clock,
            seen: CachedMap::new(Dependency::Billz, FRESH).with_patience(PATIENCE),
        }
    }

    /// The sale: as it was seen some seconds ago, else as it is.
    pub(crate) async fn look(&self, id: &BillzOrderId) -> Result<Arc<Look>, Trouble> {
        let billz = configured(self.billz.as_ref(), Needs::Worker)?.clone();
        let (wanted, clock) = (id.clone(), Arc::clone(&self.clock));
        let look = || async move {
            Ok(Look {
                sale: ask(&billz, &wanted).await?,
                at: clock.now(),
            })
        };
        self.seen.get(id.as_str(), look).await
    }
}

async fn ask(billz: &Billz, id: &BillzOrderId) -> Result<Option<Sale>, Trouble> {
    let budget = billz.budget().state();
    if budget.payments_waiting + budget.ordinary_waiting > 0 {
        return Err(Trouble::Refused(Text::of("order-billz-busy")));
    }
    let correlation = format!("dashboard-{}", hex::encode(rand::random::<[u8; 8]>()));
    let correlation_id = CorrelationId::parse(&correlation).map_err(|problem| Trouble::Failed(problem.to_string()))?;
    let cancel = CancellationToken::new();
    // A look that takes too long leaves no call behind that waits for the budget.
    let _gives_up = cancel.clone().drop_guard();
    let calls = billz.calls(CallContext {
        correlation_id,
        urgency: Urgency::Ordinary,
        cancel,
    });
    match tokio::time::timeout(PATIENCE, calls.order(id)).await {
        Ok(Ok(sale)) => Ok(Some(sale)),
        Ok(Err(BillzError::NotFound { .. })) => Ok(None),
        Ok(Err(error)) if error.class() == ErrorClass::Permanent => Err(Trouble::Failed(error.to_string())),
        Ok(Err(error)) => Err(Trouble::away(Dependency::Billz, error.to_string())),
        Err(_) => Err(Trouble::away(
            Dependency::Billz,
            format!("no answer within {} s", PATIENCE.as_secs()),
        )),
    }
}
