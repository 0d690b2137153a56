//! Slow, greedy, broken and strange clients, over real sockets. Each test fails if the server let them have their way.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    body::Bytes,
    routing::{get, post},
};
use futures_util::{StreamExt as _, stream};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::Notify,
    task::JoinHandle,
    time::{Instant, timeout},
};

use super::*;

/// How long anything may take before a test gives up on it.
const DEADLINE: Duration = Duration::from_secs(20);
/// A limit that is met within a test.
const SHORT: Duration = Duration::from_millis(100);

/// A server of a test's own.
struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
    /// How many requests reached a route.
    reached: Arc<AtomicUsize>,
    /// Told when an endless answer has been given up.
    given_up: Arc<Notify>,
}

/// Tells of its end.
struct Told(Arc<Notify>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Server {
    async fn start(limits: ServerLimits) -> Self {
        Self::with_grace(limits, DEADLINE).await
    }

    async fn with_grace(limits: ServerLimits, grace: Duration) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (reached, given_up) = (Arc::<AtomicUsize>::default(), Arc::<Notify>::default());
        let (count, told) = (Arc::clone(&reached), Arc::clone(&given_up));
        let endless = move || async move {
            let told = Told(told);
            Body::from_stream(stream::repeat(Bytes::from(vec![b'x'; 64 * 1024])).map(move |piece| {
                let _still_sent = &told;
                Ok::<_, std::convert::Infallible>(piece)
            }))
        };
        let all = Router::new()
            .route("/quick", get(async || "quick"))
            .route("/echo", post(async |body: Bytes| body))
            .route("/endless", get(endless))
            .layer(axum::middleware::map_request(move |request: axum::extract::Request| {
                count.fetch_add(1, Ordering::SeqCst);
                async { request }
            }));
        let operations = Router::new()
            .route("/health/live", get(async || "live"))
            .route("/metrics", get(async || "metrics"));
        let routes = Routes {
            all: all.merge(operations.clone()),
            operations,
        };
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, routes, limits, stop.clone(), grace));
        Self {
            address,
            stop,
            serving,
            reached,
            given_up,
        }
    }

    async fn connect(&self) -> TcpStream {
        timeout(DEADLINE, TcpStream::connect(self.address))
            .await
            .unwrap()
            .unwrap()
    }

    /// Everything that the server says to `text` until it closes the connection.
    async fn say(&self, text: &str) -> String {
        let mut stream = self.connect().await;
        // The server may have heard enough before the end.
        let _ = stream.write_all(text.as_bytes()).await;
        rest(&mut stream).await
    }

    /// The answer to a plain request on a connection of its own.
    async fn get(&self, path: &str) -> String {
        self.say(&format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
            .await
    }

    fn reached(&self) -> usize {
        self.reached.load(Ordering::SeqCst)
    }
}

/// What is left of a connection until the server closes it.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // A connection that is reset has ended too.
    let _ = timeout(DEADLINE, stream.read_to_end(&mut text))
        .await
        .expect("the server keeps the connection open");
    String::from_utf8_lossy(&text).into_owned()
}

/// Reads until `end` has arrived.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        let byte = timeout(DEADLINE, stream.read_u8()).await.expect("nothing more arrives");
        text.push(byte.unwrap_or_else(|error| panic!("{error} after {}", String::from_utf8_lossy(&text))));
    }
    String::from_utf8(text).unwrap()
}

fn short_head() -> ServerLimits {
    ServerLimits {
        head_timeout: SHORT,
        ..ServerLimits::default()
    }
}

const QUICK: &str = "GET /quick HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn when_every_connection_is_taken_health_and_metrics_are_answered_and_the_rest_is_told_to_come_back() {
    let server = Server::start(ServerLimits {
        connections: 2,
        reserve: 2,
        ..ServerLimits::default()
    })
    .await;
    let mut taken = Vec::new();
    for _ in 0..2 {
        let mut stream = server.connect().await;
        stream.write_all(QUICK.as_bytes()).await.unwrap();
        assert!(until(&mut stream, "quick").await.starts_with("HTTP/1.1 200"));
        taken.push(stream);
    }
    // More of those that say nothing than the reserve has room for.
    for _ in 0..10 {
        taken.push(server.connect().await);
    }
    assert!(server.get("/health/live").await.starts_with("HTTP/1.1 200"));
    assert!(server.get("/metrics").await.ends_with("metrics"));
    let reached = server.reached();
    let refused = server.say(QUICK).await;
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    let refused = refused.to_ascii_lowercase();
    for part in [
        "retry-after: 1\r\n",
        "connection: close\r\n",
        "x-correlation-id: ",
        "\"code\":\"overloaded\"",
    ] {
        assert!(refused.contains(part), "{part} is missing from {refused}");
    }
    assert_eq!(server.reached(), reached, "a refused request reached its route");
    drop(taken);
    let begun = Instant::now();
    while !server.get("/quick").await.starts_with("HTTP/1.1 200") {
        assert!(begun.elapsed() < DEADLINE, "the connections were not given back");
    }
}

#[tokio::test]
async fn a_head_that_does_not_arrive_in_time_ends_the_connection() {
    let server = Server::start(short_head()).await;
    for begun in ["", "GET /qui", "GET /quick HTTP/1.1\r\nHost: a\r\nX-Slow: "] {
        assert_eq!(server.say(begun).await, "", "after {begun:?}");
    }
    // One that always has a little more to say.
    let mut stream = server.connect().await;
    let trickle = async {
        stream.write_all(b"GET /quick HTTP/1.1\r\nX-Slow: ").await?;
        loop {
            stream.write_all(b"x").await?;
            tokio::time::sleep(SHORT / 20).await;
        }
        #[expect(unreachable_code, reason = "names the type of the error")]
        std::io::Result::Ok(())
    };
    assert!(
        timeout(DEADLINE, trickle).await.expect("it may trickle on").is_err(),
        "the connection did not end"
    );
    assert_eq!(server.reached(), 0);
}

#[tokio::test]
async fn a_client_that_is_gone_without_a_word_does_not_keep_its_connection() {
    let server = Server::start(ServerLimits {
        connections: 1,
        ..short_head()
    })
    .await;
    // To the server it looks like one that will ask again later.
    let mut gone = server.connect().await;
    gone.write_all(QUICK.as_bytes()).await.unwrap();
    until(&mut gone, "quick").await;
    assert_eq!(rest(&mut gone).await, "");
    let begun = Instant::now();
    while !server.get("/quick").await.starts_with("HTTP/1.1 200") {
        assert!(begun.elapsed() < DEADLINE, "its place was not given back");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_read_is_given_up() {
    let server = Server::start(ServerLimits {
        write_timeout: SHORT,
        ..ServerLimits::default()
    })
    .await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    until(&mut stream, "\r\n\r\n").await;
    // The connection stays open, and nothing more is read.
    timeout(DEADLINE, server.given_up.notified())
        .await
        .expect("the answer waits for the client for ever");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_and_the_connection_closed() {
    let server = Server::start(ServerLimits::default()).await;
    let limits = ServerLimits::default();
    let large = format!(
        "GET /quick HTTP/1.1\r\nHost: a\r\nX-Large: {}\r\n\r\n",
        "x".repeat(limits.largest_head)
    );
    let long = format!(
        "GET /quick?{} HTTP/1.1\r\nHost: a\r\n\r\n",
        "x".repeat(limits.largest_head)
    );
    let many = format!(
        "GET /quick HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "X-Many: x\r\n".repeat(limits.most_headers)
    );
    for (what, head) in [("a large field", large), ("a long path", long), ("many fields", many)] {
        let answer = server.say(&head).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{what}: {answer}");
    }
    assert_eq!(server.reached(), 0);
    let fits = format!(
        "GET /quick HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Large: {}\r\n{}\r\n",
        "x".repeat(limits.largest_head / 2),
        "X-Many: x\r\n".repeat(limits.most_headers - 3)
    );
    assert!(server.say(&fits).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn what_is_no_http_ends_the_connection_after_what_came_before_was_answered() {
    let server = Server::start(ServerLimits::default()).await;
    for garbage in [
        "\0\u{1}\u{2}\r\n\r\n",
        "GET\r\n\r\n",
        "\r\nno request at all\r\n\r\n",
        "GET /quick HTTP/9.9\r\nHost: a\r\n\r\n",
        "GET /quick HTTP/1.1\r\nHost a\r\n\r\n",
        "GET /quick HTTP/1.1\r\nHost: a\r\nX-Folded: a\r\n b\r\n\r\n",
        "GET /quick HTTP/1.1\r\nHost: a\r\nX-Zero: \0\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}",
    ] {
        let before = server.reached();
        let answer = server.say(&format!("{QUICK}{garbage}{QUICK}")).await;
        let (first, second) = answer.split_once("quick").unwrap_or((&answer, "nothing"));
        assert!(first.starts_with("HTTP/1.1 200"), "{garbage:?}: {answer}");
        // A client of HTTP/2 would not understand an answer.
        let is_refused = second.is_empty() || (second.starts_with("HTTP/1.") && second[8..].starts_with(" 4"));
        assert!(is_refused, "{garbage:?}: {answer}");
        assert_eq!(server.reached(), before + 1, "{garbage:?} reached a route");
    }
}

#[tokio::test]
async fn lengths_that_contradict_each_other_are_refused() {
    let server = Server::start(ServerLimits::default()).await;
    for fields in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding : chunked\r\n",
    ] {
        let answer = server
            .say(&format!("POST /echo HTTP/1.1\r\nHost: a\r\n{fields}\r\nhello"))
            .await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{fields:?}: {answer}");
    }
    let old = "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert!(server.say(old).await.contains(" 400 "));
    assert_eq!(server.reached(), 0);
}

#[tokio::test]
async fn of_a_length_and_chunks_the_chunks_count_and_nothing_after_them_is_taken_for_a_request() {
    let server = Server::start(ServerLimits::default()).await;
    let hidden = "GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n";
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ] {
        let before = server.reached();
        let body = format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len());
        // Whoever stands before us may have read the length, and sent another's request behind it.
        let answer = server
            .say(&format!("POST /echo HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}{QUICK}"))
            .await;
        assert_eq!(answer.matches("HTTP/1.1 200").count(), 1, "{fields:?}: {answer}");
        assert!(
            answer.contains("connection: close\r\n") && answer.ends_with(hidden),
            "{fields:?}: {answer}"
        );
        assert_eq!(server.reached(), before + 1, "{fields:?}");
    }
    for chunk in ["zz\r\n", "ffffffffffffffffff\r\n", "-1\r\n"] {
        let answer = server
            .say(&format!(
                "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{QUICK}"
            ))
            .await;
        assert!(!answer.contains("HTTP/1.1 200"), "{chunk:?}: {answer}");
    }
}

#[tokio::test]
async fn a_request_names_exactly_one_host_unless_it_is_an_old_one() {
    let server = Server::start(ServerLimits::default()).await;
    for hosts in ["", "Host: a\r\nHost: b\r\n"] {
        let answer = server
            .say(&format!("GET /quick HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n"))
            .await;
        assert!(
            answer.starts_with("HTTP/1.1 400 ") && answer.contains("\"code\":\"invalid_host\""),
            "{hosts:?}: {answer}"
        );
    }
    assert_eq!(server.reached(), 0);
    // Closed without being asked to.
    let old = server.say("GET /quick HTTP/1.0\r\n\r\n").await;
    assert!(old.starts_with("HTTP/1.0 200 ") && old.ends_with("quick"), "{old}");
    let absolute = "GET http://billing.example/quick HTTP/1.1\r\nHost: billing.example\r\nConnection: close\r\n\r\n";
    assert!(server.say(absolute).await.ends_with("quick"));
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on() {
    let server = Server::start(ServerLimits::default()).await;
    let mut stream = server.connect().await;
    stream
        .write_all(
            b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
        )
        .await
        .unwrap();
    assert_eq!(until(&mut stream, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"),
        "{answer}"
    );
}

#[tokio::test]
async fn head_has_no_body_and_other_methods_are_told_which_there_are() {
    let server = Server::start(ServerLimits::default()).await;
    let ask = async |method: &str| {
        server
            .say(&format!(
                "{method} /quick HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            ))
            .await
            .to_ascii_lowercase()
    };
    let head = ask("HEAD").await;
    assert!(
        head.starts_with("http/1.1 200") && head.contains("content-length: 5\r\n") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    for method in ["OPTIONS", "DELETE", "TRACE", "MADE-UP"] {
        let answer = ask(method).await;
        assert!(
            answer.starts_with("http/1.1 405") && answer.contains("allow: get,head\r\n"),
            "{method}: {answer}"
        );
    }
}

#[tokio::test]
async fn those_that_say_nothing_or_read_nothing_do_not_keep_it_from_stopping() {
    let server = Server::with_grace(ServerLimits::default(), SHORT).await;
    let mut silent = server.connect().await;
    silent.write_all(b"GET /qui").await.unwrap();
    let mut deaf = server.connect().await;
    deaf.write_all(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    until(&mut deaf, "\r\n\r\n").await;
    server.stop.cancel();
    timeout(DEADLINE, server.serving)
        .await
        .expect("it does not stop")
        .unwrap();
}
