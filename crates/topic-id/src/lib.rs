//! Asks a Kafka broker for the id of a topic.
//!
//! Kafka gives every topic an id of its own when it is created, so that a topic which was deleted and created again under
//! its name can be told from the old one. librdkafka knows the id (`rd_kafka_DescribeTopics`), but rdkafka 0.39 wraps that
//! call in no safe way. This crate does, and is the only one of the workspace that may say `unsafe`.

use std::{
    ffi::{CString, c_char, c_void},
    time::Duration,
};

use rdkafka::{
    bindings as sys,
    client::{Client, ClientContext},
    error::{KafkaError, RDKafkaErrorCode},
    types::RDKafkaRespErr,
};

/// The id of the topic `name`: 32 hexadecimal digits, or `None` where the broker gives its topics none (before version
/// 2.8). Blocks for at most `timeout`.
///
/// # Errors
///
/// librdkafka's own: the topic is unknown, the broker did not answer in time, the login may not describe the topic.
pub fn topic_id<C: ClientContext>(
    client: &Client<C>,
    name: &str,
    timeout: Duration,
) -> Result<Option<String>, KafkaError> {
    let name = CString::new(name)
        .map_err(|_| KafkaError::AdminOpCreation("a topic's name holds no NUL character".to_owned()))?;
    let mut names: [*const c_char; 1] = [name.as_ptr()];
    let milliseconds = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    let handle = client.native_ptr();
    // SAFETY: `handle` lives as long as `client`, which outlives this function. Every object that is created here is
    // handed to an owner that destroys it once, in `Drop`, after its last use; librdkafka copies the names and the options
    // when the request is made. What `result_topics` points to belongs to `answer` and is read before that is dropped.
    unsafe {
        let topics = Owned::new(
            sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len()),
            sys::rd_kafka_TopicCollection_destroy,
        )?;
        let options = Owned::new(
            sys::rd_kafka_AdminOptions_new(handle, sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS),
            sys::rd_kafka_AdminOptions_destroy,
        )?;
        let mut message: [c_char; 256] = [0; 256];
        let refused = sys::rd_kafka_AdminOptions_set_request_timeout(
            options.0,
            milliseconds,
            message.as_mut_ptr(),
            message.len(),
        );
        succeeded(refused)?;
        let queue = Owned::new(sys::rd_kafka_queue_new(handle), sys::rd_kafka_queue_destroy)?;
        sys::rd_kafka_DescribeTopics(handle, topics.0, options.0, queue.0);
        let answer = Owned::new(
            sys::rd_kafka_queue_poll(queue.0, milliseconds),
            sys::rd_kafka_event_destroy,
        )?;
        succeeded(sys::rd_kafka_event_error(answer.0))?;
        let result = sys::rd_kafka_event_DescribeTopics_result(answer.0);
        if result.is_null() {
            return Err(failure(RDKafkaErrorCode::BadMessage));
        }
        let mut count = 0;
        let described = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if described.is_null() || count == 0 {
            return Err(failure(RDKafkaErrorCode::UnknownTopicOrPartition));
        }
        let topic = *described;
        let error = sys::rd_kafka_TopicDescription_error(topic);
        if !error.is_null() {
            succeeded(sys::rd_kafka_error_code(error))?;
        }
        let id = sys::rd_kafka_TopicDescription_topic_id(topic);
        if id.is_null() {
            return Ok(None);
        }
        let (most, least) = (
            sys::rd_kafka_Uuid_most_significant_bits(id),
            sys::rd_kafka_Uuid_least_significant_bits(id),
        );
        Ok((most != 0 || least != 0).then(|| format!("{most:016x}{least:016x}")))
    }
}

/// An object of librdkafka with the function that destroys it.
struct Owned<T>(*mut T, unsafe extern "C" fn(*mut T));

impl<T> Owned<T> {
    /// Takes the object over; a null pointer is the failure to make one in time.
    fn new(object: *mut T, destroy: unsafe extern "C" fn(*mut T)) -> Result<Self, KafkaError> {
        if object.cast::<c_void>().is_null() {
            return Err(failure(RDKafkaErrorCode::OperationTimedOut));
        }
        Ok(Self(object, destroy))
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: the pointer is not null, came from librdkafka, and is owned by this value alone.
        unsafe { (self.1)(self.0) }
    }
}

fn succeeded(code: RDKafkaRespErr) -> Result<(), KafkaError> {
    if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
        Ok(())
    } else {
        Err(failure(code.into()))
    }
}

fn failure(code: RDKafkaErrorCode) -> KafkaError {
    KafkaError::AdminOp(code)
}
