//! `idempotency`: what was answered to a write that the client may repeat, kept for 24 hours.
//!
//! A write claims its key first. Its effect and its answer are then stored in one transaction, so that after a crash
//! either both are there and the answer is replayed, or neither is and the claim runs out.

use std::time::Duration;

use bson::{Bson, DateTime, Document, doc, oid::ObjectId};
use mongodb::{ClientSession, Collection};

use super::billing_store::BillingStore;
use crate::{
    StoreError,
    billz::leases::{millis, upsert},
};

/// The collection's name.
pub const COLLECTION: &str = "idempotency";

/// How long an answer is kept.
pub const KEPT_FOR: Duration = Duration::from_hours(24);

/// How long a claim holds without an answer, as when its process died. Longer than any write may take.
pub const CLAIM_HOLDS_FOR: Duration = Duration::from_mins(1);

/// An answer to a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The status code.
    pub status: u16,
    /// The headers that belong to the answer.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// The right to carry out the write that a key stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    key: String,
    token: ObjectId,
}

/// What became of the attempt to claim a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// The write is the caller's to carry out.
    Claim(Claim),
    /// It was carried out already.
    Answered(StoredAnswer),
    /// Somebody else is carrying it out right now.
    Running,
    /// The key stands for another request.
    OtherRequest,
}

impl BillingStore {
    /// Claims `key` for the request with this `fingerprint`.
    ///
    /// It is MongoDB's clock that tells whether a claim or an answer has run out: by those of the processes, a claim of one
    /// that is an hour ahead and died would hold for an hour.
    pub async fn claim(&self, key: &str, fingerprint: &str) -> Result<Claimed, StoreError> {
        let token = ObjectId::new();
        let past = |field: &str| doc! { "$lte": [{ "$ifNull": [field, DateTime::from_millis(0)] }, "$$NOW"] };
        let unanswered = doc! { "$eq": [{ "$type": "$answer" }, "missing"] };
        let same = doc! { "$eq": ["$fingerprint", { "$literal": fingerprint }] };
        // Only one of those who see that a claim has run out takes it over.
        let free = doc! { "$or": [
            past("$expiresAt"),
            { "$and": [same, unanswered, past("$claimedUntil")] },
        ] };
        let record = doc! {
            "_id": { "$literal": key },
            "fingerprint": { "$literal": fingerprint },
            "claim": token,
            "claimedUntil": { "$add": ["$$NOW", millis(CLAIM_HOLDS_FOR)] },
            "createdAt": "$$NOW",
            "expiresAt": { "$add": ["$$NOW", millis(KEPT_FOR)] },
        };
        let pipeline = vec![doc! { "$replaceWith": { "$cond": [free, record, "$$ROOT"] } }];
        let found = upsert(self.mongo(), COLLECTION, key, pipeline).await?;
        if found.get_object_id("claim").ok() == Some(token) {
            return Ok(Claimed::Claim(Claim {
                key: key.to_owned(),
                token,
            }));
        }
        if found.get_str("fingerprint").ok() != Some(fingerprint) {
            return Ok(Claimed::OtherRequest);
        }
        match found.get_document("answer") {
            Ok(answer) => Ok(Claimed::Answered(read_answer(key, answer)?)),
            Err(_) => Ok(Claimed::Running),
        }
    }

    /// Gives up a claim whose write changed nothing, so that the same key can be tried again.
    pub async fn release(&self, claim: &Claim) -> Result<(), StoreError> {
        let records: Collection<Document> = self.mongo().collection(COLLECTION);
        records
            .delete_one(doc! { "_id": &claim.key, "claim": claim.token, "answer": { "$exists": false } })
            .await?;
        Ok(())
    }

    /// Stores the answers of carried-out writes. Says whether every claim still held; if not, the transaction must be
    /// rolled back, since somebody else has taken over.
    pub(super) async fn answer_claims(
        &self,
        session: Option<&mut ClientSession>,
        answers: &[(Claim, StoredAnswer)],
    ) -> Result<bool, StoreError> {
        if answers.is_empty() {
            return Ok(true);
        }
        let updates: Vec<Document> = answers
            .iter()
            .map(|(claim, answer)| {
                doc! {
                    "q": { "_id": &claim.key, "claim": claim.token },
                    "u": { "$set": { "answer": write_answer(answer) }, "$unset": { "claimedUntil": "" } },
                }
            })
            .collect();
        let command = doc! { "update": COLLECTION, "updates": updates };
        let action = self.mongo().database().run_command(command);
        let reply = match session {
            Some(session) => action.session(session).await?,
            None => action.await?,
        };
        if let Some(error) = StoreError::of_reply(&reply) {
            return Err(error);
        }
        let matched = match reply.get("n") {
            Some(Bson::Int32(matched)) => usize::try_from(*matched).unwrap_or_default(),
            Some(Bson::Int64(matched)) => usize::try_from(*matched).unwrap_or_default(),
            _ => 0,
        };
        Ok(matched == answers.len())
    }
}

fn write_answer(answer: &StoredAnswer) -> Document {
    let headers: Vec<Bson> = answer
        .headers
        .iter()
        .map(|(name, value)| Bson::from(vec![Bson::from(name.as_str()), Bson::from(value.as_str())]))
        .collect();
    doc! { "status": i32::from(answer.status), "headers": headers, "body": answer.body.as_str() }
}

fn read_answer(key: &str, answer: &Document) -> Result<StoredAnswer, StoreError> {
    let read = || {
        Some(StoredAnswer {
            status: answer.get_i32("status").ok()?.try_into().ok()?,
            headers: answer
                .get_array("headers")
                .ok()?
                .iter()
                .map(|pair| match pair.as_array()?.as_slice() {
                    [Bson::String(name), Bson::String(value)] => Some((name.clone(), value.clone())),
                    _ => None,
                })
                .collect::<Option<_>>()?,
            body: answer.get_str("body").ok()?.to_owned(),
        })
    };
    read().ok_or_else(|| StoreError::Corrupt {
        collection: COLLECTION,
        id: key.to_owned(),
        problem: "`answer` is not {status, headers, body}".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_survives_storage() {
        let answer = StoredAnswer {
            status: 201,
            headers: vec![("etag".to_owned(), "\"ab\"".to_owned())],
            body: "{}".to_owned(),
        };
        assert_eq!(read_answer("k", &write_answer(&answer)).unwrap(), answer);
        assert!(read_answer("k", &doc! { "status": 1 }).is_err());
    }
}
