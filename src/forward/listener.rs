//! The listening side: one session through the API server per TCP connection.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::target::{Finder, ForwardError, Service};
use crate::cluster::Cluster;

const TRIES: u32 = 3;
const END: Duration = Duration::from_secs(5);

/// What went through.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections accepted.
    pub connections: AtomicU64,
    /// Connections that found no way.
    pub failed: AtomicU64,
    /// Bytes, both ways.
    pub bytes: AtomicU64,
}

/// A listening tunnel.
#[derive(Debug)]
pub struct Tunnel {
    listener: TcpListener,
    finder: Arc<Finder>,
    cluster: Cluster,
    /// What went through.
    pub counters: Arc<Counters>,
}

impl Tunnel {
    /// Listens on 127.0.0.1 (port 0: a free one), once a pod of the Service is there to be talked to.
    pub async fn open(cluster: Cluster, service: Service, port: u16) -> Result<Self, ForwardError> {
        let finder = Arc::new(Finder::new(service));
        finder.find(&cluster).await?;
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
            .await
            .map_err(|source| ForwardError::Listen { port, source })?;
        Ok(Self { listener, finder, cluster, counters: Arc::default() })
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        self.listener.local_addr().map_or(0, |address| address.port())
    }

    /// Carries connections until told to stop.
    pub async fn run(self, cancel: CancellationToken) {
        let sessions = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = cancel.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                // Out of file descriptors: the next one may find some.
                sleep(Duration::from_millis(100)).await;
                continue;
            };
            self.counters.connections.fetch_add(1, Ordering::Relaxed);
            let session = session(stream, Arc::clone(&self.finder), self.cluster.clone(), Arc::clone(&self.counters));
            let cancel = cancel.clone();
            sessions.spawn(async move {
                tokio::select! {
                    () = cancel.cancelled() => {}
                    () = session => {}
                }
            });
        }
        sessions.close();
        drop(timeout(END, sessions.wait()).await);
    }
}

async fn session(mut stream: TcpStream, finder: Arc<Finder>, cluster: Cluster, counters: Arc<Counters>) {
    stream.set_nodelay(true).ok();
    for attempt in 1..=TRIES {
        let opened = match finder.find(&cluster).await {
            Ok(target) => {
                cluster.port_forward(finder.namespace(), &target.pod, target.port).await.ok().map(|forwarder| (forwarder, target.port))
            }
            Err(_) => None,
        };
        let Some((mut forwarder, port)) = opened else {
            finder.forget();
            sleep(Duration::from_millis(200) * attempt).await;
            continue;
        };
        if let Some(mut upstream) = forwarder.take_stream(port) {
            if let Ok((up, down)) = copy_bidirectional(&mut stream, &mut upstream).await {
                counters.bytes.fetch_add(up + down, Ordering::Relaxed);
            }
            drop(upstream);
        }
        // kube's Portforwarder has no Drop: left alone it would live on.
        let abort = tokio::time::Instant::now() + END;
        if tokio::time::timeout_at(abort, forwarder.join()).await.is_err() {
            finder.forget();
        }
        return;
    }
    counters.failed.fetch_add(1, Ordering::Relaxed);
}
