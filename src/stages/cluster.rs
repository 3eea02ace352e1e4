//! The cluster itself: ours by kind, or one that is there already.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::waiting::{Waiting, told};
use super::{Context, Ended, checks, unless_stopped, wake};
use crate::catalog::embedded;
use crate::cluster::Cluster;
use crate::config::{ClusterName, Ingress};
use crate::docker::Node;
use crate::error::{Exit, Failure};
use crate::event::EventKind;
use crate::kind::{Configuration, Create, Kind, KindError, Proxies, configuration, kubeconfig, step};
use crate::plan::{GATEWAY_NODE_PORT, Stage, StageId, Target};
use crate::state::State;

/// How often the node of a kind that goes on alone is taken away.
const TAKE_OVERS: u32 = 3;
/// Bound on `kind create`, a pull of the node image included.
const CREATE: Duration = Duration::from_secs(9 * 60);

pub(super) async fn run(ctx: &Context, stage: &Stage, cancel: &CancellationToken) -> Result<Ended, Failure> {
    let found = match &ctx.plan.target {
        Target::Existing { context } => {
            existing(ctx, context).await?;
            Found::Running
        }
        Target::Kind { node_image, port, .. } => ours(ctx, node_image, *port, cancel).await?,
    };
    checks::all_green(ctx, &stage.id, &stage.checks, cancel).await?;
    if found != Found::Nothing && ctx.plan.is_local() {
        wake::present(ctx, &stage.id, cancel).await?;
    }
    Ok(if found == Found::Running { Ended::Skipped("it is there".into()) } else { Ended::Done })
}

/// What there was of our cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    Stopped,
    Running,
}

async fn existing(ctx: &Context, context: &str) -> Result<(), Failure> {
    let files = kubeconfig::files(ctx.settings.environment.kubeconfig.as_deref(), ctx.settings.environment.home.as_deref());
    let mut texts = Vec::new();
    for file in files {
        if let Ok(text) = fs_err::tokio::read_to_string(&file).await {
            texts.push((file.display().to_string(), text));
        }
    }
    let cluster = Cluster::from_texts(&texts, Some(context)).await?;
    cluster.version().await?;
    drop(ctx.cluster.set(cluster));
    Ok(())
}

/// Makes sure that our node runs; answers what was there before.
async fn ours(ctx: &Context, node_image: &str, port: u16, cancel: &CancellationToken) -> Result<Found, Failure> {
    let engine = ctx.engine()?;
    let name = ctx.plan.cluster.as_str();
    let nodes = unless_stopped(cancel, engine.nodes(name)).await?;
    let known = ctx.state().created;
    let begun = ctx.state().creating;
    if !nodes.is_empty() && !known && !begun {
        return Err(foreign(name, &nodes));
    }
    let there = !nodes.is_empty() && known;
    let found = if there {
        if unless_stopped(cancel, Box::pin(wake::wake(ctx, nodes))).await? { Found::Stopped } else { Found::Running }
    } else if ctx.is_resuming() {
        return Err(Failure::new("NOT_RUNNING", Exit::NotRunning, format!("the node of cluster {name} is gone"))
            .hint(format!("`quickstart up --name {name}` makes it again")));
    } else {
        let kind = driver(ctx)?;
        if !nodes.is_empty() {
            ctx.events.note(format!("an earlier run was stopped while it made {name}: starting over"));
            let delete = kind.delete(name, &ctx.paths.kubeconfig);
            told(&ctx.events, &StageId::Cluster, "leftover", "kind deletes the half-made node", delete).await?;
        }
        create(ctx, &kind, node_image, port, cancel).await?;
        Found::Nothing
    };
    let nodes = unless_stopped(cancel, engine.nodes(name)).await?;
    let node = nodes.into_iter().find(|node| node.role == "control-plane").ok_or_else(|| {
        Failure::new("CLUSTER_GONE", Exit::StageFailed, format!("the node of cluster {name} is gone")).hint("run `quickstart up` again")
    })?;
    drop(ctx.node.set(node.name));
    drop(ctx.cluster.set(Cluster::from_file(&ctx.paths.kubeconfig, None).await?));
    if !there {
        told(&ctx.events, &StageId::Cluster, "kubeconfig", "your kubeconfig is written", switch_context(ctx)).await;
    }
    Ok(found)
}

/// kind with the engine and the proxies that we use ourselves.
pub(super) fn driver(ctx: &Context) -> Result<Kind, Failure> {
    let endpoint = ctx.engine()?.endpoint();
    Ok(Kind::new(ctx.kind()?.clone(), &endpoint.docker_host(), &proxies(&ctx.settings.environment), &endpoint.tls_variables()))
}

/// The environment's proxies in kind's form.
pub fn proxies(environment: &crate::config::Environment) -> Proxies {
    Proxies { any: environment.proxies.any(), no_proxy: environment.proxies.none.clone() }
}

async fn create(ctx: &Context, kind: &Kind, node_image: &str, port: u16, cancel: &CancellationToken) -> Result<(), Failure> {
    let name = ctx.plan.cluster.as_str();
    let engine = ctx.engine()?.endpoint().host.clone();
    // A new cluster has none of what the journal of an old one says.
    ctx.change(|state| {
        state.creating = true;
        state.engine = Some(engine);
        state.created = false;
        state.stages.clear();
    })?;
    let wanted = Configuration {
        name: name.to_owned(),
        node_image: Some(node_image.to_owned()),
        host_port: (ctx.plan.ingress != Ingress::Tunnel).then_some(port),
        node_port: GATEWAY_NODE_PORT,
        feature_gates: ctx.plan.kind_settings.feature_gates.clone(),
    };
    let configuration = configuration(&embedded::kind_template()?, &wanted);
    let create = Create { name, configuration: &configuration, kubeconfig: &ctx.paths.kubeconfig, deadline: CREATE };
    let mut waiting = Waiting::new(&ctx.events, &StageId::Cluster, "kind");
    waiting.saw("kind starts");
    let said = |line: &str| {
        tracing::info!(target: "kind", "{line}");
        if let Some(step) = step(line) {
            let check = format!("{}/kind", StageId::Cluster);
            ctx.events.tell(EventKind::CheckPending { stage: StageId::Cluster, check, saw: step.to_owned() });
        }
    };
    let mut made = kind.create(&create, cancel, &said).await;
    for _ in 0..TAKE_OVERS {
        let Err(KindError::Exists { .. }) = &made else { break };
        // There was no node a moment ago, and nobody else holds our lock: the kind of a run that was killed has gone on alone. It may
        // be on its way still, and make the node once more after this.
        ctx.events.note(format!("the kind of an earlier run was still making {name}: starting over"));
        kind.delete(name, &ctx.paths.kubeconfig).await?;
        made = kind.create(&create, cancel, &said).await;
    }
    if let Err(error) = made {
        let mut failure = Failure::from(error);
        if failure.exit != Exit::Interrupted {
            let logs = ctx.paths.folder.join("kind-logs");
            waiting.saw("it failed, and its node's logs are saved");
            if kind.export_logs(name, &logs).await.is_ok() {
                failure.hint = Some(
                    format!("{}; the node's logs are in {}", failure.hint.unwrap_or_default(), logs.display())
                        .trim_start_matches("; ")
                        .to_owned(),
                );
            }
        }
        waiting.saw("the half-made node is deleted");
        // Never a half-made node in the way of the next try.
        kind.delete(name, &ctx.paths.kubeconfig).await.ok();
        return Err(failure);
    }
    waiting.over();
    ctx.change(|state| {
        state.creating = false;
        state.created = true;
    })?;
    ctx.mark_fresh();
    Ok(())
}

fn foreign(name: &str, nodes: &[Node]) -> Failure {
    let containers: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
    Failure::new("CLUSTER_FOREIGN", Exit::Prerequisite, format!("a kind cluster {name} is there already, and quickstart did not make it"))
        .cause(format!("container {}", containers.join(", ")))
        .hint(format!("take another name with --name, or take that one away with `kind delete cluster --name {name}`"))
}

/// Puts the cluster into the user's kubeconfig. The cluster works without it, so trouble there is told and does not end the run.
async fn switch_context(ctx: &Context) {
    let environment = &ctx.settings.environment;
    let files = kubeconfig::files(environment.kubeconfig.as_deref(), environment.home.as_deref());
    let Some(file) = kubeconfig::written_file(&files).await.map(std::path::Path::to_path_buf) else { return };
    let ours = format!("kind-{}", ctx.plan.cluster);
    if let Err(failure) = enter(ctx, &files, &file, &ours).await {
        let why = failure.cause.map_or(failure.what.clone(), |cause| format!("{}: {cause}", failure.what));
        ctx.events.note(format!(
            "{} was not changed: {why}; `kubectl --kubeconfig {}` works",
            file.display(),
            ctx.paths.kubeconfig.display()
        ));
    }
}

async fn enter(ctx: &Context, files: &[PathBuf], file: &Path, ours: &str) -> Result<(), Failure> {
    let private = fs_err::tokio::read_to_string(&ctx.paths.kubeconfig).await.map_err(|error| Failure::internal(error.to_string()))?;
    let entries = kubeconfig::Entries::of(&private, ours).map_err(|error| Failure::internal(format!("kind's kubeconfig: {error}")))?;
    let before = kubeconfig::current_context(files).await?;
    kubeconfig::put(file, &entries).await?;
    // Remembered before the switch: what `down` does not know of, it does not put back.
    let place = before.as_ref().map_or(file, |(_, place)| place);
    let older = before.as_ref().map(|(context, _)| older(ctx, context)).unwrap_or_default();
    ctx.change(|state| {
        state.context_file = Some(file.display().to_string());
        // A second `up` must not take our own context for the one before.
        if before.as_ref().is_none_or(|(context, _)| context != ours) {
            state.context_before = before.as_ref().map(|(context, _)| context.clone());
            state.contexts_older = older;
            state.context_switched_in = (!ctx.settings.keep_context).then(|| place.display().to_string());
        }
    })?;
    if !ctx.settings.keep_context {
        kubeconfig::set_current_context(place, Some(ours)).await?;
    }
    Ok(())
}

/// What another cluster of ours, whose context this is, would put back.
fn older(ctx: &Context, context: &str) -> Vec<String> {
    let Some(name) = context.strip_prefix("kind-").and_then(|name| ClusterName::new(name).ok()) else { return Vec::new() };
    let Ok(Some(other)) = State::read(&ctx.settings.paths.cluster(&name).state) else { return Vec::new() };
    std::iter::once(other.context_before.unwrap_or_default()).chain(other.contexts_older).collect()
}
