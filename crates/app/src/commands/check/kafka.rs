//! Kafka: whether the brokers answer, and whether topic, group and dead letters are there.

use billwright_events::{
    EventsSettings,
    admin::{DeadLetterTopic, probe, probe_dead_letters},
};

use super::Finding;

const NAME: &str = "Kafka";

/// Tries it.
pub(super) async fn check(settings: &EventsSettings) -> Vec<Finding> {
    let facts = match probe(settings).await {
        Ok(facts) => facts,
        Err(error) => {
            return vec![Finding::failed(
                NAME,
                error.to_string(),
                "see that the brokers run, that `KAFKA_BROKERS` names them as this machine reaches them, and that `KAFKA_SECURITY_PROTOCOL` and the login are right",
            )];
        }
    };
    let mut findings = vec![Finding::ok(NAME, format!("{} brokers", facts.brokers))];
    for (topic, partitions) in &facts.topics {
        let check = format!("{NAME}: topic `{topic}`");
        let Some(partitions) = partitions else {
            findings.push(Finding::warning(
                check,
                "does not exist",
                "nothing, if its producer makes it: the consumer waits for it; otherwise set `KAFKA_TOPIC` to the right one",
            ));
            continue;
        };
        findings.push(Finding::ok(check, format!("{partitions} partitions")));
        let check = format!("{NAME}: dead letters of `{topic}`");
        findings.push(match probe_dead_letters(settings, topic).await {
            Ok(DeadLetterTopic::Writable) => Finding::ok(check, "writing was tried and taken back"),
            Ok(DeadLetterTopic::CanBeMade) => Finding::ok(check, "will be made when the first one comes"),
            Ok(DeadLetterTopic::Untried(reason)) => Finding::warning(
                check,
                format!("the topic is there; writing could not be tried without leaving a message: {reason}"),
                "see that this user may write to the topic",
            ),
            Err(error) => Finding::failed(
                check,
                error.to_string(),
                format!(
                    "make the topic `{}` with {partitions} partitions, and let this user write to it: the consumer waits for that at the first message that it cannot apply",
                    settings.dead_letter_topic(topic)
                ),
            ),
        });
    }
    let check = format!("{NAME}: group `{}`", settings.group_id);
    findings.push(match facts.group {
        Some((state, members)) => Finding::ok(check, format!("{state}, {members} members")),
        None => Finding::ok(check, "has never been there; the first start reads from the beginning"),
    });
    findings
}
