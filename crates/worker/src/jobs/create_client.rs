//! `CREATE_CLIENT`: creates a client in Billz, or finds the one with that phone number. Jobs of one number, in any process,
//! take their turns, and agree on one client.

use billwright_connectors::billz::{BillzCalls, BillzError, NewClient};
use billwright_domain::{BillzClientId, Fields, Phone, Problems, input::text};
use billwright_store::bson::{Document, doc};
use serde::Serialize;
use serde_json::Value;

use super::{Attempt, Defaults, Done, Operation, phone_lease};
use crate::{
    context::Context,
    guard::Guard,
    job_error::{Decide, JobError},
    write_once::{Journal, Looked, Write, write_once},
};

/// The payload.
#[derive(Debug)]
pub(crate) struct CreateClient {
    client: NewClient,
}

/// The return value.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    client_id: BillzClientId,
    created: bool,
}

impl Operation for CreateClient {
    const TYPE: &'static str = "CREATE_CLIENT";
    const ACTION: &'static str = "create";

    fn from_json(payload: &Value, _defaults: &Defaults) -> Result<Self, Problems> {
        let mut fields = Fields::of(payload)?;
        let phone = fields.required_private("clientPhone", Phone::from_json);
        let first_name = fields.required_private("clientFirstName", name);
        let last_name = fields.optional_private("clientLastName", name);
        fields.finish()?;
        let (Some(phone), Some(first_name)) = (phone, first_name) else {
            return Err(Problems::unread());
        };
        Ok(Self {
            client: NewClient {
                first_name,
                last_name,
                phone,
            },
        })
    }

    fn order_id(&self) -> Option<String> {
        None
    }

    async fn run(&self, attempt: &mut Attempt<'_>) -> Result<Done, JobError> {
        let Some(journal) = &mut attempt.journal else {
            return Err(JobError::reject("internal error: a client is created without a journal"));
        };
        let (client_id, created) =
            find_or_create(&self.client, &attempt.calls, journal, attempt.guard, attempt.context).await?;
        let line = if created { "client created in Billz" } else { "client found in Billz" };
        attempt.step(line, 90).await;
        Ok(Done::quietly(Created { client_id, created }))
    }
}

/// A name: any text but an empty one.
fn name(value: &Value) -> Result<Option<String>, billwright_domain::input::Mismatch> {
    Ok(text(value)?.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()))
}

/// For how long a client that another job just found or created is believed to be there, in milliseconds.
const REMEMBERED_MS: i64 = 600_000;

/// The client in Billz with this phone number, and whether it had to be created. Holds the number's lease from here on.
pub(crate) async fn find_or_create(
    client: &NewClient,
    calls: &BillzCalls,
    journal: &mut impl Journal,
    guard: &Guard,
    context: &Context,
) -> Result<(BillzClientId, bool), JobError> {
    let write = CreateOnce { client };
    let lease_key = phone_lease(&client.phone);
    let lease = guard.acquire(&lease_key).await?;
    let began_earlier = journal.open(&write.step()).is_some() || journal.outcome(&write.step()).is_some();
    if !began_earlier {
        let known = lease.memory.get_str("client").ok().filter(|_| lease.memory_age_ms < REMEMBERED_MS);
        if let Some(known) = known.and_then(|id| BillzClientId::parse(id).ok()) {
            return Ok((known, false));
        }
        if let Some(found) = calls.find_client(&client.phone).await.decide()? {
            guard.remember_at_release(&lease_key, doc! { "client": found.as_str() });
            return Ok((found, false));
        }
    }
    let (made, created) = write_once(&write, calls, journal, guard, context).await?;
    guard.remember_at_release(&lease_key, doc! { "client": made.as_str() });
    Ok((made, created))
}

struct CreateOnce<'a> {
    client: &'a NewClient,
}

impl Write for CreateOnce<'_> {
    /// The client, and whether this call created it.
    type Answer = (BillzClientId, bool);

    fn step(&self) -> String {
        "create_client".to_owned()
    }

    fn outcome(&self, (client, created): &Self::Answer) -> Document {
        doc! { "client": client.as_str(), "created": *created }
    }

    fn recall(&self, outcome: &Document) -> Option<Self::Answer> {
        let client = BillzClientId::parse(outcome.get_str("client").ok()?).ok()?;
        Some((client, outcome.get_bool("created").unwrap_or(true)))
    }

    async fn send(&self, calls: &BillzCalls) -> Result<Self::Answer, BillzError> {
        match calls.create_client(self.client).await {
            Ok(made) => Ok((made, true)),
            // Where Billz refuses a number that it knows, somebody outside was faster than us.
            Err(refused @ BillzError::Refused { .. }) => match calls.find_client(&self.client.phone).await {
                Ok(Some(found)) => Ok((found, false)),
                _ => Err(refused),
            },
            Err(other) => Err(other),
        }
    }

    async fn look(&self, calls: &BillzCalls, _before: &Document) -> Result<Looked<Self::Answer>, BillzError> {
        let found = calls.find_client(&self.client.phone).await?;
        Ok(found.map_or(Looked::NotDone, |client| Looked::Done((client, true))))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::test_defaults, *};

    #[test]
    fn reads_the_documented_example() {
        let payload = json!({"clientPhone": "+1234567890", "clientFirstName": "John", "clientLastName": "Doe"});
        let job = CreateClient::from_json(&payload, &test_defaults()).unwrap();
        assert_eq!(job.client.phone.digits(), "1234567890");
        assert_eq!(job.client.last_name.as_deref(), Some("Doe"));
    }

    #[test]
    fn names_wrong_fields_without_showing_them() {
        let payload = json!({"clientPhone": "call Aziza", "clientFirstName": " "});
        let problems = CreateClient::from_json(&payload, &test_defaults()).unwrap_err().to_string();
        assert!(problems.contains("`clientPhone`") && problems.contains("`clientFirstName`"), "{problems}");
        assert!(!problems.contains("Aziza"), "{problems}");
    }
}
