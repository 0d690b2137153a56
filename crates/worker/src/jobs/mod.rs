//! The job types: one file each, and the one list of them.

use std::future::Future;

use billwright_connectors::billz::{BillzCalls, Urgency};
use billwright_domain::{
    BillzOrderId, CardId, CorrelationId, DocumentId, PaymentTypeId, Phone, Problems, ShopId, input::excerpt,
};
use chrono::NaiveDateTime;
use chrono_tz::Tz;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    bullmq_queue::QueuedJob,
    context::Context,
    guard::Guard,
    job_error::{Decide, JobError},
    notify::Notice,
    once::LedgerJournal,
    write_once::{Write, write_once},
};

/// What a payload's missing fields stand for.
#[derive(Debug, Clone)]
pub(crate) struct Defaults {
    /// The configured shop.
    pub(crate) shop_id: ShopId,
    /// The shop's local time.
    pub(crate) local_now: NaiveDateTime,
    /// Until when an order is parked.
    pub(crate) park_until: NaiveDateTime,
    /// The zone of the shop's local times.
    pub(crate) timezone: Tz,
}

/// What an operation gave.
#[derive(Debug)]
pub(crate) struct Done {
    /// The job's return value.
    pub(crate) value: Value,
    /// Whom to tell of it, if anybody.
    pub(crate) notice: Option<Notice>,
    /// What people should know although it succeeded.
    pub(crate) warnings: Vec<String>,
}

impl Done {
    /// An operation's result that nobody need be told of.
    pub(crate) fn quietly(value: impl Serialize) -> Self {
        Self {
            value: serde_json::to_value(value).unwrap_or_default(),
            notice: None,
            warnings: Vec::new(),
        }
    }

    /// An operation's result that the group is told of.
    pub(crate) fn with_notice(value: impl Serialize, notice: Notice) -> Self {
        Self {
            notice: Some(notice),
            ..Self::quietly(value)
        }
    }
}

/// One job type.
pub(crate) trait Operation: Sized + Send + Sync {
    /// The type as it stands in the envelope.
    const TYPE: &'static str;
    /// What it does to its subject, for the operation log: `create`, `update`, `get` or `delete`.
    const ACTION: &'static str;
    /// Whether it changes nothing; reads are never folded.
    const READS_ONLY: bool = false;
    /// How urgent its calls are.
    const URGENCY: Urgency = Urgency::Ordinary;

    /// Reads the payload; every wrong or missing field is named.
    fn from_json(payload: &Value, defaults: &Defaults) -> Result<Self, Problems>;

    /// The order that it is about, ours or Billz's, for people.
    fn order_id(&self) -> Option<String>;

    /// Does it. Whatever earlier attempts did is in the attempt's journal.
    fn run(&self, attempt: &mut Attempt<'_>) -> impl Future<Output = Result<Done, JobError>> + Send;
}

/// The list of job types: module and type of each.
macro_rules! job_types {
    ($($module:ident :: $operation:ident),+ $(,)?) => {
        $(pub(crate) mod $module;)+

        /// Every known type, in the order of the contract.
        pub const TYPES: &[&str] = &[$($module::$operation::TYPE),+];

        #[cfg(test)]
        const MODULES: &[&str] = &[$(stringify!($module)),+];

        /// What a job of the given type does to its subject, also where the job itself cannot be decoded.
        pub(crate) fn action_of(kind: &str) -> &'static str {
            match kind {
                $($module::$operation::TYPE => $module::$operation::ACTION,)+
                _ => "create",
            }
        }

        /// A decoded job.
        #[derive(Debug)]
        pub(crate) enum Job {
            $(
                #[doc = concat!("See [`", stringify!($module), "`].")]
                $operation(Box<$module::$operation>),
            )+
            /// A type that nobody knows.
            Unknown(String),
        }

        impl Job {
            /// Decodes the payload of a job of the given type.
            pub(crate) fn decode(kind: &str, payload: &Value, defaults: &Defaults) -> Result<Self, Problems> {
                Ok(match kind {
                    $($module::$operation::TYPE => {
                        Self::$operation(Box::new($module::$operation::from_json(payload, defaults)?))
                    })+
                    other => Self::Unknown(other.to_owned()),
                })
            }

            /// The type, from a fixed list: fit for metrics.
            pub(crate) fn kind(&self) -> &'static str {
                match self {
                    $(Self::$operation(_) => $module::$operation::TYPE,)+
                    Self::Unknown(_) => "unknown",
                }
            }

            /// Whether it changes nothing.
            pub(crate) fn reads_only(&self) -> bool {
                match self {
                    $(Self::$operation(_) => $module::$operation::READS_ONLY,)+
                    Self::Unknown(_) => true,
                }
            }

            /// How urgent its calls are.
            pub(crate) fn urgency(&self) -> Urgency {
                match self {
                    $(Self::$operation(_) => $module::$operation::URGENCY,)+
                    Self::Unknown(_) => Urgency::Ordinary,
                }
            }

            /// The order that it is about.
            pub(crate) fn order_id(&self) -> Option<String> {
                match self {
                    $(Self::$operation(operation) => operation.order_id(),)+
                    Self::Unknown(_) => None,
                }
            }

            /// Does it.
            pub(crate) async fn run(&self, attempt: &mut Attempt<'_>) -> Result<Done, JobError> {
                match self {
                    $(Self::$operation(operation) => operation.run(attempt).await,)+
                    Self::Unknown(kind) => Err(unknown(kind)),
                }
            }
        }
    };
}

job_types! {
    create_client::CreateClient,
    create_order::CreateOrder,
    add_item::AddItem,
    add_client::AddClient,
    postpone_order::PostponeOrder,
    cancel_postpone::CancelPostpone,
    create_discount::CreateDiscount,
    make_payment::MakePayment,
    delete_order::DeleteOrder,
    get_order::GetOrder,
    place_order::PlaceOrder,
}

/// The rejection of a type that nobody knows.
pub(crate) fn unknown(kind: &str) -> JobError {
    JobError::reject(format!(
        "field `type`: found `{}`, expected one of {}",
        excerpt(kind),
        TYPES.join(", ")
    ))
}

/// One attempt at one job.
pub(crate) struct Attempt<'a> {
    pub(crate) context: &'a Context,
    pub(crate) job: &'a QueuedJob,
    pub(crate) guard: &'a Guard,
    /// The calls to Billz on this job's behalf.
    pub(crate) calls: BillzCalls,
    pub(crate) correlation_id: &'a CorrelationId,
    /// The key under which the ledger knows the operation.
    pub(crate) operation: &'a str,
    /// Whether no attempt follows if this one fails.
    pub(crate) is_last: bool,
    /// What earlier attempts did; a read has none.
    pub(crate) journal: Option<LedgerJournal>,
}

impl Attempt<'_> {
    /// Carries out a write once, whatever became of earlier attempts at it.
    pub(crate) async fn write<W: Write>(&mut self, write: &W) -> Result<W::Answer, JobError> {
        let Some(journal) = &mut self.journal else {
            return Err(JobError::reject(
                "internal error: an operation that only reads tried to write",
            ));
        };
        write_once(write, &self.calls, journal, self.guard, self.context).await
    }

    /// Says in the job's log and progress what was done.
    pub(crate) async fn step(&self, line: &str, progress: u8) {
        self.job.report(line, Some(progress)).await;
    }

    /// The payment type in Billz that `card` stands for: an own card's, or `card` itself.
    pub(crate) async fn payment_type(&self, card: &CardId) -> Result<PaymentTypeId, JobError> {
        payment_type(self.context, card).await
    }
}

/// The payment type in Billz that `card` stands for: an own card's, or `card` itself.
pub(crate) async fn payment_type(context: &Context, card: &CardId) -> Result<PaymentTypeId, JobError> {
    let own = match DocumentId::parse(card.as_str()) {
        Some(id) => context.cards.find(&id).await.decide()?,
        None => None,
    };
    let written = match own {
        None => card.as_str().to_owned(),
        Some(own) if !own.is_active => {
            return Err(JobError::reject(format!(
                "field `cardId`: the card `{}` is not active, expected an active card",
                own.name
            )));
        }
        Some(own) => own.external_id.ok_or_else(|| {
            JobError::reject(format!(
                "field `cardId`: the card `{}` has no `externalID`, expected the id of its payment type in Billz",
                own.name
            ))
        })?,
    };
    PaymentTypeId::parse(written.trim())
        .map_err(|mismatch| JobError::reject(format!("field `cardId`: its payment type is no id, {mismatch}")))
}

/// The name of the lease on a sale in Billz.
pub(crate) fn sale_lease(sale: &BillzOrderId) -> String {
    format!("sale:{sale}")
}

/// The name of the lease on a client's phone number, which itself stands nowhere.
pub(crate) fn phone_lease(phone: &Phone) -> String {
    format!("phone:{}", hex::encode(&Sha256::digest(phone.digits())[..16]))
}

#[cfg(test)]
pub(crate) fn test_defaults() -> Defaults {
    let local_now = "2026-11-29T12:00:00".parse().unwrap();
    Defaults {
        shop_id: ShopId::parse("shop-1").unwrap(),
        local_now,
        park_until: local_now + chrono::TimeDelta::days(30),
        timezone: chrono_tz::Asia::Tashkent,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_list_names_every_file_in_this_folder() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/jobs");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".rs").map(str::to_owned))
            .filter(|name| name != "mod")
            .collect();
        files.sort();
        let mut listed = MODULES.to_vec();
        listed.sort_unstable();
        assert_eq!(files, listed);
        let wire: Vec<_> = MODULES.iter().map(|module| module.to_uppercase()).collect();
        assert_eq!(wire, TYPES);
    }

    #[test]
    fn an_unknown_type_lists_the_known_ones() {
        let job = Job::decode("PAY_ALL", &json!({}), &test_defaults()).unwrap();
        assert!(matches!(&job, Job::Unknown(kind) if kind == "PAY_ALL"));
        let text = unknown("PAY_ALL").text();
        assert!(
            text.contains("`PAY_ALL`") && text.contains("MAKE_PAYMENT") && text.contains("PLACE_ORDER"),
            "{text}"
        );
    }

    #[test]
    fn a_phone_lease_does_not_show_the_number() {
        let lease = phone_lease(&Phone::parse("+998901112233").unwrap());
        assert!(!lease.contains("998901") && lease.len() < 40, "{lease}");
    }
}
