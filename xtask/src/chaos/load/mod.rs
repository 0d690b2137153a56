//! The load: generators that draw from the seed what to put in, and keep to it however long the servers are away.

mod events;
mod jobs;
mod orders;
mod writes;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::Result;
use rand::{SeedableRng as _, rngs::StdRng};
use tokio::{task::JoinSet, time::Instant};

pub(super) use self::writes::{ANSWERS, REPEATS};
use super::{
    book::{Book, lock},
    queue::Queue,
    stage::Stage,
};

/// How long after the last fault a generator may take to finish what it has begun.
const LAST_WORD: Duration = Duration::from_mins(2);

/// What every generator has.
#[derive(Clone)]
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) stage: Arc<Stage>,
    pub(super) book: Arc<Book>,
    pub(super) queue: Arc<Queue>,
    until: Arc<Mutex<Instant>>,
}

impl World {
    /// A world with nothing in it yet, in which things are begun for so long.
    pub(super) fn new(seed: u64, stage: Arc<Stage>, length: Duration) -> Self {
        Self {
            seed,
            book: Arc::default(),
            queue: Arc::new(Queue::new(stage.queue(), stage.redis.url())),
            stage,
            until: Arc::new(Mutex::new(Instant::now() + length)),
        }
    }

    /// When nothing new is begun any more.
    pub(super) fn until(&self) -> Instant {
        *lock(&self.until)
    }

    /// Has things begun for so long from now on, and no longer.
    pub(super) fn go_on_for(&self, length: Duration) {
        *lock(&self.until) = Instant::now() + length;
    }

    /// Chances of a generator's own, the same in every run with the same seed.
    pub(super) fn chances(&self, generator: &str, number: u64) -> StdRng {
        // FNV-1a: simple, and the same in every version.
        let seed = generator
            .bytes()
            .chain(number.to_le_bytes())
            .fold(self.seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        StdRng::seed_from_u64(seed)
    }

    /// Whether anything new is begun.
    fn goes_on(&self) -> bool {
        Instant::now() < self.until()
    }

    /// When even what was begun is given up.
    pub(super) fn give_up(&self) -> Instant {
        self.until() + LAST_WORD
    }
}

/// Everything that puts something in, from now until `world.until()`.
pub(super) struct Load(JoinSet<Result<()>>);

impl Load {
    /// Writes what must be there before, and begins.
    pub(super) async fn begin(world: &World) -> Result<Self> {
        let shop = orders::Shop::open(world).await?;
        let mut generators = JoinSet::new();
        generators.spawn(jobs::run(world.clone(), shop));
        for number in 0..writes::WRITERS {
            generators.spawn(writes::run(world.clone(), number));
        }
        for number in 0..events::PRODUCERS {
            generators.spawn(events::run(world.clone(), number));
        }
        Ok(Self(generators))
    }

    /// Waits until everything that was begun has its answer, or was given up.
    pub(super) async fn end(mut self) -> Result<()> {
        while let Some(ended) = self.0.join_next().await {
            ended??;
        }
        Ok(())
    }
}
