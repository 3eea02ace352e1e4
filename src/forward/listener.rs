//! The listening side: one session through the API server per TCP connection.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::keeper::{self, Own};
use super::pool::Pool;
use super::session::session;
use super::{ForwardError, Service};
use crate::cluster::Cluster;

const END: Duration = Duration::from_secs(5);
/// Sessions at a time; more clients wait in the listener's queue. Two sockets each, below the usual limit of 1,024 files.
const SESSIONS: usize = 400;
/// How many ports are tried where none was asked for.
const PORTS: u16 = 100;

/// Which local port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// This one or none; 0: whichever is free.
    Exactly(u16),
    /// This one or the next free one.
    From(u16),
}

/// A listening tunnel.
#[derive(Debug)]
pub struct Tunnel {
    listener: TcpListener,
    pub(super) pool: Arc<Pool>,
}

impl Tunnel {
    /// Listens on 127.0.0.1, once a pod of the Service is there to be talked to. `kubeconfig` is read again when the API server has moved.
    pub async fn open(cluster: Cluster, kubeconfig: Option<PathBuf>, service: Service, port: Port) -> Result<Self, ForwardError> {
        let pool = Pool::new(cluster, kubeconfig, service);
        pool.finder.find(&pool.cluster()).await?;
        Ok(Self { listener: listen(port).await?, pool: Arc::new(pool) })
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        self.listener.local_addr().map_or(0, |address| address.port())
    }

    /// Carries connections until told to stop.
    pub async fn run(self, cancel: CancellationToken) {
        let (sessions, own) = (TaskTracker::new(), Arc::new(Own::default()));
        let room = Arc::new(Semaphore::new(SESSIONS));
        let mut beside = tokio::task::JoinSet::new();
        beside.spawn(keeper::keep(Arc::clone(&self.pool)));
        if self.pool.finder.service().is_ingress() {
            beside.spawn(keeper::look_through(Arc::clone(&self.pool), Arc::clone(&own), self.port()));
        }
        loop {
            let accepted = async {
                let room = Arc::clone(&room).acquire_owned().await;
                (self.listener.accept().await, room)
            };
            let (accepted, room) = tokio::select! {
                () = cancel.cancelled() => break,
                accepted = accepted => accepted,
            };
            let Ok((stream, from)) = accepted else {
                // Out of file descriptors: the next one may find some.
                sleep(Duration::from_millis(100)).await;
                continue;
            };
            let counts = !own.lock().unwrap_or_else(PoisonError::into_inner).contains(&from.port());
            let (pool, cancel) = (Arc::clone(&self.pool), cancel.clone());
            sessions.spawn(async move {
                let counters = Arc::clone(&pool.counters);
                counters.connections.fetch_add(u64::from(counts), Relaxed);
                counters.active.fetch_add(u64::from(counts), Relaxed);
                tokio::select! {
                    () = cancel.cancelled() => {}
                    () = session(stream, pool) => {}
                }
                counters.active.fetch_sub(u64::from(counts), Relaxed);
                drop(room);
            });
        }
        beside.shutdown().await;
        sessions.close();
        drop(timeout(END, sessions.wait()).await);
    }
}

async fn listen(port: Port) -> Result<TcpListener, ForwardError> {
    let (first, last) = match port {
        Port::Exactly(port) => (port, port),
        Port::From(port) => (port, port.saturating_add(PORTS)),
    };
    let mut failed = None;
    for port in first..=last {
        match TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await {
            Ok(listener) => return Ok(listener),
            Err(error) => {
                let busy = matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied);
                failed = Some(ForwardError::Listen { port, source: error });
                if !busy {
                    break;
                }
            }
        }
    }
    Err(failed.unwrap_or(ForwardError::Listen { port: first, source: ErrorKind::AddrInUse.into() }))
}
