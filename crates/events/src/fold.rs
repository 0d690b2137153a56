//! Works out what a batch of events does, customer by customer and in order, without reading or writing anything.

use std::collections::HashMap;

use billwright_domain::{UserId, billing::FirstBillingDefaults};
use billwright_store::billing::{
    apply::{CustomerRecord, CustomerSnapshot, CustomerWrite, Unit},
    set_aside::SetAsideEvent,
};
use chrono::{DateTime, Utc};

use crate::{
    customer::{Customer, CustomerEvent, Effect},
    envelope::{Envelope, Record},
    invalid::Invalid,
};

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    /// It took effect.
    Applied,
    /// It had been applied before.
    Repeated,
    /// It is older than what was applied to the customer already.
    Stale,
    /// It waits for its customer.
    SetAside,
}

impl Outcome {
    /// The outcome as it stands in metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Repeated => "repeated",
            Self::Stale => "stale",
            Self::SetAside => "set_aside",
        }
    }
}

/// An event with what decides whether it is news.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Decoded {
    pub(crate) event: CustomerEvent,
    /// When it happened, if it says so.
    stated: Option<DateTime<Utc>>,
    digest: i64,
}

impl Decoded {
    pub(crate) fn of(
        record: Record<'_>,
        first_billing: &FirstBillingDefaults,
        now: DateTime<Utc>,
    ) -> Result<Self, Invalid> {
        let envelope = Envelope::open(record)?;
        Ok(Self {
            event: CustomerEvent::decode(&envelope.kind, &envelope.payload, first_billing, now)?,
            stated: envelope.stated,
            digest: if envelope.stated.is_some() {
                digest(envelope.kind.as_bytes(), record.value.unwrap_or_default())
            } else {
                0
            },
        })
    }

    /// Whether the event is news to a customer of whom `record` is remembered.
    fn news(&self, record: &CustomerRecord) -> Result<(), Outcome> {
        match (self.stated, record.last_stated) {
            (Some(stated), Some(last)) if stated < last => Err(Outcome::Stale),
            (Some(stated), Some(last)) if stated == last && self.digest == record.last_digest => Err(Outcome::Repeated),
            _ => Ok(()),
        }
    }

    fn note_in(&self, record: &mut CustomerRecord) {
        if let Some(stated) = self
            .stated
            .filter(|stated| record.last_stated.is_none_or(|last| *stated >= last))
        {
            record.last_stated = Some(stated);
            record.last_digest = self.digest;
        }
    }
}

/// FNV-1a, which is the same in every version and on every machine. It tells a repetition from another event of the same
/// millisecond and customer; nothing else relies on it.
fn digest(kind: &[u8], value: &[u8]) -> i64 {
    let hash = kind.iter().chain(value).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.cast_signed()
}

/// An event of a batch with its place in the log.
pub(crate) struct Incoming<'a> {
    pub(crate) offset: i64,
    pub(crate) decoded: &'a Decoded,
}

/// What a batch does.
pub(crate) struct Folded<'a> {
    /// Everything that is to be written, except for the position.
    pub(crate) unit: Unit<'a>,
    /// What becomes of each incoming event, in order.
    pub(crate) outcomes: Vec<Outcome>,
    /// How many events that had waited are applied.
    pub(crate) released: usize,
}

/// An event that waits within the batch.
enum Waiting {
    Stored(Box<SetAsideEvent>),
    Incoming(usize),
}

struct State {
    customer: Customer,
    before: CustomerSnapshot,
    record: CustomerRecord,
    waiting: Vec<Waiting>,
    /// Whether anything happened that may have to be written.
    touched: bool,
}

/// Reads an event that was set aside again.
pub(crate) fn decode_waiting(
    event: &SetAsideEvent,
    first_billing: &FirstBillingDefaults,
    now: DateTime<Utc>,
) -> Result<Decoded, Invalid> {
    let record = Record {
        value: Some(&event.value),
        headers: &event.headers,
        time: event.record_time,
    };
    Decoded::of(record, first_billing, now)
}

/// Works out what `incoming` does to the customers `snapshots`. Events below `applied` took effect before. `set_aside`
/// makes what is kept of the incoming event at that place.
pub(crate) fn fold<'a>(
    incoming: &[Incoming<'_>],
    snapshots: HashMap<UserId, CustomerSnapshot>,
    applied: i64,
    first_billing: &FirstBillingDefaults,
    now: DateTime<Utc>,
    set_aside: impl Fn(usize) -> Option<SetAsideEvent>,
) -> Folded<'a> {
    let mut states: HashMap<UserId, State> = snapshots
        .into_iter()
        .map(|(user, mut before)| {
            let waiting = std::mem::take(&mut before.waiting);
            let state = State {
                customer: Customer::stored(&before),
                record: before.record,
                waiting: waiting.into_iter().map(Box::new).map(Waiting::Stored).collect(),
                before,
                touched: false,
            };
            (user, state)
        })
        .collect();
    let mut fold = Fold {
        incoming,
        outcomes: vec![Outcome::Repeated; incoming.len()],
        released: Vec::new(),
        first_billing,
        now,
    };
    // Customers who appeared otherwise than by an event, while events waited for them.
    for state in states.values_mut().filter(|state| state.customer.is_known()) {
        fold.release(state);
    }
    for (place, event) in incoming.iter().enumerate() {
        if event.offset < applied {
            continue;
        }
        if let Some(state) = states.get_mut(event.decoded.event.user_id()) {
            fold.outcomes[place] = fold.apply(place, state);
        }
    }
    let mut unit = Unit::default();
    for (user_id, state) in states {
        let set_aside = state.waiting.iter().filter_map(|waiting| match waiting {
            Waiting::Incoming(place) => set_aside(*place),
            Waiting::Stored(_) => None,
        });
        unit.set_aside.extend(set_aside);
        if state.touched {
            let mut record = state.record;
            record.billed = state.customer.billed;
            unit.customers.push(CustomerWrite {
                user_id,
                before: state.before,
                user: state.customer.user,
                deletes_billings: state.customer.deletes_billings,
                first_billing: state.customer.first_billing,
                record,
                trace: None,
            });
        }
    }
    // Numbers are given in the order of the ids, so that the same batch always makes the same documents.
    unit.customers
        .sort_unstable_by(|one, other| one.user_id.cmp(&other.user_id));
    let released = fold.released.len();
    unit.released = fold.released;
    Folded {
        unit,
        outcomes: fold.outcomes,
        released,
    }
}

struct Fold<'a> {
    incoming: &'a [Incoming<'a>],
    outcomes: Vec<Outcome>,
    released: Vec<SetAsideEvent>,
    first_billing: &'a FirstBillingDefaults,
    now: DateTime<Utc>,
}

impl Fold<'_> {
    fn apply(&mut self, place: usize, state: &mut State) -> Outcome {
        let decoded = self.incoming[place].decoded;
        if let Err(outcome) = decoded.news(&state.record) {
            return outcome;
        }
        let was_known = state.customer.is_known();
        match decoded.event.apply(&mut state.customer) {
            Effect::CustomerUnknown => {
                state.waiting.push(Waiting::Incoming(place));
                return Outcome::SetAside;
            }
            Effect::Applied => {}
        }
        state.touched = true;
        decoded.note_in(&mut state.record);
        if !state.customer.is_known() {
            self.drop_waiting(state);
        } else if !was_known {
            self.release(state);
        }
        Outcome::Applied
    }

    /// Applies what waited for a customer who is known now, in the order in which it came.
    fn release(&mut self, state: &mut State) {
        for waiting in std::mem::take(&mut state.waiting) {
            match waiting {
                Waiting::Incoming(place) => {
                    let decoded = self.incoming[place].decoded;
                    decoded.event.apply(&mut state.customer);
                    decoded.note_in(&mut state.record);
                    self.outcomes[place] = Outcome::Applied;
                }
                // What this version cannot read stays where it is, until it expires into the dead letters.
                Waiting::Stored(event) => match decode_waiting(&event, self.first_billing, self.now) {
                    Ok(decoded) => {
                        decoded.event.apply(&mut state.customer);
                        decoded.note_in(&mut state.record);
                        self.released.push(*event);
                    }
                    Err(_) => state.waiting.push(Waiting::Stored(event)),
                },
            }
            state.touched = true;
        }
    }

    /// The customer was deleted: what waited is out of date.
    fn drop_waiting(&mut self, state: &mut State) {
        for waiting in std::mem::take(&mut state.waiting) {
            match waiting {
                Waiting::Incoming(place) => self.outcomes[place] = Outcome::Stale,
                Waiting::Stored(event) => self.released.push(*event),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use billwright_hot_path::counted;
    use billwright_store::billing::{apply::UserWrite, positions::PartitionId};
    use serde_json::{Value, json};

    use super::*;

    #[test]
    #[ignore = "counted by `cargo xtask instructions`"]
    fn hot_path_batch_of_1000_events() {
        let values: Vec<String> = (0..1000)
            .map(|number| {
                let kind = ["Created", "Updated", "Suspended", "Reactivated"][number / 250];
                let user = number % 250;
                json!({"type": format!("Customer.{kind}"), "payload": {
                    "userId": format!("customer-{user}"), "name": "Aziza Karimova", "email": format!("a{user}@example.org"),
                    "phone": {"codeNumber": "998", "phoneNumber": "901112233"}, "address": {"city": "Tashkent", "street": "Main Street 1"},
                }})
                .to_string()
            })
            .collect();
        let defaults = FirstBillingDefaults::default();
        let decoded: Vec<Decoded> = counted(|| {
            let records = values.iter().map(|value| Record {
                value: Some(value.as_bytes()),
                headers: &[],
                time: None,
            });
            records
                .map(|record| Decoded::of(record, &defaults, DateTime::UNIX_EPOCH).unwrap())
                .collect()
        });
        let snapshots = decoded[..250]
            .iter()
            .map(|decoded| (decoded.event.user_id().clone(), CustomerSnapshot::default()))
            .collect();
        let folded = counted(|| {
            let incoming: Vec<_> = (0..)
                .zip(&decoded)
                .map(|(offset, decoded)| Incoming { offset, decoded })
                .collect();
            fold(&incoming, snapshots, 0, &defaults, DateTime::UNIX_EPOCH, |_| None)
        });
        assert_eq!(folded.outcomes, [Outcome::Applied; 1000]);
    }

    fn decoded(kind: &str, payload: &Value, timestamp: Option<i64>) -> Decoded {
        let value = json!({"event": kind, "data": payload, "timestamp": timestamp}).to_string();
        let record = Record {
            value: Some(value.as_bytes()),
            headers: &[],
            time: None,
        };
        Decoded::of(record, &FirstBillingDefaults::default(), DateTime::UNIX_EPOCH).unwrap()
    }

    fn waiting(place: usize) -> SetAsideEvent {
        SetAsideEvent {
            partition: PartitionId {
                topic: "t".to_owned(),
                topic_id: "id".to_owned(),
                partition: 0,
            },
            offset: i64::try_from(place).unwrap(),
            user_id: UserId::parse("c").unwrap(),
            kind: "Customer.Suspended".to_owned(),
            key: None,
            value: br#"{"type":"Customer.Suspended","payload":{"userId":"c"}}"#.to_vec(),
            headers: Vec::new(),
            record_time: None,
            set_aside_at: DateTime::UNIX_EPOCH,
            expires_at: DateTime::UNIX_EPOCH,
        }
    }

    fn run(events: &[Decoded], snapshot: CustomerSnapshot, applied: i64) -> Folded<'static> {
        let incoming: Vec<_> = (0..)
            .zip(events)
            .map(|(offset, decoded)| Incoming { offset, decoded })
            .collect();
        let snapshots = HashMap::from([(UserId::parse("c").unwrap(), snapshot)]);
        fold(
            &incoming,
            snapshots,
            applied,
            &FirstBillingDefaults::default(),
            DateTime::UNIX_EPOCH,
            |place| Some(waiting(place)),
        )
    }

    fn created() -> Decoded {
        decoded("Customer.Created", &json!({"userId": "c"}), None)
    }

    fn suspended(timestamp: Option<i64>) -> Decoded {
        decoded("Customer.Suspended", &json!({"userId": "c"}), timestamp)
    }

    #[test]
    fn what_was_applied_before_changes_nothing() {
        let folded = run(&[created(), suspended(None)], CustomerSnapshot::default(), 2);
        assert_eq!(folded.outcomes, [Outcome::Repeated, Outcome::Repeated]);
        assert!(folded.unit.customers.is_empty() && folded.unit.set_aside.is_empty());
    }

    #[test]
    fn an_event_older_than_the_last_one_is_stale_and_the_same_one_repeated() {
        use Outcome::{Applied, Repeated, Stale};
        let time = 1_700_000_000_000;
        let events = [
            decoded("Customer.Created", &json!({"userId": "c"}), Some(time)),
            suspended(Some(time - 1)),
            decoded("Customer.Created", &json!({"userId": "c"}), Some(time)),
            suspended(Some(time)),
            suspended(None),
        ];
        let folded = run(&events, CustomerSnapshot::default(), 0);
        assert_eq!(folded.outcomes, [Applied, Stale, Repeated, Applied, Applied]);
    }

    #[test]
    fn an_event_before_its_customer_waits_and_is_applied_with_the_customer() {
        let alone = run(&[suspended(None)], CustomerSnapshot::default(), 0);
        assert_eq!(alone.outcomes, [Outcome::SetAside]);
        assert_eq!((alone.unit.set_aside.len(), alone.unit.customers.len()), (1, 0));

        let together = run(&[suspended(None), created()], CustomerSnapshot::default(), 0);
        assert_eq!(together.outcomes, [Outcome::Applied, Outcome::Applied]);
        assert!(together.unit.set_aside.is_empty());

        let stored = CustomerSnapshot {
            waiting: vec![waiting(7)],
            ..CustomerSnapshot::default()
        };
        let later = run(&[created()], stored, 0);
        assert_eq!((later.released, later.unit.released.len()), (1, 1));
        for folded in [together, later] {
            assert!(matches!(&folded.unit.customers[0].user, UserWrite::Insert(user) if !user.is_active));
        }
    }

    #[test]
    fn deleting_a_customer_drops_what_waited() {
        let stored = CustomerSnapshot {
            waiting: vec![waiting(7)],
            ..CustomerSnapshot::default()
        };
        let deleted = decoded("Customer.Deleted", &json!({"userId": "c"}), None);
        let folded = run(&[suspended(None), deleted], stored, 0);
        assert_eq!(folded.outcomes, [Outcome::Stale, Outcome::Applied]);
        assert_eq!((folded.unit.set_aside.len(), folded.unit.released.len()), (0, 1));
    }
}
