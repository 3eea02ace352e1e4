//! What this machine and its engine say. Nothing is changed.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::certificates::NODE_FILES;
use super::check::CheckResult;
use super::machine::{INOTIFY_FILES, Inotify};
use super::port::{Claim, Port};
use super::{clock, disk, files};
use crate::config::Settings;
use crate::docker::{About, Engine, Facts, Node};
use crate::error::Failure;
use crate::forward::{self, Alive};
use crate::kind::kubeconfig;
use crate::stages::{connect, free_port, owner, taken};
use crate::state::State;

/// A command in a node that does not answer must not hold the rest.
const EXEC_WITHIN: Duration = Duration::from_secs(5);

/// An engine that answered.
pub(super) struct Seen {
    pub(super) engine: Engine,
    pub(super) facts: Facts,
    pub(super) about: About,
    /// Seconds that its clock is ahead of ours.
    pub(super) ahead: Option<i64>,
    /// The containers of the cluster that is asked about.
    pub(super) nodes: Option<Vec<Node>>,
    /// Names of kind's clusters.
    pub(super) clusters: Option<Vec<String>>,
}

/// Connects and asks.
pub(super) async fn engine(settings: &Settings) -> Result<Seen, Failure> {
    let engine = connect(&settings.environment).await?;
    let about = async {
        let asked = Timestamp::now();
        let about = engine.about().await.unwrap_or_default();
        let ahead = about.system_time.as_deref().and_then(|time| time.parse().ok()).map(|time| clock::ahead(time, asked, Timestamp::now()));
        (about, ahead)
    };
    let (facts, (about, ahead), nodes, clusters) =
        tokio::join!(engine.facts(), about, engine.nodes(settings.name.as_str()), engine.clusters());
    Ok(Seen { facts: facts?, about, ahead, nodes: nodes.ok(), clusters: clusters.ok(), engine })
}

impl Seen {
    /// The running control plane.
    fn node(&self) -> Option<&str> {
        let nodes = self.nodes.as_ref()?;
        nodes.iter().find(|node| node.is_running() && node.role == "control-plane").map(|node| node.name.as_str())
    }

    /// The engine shares this machine's kernel.
    pub(super) fn is_here(&self) -> bool {
        is_here(&self.engine.endpoint().host, self.facts.memory)
    }

    /// The kernel's limits, where they count: this kernel's, else those that a node of ours sees.
    pub(super) async fn inotify(&self, ours: bool) -> Inotify {
        if self.is_here() {
            return limits();
        }
        let Some(node) = self.node().filter(|_| ours) else { return Inotify::default() };
        let [instances, watches] = INOTIFY_FILES;
        let argv = ["cat", instances, watches];
        match tokio::time::timeout(EXEC_WITHIN, self.engine.exec(node, &argv, EXEC_WITHIN)).await {
            Ok(Ok(output)) => Inotify::printed(&output.stdout, node),
            _ => Inotify::default(),
        }
    }

    /// The certificates that kubeadm put into a node of ours, as PEM.
    pub(super) async fn node_certificates(&self) -> String {
        let Some(node) = self.node() else { return String::new() };
        let argv: Vec<&str> = std::iter::once("cat").chain(NODE_FILES).collect();
        // One file that is missing does not take the others with it: `cat` goes on and only its exit code tells.
        match tokio::time::timeout(EXEC_WITHIN, self.engine.exec(node, &argv, EXEC_WITHIN)).await {
            Ok(Ok(output)) => output.stdout,
            _ => String::new(),
        }
    }
}

/// Does the engine share this machine's kernel? Behind a Unix socket, and with just the memory that this kernel reports.
fn is_here(host: &str, memory: u64) -> bool {
    let total = fs_err::read_to_string("/proc/meminfo").ok().and_then(|table| total_memory(&table));
    host.starts_with("unix://") && total.is_some_and(|total| total == memory)
}

/// Bytes, from the table of `/proc/meminfo` (proc(5)).
fn total_memory(table: &str) -> Option<u64> {
    let line = table.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

fn limits() -> Inotify {
    let [instances, watches] = INOTIFY_FILES.map(|file| fs_err::read_to_string(file).ok()?.trim().parse().ok());
    Inotify { instances, watches, node: None }
}

/// The user's kubeconfig and its lock.
pub(super) async fn users_kubeconfig(settings: &Settings) -> Vec<CheckResult> {
    let environment = &settings.environment;
    let list = kubeconfig::files(environment.kubeconfig.as_deref(), environment.home.as_deref());
    let file = kubeconfig::written_file(&list).await;
    let context = kubeconfig::current_context(&list).await.map(|found| found.map(|(context, _)| context));
    let lock = match file {
        Some(file) => kubeconfig::stale_lock(file).await,
        None => None,
    };
    files::kubeconfig(file, context, lock.as_deref())
}

/// The port that the ingress has or will have.
pub(super) async fn port(
    settings: &Settings,
    state: Option<&State>,
    nodes: Option<&[Node]>,
    engine: Option<&Engine>,
) -> Result<Port, Failure> {
    let mapped = state.filter(|state| state.created || state.context().is_some()).and_then(|state| state.port);
    let number = mapped.unwrap_or(settings.port);
    let of_node = nodes.is_some_and(|nodes| nodes.iter().any(|node| node.is_running() && maps(node, number)));
    let paths = settings.paths.cluster(&settings.name);
    let running = of_node || forward::list(&paths).iter().any(|tunnel| tunnel.state == Alive::Running && tunnel.record.port == number);
    let claim = match (mapped, running) {
        (Some(_), true) => Claim::Running,
        (Some(_), false) => Claim::Stopped,
        (None, _) if settings.port_explicit => Claim::Named,
        (None, _) => Claim::Wanted,
    };
    let mut port = Port { number, claim, ..Port::default() };
    if claim == Claim::Running {
        return Ok(port);
    }
    (port.taken, port.by, port.next) = blocking(move || {
        let taken = taken(number);
        (taken, taken.then(|| owner(number)).flatten(), taken.then(|| free_port(number)).flatten())
    })
    .await?;
    if port.taken
        && let Some(engine) = engine
        && let Some(cluster) = mapped_by(engine, number).await
    {
        port.by = Some(format!("kind cluster {cluster}"));
    }
    Ok(port)
}

/// The running kind cluster that maps a port.
async fn mapped_by(engine: &Engine, port: u16) -> Option<String> {
    for cluster in engine.clusters().await.ok()? {
        let nodes = engine.nodes(&cluster).await.unwrap_or_default();
        if nodes.iter().any(|node| node.is_running() && maps(node, port)) {
            return Some(cluster);
        }
    }
    None
}

fn maps(node: &Node, port: u16) -> bool {
    node.ports.iter().any(|mapping| mapping.host_port == port)
}

/// Room below the engine's own folder, where that is on this machine.
pub(super) fn room(here: bool, root: &str) -> Option<u64> {
    (here && !root.is_empty()).then(|| disk::free(Path::new(root))).flatten()
}

/// Runs file calls beside the runtime.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Failure::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_own_table_is_read() {
        assert_eq!(total_memory("MemTotal:       24680448 kB\nMemFree: 1 kB\n"), Some(24_680_448 * 1024));
        assert_eq!(total_memory("MemFree: 1 kB\n"), None);
        assert!(!is_here("tcp://127.0.0.1:2375", 1) && !is_here("unix:///x", 1));
    }
}
