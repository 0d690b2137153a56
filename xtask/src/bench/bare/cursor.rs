//! A whole collection, copied from the cursor's bytes to a socket.

use std::time::Duration;

use anyhow::Result;
use bson::{RawDocumentBuf, doc};
use futures_util::TryStreamExt as _;
use mongodb::Collection;
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
};

use super::super::{ground::Ground, meter::Used, wrk::Answers};

/// Documents in one answer of MongoDB.
const BATCH: u32 = 1_001;

pub(in crate::bench) async fn run(
    ground: &Ground,
    database: &str,
    at_once: u32,
    lasts: Duration,
) -> Result<(Answers, Used)> {
    let client = super::client(ground, at_once).await?;
    let billings = client.database(database).collection::<RawDocumentBuf>("billings");
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let sink = tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move { tokio::io::copy(&mut socket, &mut tokio::io::sink()).await });
        }
    });
    let outcome = super::repeat(ground, at_once, lasts, move |_| {
        let billings = billings.clone();
        async move { copy(&billings, TcpStream::connect(address).await?).await }
    })
    .await;
    sink.abort();
    outcome
}

async fn copy(billings: &Collection<RawDocumentBuf>, mut socket: TcpStream) -> Result<()> {
    let mut batches = billings.find(doc! {}).batch_size(BATCH).batch().await?;
    while let Some(batch) = batches.try_next().await? {
        socket.write_all(batch.as_raw_document().as_bytes()).await?;
    }
    socket.shutdown().await?;
    Ok(())
}
