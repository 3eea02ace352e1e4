//! A cluster of ours that is there: its containers run, what slept with them is repaired, and our access to it is what kind says now.

use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::waiting::told;
use super::{Context, checks, cluster::driver, leases, repair};
use crate::cluster::Cluster;
use crate::docker::{Engine, Node};
use crate::error::{Exit, Failure};
use crate::kind::{API_PORT, Program, Search, kubeconfig};
use crate::plan::{Check, Probe, StageId};
use crate::state::persist;

/// Seconds until the kubelet has started what ran before.
const STARTED_WITHIN: u64 = 4 * 60;

/// Starts what does not run, repairs, and refreshes our access; answers whether anything had to be started.
pub(super) async fn wake(ctx: &Context, nodes: Vec<Node>) -> Result<bool, Failure> {
    let engine = ctx.engine()?;
    let name = ctx.plan.cluster.as_str();
    let woken = told(&ctx.events, &StageId::Cluster, "node", "the engine starts the node", power_on(engine, nodes)).await?;
    let nodes = running(engine, name).await?;
    // Without the file our access is asked for again, whatever happens in between.
    let outdated = || drop(fs_err::remove_file(&ctx.paths.kubeconfig));
    let mut renewed = false;
    for node in &nodes {
        let saw = format!("{} is looked at: address, certificates", node.name);
        let repaired = told(&ctx.events, &StageId::Cluster, "repair", &saw, repair::node(engine, node, outdated)).await?;
        repaired.notes.into_iter().for_each(|note| ctx.events.note(note));
        renewed |= repaired.renewed;
    }
    access(ctx, &nodes, woken, renewed).await?;
    Ok(woken)
}

/// Waits until what the API server says is about the node as it runs now.
pub(super) async fn present(ctx: &Context, stage: &StageId, cancel: &CancellationToken) -> Result<(), Failure> {
    let nodes = ctx.engine()?.nodes(ctx.plan.cluster.as_str()).await?;
    let Some(since) = nodes.into_iter().map(|node| node.started).filter(|started| !started.is_empty()).max() else { return Ok(()) };
    // A help, no condition: without it controllers wait for the time of the dead to run out.
    if let Err(error) = leases::release_older(ctx.cluster()?, &since).await {
        tracing::debug!(%error, "leases were not released");
    }
    let check = Check {
        id: "cluster/pods-started".into(),
        probe: Probe::StartedAgain { since },
        hint: "`kubectl get pods -A` shows what does not start; `quickstart reset` makes a fresh cluster".into(),
        deadline: STARTED_WITHIN,
    };
    checks::all_green(ctx, stage, &[check], cancel).await
}

/// Control plane first: workers look for it when they start.
async fn power_on(engine: &Engine, mut nodes: Vec<Node>) -> Result<bool, Failure> {
    nodes.sort_by_key(|node| start_order(&node.role));
    let mut woken = false;
    for node in nodes.iter().filter(|node| !node.is_running()) {
        if node.state == "paused" { engine.unpause(&node.id).await } else { engine.start(&node.id).await }?;
        woken = true;
    }
    Ok(woken)
}

/// The order in which nodes are started; they are stopped in the opposite one.
pub fn start_order(role: &str) -> u8 {
    match role {
        "external-load-balancer" => 0,
        "control-plane" => 1,
        _ => 2,
    }
}

/// The nodes once more: one that has ended at once says so here and not by an exec that fails.
async fn running(engine: &Engine, name: &str) -> Result<Vec<Node>, Failure> {
    let nodes = engine.nodes(name).await?;
    match nodes.iter().find(|node| !node.is_running()) {
        None => Ok(nodes),
        Some(node) => Err(Failure::new("NODE_DOWN", Exit::StageFailed, format!("container {} does not stay up", node.name))
            .cause(format!("it is {} right after its start", node.state))
            .hint(format!("`docker logs {}` says why; `quickstart reset` makes a fresh cluster", node.name))),
    }
}

/// Our private kubeconfig, and our entry in the user's where `up` made one, say what kind says now.
async fn access(ctx: &Context, nodes: &[Node], woken: bool, renewed: bool) -> Result<(), Failure> {
    let ours = &ctx.paths.kubeconfig;
    let must = renewed || moved(ours, nodes).await;
    if !must && !woken {
        return Ok(());
    }
    if ctx.kind.get().is_none() {
        match at_hand(ctx.settings.environment.path.as_deref(), &ctx.settings.paths.programs()).await {
            Some(program) => drop(ctx.kind.set(program)),
            None if must => {
                return Err(Failure::new(
                    "KIND_MISSING",
                    Exit::Prerequisite,
                    "the access to the cluster is out of date, and kind, which renews it, is not at hand",
                )
                .hint("install kind, or run `quickstart up`, which fetches it"));
            }
            None => return Ok(()),
        }
    }
    let kind = driver(ctx)?;
    let text = kind.kubeconfig(&ctx.plan.cluster).await?;
    let before = fs_err::tokio::read_to_string(ours).await.unwrap_or_default();
    if text == before {
        return Ok(());
    }
    persist::write(ours, text.as_bytes(), true).map_err(|error| Failure::internal(error.to_string()))?;
    theirs(ctx, &text).await;
    Ok(())
}

/// Our kubeconfig is gone, damaged, or names another port than the API server has on the host.
async fn moved(ours: &Path, nodes: &[Node]) -> bool {
    let Ok(cluster) = Cluster::from_file(ours, None).await else { return true };
    let Some(mapped) = nodes.iter().find_map(|node| node.host_port(API_PORT)) else { return false };
    let port = cluster.server.trim_end_matches('/').rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
    port != Some(mapped)
}

/// Our entries in the user's kubeconfig; the context that is current there stays so.
async fn theirs(ctx: &Context, private: &str) {
    let Some(file) = ctx.state().context_file.map(PathBuf::from).filter(|file| file.exists()) else { return };
    let ours = ctx.settings.name.context();
    let entries = match kubeconfig::Entries::of(private, &ours) {
        Ok(entries) => entries,
        Err(error) => return ctx.events.note(format!("kind's kubeconfig: {error}")),
    };
    if let Err(error) = kubeconfig::put(&file, &entries).await {
        let private = ctx.paths.kubeconfig.display();
        ctx.events.note(format!("{} was not changed: {error}; `kubectl --kubeconfig {private}` works", file.display()));
    }
}

/// kind of PATH, else the one that `up` put into the cache.
pub async fn at_hand(path: Option<&std::ffi::OsStr>, programs: &Path) -> Option<Program> {
    let minimum = semver::Version::new(0, 20, 0);
    if let Search::Found(program) = Program::search(path, &minimum).await {
        return Some(program);
    }
    let mut entries = fs_err::tokio::read_dir(programs).await.ok()?;
    while let Ok(Some(entry)) = entries.next_entry().await {
        if entry.file_name().to_string_lossy().starts_with("kind-")
            && let Ok(program) = Program::at(&entry.path()).await
        {
            return Some(program);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_control_plane_starts_before_its_workers() {
        let mut roles = ["worker", "control-plane", "external-load-balancer"];
        roles.sort_by_key(|role| start_order(role));
        assert_eq!(roles, ["external-load-balancer", "control-plane", "worker"]);
    }
}
