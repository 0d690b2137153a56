//! MongoDB: whether it is there, what it is, and whether we may write.

use billwright_domain::{Clock as _, SystemClock};
use billwright_store::{Mongo, MongoSettings, Topology};

use super::{Finding, clock};

/// The oldest version that we are tested with.
const OLDEST: (u32, u32) = (6, 0);

/// Tries one database.
pub(super) async fn check(name: &str, settings: &MongoSettings) -> Vec<Finding> {
    let settings = MongoSettings {
        // Somebody who asks has more patience than a request.
        server_selection_timeout: std::time::Duration::from_secs(5),
        max_pool_size: 4,
        ..settings.clone()
    };
    let unreachable = "see that MongoDB runs, that `MONGODB_URI` (or the product's own variable) names it, and that user and password are right";
    let mongo = match Mongo::open(&settings).await {
        Ok(mongo) => mongo,
        Err(error) => return vec![Finding::failed(name, error.to_string(), unreachable)],
    };
    let facts = match mongo.facts().await {
        Ok(facts) => facts,
        Err(error) => return vec![Finding::failed(name, error.to_string(), unreachable)],
    };
    let part = |what: &str| format!("{name}: {what}");
    let mut findings = vec![Finding::ok(
        name,
        format!("database `{}`, answered in {} ms", mongo.name(), facts.ping.as_millis()),
    )];
    let version = format!("MongoDB {}", facts.version);
    findings.push(if version_of(&facts.version) >= OLDEST {
        Finding::ok(part("version"), version)
    } else {
        Finding::warning(
            part("version"),
            version,
            "update to MongoDB 6.0 or later: older ones are not tested",
        )
    });
    findings.push(match (facts.topology, facts.replica_set) {
        (Topology::Transactional, Some(name)) => {
            Finding::ok(part("transactions"), format!("known: replica set `{name}`"))
        }
        (Topology::Transactional, None) => Finding::ok(part("transactions"), "known: sharded cluster"),
        (Topology::Standalone, _) => Finding::warning(
            part("transactions"),
            "unknown: a lone server",
            "make it a replica set of one (`rs.initiate()`): without transactions a crash can leave a number unused",
        ),
    });
    findings.push(match mongo.try_to_write(facts.topology).await {
        Ok(()) => Finding::ok(part("writing"), "tried and taken back"),
        Err(error) => Finding::failed(
            part("writing"),
            error.to_string(),
            "give the user the role `readWrite` on this database",
        ),
    });
    findings.push(match mongo.collections().await {
        Ok(collections) if collections.is_empty() => {
            Finding::ok(part("indexes"), "the database is empty; the first start makes them")
        }
        Ok(collections) => {
            let indexes: usize = collections.iter().map(|(_, indexes)| indexes).sum();
            let bare: Vec<&str> = collections
                .iter()
                .filter(|(_, indexes)| *indexes < 2)
                .map(|(name, _)| name.as_str())
                .collect();
            let mut found = format!("{indexes} in {} collections", collections.len());
            if !bare.is_empty() {
                found = format!("{found}; none but `_id` in {}", bare.join(", "));
            }
            Finding::ok(part("indexes"), found)
        }
        Err(error) => Finding::warning(
            part("indexes"),
            error.to_string(),
            "let the user list collections and indexes (`readWrite` allows it)",
        ),
    });
    let ours = SystemClock.now().timestamp_millis();
    findings.push(clock(&part("clock"), facts.clock.timestamp_millis(), ours));
    findings
}

fn version_of(text: &str) -> (u32, u32) {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or_default());
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(version_of("10.0.1") > version_of("6.0.5") && version_of("6.0.5") >= OLDEST);
        assert!(version_of("5.3") < OLDEST && version_of("unknown") < OLDEST);
    }
}
