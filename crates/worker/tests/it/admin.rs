//! What a person does with the queue.

use std::time::Duration;

use billwright_worker::admin::{self, AdminError, EnqueueOptions, JobState, QueueAddress, QueueAdmin};
use serde_json::json;

use crate::world::World;

async fn admin_of(world: &World) -> QueueAdmin {
    let address = QueueAddress {
        redis: world.settings().redis,
        queue: "billz-operations".to_owned(),
        prefix: world.prefix.clone(),
    };
    QueueAdmin::connect(&address).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_added_waited_for_and_shown() {
    let world = World::new().await;
    let (queue, worker) = (admin_of(&world).await, world.start());
    let added = admin::enqueue(&queue, "CREATE_ORDER", &json!({}), &EnqueueOptions::default(), 1)
        .await
        .unwrap();
    let end = admin::wait(&queue, &added.job_id, Duration::from_secs(10))
        .await
        .unwrap();
    assert_eq!(end.state, JobState::Completed);
    assert!(end.return_value.unwrap()["orderId"].is_string());
    let shown = queue.show(&added.job_id).await.unwrap();
    assert_eq!(shown.summary.correlation_id.as_deref(), Some(&*added.correlation_id));
    assert!(!shown.logs.is_empty() && shown.processed_by.as_deref() == Some("billwright"));
    let listed = queue.list(JobState::Completed, 0, 10).await.unwrap();
    assert_eq!((listed.total, listed.jobs.len()), (1, 1));
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_promoted_retried_and_removed_only_where_that_makes_sense() {
    let world = World::new().await;
    let queue = admin_of(&world).await;
    let later = EnqueueOptions {
        delay: Some(Duration::from_hours(1)),
        job_id: Some("mine".to_owned()),
        ..EnqueueOptions::default()
    };
    admin::enqueue(&queue, "GET_ORDER", &json!({"orderId": "nowhere"}), &later, 1)
        .await
        .unwrap();
    assert!(matches!(
        queue.retry("mine").await,
        Err(AdminError::WrongState { state: "delayed", .. })
    ));
    assert_eq!(queue.promote("mine").await.unwrap().state, JobState::Waiting);
    assert!(matches!(
        queue.promote("mine").await,
        Err(AdminError::WrongState { .. })
    ));
    assert_eq!(queue.list(JobState::Waiting, 0, 10).await.unwrap().jobs[0].id, "mine");

    let worker = world.start();
    world.ended("mine").await.reason();
    worker.stop().await;
    let again = queue.retry("mine").await.unwrap();
    assert_eq!((again.state, again.attempts_made), (JobState::Waiting, 0));
    assert_eq!(queue.remove("mine").await.unwrap().id, "mine");
    for id in ["mine", "", "wait", "no:such"] {
        assert!(
            matches!(queue.show(id).await, Err(AdminError::NotFound { .. })),
            "{id:?}"
        );
    }
    world.end().await;
}

#[tokio::test]
async fn an_unreachable_redis_is_said_at_once() {
    let address = QueueAddress {
        redis: billwright_worker::RedisSettings {
            url: "redis://127.0.0.1:1".to_owned().into(),
        },
        queue: "q".to_owned(),
        prefix: "p".to_owned(),
    };
    let error = QueueAdmin::connect(&address).await.unwrap_err();
    assert!(matches!(error, AdminError::Unreachable(_)), "{error}");
}
