//! The dashboard as a server on a port of its own, with a database and a queue of its own.

use std::{
    net::SocketAddr,
    sync::{Arc, Once},
    time::Duration,
};

use billwright_dashboard::{Dashboard, DashboardSettings, QueueSource, Role, Sources, Users, entry};
use billwright_domain::{Clock, MockClock, SystemClock};
use billwright_store::{
    Mongo, MongoSettings,
    operations::audit::{Audit, AuditEntry},
};
use billwright_worker::{
    RedisSettings,
    admin::{QueueAddress, QueueAdmin},
};
use chrono::{DateTime, Utc};
use mongodb::{Client, Database};
use secrecy::SecretString;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::browser::Browser;

/// The password of everybody.
pub(crate) const PASSWORD: &str = "correct horse";

/// What a test starts with; change it before [`TestDashboard::start`].
pub(crate) struct TestDashboard {
    pub(crate) settings: DashboardSettings,
    pub(crate) sources: Sources,
    pub(crate) database: Database,
    pub(crate) mongo: Mongo,
    pub(crate) queue: QueueAddress,
    clock: MockClock,
    /// Where it listens, once it was started.
    pub(crate) address: Option<SocketAddr>,
}

impl TestDashboard {
    /// A worker's process: queue and database, and an operator `anna` and a viewer `bob`.
    pub(crate) async fn worker() -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let server = billwright_services::shared::mongodb_uri().await.unwrap();
        let name = format!("billwright-dashboard-{}", Uuid::new_v4().simple());
        let mongo = open(&server, &name).await;
        let queue = QueueAddress {
            redis: RedisSettings {
                url: billwright_services::shared::redis_url().await.unwrap().into(),
            },
            queue: "billz-operations".to_owned(),
            prefix: name.clone(),
        };
        let clock = MockClock::at(SystemClock.now());
        let mut sources = Sources::none(Arc::new(clock.clone()));
        sources.queue = Some(QueueSource::new(queue.clone()));
        sources.billz_database = Some(mongo.clone());
        Self {
            settings: DashboardSettings {
                users: Some(users()),
                ..DashboardSettings::default()
            },
            sources,
            database: Client::with_uri_str(&server).await.unwrap().database(&name),
            mongo,
            queue,
            clock,
            address: None,
        }
    }

    /// Starts it; it ends with the test.
    pub(crate) async fn start(mut self) -> Self {
        self.address = Some(self.serve().await);
        self
    }

    async fn serve(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Dashboard::new(self.settings.clone(), self.sources.clone())
            .unwrap()
            .router();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        address
    }

    /// A browser with no cookies in front of another process with the same settings and sources.
    pub(crate) async fn browser_elsewhere(&self) -> Browser {
        Browser::at(self.serve().await)
    }

    /// A browser with no cookies.
    pub(crate) fn browser(&self) -> Browser {
        Browser::at(self.address.unwrap())
    }

    /// A browser in which somebody has signed in: `anna`, the operator, or `bob`, the viewer.
    pub(crate) async fn signed_in(&self, name: &str) -> Browser {
        let mut browser = self.browser();
        browser.sign_in(name, PASSWORD).await;
        browser
    }

    /// The queue, to put jobs on it.
    pub(crate) async fn queue_admin(&self) -> QueueAdmin {
        QueueAdmin::connect(&self.queue).await.unwrap()
    }

    /// Moves the dashboard's clock.
    pub(crate) fn advance(&self, minutes: i64) {
        self.clock.advance(chrono::TimeDelta::minutes(minutes));
    }

    /// The dashboard's time.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// The audit, newest first.
    pub(crate) async fn audit(&self) -> Vec<AuditEntry> {
        Audit::new(&self.mongo).list(0, 100).await.unwrap()
    }

    /// Drops what the test made.
    pub(crate) async fn drop_all(self) {
        self.database.drop().await.unwrap();
        let url = billwright_services::shared::redis_url().await.unwrap();
        let mut redis = redis::Client::open(url)
            .unwrap()
            .get_multiplexed_async_connection()
            .await
            .unwrap();
        let mut cursor = 0_u64;
        loop {
            let (next, keys): (u64, Vec<String>) = redis::cmd("SCAN")
                .arg(cursor)
                .arg(("MATCH", format!("{}:*", self.queue.prefix)))
                .arg(("COUNT", 5_000))
                .query_async(&mut redis)
                .await
                .unwrap();
            if !keys.is_empty() {
                redis::cmd("UNLINK")
                    .arg(keys)
                    .query_async::<()>(&mut redis)
                    .await
                    .unwrap();
            }
            cursor = next;
            if cursor == 0 {
                return;
            }
        }
    }
}

/// A database on `server`, which may be away.
pub(crate) async fn open(server: &str, name: &str) -> Mongo {
    Mongo::open(&MongoSettings {
        uri: SecretString::from(server),
        database: name.to_owned(),
        server_selection_timeout: Duration::from_millis(800),
        max_pool_size: 8,
    })
    .await
    .unwrap()
}

fn users() -> Users {
    let password = SecretString::from(PASSWORD);
    let list =
        [("anna", Role::Operator), ("bob", Role::Viewer)].map(|(name, role)| entry(name, role, &password).unwrap());
    list.join(",").parse().unwrap()
}
