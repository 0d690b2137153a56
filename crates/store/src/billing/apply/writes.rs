//! The commands of one transaction.
//!
//! The driver's bulk writes need a server of version 8, and its single writes cost a round trip each; the commands below
//! are what both come down to, and every server since version 3.6 knows them.

use std::borrow::Cow;

use bson::{Document, RawArrayBuf, RawDocument, RawDocumentBuf, cstr, doc, raw::CStr, rawdoc};
use mongodb::{ClientSession, Database};

use super::ApplyError;
use crate::{Mongo, StoreError};

/// How many bytes of statements one command carries at most; the server takes documents of up to 16 MiB.
const LARGEST_COMMAND: usize = 8 * 1024 * 1024;

/// A document or statement of a command, written out at the latest when it is sent.
pub(super) trait Item {
    fn written(&self) -> Result<Cow<'_, RawDocument>, StoreError>;
}

impl Item for RawDocumentBuf {
    fn written(&self) -> Result<Cow<'_, RawDocument>, StoreError> {
        Ok(Cow::Borrowed(self))
    }
}

impl Item for Document {
    fn written(&self) -> Result<Cow<'_, RawDocument>, StoreError> {
        let written = RawDocumentBuf::try_from(self).map_err(mongodb::error::Error::from)?;
        Ok(Cow::Owned(written))
    }
}

pub(super) struct Writes<'a> {
    pub(super) mongo: &'a Mongo,
    pub(super) session: Option<&'a mut ClientSession>,
}

impl Writes<'_> {
    /// Inserts `documents`. A document that is there already means that somebody else was quicker.
    pub(super) async fn insert(&mut self, collection: &str, documents: &[impl Item]) -> Result<(), ApplyError> {
        self.run(cstr!("insert"), cstr!("documents"), collection, documents)
            .await
            .map(|_| ())
    }

    /// Makes the `statements`, each of which must match or upsert one document.
    pub(super) async fn update(&mut self, collection: &str, statements: &[impl Item]) -> Result<(), ApplyError> {
        let wanted = statements.len();
        let matched = self
            .run(cstr!("update"), cstr!("updates"), collection, statements)
            .await?;
        all_or_moved(matched, wanted)
    }

    /// Makes the delete `statements`, however many documents they match.
    pub(super) async fn delete(&mut self, collection: &str, statements: &[impl Item]) -> Result<(), ApplyError> {
        self.run(cstr!("delete"), cstr!("deletes"), collection, statements)
            .await
            .map(|_| ())
    }

    /// Deletes the documents with these `_id`s, each of which must be there.
    pub(super) async fn delete_each(&mut self, collection: &str, ids: &[Document]) -> Result<(), ApplyError> {
        let wanted = ids.len();
        let statement = |id: &Document| doc! { "q": { "_id": id.clone() }, "limit": 1 };
        let statements: Vec<_> = ids.iter().map(statement).collect();
        let deleted = self
            .run(cstr!("delete"), cstr!("deletes"), collection, &statements)
            .await?;
        all_or_moved(deleted, wanted)
    }

    /// Runs the command `verb` on `items`, in as many pieces as it takes. Gives the number of documents that it met.
    async fn run(
        &mut self,
        verb: &'static CStr,
        list: &'static CStr,
        collection: &str,
        items: &[impl Item],
    ) -> Result<usize, ApplyError> {
        let database = self.mongo.database().clone();
        let mut met = 0;
        let mut piece = RawArrayBuf::new();
        let mut empty = true;
        for item in items {
            let item = item.written()?;
            if !empty && piece.as_bytes().len() + item.as_bytes().len() > LARGEST_COMMAND {
                met += self
                    .send(&database, verb, list, collection, std::mem::take(&mut piece))
                    .await?;
            }
            piece.push(&*item);
            empty = false;
        }
        if !empty {
            met += self.send(&database, verb, list, collection, piece).await?;
        }
        Ok(met)
    }

    async fn send(
        &mut self,
        database: &Database,
        verb: &'static CStr,
        list: &'static CStr,
        collection: &str,
        items: RawArrayBuf,
    ) -> Result<usize, ApplyError> {
        let mut command = rawdoc! {};
        command.append(verb, collection);
        command.append(list, items);
        let action = database.run_raw_command(command);
        let reply = match self.session.as_deref_mut() {
            Some(session) => action.session(session).await,
            None => action.await,
        };
        let reply = reply.map_err(StoreError::from)?;
        if let Some(error) = StoreError::of_reply(&reply) {
            return Err(error.into());
        }
        let met = reply.get_i32("n").unwrap_or_default();
        Ok(usize::try_from(met).unwrap_or_default())
    }
}

fn all_or_moved(met: usize, wanted: usize) -> Result<(), ApplyError> {
    if met == wanted { Ok(()) } else { Err(ApplyError::Moved) }
}
