//! `CREATE_ORDER`: makes a draft sale. The correlation id is its comment, by which a draft whose answer was lost is found:
//! see [`crate::drafts`].

use billwright_domain::{BillzOrderId, Fields, Problems, ShopId};
use billwright_store::bson::{Bson, doc};
use serde::Serialize;
use serde_json::Value;

use super::{Attempt, Defaults, Done, Operation, sale_lease};
use crate::{
    drafts::{CREATE, Drafts, STRAYS, clear_strays, delete_strays, left_over, made},
    job_error::JobError,
    once::LedgerJournal,
    write_once::Journal,
};

/// The payload.
#[derive(Debug)]
pub(crate) struct CreateOrder {
    shop: ShopId,
}

/// The return value.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    order_id: BillzOrderId,
}

impl Operation for CreateOrder {
    const TYPE: &'static str = "CREATE_ORDER";
    const ACTION: &'static str = "create";

    fn from_json(payload: &Value, defaults: &Defaults) -> Result<Self, Problems> {
        let mut fields = Fields::of(payload)?;
        let shop = fields.optional("shopId", shop_id);
        fields.finish()?;
        Ok(Self {
            shop: shop.unwrap_or_else(|| defaults.shop_id.clone()),
        })
    }

    fn order_id(&self) -> Option<String> {
        None
    }

    async fn run(&self, attempt: &mut Attempt<'_>) -> Result<Done, JobError> {
        let comment = attempt.correlation_id.to_string();
        let drafts = Drafts {
            shop: &self.shop,
            comment: &comment,
            operation: attempt.operation,
            calls: &attempt.calls,
            guard: attempt.guard,
            context: attempt.context,
        };
        let Some(journal) = &mut attempt.journal else {
            return Err(JobError::reject("internal error: a draft is made without a journal"));
        };
        let order_id = match drafts.create(journal).await {
            Ok(order_id) => order_id,
            Err(error) => {
                // Nobody will look for it any more. A job that goes back as it came will.
                return Err(match error {
                    JobError::Retry(reason) if attempt.is_last => JobError::Retry(Self::given_up(reason, journal, &drafts).await),
                    JobError::Reject(reason) => JobError::Reject(Self::given_up(reason, journal, &drafts).await),
                    other => other,
                });
            }
        };
        let warning = clear_strays(journal, &order_id, &drafts, attempt.is_last).await?;
        attempt.step(&format!("draft {order_id} created in Billz"), 90).await;
        note_empty(attempt, &order_id).await;
        Ok(Done {
            warnings: warning.into_iter().collect(),
            ..Done::quietly(Created { order_id })
        })
    }
}

impl CreateOrder {
    /// Deletes what a lost answer may have left. The reason why the job fails also says if that failed.
    async fn given_up(reason: String, journal: &mut LedgerJournal, drafts: &Drafts<'_>) -> String {
        if let Some(sale) = made(journal) {
            return format!("{reason}; the draft {sale} was made, and is left in Billz");
        }
        if journal.open(CREATE).is_none() && journal.open(STRAYS).is_none() {
            return reason;
        }
        match delete_strays(journal, None, drafts).await {
            Ok(()) => reason,
            Err(error) => format!("{reason}; {}", left_over(&error.text())),
        }
    }
}

fn shop_id(value: &Value) -> Result<Option<ShopId>, billwright_domain::input::Mismatch> {
    if value.as_str().is_some_and(|text| text.trim().is_empty()) {
        return Ok(None);
    }
    ShopId::from_json(value)
}

/// Notes that the draft is empty, which saves the first `ADD_ITEM` a read. Only a courtesy: the draft is made.
async fn note_empty(attempt: &Attempt<'_>, order: &BillzOrderId) {
    let empty = doc! { "lines": Bson::Array(Vec::new()) };
    if let Err(error) = attempt.context.leases.note_unheld(&sale_lease(order), empty).await {
        tracing::debug!(%error, "a note for later jobs was not kept");
    }
}
