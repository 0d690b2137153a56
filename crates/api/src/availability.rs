//! Whether MongoDB is there. While it is not, requests are refused at once instead of being kept waiting.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use billwright_store::Mongo;
use tokio::{
    sync::{Mutex, watch},
    time::Instant,
};

use crate::{error::ApiError, state::AppState};

/// How long a request may take before MongoDB is asked whether it is still there.
const SUSPICIOUS_AFTER: Duration = Duration::from_millis(300);

/// How long MongoDB may take to say so, and how often it is asked before it is taken to be away. Together with the time
/// above less than a second.
const ANSWERS_WITHIN: Duration = Duration::from_millis(300);
const ASKED: usize = 2;

/// A wait that took this much longer than it should have tells of a machine that is too busy to judge anybody by.
const TOO_BUSY_TO_TELL: Duration = Duration::from_millis(50);

/// What is known about MongoDB.
pub(crate) struct Availability {
    mongo: Mongo,
    up: watch::Sender<bool>,
    started: Instant,
    /// When MongoDB last answered anything, in milliseconds since `started`.
    last_answer: AtomicU64,
    /// When MongoDB was last asked in vain.
    asked_in_vain: Mutex<Option<Instant>>,
}

impl Availability {
    /// MongoDB is taken to be there until it turns out not to be.
    pub(crate) fn new(mongo: Mongo) -> Self {
        Self {
            mongo,
            up: watch::Sender::new(true),
            started: Instant::now(),
            last_answer: AtomicU64::new(0),
            asked_in_vain: Mutex::new(None),
        }
    }

    /// Notes that MongoDB is there or not.
    pub(crate) fn set(&self, up: bool) {
        if up {
            self.note_answer();
        }
        self.up.send_if_modified(|before| std::mem::replace(before, up) != up);
    }

    fn note_answer(&self) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_answer.fetch_max(now, Ordering::Relaxed);
    }

    fn answered_lately(&self) -> bool {
        let last = self.started + Duration::from_millis(self.last_answer.load(Ordering::Relaxed));
        last.elapsed() < ANSWERS_WITHIN
    }

    /// Asks MongoDB whether it is there, unless it has answered something within the last moments.
    async fn answers(&self) -> bool {
        // One asks, and those who waited for it take its result.
        let waiting_since = Instant::now();
        let mut asked_in_vain = self.asked_in_vain.lock().await;
        if self.answered_lately() {
            return true;
        }
        if asked_in_vain.is_some_and(|at| at >= waiting_since) {
            return false;
        }
        let answers = self.answers_when_asked().await;
        if answers {
            self.note_answer();
        } else {
            *asked_in_vain = Some(Instant::now());
        }
        answers
    }

    async fn answers_when_asked(&self) -> bool {
        for _ in 0..ASKED {
            let asked_at = Instant::now();
            match tokio::time::timeout(ANSWERS_WITHIN, self.mongo.ping()).await {
                Ok(Ok(())) => return true,
                Ok(Err(error)) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, "MongoDB left a request waiting and is away");
                    return false;
                }
                Err(_) if asked_at.elapsed() > ANSWERS_WITHIN + TOO_BUSY_TO_TELL => return true,
                Err(_) => {}
            }
        }
        tracing::warn!("MongoDB left a request waiting and does not answer");
        false
    }

    /// Ends once MongoDB is known to be away.
    async fn lost(&self) {
        let mut up = self.up.subscribe();
        loop {
            let gone = async { up.wait_for(|up| !up).await.is_ok() };
            tokio::select! {
                gone = gone => if gone { return },
                () = tokio::time::sleep(SUSPICIOUS_AFTER) => if !self.answers().await { return },
            }
        }
    }
}

/// Refuses requests while MongoDB is away, and gives up those that it leaves without an answer.
pub(crate) async fn guard(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if !*state.availability.up.borrow() {
        return ApiError::Away.into_response();
    }
    tokio::select! {
        biased;
        response = next.run(request) => {
            if response.status().is_success() {
                state.availability.note_answer();
            }
            response
        }
        () = state.availability.lost() => ApiError::Away.into_response(),
        () = tokio::time::sleep(state.request_timeout) => ApiError::Timeout.into_response(),
    }
}
