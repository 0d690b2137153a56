//! Serves connections: so many, each for so long, and a few more on which the process still says how it is.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Version, header},
    response::Response,
};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::AbortHandle,
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::ServerLimits;

/// What is served.
pub(crate) struct Routes {
    /// Everything.
    pub(crate) all: Router,
    /// What is answered even when all connections are taken.
    pub(crate) operations: Router,
}

/// Serves until `stop`, then finishes the requests that are under way for at most `grace`.
pub(crate) async fn serve(
    listener: TcpListener,
    routes: Routes,
    limits: ServerLimits,
    stop: CancellationToken,
    grace: Duration,
) {
    let graceful = GracefulShutdown::new();
    let connections = Arc::new(Semaphore::new(limits.connections));
    let in_reserve = routes.operations.fallback(billwright_api::overloaded);
    let ordinary = builder(limits);
    let mut once = ordinary.clone();
    // Whoever needs the reserve again has to ask for it again.
    once.keep_alive(false);
    let mut reserve = Reserve::new(limits.reserve);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener) => accepted,
        };
        let Some((stream, peer)) = accepted else {
            continue;
        };
        // Connections are always accepted, since the system's queue cannot tell a probe from a flood.
        if let Ok(place) = Arc::clone(&connections).try_acquire_owned() {
            let connection = serve_one(&ordinary, stream, peer, routes.all.clone(), limits);
            let connection = graceful.watch(connection);
            tokio::spawn(until_closed(connection, Some(place)));
        } else {
            let connection = serve_one(&once, stream, peer, in_reserve.clone(), limits);
            let connection = graceful.watch(connection);
            reserve.admit(tokio::spawn(until_closed(connection, None)).abort_handle());
        }
    }
    drop(listener);
    if tokio::time::timeout(grace, graceful.shutdown()).await.is_err() {
        tracing::warn!(
            grace_seconds = grace.as_secs(),
            "some HTTP requests did not end within the grace period and were cut off"
        );
    }
}

fn builder(limits: ServerLimits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_header_size(limits.largest_head)
        .max_headers(limits.most_headers)
        .max_buf_size(limits.largest_buffer);
    builder
}

type Stream = TokioIo<std::pin::Pin<Box<TimeoutStream<TcpStream>>>>;

fn serve_one(
    builder: &http1::Builder,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: ServerLimits,
) -> http1::Connection<
    Stream,
    impl hyper::service::Service<
        hyper::Request<Incoming>,
        Response = Response,
        Error = std::convert::Infallible,
        Future: Send,
    > + use<>,
> {
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        let router = router.clone();
        async move {
            if names_one_host(&request) {
                router.oneshot(request).await
            } else {
                Ok(billwright_api::no_host(request.map(Body::new)).await)
            }
        }
    });
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.write_timeout));
    builder.serve_connection(TokioIo::new(Box::pin(stream)), service)
}

/// RFC 9112, 3.2: a request of HTTP/1.1 without `Host`, or with more than one, is refused, since whoever stands before us may
/// take it for another's.
fn names_one_host<B>(request: &hyper::Request<B>) -> bool {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    hosts == 1 || (hosts == 0 && request.version() < Version::HTTP_11)
}

async fn until_closed<E>(connection: impl Future<Output = Result<(), E>>, place: Option<OwnedSemaphorePermit>) {
    // A client that breaks off is no fault of ours and needs no word in the log.
    drop(connection.await);
    drop(place);
}

/// The connections beyond the most. The oldest gives way to the newest, which has not had time to say what it wants; so those
/// that say nothing cannot shut a probe out.
struct Reserve {
    most: usize,
    admitted: VecDeque<AbortHandle>,
}

impl Reserve {
    fn new(most: usize) -> Self {
        Self {
            most,
            admitted: VecDeque::with_capacity(most),
        }
    }

    fn admit(&mut self, connection: AbortHandle) {
        if self.admitted.len() >= self.most {
            self.admitted.retain(|connection| !connection.is_finished());
        }
        if self.admitted.len() >= self.most
            && let Some(oldest) = self.admitted.pop_front()
        {
            oldest.abort();
        }
        self.admitted.push_back(connection);
    }
}

/// The next connection.
async fn accept(listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Answers are small and complete; waiting for more to send with them only delays them.
            drop(stream.set_nodelay(true));
            Some((stream, peer))
        }
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted; trying again");
            // Out of file handles: only time helps, and a busy loop would take it from those who could free some.
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

#[cfg(test)]
mod tests;
