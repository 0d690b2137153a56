//! The handle on a running sandbox.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use chrono::TimeDelta;
use rust_decimal::Decimal;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    faults::Faults,
    ledger::Ledger,
    rate_limit::RateLimiter,
    server::{self, Shared},
    settings::{RateLimit, SandboxSettings},
    variants::Variants,
    world::{Endpoint, World},
};

/// Why a sandbox does not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The address is taken, or not ours.
    #[error("the sandbox cannot listen on {address}: {source}; give another port, or 0 for a free one")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

/// A running sandbox. It stops, and closes its connections, when it is dropped.
#[derive(Debug)]
pub struct Sandbox {
    shared: Arc<Shared>,
    settings: SandboxSettings,
    address: SocketAddr,
}

impl Sandbox {
    /// Starts a sandbox; it answers as soon as this returns.
    pub async fn start(settings: SandboxSettings) -> Result<Self, SandboxError> {
        let listen = |source| SandboxError::Listen {
            address: settings.address,
            source,
        };
        let listener = TcpListener::bind(settings.address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let shared = Arc::new(Shared {
            faults: Faults::new(settings.seed),
            world: Mutex::new(World::new(settings.clone())),
            initial: settings.clone(),
            limiter: Mutex::new(RateLimiter::default()),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        shared.tasks.spawn(server::accept(Arc::clone(&shared), listener));
        Ok(Self {
            shared,
            settings,
            address,
        })
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it was started with.
    pub fn settings(&self) -> &SandboxSettings {
        &self.settings
    }

    /// Base URL of Billz, without a slash at its end.
    pub fn billz_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Base URL of Telegram, without a slash at its end; calls go to `{base}/bot<token>/sendMessage`.
    pub fn telegram_url(&self) -> String {
        self.billz_url()
    }

    /// Everything that happened so far.
    pub fn ledger(&self) -> Ledger {
        self.shared.world().ledger()
    }

    /// Everything that happened so far but the calls: cheap enough to be asked for again and again.
    pub fn ledger_without_calls(&self) -> Ledger {
        self.shared.world().ledger_without_calls()
    }

    /// Where faults are set.
    pub fn faults(&self) -> Faults {
        self.shared.faults.clone()
    }

    /// Makes every token invalid, as when the key is revoked and granted anew.
    pub fn revoke_tokens(&self) {
        self.shared.world().revoke_tokens();
    }

    /// Sets the stock of a product; `false` if there is no such product.
    pub fn set_stock(&self, product_id: &str, stock: impl Into<Decimal>) -> bool {
        self.shared.world().set_stock(product_id, stock.into())
    }

    /// Changes which unknown habits of Billz are shown.
    pub fn set_variant(&self, change: impl FnOnce(&mut Variants)) {
        change(&mut self.shared.world().settings.variants);
    }

    /// Sets, changes or takes away the limit of calls.
    pub fn set_rate_limit(&self, limit: Option<RateLimit>) {
        self.shared.world().settings.rate_limit = limit;
    }

    /// Sets which calls the key's role does not have.
    pub fn forbid(&self, calls: &[Endpoint]) {
        self.shared.world().settings.forbidden = calls.to_vec();
    }

    /// Moves the sandbox's clock forward (or back), so that tokens and parked sales expire.
    pub fn advance_clock(&self, step: TimeDelta) {
        let mut world = self.shared.world();
        world.settings.clock_offset += step;
    }

    /// Telegram turns a group into a supergroup with another id.
    pub fn move_group(&self, from: i64, to: i64) {
        self.shared.world().chats.move_group(from, to);
    }

    /// Throws the bot out of a chat, or lets it in again.
    pub fn set_kicked(&self, chat_id: i64, kicked: bool) {
        self.shared.world().chats.set_kicked(chat_id, kicked);
    }

    /// Puts everything back to how it was at the start: books, faults, limits, habits and clock.
    pub fn reset(&self) {
        self.shared.reset();
    }

    /// Runs until `stop` is cancelled, then stops.
    pub async fn serve_until(self, stop: CancellationToken) {
        stop.cancelled().await;
        self.stop().await;
    }

    /// Runs until the task that waits is dropped.
    pub async fn wait(&self) {
        self.shared.stop.cancelled().await;
    }

    /// Stops, and waits until every connection is closed.
    pub async fn stop(self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}
