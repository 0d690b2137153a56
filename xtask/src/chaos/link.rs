//! The network between Billwright and one server: a TCP proxy that can cut, silence, delay and throttle what passes.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// How a link behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passage {
    /// Everything passes at once.
    Open,
    /// Connections are dropped, and new ones are dropped as soon as they are made.
    Cut,
    /// Connections stay, and new ones are made, but nothing arrives: a half-open network.
    Silent,
    /// Everything arrives, each piece so much later.
    Delayed(Duration),
    /// So many bytes pass a second, for each connection and direction.
    Throttled(u32),
}

/// A proxy in front of one server. It keeps its port as long as it lives.
#[derive(Debug)]
pub(super) struct Link {
    port: u16,
    passage: Arc<watch::Sender<Passage>>,
    target: watch::Sender<Option<u16>>,
    accepting: JoinHandle<()>,
}

impl Link {
    /// Listens on a free port of 127.0.0.1. Connections wait until [`Self::lead_to`] was called.
    pub(super) async fn open() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("a link has no port to listen on")?;
        let port = listener.local_addr()?.port();
        let passage = Arc::new(watch::Sender::new(Passage::Open));
        let target = watch::Sender::new(None);
        let accepting = tokio::spawn(accept(listener, Arc::clone(&passage), target.subscribe()));
        Ok(Self {
            port,
            passage,
            target,
            accepting,
        })
    }

    /// The port that clients connect to.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Names the server's port.
    pub(super) fn lead_to(&self, port: u16) {
        self.target.send_replace(Some(port));
    }

    /// Changes how the link behaves, for connections that are there as well as for new ones.
    pub(super) fn set(&self, passage: Passage) {
        self.passage.send_replace(passage);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, passage: Arc<watch::Sender<Passage>>, target: watch::Receiver<Option<u16>>) {
    // Aborted with this task.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    connections.spawn(carry(client, passage.subscribe(), target.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Carries one connection until either end closes it or the link is cut.
async fn carry(client: TcpStream, passage: watch::Receiver<Passage>, mut target: watch::Receiver<Option<u16>>) {
    let mut cut = passage.clone();
    let carried = async {
        let port = *target.wait_for(Option::is_some).await.ok()?;
        // A dead server is noticed as it would be without a proxy: the connection ends.
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port?)).await.ok()?;
        client.set_nodelay(true).ok()?;
        server.set_nodelay(true).ok()?;
        let (client_reads, client_writes) = client.into_split();
        let (server_reads, server_writes) = server.into_split();
        tokio::select! {
            () = pump(client_reads, server_writes, passage.clone()) => {}
            () = pump(server_reads, client_writes, passage) => {}
        }
        Some(())
    };
    tokio::select! {
        _ = carried => {}
        _ = cut.wait_for(|passage| *passage == Passage::Cut) => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut passage: watch::Receiver<Passage>) {
    let mut piece = vec![0; 16 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut piece).await else {
            return;
        };
        let now = *passage.borrow_and_update();
        match now {
            Passage::Open | Passage::Cut => {}
            Passage::Silent => {
                if passage.wait_for(|passage| *passage != Passage::Silent).await.is_err() {
                    return;
                }
            }
            Passage::Delayed(delay) => tokio::time::sleep(delay).await,
            Passage::Throttled(bytes_per_second) => {
                let takes = f64::from(u32::try_from(length).unwrap_or(u32::MAX)) / f64::from(bytes_per_second.max(1));
                let takes = Duration::from_secs_f64(takes);
                // Whoever opens the link again does not wait for what is under way.
                let opened = passage.wait_for(|passage| !matches!(passage, Passage::Throttled(_)));
                drop(tokio::time::timeout(takes, opened).await);
            }
        }
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// A link to a server that sends back whatever it gets.
    async fn echo() -> (Link, JoinHandle<()>) {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = server.local_addr().unwrap().port();
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = server.accept().await {
                tokio::spawn(async move {
                    let (mut reads, mut writes) = stream.split();
                    let _ = tokio::io::copy(&mut reads, &mut writes).await;
                });
            }
        });
        let link = Link::open().await.unwrap();
        link.lead_to(port);
        (link, serving)
    }

    async fn answer(stream: &mut TcpStream) -> std::io::Result<[u8; 4]> {
        stream.write_all(b"ping").await?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn passes_bytes_until_it_is_cut_and_again_afterwards() {
        let (link, _serving) = echo().await;
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, link.port()));
        let mut stream = connect().await.unwrap();
        assert_eq!(&answer(&mut stream).await.unwrap(), b"ping");
        link.set(Passage::Cut);
        assert!(answer(&mut stream).await.is_err(), "the connection survived");
        if let Ok(mut refused) = connect().await {
            assert!(answer(&mut refused).await.is_err(), "a new connection works");
        }
        link.set(Passage::Open);
        assert_eq!(&answer(&mut connect().await.unwrap()).await.unwrap(), b"ping");
    }

    #[tokio::test]
    async fn holds_back_what_is_sent_while_it_is_silent_slow_or_narrow() {
        let (link, _serving) = echo().await;
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, link.port())).await.unwrap();
        for (passage, at_least) in [
            (Passage::Delayed(Duration::from_millis(60)), 100),
            (Passage::Throttled(100), 60),
        ] {
            link.set(passage);
            let began = Instant::now();
            assert_eq!(&answer(&mut stream).await.unwrap(), b"ping");
            assert!(began.elapsed() >= Duration::from_millis(at_least), "{passage:?}");
        }
        link.set(Passage::Silent);
        let mut waiting = Box::pin(answer(&mut stream));
        let patience = Duration::from_millis(100);
        assert!(tokio::time::timeout(patience, &mut waiting).await.is_err());
        link.set(Passage::Open);
        assert_eq!(&waiting.await.unwrap(), b"ping");
    }
}
