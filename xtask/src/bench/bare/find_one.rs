//! One document by its key, as raw bytes.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use bson::{Document, RawDocumentBuf};

use super::super::{ground::Ground, meter::Used, rest::CONNECTIONS, wrk::Answers};

pub(in crate::bench) async fn run(
    ground: &Ground,
    database: &str,
    collection: &str,
    filters: &[Document],
    lasts: Duration,
) -> Result<(Answers, Used)> {
    let client = super::client(ground, CONNECTIONS).await?;
    let collection = client.database(database).collection::<RawDocumentBuf>(collection);
    let filters: Arc<[Document]> = filters.into();
    super::repeat(ground, CONNECTIONS, lasts, move |number| {
        let (collection, filters) = (collection.clone(), Arc::clone(&filters));
        async move {
            let filter = filters[number % filters.len()].clone();
            collection
                .find_one(filter)
                .await?
                .context("the document is gone")
                .map(drop)
        }
    })
    .await
}
