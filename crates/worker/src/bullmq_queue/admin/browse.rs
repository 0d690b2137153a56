//! Looking through the queue by what jobs are about. Redis knows them by state only, so that everything else is looked for
//! in bounded pieces, and the answer says how far it looked.

use std::collections::HashMap;

use redis::aio::ConnectionManager;
use serde_json::Value;

use super::{AdminError, JobState, JobSummary, QueueAdmin, unreachable};
use crate::attempt_record::{phone_hash, phone_of};

/// How many jobs are read in one round trip.
const PIECE: u32 = 200;

/// Which jobs of one state are wanted; what is `None` does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFilter {
    /// The state.
    pub state: JobState,
    /// The type in the envelope.
    pub kind: Option<String>,
    /// From then on, in milliseconds since 1970: of jobs that ended, their end; of others, when they were added.
    pub from_ms: Option<i64>,
    /// Before then.
    pub to_ms: Option<i64>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Browsed {
    /// The jobs.
    pub jobs: Vec<JobSummary>,
    /// How many there are in the state and, of jobs that ended, in the time; whatever their type.
    pub total: u64,
    /// Where to go on; `None` at the end.
    pub next: Option<u32>,
}

/// The jobs that a filter matches, as far as was looked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matching {
    /// Their ids.
    pub ids: Vec<String>,
    /// How many jobs were looked at.
    pub looked_at: u32,
    /// Whether there may be more.
    pub more: bool,
}

/// What a job is looked for by.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// Its correlation id.
    Correlation(&'a str),
    /// The order in its payload: `orderId`, `orderID` or `_id`.
    Order(&'a str),
    /// The phone number in its payload, by [`crate::admin::phone_hash`].
    PhoneHash(&'a str),
}

impl Wanted<'_> {
    /// What the data of every such job holds.
    fn word(self) -> String {
        match self {
            Self::Correlation(id) | Self::Order(id) => within_json(id),
            Self::PhoneHash(_) => "clientPhone".to_owned(),
        }
    }

    fn is_met_by(self, data: &Value) -> bool {
        let payload = &data["payload"];
        let is = |value: &Value, wanted: &str| match value {
            Value::String(text) => text == wanted,
            Value::Number(number) => number.to_string() == wanted,
            _ => false,
        };
        match self {
            Self::Correlation(id) => is(&data["correlationId"], id),
            Self::Order(id) => ["orderId", "orderID", "_id"].iter().any(|name| is(&payload[*name], id)),
            Self::PhoneHash(hash) => phone_of(payload).is_some_and(|phone| phone_hash(&phone) == hash),
        }
    }
}

/// One job as it was read.
struct Found {
    summary: JobSummary,
    data: Value,
}

impl JobFilter {
    fn takes(&self, job: &Found) -> bool {
        let at = i64::try_from(job.summary.added_at).unwrap_or(i64::MAX);
        let in_time =
            self.has_ended() || (self.from_ms.is_none_or(|from| at >= from) && self.to_ms.is_none_or(|to| at < to));
        in_time
            && self
                .kind
                .as_ref()
                .is_none_or(|kind| job.summary.r#type.as_ref() == Some(kind))
    }

    /// What the data of every job that is taken holds.
    fn words(&self) -> Vec<String> {
        self.kind.iter().map(|kind| within_json(kind)).collect()
    }

    fn has_ended(&self) -> bool {
        matches!(self.state, JobState::Completed | JobState::Failed)
    }

    /// Whether every job that is listed is taken, so that no data need be looked into.
    fn takes_all(&self) -> bool {
        self.kind.is_none() && (self.has_ended() || (self.from_ms.is_none() && self.to_ms.is_none()))
    }
}

impl QueueAdmin {
    /// Jobs that `filter` takes, from the place `start` in their state on, at most `limit`; at most `look_at` jobs are read.
    pub async fn browse(
        &self,
        filter: &JobFilter,
        start: u32,
        limit: u32,
        look_at: u32,
    ) -> Result<Browsed, AdminError> {
        let mut connection = self.link.connection();
        let total = self.length(filter, &mut connection).await?;
        let (mut place, mut jobs) = (start, Vec::new());
        let words = filter.words();
        let most = if filter.takes_all() { limit } else { look_at };
        while place - start < most {
            let piece = PIECE.min(most - (place - start));
            let ids = self.ids_at(filter, place, piece, &mut connection).await?;
            if ids.is_empty() {
                return Ok(Browsed {
                    jobs,
                    total,
                    next: None,
                });
            }
            for job in self.read(filter.state, &ids, &words, &mut connection).await? {
                place += 1;
                if job.as_ref().is_some_and(|job| filter.takes(job)) {
                    jobs.extend(job.map(|job| job.summary));
                }
                if jobs.len() >= limit as usize {
                    break;
                }
            }
            if jobs.len() >= limit as usize {
                break;
            }
        }
        let next = (u64::from(place) < total).then_some(place);
        Ok(Browsed { jobs, total, next })
    }

    /// The ids of the jobs that `filter` takes: at most `most`, and at most `look_at` jobs are read.
    pub async fn matching(&self, filter: &JobFilter, most: u32, look_at: u32) -> Result<Matching, AdminError> {
        let mut connection = self.link.connection();
        let total = self.length(filter, &mut connection).await?;
        let mut found = Matching::default();
        let words = filter.words();
        let bound = if filter.takes_all() { most } else { look_at };
        while found.looked_at < bound && found.ids.len() < most as usize {
            // Without a look into each job the ids themselves are cheap.
            let piece = if filter.takes_all() { 2_000 } else { PIECE };
            let piece = piece.min(bound - found.looked_at);
            let ids = self.ids_at(filter, found.looked_at, piece, &mut connection).await?;
            if ids.is_empty() {
                return Ok(found);
            }
            found.looked_at += u32::try_from(ids.len()).unwrap_or(u32::MAX);
            if filter.takes_all() {
                found.ids.extend(ids);
                continue;
            }
            let jobs = self.read(filter.state, &ids, &words, &mut connection).await?;
            let taken = jobs.into_iter().flatten().filter(|job| filter.takes(job));
            found.ids.extend(taken.map(|job| job.summary.id));
        }
        found.ids.truncate(most as usize);
        found.more = u64::from(found.looked_at) < total || found.ids.len() == most as usize;
        Ok(found)
    }

    /// The jobs that are about any of these; of each state at most `look_at` jobs are read, in the order of the lists. Says
    /// whether that was all of them.
    pub async fn search(
        &self,
        wanted: &[Wanted<'_>],
        limit: usize,
        look_at: u32,
    ) -> Result<(Vec<JobSummary>, bool), AdminError> {
        let mut connection = self.link.connection();
        let (mut found, mut whole) = (Vec::new(), true);
        let words: Vec<String> = wanted.iter().map(|wanted| wanted.word()).collect();
        for state in JobState::ALL {
            let filter = JobFilter {
                state,
                kind: None,
                from_ms: None,
                to_ms: None,
            };
            let mut place = 0;
            while place < look_at {
                let ids = self
                    .ids_at(&filter, place, PIECE.min(look_at - place), &mut connection)
                    .await?;
                if ids.is_empty() {
                    break;
                }
                place += u32::try_from(ids.len()).unwrap_or(u32::MAX);
                for job in self
                    .read(state, &ids, &words, &mut connection)
                    .await?
                    .into_iter()
                    .flatten()
                {
                    if wanted.iter().any(|wanted| wanted.is_met_by(&job.data)) {
                        found.push(job.summary);
                        if found.len() >= limit {
                            return Ok((found, false));
                        }
                    }
                }
            }
            whole &= place < look_at || self.length(&filter, &mut connection).await? <= u64::from(look_at);
        }
        Ok((found, whole))
    }

    async fn length(&self, filter: &JobFilter, connection: &mut ConnectionManager) -> Result<u64, AdminError> {
        let key = self.link.keys.get(key_of(filter.state));
        let mut command = match filter.state {
            JobState::Waiting | JobState::Active => redis::cmd("LLEN"),
            JobState::Completed | JobState::Failed => redis::cmd("ZCOUNT"),
            JobState::Delayed | JobState::Prioritized => redis::cmd("ZCARD"),
        };
        command.arg(&key);
        if filter.has_ended() {
            let (from, to) = bounds(filter);
            command.arg(from).arg(to);
        }
        command.query_async(connection).await.map_err(unreachable)
    }

    /// Ids from a place on: those that run next first, and of those that ended the newest.
    async fn ids_at(
        &self,
        filter: &JobFilter,
        place: u32,
        count: u32,
        connection: &mut ConnectionManager,
    ) -> Result<Vec<String>, AdminError> {
        let key = self.link.keys.get(key_of(filter.state));
        let (first, last) = (i64::from(place), i64::from(place) + i64::from(count) - 1);
        let mut command = match filter.state {
            // Jobs are added on the left and taken on the right.
            JobState::Waiting | JobState::Active => redis::cmd("LRANGE"),
            JobState::Completed | JobState::Failed => redis::cmd("ZREVRANGEBYSCORE"),
            JobState::Delayed | JobState::Prioritized => redis::cmd("ZRANGE"),
        };
        command.arg(&key);
        match filter.state {
            JobState::Waiting | JobState::Active => command.arg(-last - 1).arg(-first - 1),
            JobState::Completed | JobState::Failed => {
                let (from, to) = bounds(filter);
                command.arg(to).arg(from).arg("LIMIT").arg(place).arg(count)
            }
            JobState::Delayed | JobState::Prioritized => command.arg(first).arg(last),
        };
        let mut ids: Vec<String> = command.query_async(connection).await.map_err(unreachable)?;
        if matches!(filter.state, JobState::Waiting | JobState::Active) {
            ids.reverse();
        }
        Ok(ids)
    }

    /// Reads jobs in one round trip; `None` stands for one that is gone, or whose data holds none of `words`: most jobs are
    /// passed over without their data being taken apart.
    async fn read(
        &self,
        state: JobState,
        ids: &[String],
        words: &[String],
        connection: &mut ConnectionManager,
    ) -> Result<Vec<Option<Found>>, AdminError> {
        let mut pipe = redis::pipe();
        for id in ids {
            pipe.cmd("HMGET").arg(self.link.keys.job_key(id)).arg(FIELDS);
        }
        let rows: Vec<Vec<Option<Vec<u8>>>> = pipe.query_async(connection).await.map_err(unreachable)?;
        let found = ids.iter().zip(rows).map(|(id, row)| {
            // A text in Redis need not be UTF-8.
            let data = String::from_utf8_lossy(row.get(DATA)?.as_deref().unwrap_or_default());
            let may_be = words.is_empty() || words.iter().any(|word| data.contains(word));
            if may_be { found(id, state, &data, &row) } else { None }
        });
        Ok(found.collect())
    }
}

/// A text as it stands within JSON, without the quotation marks.
fn within_json(text: &str) -> String {
    let json = Value::from(text).to_string();
    json[1..json.len() - 1].to_owned()
}

/// The name of a state's key.
fn key_of(state: JobState) -> &'static str {
    match state {
        JobState::Waiting => "wait",
        other => other.as_str(),
    }
}

fn bounds(filter: &JobFilter) -> (String, String) {
    (
        filter
            .from_ms
            .map_or_else(|| "-inf".to_owned(), |from| from.to_string()),
        filter.to_ms.map_or_else(|| "+inf".to_owned(), |to| format!("({to}")),
    )
}

/// The place of `data` in [`FIELDS`].
const DATA: usize = 0;
const FIELDS: &[&str] = &[
    "data",
    "name",
    "timestamp",
    "processedOn",
    "finishedOn",
    "atm",
    "delay",
    "priority",
    "failedReason",
];

fn found(id: &str, state: JobState, data: &str, row: &[Option<Vec<u8>>]) -> Option<Found> {
    let fields: HashMap<&str, String> = FIELDS
        .iter()
        .zip(row)
        .skip(DATA + 1)
        .filter_map(|(name, value)| Some((*name, String::from_utf8_lossy(value.as_ref()?).into_owned())))
        .collect();
    let name = fields.get("name")?.clone();
    let data: Value = serde_json::from_str(data).unwrap_or_default();
    let text = |name: &str| data.get(name).and_then(Value::as_str).map(str::to_owned);
    let number = |name: &str| fields.get(name).and_then(|text| text.parse::<u64>().ok());
    let small = |name: &str| {
        number(name)
            .and_then(|number| u32::try_from(number).ok())
            .unwrap_or_default()
    };
    let summary = JobSummary {
        id: id.to_owned(),
        name,
        r#type: text("type"),
        correlation_id: text("correlationId"),
        state,
        added_at: number("timestamp").unwrap_or_default(),
        processed_at: number("processedOn"),
        finished_at: number("finishedOn"),
        attempts_made: small("atm"),
        delay: number("delay").unwrap_or_default(),
        priority: small("priority"),
        failed_reason: fields.get("failedReason").filter(|reason| !reason.is_empty()).cloned(),
    };
    Some(Found { summary, data })
}
