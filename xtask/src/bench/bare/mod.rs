//! Bare loops over the drivers, which do only the commands that the work needs: the limits that we compare ourselves
//! with.

pub(super) mod creations;
pub(super) mod cursor;
pub(super) mod events;
pub(super) mod find_one;
pub(super) mod processor;

use std::time::{Duration, Instant};

use anyhow::Result;
use mongodb::{Client, options::ClientOptions};
use tokio::task::JoinSet;

use super::{ground::Ground, meter::Used, wrk::Answers};

/// A client of the driver with as many connections as are used at a time.
async fn client(ground: &Ground, connections: u32) -> Result<Client> {
    let mut options = ClientOptions::parse(ground.servers().mongodb.uri()).await?;
    options.max_pool_size = Some(connections);
    Ok(Client::with_options(options)?)
}

/// Does `work` in so many tasks again and again for as long as it `lasts`, after a while of the same that is not
/// counted. The number that the work is given says which time it is.
async fn repeat<W, F>(ground: &Ground, tasks: u32, lasts: Duration, work: W) -> Result<(Answers, Used)>
where
    W: Fn(usize) -> F + Clone + Send + 'static,
    F: Future<Output = Result<()>> + Send,
{
    at_once(tasks, lasts.mul_f64(0.2), &work).await?;
    let meter = ground.meter_own()?;
    let begun = Instant::now();
    let times = at_once(tasks, lasts, &work).await?;
    let seconds = begun.elapsed().as_secs_f64();
    Ok((Answers::of_loop(&times, seconds)?, meter.stop()?))
}

async fn at_once<W, F>(tasks: u32, lasts: Duration, work: &W) -> Result<Vec<f64>>
where
    W: Fn(usize) -> F + Clone + Send + 'static,
    F: Future<Output = Result<()>> + Send,
{
    let end = Instant::now() + lasts;
    let step = usize::try_from(tasks)?;
    let mut running = JoinSet::new();
    for task in 0..step {
        let work = work.clone();
        running.spawn(async move {
            let mut times = Vec::new();
            let mut number = task;
            while times.is_empty() || Instant::now() < end {
                let asked = Instant::now();
                work(number).await?;
                times.push(asked.elapsed().as_secs_f64() * 1e3);
                number += step;
            }
            anyhow::Ok(times)
        });
    }
    let mut times = Vec::new();
    while let Some(ended) = running.join_next().await {
        times.extend(ended??);
    }
    Ok(times)
}
