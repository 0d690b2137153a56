//! Redis behind TLS with a certificate of a private authority, with a user of its own, a database index and a prefix: the
//! worker, the budget, the shared login and the administration all get in, and who does not is told what to correct.

use std::{path::Path, process::Stdio, sync::Arc, time::Duration};

use billwright_connectors::{
    billz::{RedisTokenStore, StoredToken, TokenStore},
    budget::{Budget, BudgetSettings, BudgetSource, RateLimit, Urgency},
};
use billwright_domain::Condition;
use billwright_sandbox::SandboxSettings;
use billwright_services::{RedisServer, shared};
use billwright_worker::{
    RedisSettings,
    admin::{EnqueueOptions, QueueAddress, QueueAdmin},
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    process::Command,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, pem::PemObject},
    },
};
use tokio_util::sync::CancellationToken;

use crate::world::{World, until};

/// With characters that an address must escape.
const PASSWORD: &str = "p@ss/w0rd:#";
const PASSWORD_IN_URL: &str = "p%40ss%2Fw0rd%3A%23";
const DATABASE: u8 = 3;

/// Takes TLS connections and hands what is in them to `port`. Returns its own port; the authority is written to `ca`.
async fn tls_before(port: u16, ca: &Path) -> u16 {
    let ca_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Its name must differ from the certificate's, which would be taken for its own issuer otherwise.
    params
        .distinguished_name
        .push(DnType::CommonName, "An authority of a test");
    std::fs::write(ca, params.self_signed(&ca_key).unwrap().pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &Issuer::new(params, ca_key))
        .unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own_port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not trust us hangs up, which is its good right.
                let Ok(mut inside) = acceptor.accept(stream).await else {
                    return;
                };
                let mut redis = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let _ended = tokio::io::copy_bidirectional(&mut inside, &mut redis).await;
            });
        }
    });
    own_port
}

/// A Redis in which only the user `shop` may do anything.
async fn guarded_redis() -> RedisServer {
    let server = RedisServer::start().await.unwrap();
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut user = redis::cmd("ACL");
    user.arg("SETUSER").arg("shop").arg("on").arg(format!(">{PASSWORD}"));
    user.arg("~*").arg("&*").arg("+@all");
    user.query_async::<()>(&mut connection).await.unwrap();
    let mut nobody = redis::cmd("ACL");
    nobody.arg("SETUSER").arg("default").arg("off");
    nobody.query_async::<()>(&mut connection).await.unwrap();
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_works_through_tls_with_a_user_a_database_and_a_prefix() {
    let server = guarded_redis().await;
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    let port = tls_before(server.port(), &ca).await;
    // Which authorities are trusted is a matter of the whole process, so that this takes one of its own.
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "redis_access::the_process_that_trusts_the_authority",
            "--ignored",
        ])
        .env("SSL_CERT_FILE", &ca)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let url = format!("rediss://shop:{PASSWORD_IN_URL}@localhost:{port}/{DATABASE}");
    let mut told = child.stdin.take().unwrap();
    told.write_all(format!("{url}\n").as_bytes()).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));

    // Nothing lies in the first database, and this process does not trust the authority.
    let plain = format!("redis://shop:{PASSWORD_IN_URL}@127.0.0.1:{}/0", server.port());
    let client = redis::Client::open(plain).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let keys: u64 = redis::cmd("DBSIZE").query_async(&mut connection).await.unwrap();
    assert_eq!(keys, 0);
    let refused = admin(&url).await.unwrap_err();
    assert!(
        refused.contains("certificate") && !refused.contains(PASSWORD_IN_URL),
        "{refused}"
    );
}

#[test]
#[ignore = "it is the body of a process that another test starts"]
fn the_process_that_trusts_the_authority() {
    let mut url = String::new();
    std::io::stdin().read_line(&mut url).unwrap();
    if url.trim().is_empty() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(use_everything(url.trim()));
}

async fn use_everything(url: &str) {
    let uri = shared::mongodb_uri().await.unwrap();
    let world = World::on(SandboxSettings::default(), uri, url.to_owned()).await;
    let worker = world.start();
    // The job's producer speaks TLS too.
    world.run("CREATE_ORDER", json!({})).await.value();
    let address = QueueAddress {
        redis: RedisSettings {
            url: url.to_owned().into(),
        },
        queue: "billz-operations".to_owned(),
        prefix: world.prefix.clone(),
    };
    let admin = QueueAdmin::connect(&address).await.unwrap();
    let data = json!({"type": "GET_ORDER", "payload": {"orderId": "order123"}});
    let job = admin.add("GET_ORDER", data, &EnqueueOptions::default()).await.unwrap();
    world.ended(&job).await.value();
    assert_eq!(admin.counts().await.unwrap().completed, 2);

    let client = || address.redis.client().unwrap();
    let limit = RateLimit::new(100, Duration::from_secs(1));
    let mut settings = BudgetSettings::new(limit, Some(client()), "billz");
    settings.key_prefix.clone_from(&world.prefix);
    let budget = Budget::new(settings).unwrap();
    budget
        .acquire(Urgency::Payment, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(budget.state().source, BudgetSource::Shared);

    let store = RedisTokenStore::new(client(), &world.prefix, &"secret".to_owned().into()).unwrap();
    let token = StoredToken {
        access_token: "token".to_owned().into(),
        expires_at: "2099-01-01T00:00:00Z".parse().unwrap(),
    };
    store.save(&token).await.unwrap();
    let loaded = store.load().await.unwrap().unwrap();
    assert_eq!(loaded.access_token.expose_secret(), "token");
    worker.stop().await;
    world.end().await;
}

/// What the administration says that cannot get in.
async fn admin(url: &str) -> Result<QueueAdmin, String> {
    let address = QueueAddress {
        redis: RedisSettings {
            url: url.to_owned().into(),
        },
        queue: "billz-operations".to_owned(),
        prefix: "bull".to_owned(),
    };
    QueueAdmin::connect(&address).await.map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_get_in_is_told_which_variable_to_correct() {
    let server = guarded_redis().await;
    let port = server.port();
    let world = World::new().await;
    for (login, expected) in [
        ("shop:wr0ng-Secret@", "REDIS_PASSWORD"),
        (":wr0ng-Secret@", "REDIS_PASSWORD"),
        ("nobody:wr0ng-Secret@", "REDIS_USERNAME"),
        ("", "REDIS_PASSWORD"),
    ] {
        let url = format!("redis://{login}127.0.0.1:{port}/0");
        let said = admin(&url).await.unwrap_err();
        assert!(said.contains(expected) && !said.contains("wr0ng"), "{login}: {said}");
        let mut settings = world.settings();
        settings.redis.url = url.into();
        let worker = world.start_with(settings, world.billz(), None);
        until("the board says why", || async {
            worker.health.all().get("worker.redis").is_some_and(|health| {
                let said = &health.detail;
                health.condition == Condition::Down && said.contains(expected) && !said.contains("wr0ng")
            })
        })
        .await;
        worker.stop().await;
    }
    world.end().await;
}
