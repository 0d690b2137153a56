//! Makes billings. Creations that arrive together share a transaction: number and document are stored as one, so that
//! numbers are unique and gapless, and the one counter document is written once for all of them.

use std::{collections::HashMap, sync::Arc};

use billwright_domain::{
    Clock,
    billing::{BillingDraft, BillingRefused, NewBilling, UserStanding},
};
use billwright_trace_context::TraceContext;
use bson::{Bson, Document, RawDocument, RawDocumentBuf, doc, oid::ObjectId};
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use mongodb::{ClientSession, Collection};
use tokio::sync::{mpsc, oneshot};

use super::{
    billing_store::BillingStore,
    billings,
    changes::{Change, ChangeKind},
    counters,
    idempotency::{Claim, StoredAnswer},
    transaction::{Work, in_transaction},
    users,
    writes::{Effect, Repeatable},
};
use crate::{StoreError, Topology};

/// How many creations share a transaction at most.
const MOST_IN_ONE: usize = 256;

/// How many creations may wait for their transaction.
const MOST_WAITING: usize = 2048;

/// How a creation ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Created {
    /// The billing is stored.
    Made(RawDocumentBuf),
    /// The rule refuses it; no number was used up.
    Refused(BillingRefused),
    /// The claimed key was taken over by a repeat of the request, and nothing was done here.
    ClaimLost,
}

/// Why a creation did not take place, or why it is not known to have.
#[derive(Debug, thiserror::Error)]
pub enum CreationError {
    /// Too many others are waiting.
    #[error("{MOST_WAITING} creations are waiting already")]
    Overloaded,
    /// MongoDB failed; shared by all creations of the transaction.
    #[error(transparent)]
    Store(#[from] Arc<StoreError>),
    /// The creator has stopped.
    #[error("billings are no longer made: the process is stopping")]
    Stopped,
}

/// Makes billings for all requests of the process. Cheap to clone; ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct BillingCreator(mpsc::Sender<Waiting>);

#[derive(Debug)]
struct Waiting {
    order: Order,
    reply: oneshot::Sender<Result<Created, CreationError>>,
}

/// One billing to be made.
#[derive(Clone)]
struct Order {
    /// Chosen once, so that a repeated transaction cannot store the billing twice.
    id: ObjectId,
    draft: BillingDraft,
    repeatable: Option<Repeatable>,
    /// The trace of whoever wants it: it is made in a task of many.
    trace: Option<TraceContext>,
}

impl std::fmt::Debug for Order {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Order")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl BillingCreator {
    /// Starts the task that makes billings in `store`.
    pub fn start(store: BillingStore, clock: Arc<dyn Clock>) -> Self {
        let (sender, mut receiver) = mpsc::channel(MOST_WAITING);
        tokio::spawn(async move {
            let mut waiting = Vec::with_capacity(MOST_IN_ONE);
            while receiver.recv_many(&mut waiting, MOST_IN_ONE).await > 0 {
                serve(&store, std::mem::take(&mut waiting), clock.now()).await;
            }
        });
        Self(sender)
    }

    /// Makes a billing for `draft`, once the rule of new billings allows it.
    pub async fn create(&self, draft: BillingDraft, repeatable: Option<Repeatable>) -> Result<Created, CreationError> {
        let (reply, answer) = oneshot::channel();
        let order = Order {
            id: ObjectId::new(),
            draft,
            repeatable,
            trace: TraceContext::current(),
        };
        self.0
            .try_send(Waiting { order, reply })
            .map_err(|refused| match refused {
                mpsc::error::TrySendError::Full(_) => CreationError::Overloaded,
                mpsc::error::TrySendError::Closed(_) => CreationError::Stopped,
            })?;
        answer.await.unwrap_or(Err(CreationError::Stopped))
    }
}

async fn serve(store: &BillingStore, waiting: Vec<Waiting>, now: DateTime<Utc>) {
    let (orders, replies): (Vec<_>, Vec<_>) = waiting.into_iter().map(|one| (one.order, one.reply)).unzip();
    let together = match store.topology().await {
        Ok(Topology::Transactional) => create_together(store, &orders, now).await,
        // Without transactions nothing is gained, and what is stored in part is hard to tell from what is not.
        Ok(Topology::Standalone) => Ok(Outcome::Separately),
        Err(error) => Err(error),
    };
    match together {
        Ok(Outcome::All(all)) => {
            for (created, reply) in all.into_iter().zip(replies) {
                let _ = reply.send(Ok(created)); // whoever asked may be gone; the billing is made all the same
            }
        }
        // What is wrong with one has rolled all back; alone, each finds its own end.
        Ok(Outcome::Separately) | Err(StoreError::Refused(_)) => {
            for (order, reply) in orders.into_iter().zip(replies) {
                let created = match create_together(store, &[order], now).await {
                    Ok(Outcome::All(mut all)) => all.pop().ok_or(CreationError::Stopped),
                    Ok(Outcome::Separately) => Ok(Created::ClaimLost),
                    Err(error) => Err(Arc::new(error).into()),
                };
                let _ = reply.send(created);
            }
        }
        Err(error) => {
            let error = Arc::new(error);
            for reply in replies {
                let _ = reply.send(Err(Arc::clone(&error).into()));
            }
        }
    }
}

enum Outcome {
    /// Every creation has its end, in order.
    All(Vec<Created>),
    /// Nothing was done, and each creation must be tried alone; when it was alone, its claim is lost.
    Separately,
}

/// How often a counter that is behind its data is repaired for one transaction. The repair looks at all data, so that once is
/// enough unless somebody imports documents at this very moment.
const REPAIRS: usize = 3;

async fn create_together(store: &BillingStore, orders: &[Order], now: DateTime<Utc>) -> Result<Outcome, StoreError> {
    let topology = store.topology().await?;
    let mut repairs = 0;
    loop {
        let mut work = Creation { store, orders, now };
        let created = match topology {
            Topology::Transactional => in_transaction(store.mongo(), &mut work).await,
            Topology::Standalone => work.carry_out(None).await,
        };
        match created {
            Err(StoreError::Duplicate { index, .. }) if repairs < REPAIRS => {
                if index == "_id_" {
                    return already_made(store, orders).await;
                }
                let state = counters::repair(store.mongo(), true).await?;
                tracing::warn!(
                    ?state,
                    "a number of a new billing was in use already; the counter was compared with the data"
                );
                repairs += 1;
            }
            created => return created,
        }
    }
}

/// Reads back what an earlier try stored although its answer said otherwise.
async fn already_made(store: &BillingStore, orders: &[Order]) -> Result<Outcome, StoreError> {
    let mut all = Vec::with_capacity(orders.len());
    for order in orders {
        let made = store.billings().find_one(doc! { "_id": order.id }).await?;
        all.push(match made {
            Some(document) => Created::Made(document),
            // All were stored together or none was, so a missing one had been refused, and its user is the reason.
            None => Created::Refused(BillingRefused::UserUnknown),
        });
    }
    Ok(Outcome::All(all))
}

struct Creation<'a> {
    store: &'a BillingStore,
    orders: &'a [Order],
    now: DateTime<Utc>,
}

impl Work for Creation<'_> {
    type Output = Outcome;

    async fn run(&mut self, session: &mut ClientSession) -> Result<Outcome, StoreError> {
        self.carry_out(Some(session)).await
    }
}

impl Creation<'_> {
    async fn carry_out(&mut self, mut session: Option<&mut ClientSession>) -> Result<Outcome, StoreError> {
        let standings = self.standings(session.as_deref_mut()).await?;
        let opened: Vec<Result<NewBilling, BillingRefused>> = self
            .orders
            .iter()
            .map(|order| {
                let standing = standings.get(order.draft.user_id.as_str());
                NewBilling::open(
                    standing.copied().unwrap_or(UserStanding::Unknown),
                    order.draft.clone(),
                    self.now,
                )
            })
            .collect();
        let allowed = opened.iter().filter(|opened| opened.is_ok()).count();
        let count = u16::try_from(allowed).unwrap_or(u16::MAX);
        let mut numbers = counters::take_numbers(self.store.mongo(), session.as_deref_mut(), count).await?;
        let mut all = Vec::with_capacity(opened.len());
        let mut documents = Vec::with_capacity(allowed);
        let mut answers = Vec::new();
        for (order, opened) in self.orders.iter().zip(opened) {
            // A refused creation takes no number.
            let numbered = opened.map(|billing| numbers.next().map(|number| (billing, number)));
            match numbered {
                Err(refused) => all.push(Created::Refused(refused)),
                Ok(None) => return Err(counters::too_few_numbers()),
                Ok(Some((billing, number))) => {
                    let document = billings::document(&billing, &number, order.id, self.now);
                    answers.extend(answer(order, &document)?);
                    documents.push(document.clone());
                    all.push(Created::Made(document));
                }
            }
        }
        self.insert(&documents, session.as_deref_mut()).await?;
        self.tell(&documents, session.as_deref_mut()).await?;
        if !self.store.answer_claims(session.as_deref_mut(), &answers).await? {
            if let Some(session) = session {
                // Rolls back what was done above; the commit that follows has nothing left to commit.
                session.abort_transaction().await?;
                session.start_transaction().await?;
            }
            return Ok(Outcome::Separately);
        }
        Ok(Outcome::All(all))
    }

    /// What the rule must know of the users whom the billings are for.
    async fn standings(
        &self,
        session: Option<&mut ClientSession>,
    ) -> Result<HashMap<String, UserStanding>, StoreError> {
        let ids: Vec<&str> = self.orders.iter().map(|order| order.draft.user_id.as_str()).collect();
        let users: Collection<Document> = self.store.mongo().collection(users::COLLECTION);
        let find = users
            .find(doc! { "userId": { "$in": ids } })
            .projection(doc! { "_id": 0, "userId": 1, "isActive": 1 });
        let found: Vec<Document> = match session {
            Some(session) => {
                let mut cursor = find.session(&mut *session).await?;
                cursor.stream(session).try_collect().await?
            }
            None => find.await?.try_collect().await?,
        };
        Ok(found
            .into_iter()
            .filter_map(|user| {
                // A user without the field is active, as the model's default says.
                let standing = match user.get("isActive") {
                    None | Some(Bson::Boolean(true)) => UserStanding::Active,
                    Some(_) => UserStanding::Suspended,
                };
                Some((user.get_str("userId").ok()?.to_owned(), standing))
            })
            .collect())
    }

    async fn insert(
        &self,
        documents: &[RawDocumentBuf],
        session: Option<&mut ClientSession>,
    ) -> Result<(), StoreError> {
        if documents.is_empty() {
            return Ok(());
        }
        let insert = self.store.billings().insert_many(documents);
        match session {
            Some(session) => insert.session(session).await?,
            None => insert.await?,
        };
        Ok(())
    }

    fn trace_of(&self, document: &RawDocument) -> Option<&TraceContext> {
        let traced = self.orders.iter().filter(|order| order.trace.is_some());
        let mut orders = traced.filter(|order| document.get_object_id("_id").is_ok_and(|id| id == order.id));
        orders.next()?.trace.as_ref()
    }

    async fn tell(&self, documents: &[RawDocumentBuf], session: Option<&mut ClientSession>) -> Result<(), StoreError> {
        let Some(log) = self.store.change_log().filter(|_| !documents.is_empty()) else {
            return Ok(());
        };
        let changes: Vec<Change<'_>> = documents
            .iter()
            .map(|document| Change {
                kind: ChangeKind::BillingCreated,
                document,
                trace: self.trace_of(document),
            })
            .collect();
        log.record(session, &changes).await
    }
}

fn answer(order: &Order, document: &RawDocument) -> Result<Option<(Claim, StoredAnswer)>, StoreError> {
    let Some(repeatable) = &order.repeatable else {
        return Ok(None);
    };
    let effect = Effect {
        document: document.to_owned(),
        remaining_billings: None,
    };
    Ok(Some((repeatable.claim.clone(), (repeatable.answering)(&effect)?)))
}
