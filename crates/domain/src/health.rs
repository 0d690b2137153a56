//! What each part of the process says about the things it depends on, for readiness and for people.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError, RwLock},
};

use serde::Serialize;

/// How a dependency is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// It works.
    Up,
    /// It works in part, or more slowly; work goes on.
    Degraded,
    /// It does not work; what needs it waits or is refused.
    Down,
}

/// A dependency's condition and what a person should know about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DependencyHealth {
    /// How it is doing.
    pub condition: Condition,
    /// What was seen and what to do about it; never a secret.
    pub detail: String,
}

/// The board on which every part of the process posts the condition of its dependencies. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct HealthBoard(Arc<RwLock<Posted>>);

#[derive(Debug, Default)]
struct Posted {
    now: BTreeMap<&'static str, DependencyHealth>,
    /// What was seen to work, if only once.
    reached: BTreeSet<&'static str>,
}

impl HealthBoard {
    /// Posts the condition of `dependency`, such as `billing.mongodb` or `worker.redis`. Says whether it changed.
    pub fn post(&self, dependency: &'static str, condition: Condition, detail: impl Into<String>) -> bool {
        let now = DependencyHealth {
            condition,
            detail: detail.into(),
        };
        let mut posted = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if condition != Condition::Down {
            posted.reached.insert(dependency);
        }
        let before = posted.now.insert(dependency, now);
        before.is_none_or(|before| before.condition != condition)
    }

    /// Everything that was posted, by name.
    pub fn all(&self) -> BTreeMap<&'static str, DependencyHealth> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).now.clone()
    }

    /// The dependencies that have not worked even once since the start.
    pub fn never_reached(&self) -> Vec<&'static str> {
        let posted = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let never = posted.now.keys().filter(|name| !posted.reached.contains(*name));
        never.copied().collect()
    }

    /// The worst condition on the board; up when nothing was posted.
    pub fn worst(&self) -> Condition {
        self.all()
            .values()
            .map(|health| health.condition)
            .max()
            .unwrap_or(Condition::Up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_worst_and_notices_changes() {
        let board = HealthBoard::default();
        assert_eq!(board.worst(), Condition::Up);
        assert!(board.post("worker.redis", Condition::Down, "connection refused"));
        assert!(!board.post("worker.redis", Condition::Down, "connection refused again"));
        assert_eq!(board.worst(), Condition::Down);
        assert_eq!(board.never_reached(), ["worker.redis"]);
        assert!(board.post("worker.redis", Condition::Up, ""));
        assert!(board.post("worker.redis", Condition::Down, "gone"));
        assert!(board.never_reached().is_empty());
        assert!(board.post("worker.redis", Condition::Up, ""));
        assert_eq!(board.worst(), Condition::Up);
    }
}
