//! Writes of one document: users are made, changed and deleted here, billings changed and deleted (they are made in
//! [`super::creation`]).

use std::sync::Arc;

use billwright_domain::{
    billing::BillingChange,
    user::{NewUser, UserChange},
};
use bson::{Bson, Document, RawDocument, RawDocumentBuf, doc, oid::ObjectId};
use chrono::{DateTime, Utc};
use mongodb::{ClientSession, Collection, options::ReturnDocument, options::UpdateModifications};

use super::{
    billing_store::BillingStore,
    billings,
    changes::{Change, ChangeKind},
    idempotency::{Claim, StoredAnswer},
    lookup,
    transaction::{Work, in_transaction},
    users,
    version::Precondition,
};
use crate::{StoreError, Topology};

/// Makes the answer to a write, to be stored with it.
pub type Answering = Arc<dyn Fn(&Effect) -> Result<StoredAnswer, StoreError> + Send + Sync>;

/// What comes with a write that a client may repeat.
#[derive(Clone)]
pub struct Repeatable {
    /// The claimed key.
    pub claim: Claim,
    /// Makes the answer that a repeat will get.
    pub answering: Answering,
}

/// What a write did.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// The document afterwards, or the last one before it was deleted.
    pub document: RawDocumentBuf,
    /// How many billings a deleted user leaves behind.
    pub remaining_billings: Option<u64>,
}

/// How a write ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    /// It is done.
    Done(Effect),
    /// There is no such document.
    NotFound,
    /// The key of the new document is taken.
    Taken,
    /// The document is not, or no longer, the one that the client meant.
    PreconditionFailed,
    /// The claimed key was taken over by a repeat of the request, and nothing was done here.
    ClaimLost,
}

/// The conditions under which a write is made.
#[derive(Clone, Default)]
pub struct Terms {
    /// What the stored document must be.
    pub precondition: Option<Precondition>,
    /// Set if the client may repeat the write.
    pub repeatable: Option<Repeatable>,
}

impl BillingStore {
    /// Makes a user.
    pub async fn create_user(&self, user: &NewUser, terms: Terms, now: DateTime<Utc>) -> Result<Written, StoreError> {
        let document = users::document(user, ObjectId::new(), now);
        let user_id = doc! { "userId": user.user_id.as_str() };
        if !self.has_unique_indexes() && self.users().find_one(user_id).await?.is_some() {
            return Ok(Written::Taken);
        }
        self.write(Kind::User, Vec::new(), Action::Insert(document), terms)
            .await
    }

    /// Changes the user whose `_id` or `userId` is `id`.
    pub async fn update_user(
        &self,
        id: &str,
        change: &UserChange,
        terms: Terms,
        now: DateTime<Utc>,
    ) -> Result<Written, StoreError> {
        let update = doc! { "$set": users::changed_fields(change, now) };
        self.write(Kind::User, lookup::user(id), Action::Update(update.into()), terms)
            .await
    }

    /// Deletes the user whose `_id` or `userId` is `id`. The user's billings stay, and are counted.
    pub async fn delete_user(&self, id: &str, terms: Terms) -> Result<Written, StoreError> {
        self.write(Kind::User, lookup::user(id), Action::Delete, terms).await
    }

    /// Changes the billing whose `billingId` or `_id` is `id`.
    pub async fn update_billing(
        &self,
        id: &str,
        change: &BillingChange,
        terms: Terms,
        now: DateTime<Utc>,
    ) -> Result<Written, StoreError> {
        let update = billings::update(change, now);
        self.write(Kind::Billing, lookup::billing(id), Action::Update(update), terms)
            .await
    }

    /// Deletes the billing whose `billingId` or `_id` is `id`.
    pub async fn delete_billing(&self, id: &str, terms: Terms) -> Result<Written, StoreError> {
        self.write(Kind::Billing, lookup::billing(id), Action::Delete, terms)
            .await
    }

    async fn write(
        &self,
        kind: Kind,
        lookups: Vec<Document>,
        action: Action,
        terms: Terms,
    ) -> Result<Written, StoreError> {
        let mut work = WriteOne {
            store: self,
            kind,
            lookups,
            action,
            terms,
        };
        let as_a_whole = work.terms.repeatable.is_some() || self.change_log().is_some();
        let written = if as_a_whole && self.topology().await? == Topology::Transactional {
            in_transaction(self.mongo(), &mut work).await
        } else {
            work.carry_out(None).await
        };
        match written {
            Err(StoreError::Duplicate { .. }) if matches!(work.action, Action::Insert(_)) => Ok(Written::Taken),
            written => written,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    User,
    Billing,
}

enum Action {
    Insert(RawDocumentBuf),
    Update(UpdateModifications),
    Delete,
}

struct WriteOne<'a> {
    store: &'a BillingStore,
    kind: Kind,
    lookups: Vec<Document>,
    action: Action,
    terms: Terms,
}

/// What was done, before the answer is stored.
enum Step {
    Done {
        before: Option<RawDocumentBuf>,
        document: RawDocumentBuf,
    },
    NotFound,
    PreconditionFailed,
}

impl Work for WriteOne<'_> {
    type Output = Written;

    async fn run(&mut self, session: &mut ClientSession) -> Result<Written, StoreError> {
        self.carry_out(Some(session)).await
    }
}

impl WriteOne<'_> {
    async fn carry_out(&mut self, mut session: Option<&mut ClientSession>) -> Result<Written, StoreError> {
        let (before, document) = match self.step(session.as_deref_mut()).await? {
            Step::Done { before, document } => (before, document),
            Step::NotFound => return Ok(Written::NotFound),
            Step::PreconditionFailed => return Ok(Written::PreconditionFailed),
        };
        if let Some(log) = self.store.change_log() {
            let kind = self.change_kind(before.as_deref(), &document);
            let change = Change {
                kind,
                document: &document,
                trace: None,
            };
            log.record(session.as_deref_mut(), &[change]).await?;
        }
        let remaining_billings = self.remaining_billings(session.as_deref_mut(), &document).await?;
        let effect = Effect {
            document,
            remaining_billings,
        };
        if let Some(repeatable) = &self.terms.repeatable {
            let answer = (repeatable.answering)(&effect)?;
            let claims = [(repeatable.claim.clone(), answer)];
            if !self.store.answer_claims(session.as_deref_mut(), &claims).await? {
                if let Some(session) = session {
                    // Rolls back what was done above; the commit that follows has nothing left to commit.
                    session.abort_transaction().await?;
                    session.start_transaction().await?;
                }
                return Ok(Written::ClaimLost);
            }
        }
        Ok(Written::Done(effect))
    }

    async fn step(&self, mut session: Option<&mut ClientSession>) -> Result<Step, StoreError> {
        let documents = self.collection();
        if let Action::Insert(document) = &self.action {
            let insert = documents.insert_one(document);
            match session {
                Some(session) => insert.session(session).await?,
                None => insert.await?,
            };
            return Ok(Step::Done {
                before: None,
                document: document.clone(),
            });
        }
        let reads_before = self.terms.precondition.is_some() || self.store.change_log().is_some();
        for filter in &self.lookups {
            if !reads_before {
                if let Some(document) = self.change(filter.clone(), session.as_deref_mut()).await? {
                    return Ok(Step::Done { before: None, document });
                }
                continue;
            }
            for _ in 0..PATIENCE_WITH_OTHERS {
                let find = documents.find_one(filter.clone());
                let found = match session.as_deref_mut() {
                    Some(session) => find.session(session).await?,
                    None => find.await?,
                };
                let Some(before) = found else { break };
                if let Some(precondition) = &self.terms.precondition
                    && !precondition.holds_for(&before)
                {
                    return Ok(Step::PreconditionFailed);
                }
                // Nothing may come in between: a transaction sees to that by itself, and elsewhere the filter matches
                // exactly what was read.
                let same = match session {
                    Some(_) => by_id(&before)?,
                    None => exactly(&before)?,
                };
                if let Some(document) = self.change(same, session.as_deref_mut()).await? {
                    return Ok(Step::Done {
                        before: Some(before),
                        document,
                    });
                }
            }
        }
        Ok(Step::NotFound)
    }

    async fn change(
        &self,
        filter: Document,
        session: Option<&mut ClientSession>,
    ) -> Result<Option<RawDocumentBuf>, StoreError> {
        let documents = self.collection();
        Ok(match (&self.action, session) {
            (Action::Update(update), session) => {
                let action = documents
                    .find_one_and_update(filter, update.clone())
                    .return_document(ReturnDocument::After);
                match session {
                    Some(session) => action.session(session).await?,
                    None => action.await?,
                }
            }
            (Action::Delete, Some(session)) => documents.find_one_and_delete(filter).session(session).await?,
            (Action::Delete, None) => documents.find_one_and_delete(filter).await?,
            (Action::Insert(_), _) => None,
        })
    }

    async fn remaining_billings(
        &self,
        session: Option<&mut ClientSession>,
        document: &RawDocument,
    ) -> Result<Option<u64>, StoreError> {
        let (Kind::User, Action::Delete, Ok(user_id)) = (self.kind, &self.action, document.get_str("userId")) else {
            return Ok(None);
        };
        let count = self.store.billings().count_documents(doc! { "userId": user_id });
        Ok(Some(match session {
            Some(session) => count.session(session).await?,
            None => count.await?,
        }))
    }

    fn collection(&self) -> &Collection<RawDocumentBuf> {
        match self.kind {
            Kind::User => self.store.users(),
            Kind::Billing => self.store.billings(),
        }
    }

    fn change_kind(&self, before: Option<&RawDocument>, after: &RawDocument) -> ChangeKind {
        let paid = |document: &RawDocument| document.get_bool("isPaid").unwrap_or(false);
        match (self.kind, &self.action) {
            (Kind::User, Action::Insert(_)) => ChangeKind::UserCreated,
            (Kind::User, Action::Update(_)) => ChangeKind::UserUpdated,
            (Kind::User, Action::Delete) => ChangeKind::UserDeleted,
            (Kind::Billing, Action::Insert(_)) => ChangeKind::BillingCreated,
            (Kind::Billing, Action::Update(_)) if paid(after) && !before.is_some_and(paid) => ChangeKind::BillingPaid,
            (Kind::Billing, Action::Update(_)) => ChangeKind::BillingUpdated,
            (Kind::Billing, Action::Delete) => ChangeKind::BillingDeleted,
        }
    }
}

/// How often a document is read again that others changed in between. Each time somebody else got further, so that this
/// many times in a row means that the document is gone, or hardly worth changing.
const PATIENCE_WITH_OTHERS: usize = 64;

fn by_id(document: &RawDocument) -> Result<Document, StoreError> {
    let id = document.get("_id").map_err(mongodb::error::Error::from)?;
    let id = id
        .map_or(Ok(Bson::Null), Bson::try_from)
        .map_err(mongodb::error::Error::from)?;
    Ok(doc! { "_id": id })
}

/// A filter for a document that is still byte for byte the one that was read.
fn exactly(document: &RawDocument) -> Result<Document, StoreError> {
    let whole = Document::try_from(document).map_err(mongodb::error::Error::from)?;
    let mut filter = by_id(document)?;
    filter.insert("$expr", doc! { "$eq": ["$$ROOT", { "$literal": whole }] });
    Ok(filter)
}
