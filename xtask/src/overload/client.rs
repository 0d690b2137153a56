//! A caller of the API with one connection, as cheap as can be: the machine belongs to whom it calls.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request,
    body::Bytes,
    client::conn::http1::{SendRequest, handshake},
    header,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::AbortHandle};

/// How long an answer may take until its caller hangs up. Longer than the service takes to give a request up.
const PATIENCE: Duration = Duration::from_secs(40);

/// What came of a request.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Whether it says when to come back.
    pub(super) says_when: bool,
    pub(super) body: Bytes,
}

/// A request to be made.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: &'static str,
    pub(super) path: String,
    /// JSON, or nothing.
    pub(super) body: String,
}

/// Somebody with a connection, which is made when it is needed.
pub(super) struct Client {
    address: SocketAddr,
    connection: Option<(SendRequest<Full<Bytes>>, AbortHandle)>,
}

impl Client {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            connection: None,
        }
    }

    /// Makes a request. An error means that there is no answer.
    pub(super) async fn send(&mut self, call: Call) -> Result<Answer> {
        let answer = tokio::time::timeout(PATIENCE, self.answer_to(call)).await;
        let answer = answer
            .context("no answer came in time")
            .and_then(std::convert::identity);
        if answer.is_err() {
            self.hang_up();
        }
        answer
    }

    async fn answer_to(&mut self, call: Call) -> Result<Answer> {
        let (path, method) = (call.path, call.method);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "127.0.0.1");
        if !call.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::from(call.body))?;
        let sender = self.sender().await?;
        let response = sender.send_request(request).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer {
            status: head.status.as_u16(),
            says_when: head.headers.contains_key(header::RETRY_AFTER),
            body,
        })
    }

    async fn sender(&mut self) -> Result<&mut SendRequest<Full<Bytes>>> {
        // The service may have closed it, as it does after refusing a connection.
        let is_open = match &mut self.connection {
            Some((sender, _)) => sender.ready().await.is_ok(),
            None => false,
        };
        if !is_open {
            self.hang_up();
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = handshake(TokioIo::new(stream)).await?;
            let carrying = tokio::spawn(async move { drop(connection.await) });
            self.connection = Some((sender, carrying.abort_handle()));
        }
        let (sender, _) = self.connection.as_mut().context("the connection was just made")?;
        Ok(sender)
    }

    fn hang_up(&mut self) {
        if let Some((_, carrying)) = self.connection.take() {
            carrying.abort();
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.hang_up();
    }
}
