//! A broker that asks for TLS and for a login.

use std::path::PathBuf;

use billwright_domain::Condition;
use billwright_events::{
    EventsSettings, Phase, Security,
    admin::{self, AdminError},
    security::{Login, Mechanism, Tls},
};
use billwright_services::{KafkaSecurity, KafkaServer, shared};
use futures_util::future::join_all;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::bed::{Bed, eventually};

const USER_NAME: &str = "billing";
const PASSWORD: &str = "correcthorse";

/// A broker with certificates of an authority of its own, and the files that its clients need.
struct Secured {
    broker: KafkaServer,
    folder: TempDir,
}

impl Secured {
    /// The one of all tests here: a broker takes seconds to start. It ends with the process.
    async fn shared() -> &'static Self {
        static SHARED: OnceCell<Secured> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        let (certificate, key) = authority.certify();
        let (own_certificate, own_key) = authority.certify();
        for (name, text) in [
            ("authority.pem", &authority.certificate),
            ("other-authority.pem", &Authority::new().certificate),
            ("own.pem", &own_certificate),
            ("own-key.pem", &own_key),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let security = KafkaSecurity {
            authority: authority.certificate.clone(),
            certificate,
            key,
            user_name: USER_NAME.to_owned(),
            password: PASSWORD.to_owned(),
        };
        let broker = KafkaServer::start_secured(&security).await.unwrap();
        Self { broker, folder }
    }

    fn file(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        path.to_str().unwrap().to_owned()
    }

    fn trusting(&self, authority: &str) -> Tls {
        Tls {
            authorities: Some(self.file(authority)),
            ..Tls::default()
        }
    }

    async fn bed(&self) -> Bed {
        Bed::on(self.broker.brokers(), shared::mongodb_uri().await.unwrap()).await
    }
}

/// An authority that certifies whoever is at 127.0.0.1.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::default();
        // What an authority certifies must have another name than the authority.
        parameters.distinguished_name.push(DnType::CommonName, "authority");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(parameters, key),
            certificate,
        }
    }

    /// A certificate and its key.
    fn certify(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

fn login(mechanism: Mechanism, password: &str) -> Login {
    Login {
        mechanism,
        user_name: USER_NAME.to_owned(),
        password: password.into(),
    }
}

fn settings(bed: &Bed, brokers: Option<String>, security: Security) -> EventsSettings {
    let mut settings = bed.settings();
    settings.brokers = brokers.unwrap();
    settings.security = security;
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn consumes_buries_and_answers_whatever_login_and_tls_the_broker_asks_for() {
    let secured = Secured::shared().await;
    let (broker, tls) = (&secured.broker, || secured.trusting("authority.pem"));
    let by_certificate = Tls {
        certificate: Some(secured.file("own.pem")),
        key: Some(secured.file("own-key.pem")),
        ..tls()
    };
    let ways = [
        (
            broker.sasl_ssl_brokers(),
            Some(tls()),
            Some(login(Mechanism::Plain, PASSWORD)),
        ),
        (
            broker.sasl_ssl_brokers(),
            Some(tls()),
            Some(login(Mechanism::ScramSha256, PASSWORD)),
        ),
        (
            broker.sasl_ssl_brokers(),
            Some(tls()),
            Some(login(Mechanism::ScramSha512, PASSWORD)),
        ),
        (
            broker.sasl_plaintext_brokers(),
            None,
            Some(login(Mechanism::ScramSha256, PASSWORD)),
        ),
        (broker.ssl_brokers(), Some(by_certificate), None),
    ];
    join_all(ways.into_iter().map(async |(brokers, tls, login)| {
        let bed = secured.bed().await;
        bed.create_topic(&bed.topic).await;
        bed.event("Customer.Created", &json!({"userId": "c"})).await;
        let bad = bed.put(Some("c"), Some(b"{"), &[]).await;
        let settings = settings(&bed, brokers, Security { tls, login });
        let consumer = bed.start_with(settings.clone()).await;
        bed.drained().await;
        assert!(bed.user("c").await.is_some());

        let lags = admin::lag(&settings, &bed.mongo().await).await.unwrap();
        assert_eq!(lags.len(), 6);
        assert!(lags.iter().all(|partition| partition.lag == 0), "{lags:?}");
        let letters = admin::dead_letters::list(&settings, 10).await.unwrap();
        let sources: Vec<_> = letters.iter().map(|letter| letter.source.clone().unwrap()).collect();
        assert_eq!(sources.len(), 1);
        assert_eq!((sources[0].partition, sources[0].offset), bad);
        let put_back = admin::dead_letters::replay(&settings, &admin::dead_letters::Replay::New, false).await;
        assert_eq!(put_back.unwrap().len(), 1);
        consumer.stop().await;
        bed.clear().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn says_what_to_check_when_the_broker_turns_it_away() {
    let secured = Secured::shared().await;
    let broker = &secured.broker;
    let cases = [
        (
            broker.sasl_ssl_brokers(),
            Some(secured.trusting("authority.pem")),
            Some(login(Mechanism::ScramSha512, "wrong")),
            "KAFKA_SASL_PASSWORD",
        ),
        (
            broker.sasl_plaintext_brokers(),
            None,
            Some(login(Mechanism::Plain, "wrong")),
            "KAFKA_SASL_PASSWORD",
        ),
        (
            broker.sasl_ssl_brokers(),
            Some(secured.trusting("other-authority.pem")),
            Some(login(Mechanism::Plain, PASSWORD)),
            "KAFKA_SSL_CA_LOCATION",
        ),
        (
            Some(broker.brokers()),
            Some(secured.trusting("authority.pem")),
            None,
            "KAFKA_SECURITY_PROTOCOL",
        ),
    ];
    join_all(cases.into_iter().map(async |(brokers, tls, login, advice)| {
        let bed = secured.bed().await;
        let mut settings = settings(&bed, brokers, Security { tls, login });
        // A broker's first TLS connections take it longer than a busy machine's clients wait.
        settings.max_retries = 3;
        let mongo = bed.mongo().await;
        let mut error = String::new();
        for _ in 0..10 {
            let answer = admin::lag(&settings, &mongo).await;
            let Err(found @ AdminError::Kafka(_)) = answer else {
                panic!("{advice}: {answer:?}")
            };
            error = found.to_string();
            if error.contains(advice) {
                break;
            }
        }
        assert!(error.contains(advice), "{advice}: {error}");

        let consumer = bed.start_with(settings).await;
        eventually("it gave up", async || consumer.handle.state().phase == Phase::GaveUp).await;
        let health = consumer.health.all()["events.kafka"].clone();
        assert_eq!(health.condition, Condition::Down);
        assert!(health.detail.contains(advice), "{advice}: {health:?}");
        assert!(!health.detail.contains("wrong") && !error.contains("wrong"));
        consumer.stop().await;
    }))
    .await;
}
