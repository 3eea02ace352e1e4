//! Looking: every fact is asked for once, side by side where it takes time, and nothing is changed.

use std::path::Path;
use std::time::Duration;

use semver::Version;

use super::check::{Category, CheckResult, Diagnosis};
use super::machine::Inotify;
use super::port::{Claim, Port};
use super::program::Other;
use super::{cluster, disk, engine, files, machine, port, program};
use crate::bundle::Index;
use crate::catalog::{Catalog, KindPins};
use crate::cluster::Cluster;
use crate::config::{ClusterPaths, Settings};
use crate::docker::{Engine, Facts, Node};
use crate::error::{Exit, Failure};
use crate::kind::{Program, Search, kubeconfig};
use crate::plan::{Target, build};
use crate::stages::{connect, free_port, goarch, owner, taken};
use crate::state::State;
use crate::status::{Report, gather};

/// Bound on everything that the cluster is asked.
const CLUSTER_DEADLINE: Duration = Duration::from_secs(60);

/// What is known before anything is looked at.
#[derive(Debug)]
pub struct Place<'a> {
    /// What is meant.
    pub settings: &'a Settings,
    /// The pins.
    pub catalog: &'a Catalog,
    /// The index of the bundle in use, or why it cannot be read; `None`: no bundle.
    pub bundle: Option<Result<&'a Index, Failure>>,
}

/// The whole diagnosis.
///
/// # Errors
/// A defect of ours only: what is wrong with the machine is in the diagnosis.
pub async fn look(place: &Place<'_>) -> Result<Diagnosis, Failure> {
    let Settings { environment, paths, name, .. } = place.settings;
    let cluster_paths = paths.cluster(name);
    let minimum = Version::parse(&place.catalog.kind.minimum).map_err(|error| Failure::internal(error.to_string()))?;
    let index = place.bundle.as_ref().and_then(|bundle| bundle.as_ref().ok().copied());
    let read = blocking({
        let path = cluster_paths.state.clone();
        move || State::read(&path).map_err(Failure::from)
    })
    .await?;
    let state = read.as_ref().ok().and_then(Option::as_ref);
    let installed = state.is_some_and(|state| state.created);

    let (engine, search, kubeconfig, asked) = tokio::join!(
        seen_engine(place.settings),
        Program::search(environment.path.as_deref(), &minimum),
        seen_kubeconfig(place.settings),
        asked_cluster(state, &cluster_paths, place.catalog),
    );
    let (api, status) = asked;
    let nodes = engine.as_ref().ok().and_then(|seen| seen.nodes.as_deref());
    let root = engine.as_ref().map(|seen| seen.facts.root_dir.clone()).unwrap_or_default();
    let reported = engine.as_ref().map(|seen| (seen.engine.endpoint().host.clone(), seen.facts.memory)).unwrap_or_default();
    let here = blocking({
        let paths = paths.clone();
        move || {
            let same_kernel = is_here(&reported.0, reported.1);
            let free = (same_kernel && !root.is_empty()).then(|| disk::free(Path::new(&root))).flatten();
            (free, if same_kernel { limits() } else { Inotify::default() }, files::look(&paths))
        }
    })
    .await?;
    let (free, limits, (cache, state_folder)) = here;

    let mut of_engine = match &engine {
        Ok(seen) => engine::engine(seen.engine.endpoint(), &seen.facts, goarch(), index.map(|index| index.architecture.as_str())),
        Err(failure) => vec![engine::unreachable(failure)],
    };
    if let Ok(seen) = &engine {
        of_engine.push(disk::disk(&seen.facts.root_dir, free, installed));
    }
    let mut of_machine = machine::inotify(limits);
    of_machine.push(machine::proxies(&environment.proxies));
    of_machine.push(port::port(&seen_port(place.settings, state, nodes, engine.as_ref().ok().map(|seen| &seen.engine)).await?));
    let mut of_files = files::folders(&cache, &state_folder);
    of_files.push(files::state(&cluster_paths, read.as_ref().map(Option::as_ref)));
    of_files.extend(kubeconfig);
    // A state that cannot be read says nothing about whose the containers are.
    let nodes = nodes.filter(|_| read.is_ok());
    let found = cluster::Found { name: name.as_str(), state, nodes, api, status: status.as_ref() };
    Ok(Diagnosis::new(vec![
        Category::new("container engine", of_engine),
        Category::new("this machine", of_machine),
        Category::new("programs and bundle", of_programs(place, index, &search, &minimum)),
        Category::new("files", of_files),
        Category::new(&format!("cluster {name}"), cluster::cluster(&found)),
    ]))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Failure::internal(error.to_string()))
}

struct Seen {
    engine: Engine,
    facts: Facts,
    nodes: Option<Vec<Node>>,
}

async fn seen_engine(settings: &Settings) -> Result<Seen, Failure> {
    let engine = connect(&settings.environment).await?;
    let facts = engine.facts().await?;
    let nodes = engine.nodes(settings.name.as_str()).await.ok();
    Ok(Seen { engine, facts, nodes })
}

async fn seen_kubeconfig(settings: &Settings) -> Vec<CheckResult> {
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

/// The API server's version and, where it answers, what `status` says.
async fn asked_cluster(
    state: Option<&State>,
    paths: &ClusterPaths,
    catalog: &Catalog,
) -> (Option<Result<String, Failure>>, Option<Report>) {
    let Some(state) = state.filter(|state| state.created) else { return (None, None) };
    let asked = async {
        let cluster = match Cluster::from_file(&paths.kubeconfig, None).await {
            Ok(cluster) => cluster,
            Err(error) => return (Some(Err(error.into())), None),
        };
        match cluster.version().await {
            Ok(version) => (Some(Ok(version)), Some(gather(Some(&cluster), state, catalog, false).await)),
            Err(error) => (Some(Err(error.into())), None),
        }
    };
    tokio::time::timeout(CLUSTER_DEADLINE, asked).await.unwrap_or_else(|_| {
        let failure = Failure::new("DEADLINE", Exit::Deadline, format!("no full answer within {} s", CLUSTER_DEADLINE.as_secs()));
        (Some(Err(failure.hint("the node is overloaded or hangs: `docker stats` tells; run `quickstart doctor` again"))), None)
    })
}

async fn seen_port(settings: &Settings, state: Option<&State>, nodes: Option<&[Node]>, engine: Option<&Engine>) -> Result<Port, Failure> {
    let mapped = state.filter(|state| state.created).and_then(|state| state.port);
    let number = mapped.unwrap_or(settings.port);
    let running = nodes.is_some_and(|nodes| nodes.iter().any(|node| node.is_running() && maps(node, number)));
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

fn of_programs(place: &Place<'_>, index: Option<&Index>, search: &Search, minimum: &Version) -> Vec<CheckResult> {
    let settings = place.settings;
    let mut checks = Vec::new();
    match &place.bundle {
        Some(Ok(index)) => {
            let saw = format!("{} ({}, {}), {} images", index.name, index.set, index.architecture, index.images.len());
            checks.push(CheckResult::ok("bundle", "the bundle can be read", saw));
        }
        Some(Err(failure)) => checks.push(CheckResult::failed("bundle", "the bundle can be read", failure)),
        None => {}
    }
    let pairs = match build(settings, place.catalog, index) {
        Ok(plan) => index.is_some() || settings.node_image.is_some() || has_node(&place.catalog.kind, search, &plan.target),
        Err(error) => {
            checks.push(CheckResult::failed("plan", "the settings make a plan", &Failure::from(error)));
            true
        }
    };
    let bundled = index.and_then(|index| index.kind.as_ref()).map(|kind| kind.version.as_str());
    let platform = format!("{}-{}", std::env::consts::OS.replace("macos", "darwin"), goarch());
    let other = Other::choose(bundled, &place.catalog.kind, &platform, settings.accept_unpinned);
    checks.push(program::kind(search, minimum, pairs, &other));
    checks
}

/// Does the catalog pair the kind that was found with the node image of the plan? With a bundle or a named image the pairing is theirs.
fn has_node(pins: &KindPins, search: &Search, target: &Target) -> bool {
    let (Search::Found(program), Target::Kind { node_image, .. }) = (search, target) else { return true };
    let version = program.version.to_string();
    pins.versions.iter().any(|known| known.version == version && known.nodes.iter().any(|node| node.image == *node_image))
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
    let read = |name: &str| fs_err::read_to_string(format!("/proc/sys/fs/inotify/{name}")).ok()?.trim().parse().ok();
    Inotify { instances: read("max_user_instances"), watches: read("max_user_watches") }
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
