//! Which member of the consumer group has each partition.

use serde::Serialize;

use super::{AdminError, blocking, reader::Reader};
use crate::{kafka::ANSWER_WITHIN, settings::EventsSettings};
use rdkafka::consumer::Consumer;

/// Who has a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// How the member's client calls itself.
    pub client: String,
    /// From which host it comes, as the broker sees it.
    pub host: String,
}

/// Who has each partition of the group's topics right now; nobody while the group shares them out anew.
pub async fn owners(settings: &EventsSettings) -> Result<Vec<Owner>, AdminError> {
    let settings = settings.clone();
    blocking(move || {
        let reader = Reader::new(&settings, &settings.group_id)?;
        let groups = reader
            .consumer()
            .fetch_group_list(Some(&settings.group_id), ANSWER_WITHIN)?;
        let mut owners = Vec::new();
        let group = groups.groups().iter().find(|group| group.name() == settings.group_id);
        for member in group.into_iter().flat_map(rdkafka::groups::GroupInfo::members) {
            for (topic, partition) in assigned(member.assignment().unwrap_or_default()) {
                owners.push(Owner {
                    topic,
                    partition,
                    client: member.client_id().to_owned(),
                    host: member.client_host().trim_start_matches('/').to_owned(),
                });
            }
        }
        Ok(owners)
    })
    .await
}

/// Reads a member's assignment in the form of the consumer protocol: a version, then topics, each with its partitions.
/// What is no such form gives what could be read.
fn assigned(bytes: &[u8]) -> Vec<(String, i32)> {
    let mut rest = bytes;
    let mut found = Vec::new();
    let mut read = || {
        take::<2>(&mut rest)?;
        for _ in 0..i32::from_be_bytes(take(&mut rest)?) {
            let length = usize::try_from(i16::from_be_bytes(take(&mut rest)?)).ok()?;
            let (name, after) = rest.split_at_checked(length)?;
            rest = after;
            let topic = String::from_utf8_lossy(name);
            for _ in 0..i32::from_be_bytes(take(&mut rest)?) {
                found.push((topic.clone().into_owned(), i32::from_be_bytes(take(&mut rest)?)));
            }
        }
        Some(())
    };
    // `None` is an assignment that ends too early.
    let _ = read();
    found
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_TWO_PARTITIONS: &[u8] = &[
        0, 1, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 255, 255, 255, 255,
    ];

    #[test]
    fn reads_what_a_member_has() {
        let wanted = vec![("t".to_owned(), 3), ("t".to_owned(), 4)];
        assert_eq!(assigned(OF_TWO_PARTITIONS), wanted);
    }

    #[test]
    fn an_assignment_that_is_cut_off_or_absent_is_no_danger() {
        for length in 0..OF_TWO_PARTITIONS.len() {
            assert!(assigned(&OF_TWO_PARTITIONS[..length]).len() <= 2);
        }
        assert!(assigned(&[0, 0, 127, 255, 255, 255]).is_empty());
    }
}
