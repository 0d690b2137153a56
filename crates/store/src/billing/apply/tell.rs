//! What the outbox is told about a [`Unit`]: the documents before they go, and after they changed.

use std::collections::HashMap;

use bson::{Bson, RawDocumentBuf, doc};
use futures_util::TryStreamExt;
use mongodb::ClientSession;

use super::{CustomerEvents, Unit, UserWrite, plan::Plan};
use crate::{
    StoreError,
    billing::{
        billings,
        changes::{Change, ChangeKind, ChangeLog},
        users,
    },
};

/// Documents by their `userId`.
type ByUser = HashMap<String, Vec<RawDocumentBuf>>;

/// The documents that a unit deletes, as they were.
#[derive(Debug, Default)]
pub(super) struct Told {
    users: ByUser,
    billings: ByUser,
}

impl CustomerEvents {
    /// Reads what `unit` is about to delete.
    pub(super) async fn about_to_go(
        &self,
        mut session: Option<&mut ClientSession>,
        unit: &Unit<'_>,
    ) -> Result<Told, StoreError> {
        let ids = |goes: fn(&super::CustomerWrite) -> bool| -> Vec<Bson> {
            let going = unit.customers.iter().filter(|customer| goes(customer));
            going.map(|customer| Bson::from(customer.user_id.as_str())).collect()
        };
        let users = ids(|customer| matches!(customer.user, UserWrite::Replace(_) | UserWrite::Delete));
        let owners = ids(|customer| customer.deletes_billings);
        Ok(Told {
            users: self.documents(session.as_deref_mut(), users::COLLECTION, users).await?,
            billings: self.documents(session, billings::COLLECTION, owners).await?,
        })
    }

    /// Tells `log` what `unit` did, customer by customer, in the order in which it did it.
    pub(super) async fn tell(
        &self,
        log: &dyn ChangeLog,
        mut session: Option<&mut ClientSession>,
        unit: &Unit<'_>,
        plan: &Plan,
        gone: &Told,
    ) -> Result<(), StoreError> {
        let ids = plan.changed_users.iter().map(|id| Bson::from(id.as_str())).collect();
        let changed = self.documents(session.as_deref_mut(), users::COLLECTION, ids).await?;
        let (created, billed) = (by_user(&plan.user_inserts), by_user(&plan.billing_inserts));
        let sources = [
            (ChangeKind::BillingDeleted, &gone.billings),
            (ChangeKind::UserDeleted, &gone.users),
            (ChangeKind::UserCreated, &created),
            (ChangeKind::UserUpdated, &changed),
            (ChangeKind::BillingCreated, &billed),
        ];
        let mut told = Vec::new();
        for customer in &unit.customers {
            for (kind, documents) in &sources {
                let own = documents.get(customer.user_id.as_str()).into_iter().flatten();
                told.extend(own.map(|document| Change {
                    kind: *kind,
                    document,
                    trace: customer.trace.as_ref(),
                }));
            }
        }
        log.record(session, &told).await
    }

    async fn documents(
        &self,
        session: Option<&mut ClientSession>,
        collection: &str,
        users: Vec<Bson>,
    ) -> Result<ByUser, StoreError> {
        let mut found = ByUser::new();
        if users.is_empty() {
            return Ok(found);
        }
        let collection = self.raw(collection);
        let find = collection
            .find(doc! { "userId": { "$in": users } })
            .sort(doc! { "_id": 1 });
        let documents: Vec<RawDocumentBuf> = match session {
            Some(session) => {
                let mut cursor = find.session(&mut *session).await?;
                cursor.stream(session).try_collect().await?
            }
            None => find.await?.try_collect().await?,
        };
        for document in documents {
            let owner = document.get_str("userId").unwrap_or_default().to_owned();
            found.entry(owner).or_default().push(document);
        }
        Ok(found)
    }
}

fn by_user(documents: &[RawDocumentBuf]) -> ByUser {
    let mut found = ByUser::new();
    for document in documents {
        let owner = document.get_str("userId").unwrap_or_default().to_owned();
        found.entry(owner).or_default().push(document.clone());
    }
    found
}
