//! Sales as Billz shows them, for people who look at an order: asked for on demand, kept for some seconds for everybody, and
//! only while no job needs the budget of calls.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use billwright_connectors::billz::{Billz, BillzError, CallContext, ErrorClass, Sale, Urgency};
use billwright_domain::{BillzOrderId, Clock, CorrelationId};
use chrono::{DateTime, Utc};
use tokio::{sync::Mutex as AsyncMutex, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    section::{Dependency, Needs, Trouble},
    text::Text,
};

/// How long one look serves everybody.
const FRESH: Duration = Duration::from_secs(20);
/// How long a look may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many sales are kept.
const MOST: usize = 200;

/// One look at a sale.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    /// When.
    pub(crate) at: DateTime<Utc>,
    /// The sale; `None` where Billz has it no more.
    pub(crate) sale: Option<Sale>,
}

type Kept = Arc<AsyncMutex<Option<(Instant, Arc<Look>)>>>;

/// The looks that were taken.
pub(crate) struct Sales {
    billz: Option<Billz>,
    clock: Arc<dyn Clock>,
    kept: Mutex<HashMap<String, Kept>>,
}

impl Sales {
    pub(crate) fn new(billz: Option<Billz>, clock: Arc<dyn Clock>) -> Self {
        Self {
            billz,
            clock,
            kept: Mutex::default(),
        }
    }

    /// The sale: as it was seen some seconds ago, else as it is. Whoever comes first looks; the others wait for the same
    /// answer. A look that failed is kept for nobody.
    pub(crate) async fn look(&self, id: &BillzOrderId) -> Result<Arc<Look>, Trouble> {
        let billz = self.billz.as_ref().ok_or(Trouble::NotConfigured(Needs::Worker))?;
        let place = self.place(id);
        let mut kept = place.lock().await;
        if let Some((looked, look)) = &*kept
            && looked.elapsed() < FRESH
        {
            return Ok(Arc::clone(look));
        }
        let look = Arc::new(Look {
            sale: ask(billz, id).await?,
            at: self.clock.now(),
        });
        *kept = Some((Instant::now(), Arc::clone(&look)));
        Ok(look)
    }

    fn place(&self, id: &BillzOrderId) -> Kept {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST && !kept.contains_key(id.as_str()) {
            // Who waits for one that is dropped keeps it; nobody else finds it.
            kept.clear();
        }
        Arc::clone(kept.entry(id.to_string()).or_default())
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
    // Whoever goes away, or waits for too long, leaves no call behind that waits for the budget.
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
