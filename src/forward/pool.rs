//! Ways to the pod: connections to its kubelet that are kept warm, so that a new client does not wait for TLS and two upgrades.
//!
//! A connection belongs to one pod and holds nothing in it while it waits: the kubelet dials the pod when a stream is opened.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use kube::api::Portforwarder;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::counters::Counters;
use super::target::Finder;
use super::wire::{Pair, Wire};
use super::{ForwardError, Service};
use crate::cluster::{Cluster, ClusterError};

/// Connections that wait for clients, at least and at most.
const WARM: usize = 4;
const KEPT: usize = 32;
/// How long a client waits for a way before its connection is closed: the API server of one node is back within this.
const HOLD: Duration = Duration::from_secs(30);
const UPGRADE: Duration = Duration::from_secs(10);

/// A way to a port of a pod.
pub(super) enum Way {
    /// One SPDY connection, and its streams.
    Wire(Box<Wire>, Pair),
    /// One websocket, where SPDY is not spoken.
    Socket(Portforwarder, u16),
}

/// Finds ways.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) finder: Finder,
    pub(super) counters: Arc<Counters>,
    pub(super) refill: Notify,
    cluster: RwLock<Cluster>,
    kubeconfig: Option<PathBuf>,
    spare: Mutex<Vec<Wire>>,
    opening: AtomicUsize,
    websocket: AtomicBool,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire").field("pod", &self.pod).finish_non_exhaustive()
    }
}

impl Pool {
    /// `kubeconfig` is read again when the API server cannot be reached: a restart may have moved it.
    pub(super) fn new(cluster: Cluster, kubeconfig: Option<PathBuf>, service: Service) -> Self {
        Self {
            finder: Finder::new(service),
            counters: Arc::default(),
            refill: Notify::new(),
            cluster: RwLock::new(cluster),
            kubeconfig,
            spare: Mutex::default(),
            opening: AtomicUsize::new(0),
            websocket: AtomicBool::new(false),
        }
    }

    /// The cluster as it is reached now.
    pub(super) fn cluster(&self) -> Cluster {
        self.cluster.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A way to the service; tries again, with growing pauses, until somebody waits no longer.
    pub(super) async fn way(&self) -> Result<Way, ForwardError> {
        let until = Instant::now() + HOLD;
        let mut pause = Duration::from_millis(50);
        loop {
            let error = match self.attempt().await {
                Ok(way) => {
                    self.counters.found();
                    return Ok(way);
                }
                Err(error) => error,
            };
            self.trouble(&error).await;
            if matches!(error, ForwardError::NoPort { .. }) || Instant::now() + pause >= until {
                return Err(error);
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }

    /// Remembers what went wrong; what was known is not trusted any more.
    pub(super) async fn trouble(&self, error: &ForwardError) {
        self.counters.told(error.line());
        self.counters.lost();
        self.finder.forget();
        let unreachable =
            matches!(error, ForwardError::Cluster { source: ClusterError::Transport { .. } | ClusterError::Timeout { .. }, .. });
        if let Some(path) = self.kubeconfig.as_deref().filter(|_| unreachable)
            && let Ok(cluster) = Cluster::from_file(path, None).await
        {
            *self.cluster.write().unwrap_or_else(PoisonError::into_inner) = cluster;
        }
    }

    async fn attempt(&self) -> Result<Way, ForwardError> {
        let cluster = self.cluster();
        let target = self.finder.find(&cluster).await?;
        while let Some(mut wire) = self.pop() {
            if wire.pod != target.pod || wire.is_dead() {
                self.counters.lost();
                continue;
            }
            match wire.open(target.port).await {
                Ok(pair) => {
                    self.refill.notify_one();
                    return Ok(Way::Wire(Box::new(wire), pair));
                }
                Err(error) => {
                    self.counters.lost();
                    self.counters.told(format!("a waiting connection was broken: {error}"));
                    // Silence costs seconds; the others are as old as this one.
                    if error.kind() == std::io::ErrorKind::TimedOut {
                        self.clear();
                    }
                }
            }
        }
        self.refill.notify_one();
        if let Some(mut wire) = self.connect(&target.pod).await? {
            let pair = wire.open(target.port).await.map_err(|error| self.failed("open a stream", &error))?;
            return Ok(Way::Wire(Box::new(wire), pair));
        }
        let forwarder =
            cluster.port_forward(self.finder.namespace(), &target.pod, target.port).await.map_err(|error| self.refused(error))?;
        Ok(Way::Socket(forwarder, target.port))
    }

    /// A new connection to a pod's kubelet; `None`: only websockets get there.
    async fn connect(&self, pod: &str) -> Result<Option<Wire>, ForwardError> {
        if self.websocket.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let cluster = self.cluster();
        let asked = timeout(UPGRADE, cluster.spdy(self.finder.namespace(), pod)).await;
        let raw = asked.map_err(|error| self.failed("upgrade", &error))?.map_err(|error| self.refused(error))?;
        if raw.is_none() {
            self.websocket.store(true, Ordering::Relaxed);
        }
        Ok(raw.map(|raw| Wire::new(raw, pod.to_owned())))
    }

    fn refused(&self, source: ClusterError) -> ForwardError {
        ForwardError::Cluster { service: self.finder.service().to_string(), source }
    }

    fn failed(&self, what: &str, error: &dyn std::error::Error) -> ForwardError {
        self.refused(ClusterError::Transport { what: format!("port-forward: {what}"), message: error.to_string() })
    }

    /// Takes a connection back whose streams have all ended.
    pub(super) fn give(&self, wire: Wire) {
        let current = self.finder.last().is_some_and(|target| target.pod == wire.pod);
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if current && !wire.writer.worn_out() && spare.len() < KEPT {
            spare.push(wire);
        }
    }

    /// The one that was used last: the others may rest.
    pub(super) fn pop(&self) -> Option<Wire> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// The one that has rested longest.
    pub(super) fn oldest(&self) -> Option<Wire> {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        (!spare.is_empty()).then(|| spare.remove(0))
    }

    /// Hangs up all that wait.
    pub(super) fn clear(&self) {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Opens one more, if too few wait; answers whether it is worth another call.
    pub(super) async fn warm(&self) -> bool {
        let Some(target) = self.finder.last() else { return false };
        if self.waiting() + self.opening.load(Ordering::Relaxed) >= WARM {
            return false;
        }
        self.opening.fetch_add(1, Ordering::Relaxed);
        let opened = self.connect(&target.pod).await;
        self.opening.fetch_sub(1, Ordering::Relaxed);
        match opened {
            Ok(Some(wire)) => {
                self.give(wire);
                true
            }
            Ok(None) | Err(_) => false,
        }
    }
}
