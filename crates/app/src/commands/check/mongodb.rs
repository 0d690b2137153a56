//! MongoDB: whether it is there, what it is, and whether we may write.

use billwright_domain::{Clock as _, SystemClock};
use billwright_store::{Mongo, MongoSettings, Topology, WantedIndexes};

use super::{Finding, clock, version_of};

/// The oldest version that we are tested with.
const OLDEST: (u32, u32) = (6, 0);

/// Tries one database, in which the indexes should be those that are `wanted`.
pub(super) async fn check(name: &str, settings: &MongoSettings, wanted: WantedIndexes) -> Vec<Finding> {
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
    findings.push(indexes(&mongo, wanted, part("indexes")).await);
    let ours = SystemClock.now().timestamp_millis();
    findings.push(clock(&part("clock"), facts.clock.timestamp_millis(), ours));
    findings
}

/// Compares the indexes of the collections that are there with those that are wanted.
async fn indexes(mongo: &Mongo, wanted: WantedIndexes, check: String) -> Finding {
    match mongo.compare_indexes(&wanted).await {
        Ok(found) if found.problems.is_empty() && found.in_place == 0 => {
            Finding::ok(check, "none yet; the first start makes them")
        }
        Ok(found) if found.problems.is_empty() => Finding::ok(check, format!("all {} are there", found.in_place)),
        Ok(found) => Finding::warning(
            check,
            found.problems.join("; "),
            "start Billwright: it makes what is missing, and its log says why where it cannot; drop what exists in another shape, so that it is made anew",
        ),
        Err(error) => Finding::warning(
            check,
            error.to_string(),
            "let the user list collections and indexes (`readWrite` allows it)",
        ),
    }
}
