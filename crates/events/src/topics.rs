//! Topics that we write to are created where they are missing and we may.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
};

use crate::{
    kafka::{self, ANSWER_WITHIN, Logging},
    settings::EventsSettings,
};

/// How many partitions a topic gets that we create.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Partitions<'a> {
    /// As many as this topic has.
    As(&'a str),
    /// As many as the broker gives by default.
    Default,
}

/// Topics that we write to, and of which we made sure that they are there.
pub(crate) struct Topics {
    settings: Arc<EventsSettings>,
    there: Mutex<HashSet<String>>,
}

impl Topics {
    pub(crate) fn new(settings: Arc<EventsSettings>) -> Self {
        Self {
            settings,
            there: Mutex::default(),
        }
    }

    /// Creates `topic` where it is missing. Where we may not, the broker may do so by itself; if it does not either,
    /// writing fails and says so.
    pub(crate) async fn create_where_missing(
        &self,
        topic: &str,
        partitions: Partitions<'_>,
        properties: &[(&str, &str)],
    ) {
        if self
            .there
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(topic)
        {
            return;
        }
        match self.create(topic, partitions, properties).await {
            Ok(()) => {
                let mut there = self.there.lock().unwrap_or_else(PoisonError::into_inner);
                there.insert(topic.to_owned());
            }
            Err(error) => {
                tracing::warn!(
                    kafka.topic = topic,
                    "the topic cannot be created: {}",
                    kafka::explain(&error)
                );
            }
        }
    }

    async fn create(
        &self,
        topic: &str,
        partitions: Partitions<'_>,
        properties: &[(&str, &str)],
    ) -> Result<(), KafkaError> {
        if partitions_of(&self.settings, topic).await?.is_some() {
            return Ok(());
        }
        let partitions = match partitions {
            Partitions::As(model) => partitions_of(&self.settings, model)
                .await?
                .map_or(-1, |count| count.max(1)),
            Partitions::Default => -1,
        };
        let admin: AdminClient<Logging> = kafka::client(&self.settings).create_with_context(Logging::default())?;
        // A replication of -1 is the broker's own default, as is a count of partitions of -1.
        let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1));
        for (name, value) in properties {
            new = new.set(name, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(ANSWER_WITHIN));
        let created = admin.create_topics([&new], &options).await?;
        match created.into_iter().next() {
            None | Some(Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(()),
            Some(Err((_, code))) => Err(KafkaError::AdminOp(code)),
        }
    }
}

/// How many partitions a topic has; `None` where it does not exist.
pub(crate) async fn partitions_of(settings: &EventsSettings, topic: &str) -> Result<Option<i32>, KafkaError> {
    let (config, topic) = (kafka::client(settings), topic.to_owned());
    let look = tokio::task::spawn_blocking(move || {
        let client: BaseConsumer<Logging> = config.create_with_context(Logging::default())?;
        let metadata = client
            .fetch_metadata(Some(&topic), ANSWER_WITHIN)
            .map_err(|error| kafka::cause(&client, error))?;
        let found = metadata
            .topics()
            .iter()
            .find(|found| found.name() == topic && found.error().is_none());
        Ok(found
            .and_then(|found| i32::try_from(found.partitions().len()).ok())
            .filter(|count| *count > 0))
    });
    look.await.map_err(|_| KafkaError::Canceled)?
}
