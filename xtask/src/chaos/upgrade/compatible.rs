//! What must hold between two versions, beside all that must hold anyway.

use anyhow::{Context as _, Result};
use billwright_worker::admin::EnqueueOptions;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{Passed, Version};
use crate::chaos::{
    book::{ExpectedBilling, ExpectedUser, PutJob, lock},
    invariants::Violation,
    load::World,
    queue::Standing,
};

/// How many jobs of the newer version are asked for again.
const ASKED_AGAIN: usize = 150;
/// Types that are done once, whoever asks again and whatever happened since.
const DONE_ONCE: [&str; 3] = ["PLACE_ORDER", "ADD_ITEM", "CREATE_CLIENT"];

/// Something that does not hold between the versions, unless nothing was found.
pub(super) fn violation(invariant: &str, found: Vec<String>) -> Option<Violation> {
    (!found.is_empty()).then(|| Violation {
        invariant: invariant.to_owned(),
        found,
    })
}

/// In every phase jobs ended, writes were answered and events were applied.
pub(super) fn every_phase_lets_work_through(passed: &[Passed]) -> Vec<String> {
    let mut found = Vec::new();
    for phase in passed {
        let through = [("job", phase.jobs), ("write", phase.writes), ("event", phase.events)];
        for (what, _) in through.into_iter().filter(|(_, count)| *count == 0) {
            found.push(format!("no {what} went through while: {}", phase.name));
        }
    }
    found
}

/// `billwright check` of a version finds nothing that fails, whichever version worked last.
pub(super) async fn check(world: &World, program: &std::path::Path, version: Version) -> Result<Vec<String>> {
    let output = world.stage.fleet.command(program, &["check", "--json"]).await?;
    let answer: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{version}'s `check` answered no JSON; it ended with {}", output.status))?;
    Ok(failed_findings(&answer, version))
}

fn failed_findings(answer: &Value, version: Version) -> Vec<String> {
    let Some(findings) = answer["findings"].as_array() else {
        return vec![format!("{version}'s `check` has no findings: {answer}")];
    };
    let failed = findings.iter().filter(|finding| finding["result"] == "failed");
    failed
        .map(|finding| format!("{version}'s `check` of {}: {}", finding["check"], finding["found"]))
        .collect()
}

/// Puts jobs again that are done, as a producer does that lost an answer. Returns their ids.
pub(super) async fn ask_again(world: &World) -> Result<Vec<String>> {
    let jobs = world.book.jobs();
    let ids: Vec<String> = jobs.iter().map(|job| job.id.clone()).collect();
    let standing = world.queue.standing(&ids).await?;
    let done = jobs
        .into_iter()
        .zip(standing)
        .filter(|(job, standing)| DONE_ONCE.contains(&job.kind.as_str()) && matches!(standing, Standing::Completed(_)));
    let done: Vec<PutJob> = done.map(|(job, _)| job).collect();
    let every = done.len().div_ceil(ASKED_AGAIN).max(1);
    let mut ids = Vec::new();
    for first in done.into_iter().step_by(every) {
        let again = PutJob {
            id: format!("again-{}", first.id),
            accepted: false,
            ..first
        };
        let data = json!({
            "type": again.kind, "payload": again.payload, "correlationId": again.correlation_id,
            "timestamp": 1_795_960_800_000_u64,
        });
        let options = EnqueueOptions {
            job_id: Some(again.id.clone()),
            ..EnqueueOptions::default()
        };
        world.book.job(again.clone());
        if world.queue.put(&again.kind, &data, &options, world.give_up()).await {
            world.book.accepted(&again.id);
        }
        ids.push(again.id);
    }
    Ok(ids)
}

/// What was done once is known: all that was asked for again is done. (Whether with the same result, another invariant
/// tells.)
pub(super) async fn what_was_done_is_known(world: &World, again: &[String]) -> Result<Vec<String>> {
    let standing = world.queue.standing(again).await?;
    Ok(not_done(again.iter().zip(standing)))
}

fn not_done<'a>(jobs: impl Iterator<Item = (&'a String, Standing)>) -> Vec<String> {
    jobs.filter(|(_, standing)| !matches!(standing, Standing::Completed(_)))
        .map(|(id, standing)| format!("{id} was done before and is now {standing:?}"))
        .collect()
}

/// Every user and every billing of the writers, read through the processes that run now, is what it must be.
pub(super) async fn every_document_is_read(world: &World) -> Result<Vec<String>> {
    let http = reqwest::Client::builder().build()?;
    let api = lock(&world.book.api).clone();
    let mut members = world.stage.fleet.members.iter().cycle();
    let mut found = Vec::new();
    let users = api
        .users
        .iter()
        .map(|(id, user)| (format!("/api/users/{id}"), Expected::User(user)));
    let billings = api
        .billings
        .iter()
        .map(|(id, billing)| (format!("/api/billings/{id}"), Expected::Billing(billing)));
    for (path, expected) in users.chain(billings) {
        let url = members.next().map_or("", |member| &member.url);
        let response = http.get(format!("{url}{path}")).send().await?;
        let (status, body) = (response.status(), response.json::<Value>().await.unwrap_or_default());
        if status != StatusCode::OK || !expected.is_shown_by(&body) {
            found.push(format!("GET {path} shows {status} {body}, expected {expected:?}"));
        }
    }
    Ok(found)
}

#[derive(Debug)]
enum Expected<'a> {
    User(&'a ExpectedUser),
    Billing(&'a ExpectedBilling),
}

impl Expected<'_> {
    fn is_shown_by(&self, body: &Value) -> bool {
        match self {
            Self::User(user) => {
                body["address"]["city"].as_str() == user.city.as_deref() && body["isActive"] == user.active
            }
            Self::Billing(billing) => {
                body["userId"] == billing.user_id
                    && body["totalInvoice"].as_f64() == Value::from(billing.total).as_f64()
                    && body["isPaid"] == billing.paid
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn phase(jobs: u64, writes: u64, events: u64) -> Passed {
        Passed {
            name: "both versions".to_owned(),
            lasted: Duration::from_secs(1),
            ready_after: None,
            jobs,
            writes,
            events,
        }
    }

    #[test]
    fn a_phase_in_which_something_stands_still_is_found() {
        let none: Vec<String> = Vec::new();
        assert_eq!(every_phase_lets_work_through(&[phase(1, 1, 1)]), none);
        for (standing, what) in [
            (phase(0, 1, 1), "job"),
            (phase(1, 0, 1), "write"),
            (phase(1, 1, 0), "event"),
        ] {
            assert_eq!(
                every_phase_lets_work_through(&[phase(1, 1, 1), standing]),
                [format!("no {what} went through while: both versions")]
            );
        }
    }

    #[test]
    fn a_check_that_fails_is_found_and_a_warning_is_none() {
        let answer = |result: &str| json!({"findings": [{"check": "MongoDB", "result": result, "found": "an index"}]});
        let none: Vec<String> = Vec::new();
        assert_eq!(failed_findings(&answer("warning"), Version::Old), none);
        assert_eq!(failed_findings(&answer("failed"), Version::Old).len(), 1);
        assert_eq!(failed_findings(&json!({"problems": []}), Version::Old).len(), 1);
    }

    #[test]
    fn a_job_that_was_done_and_is_done_no_more_is_found() {
        let ids = ["again-1".to_owned(), "again-2".to_owned()];
        let standing = [Standing::Completed(json!({})), Standing::Failed("why".to_owned())];
        assert_eq!(
            not_done(ids.iter().zip(standing)),
            ["again-2 was done before and is now Failed(\"why\")"]
        );
    }

    #[test]
    fn a_document_that_reads_otherwise_is_found() {
        let user = ExpectedUser {
            city: Some("Cali".to_owned()),
            active: true,
        };
        let billing = ExpectedBilling {
            user_id: "api-1".to_owned(),
            total: 7,
            paid: true,
        };
        let (user, billing) = (Expected::User(&user), Expected::Billing(&billing));
        assert!(user.is_shown_by(&json!({"address": {"city": "Cali"}, "isActive": true})));
        assert!(!user.is_shown_by(&json!({"address": {"city": "Cali"}, "isActive": false})));
        assert!(billing.is_shown_by(&json!({"userId": "api-1", "totalInvoice": 7, "isPaid": true})));
        assert!(!billing.is_shown_by(&json!({"userId": "api-1", "totalInvoice": 8, "isPaid": true})));
    }
}
