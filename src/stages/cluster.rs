//! The cluster itself: ours by kind, or one that is there already.

use tokio_util::sync::CancellationToken;

use super::user_context::switch_context;
use super::waiting::told;
use super::{Context, Ended, checks, create, unless_stopped, wake};
use crate::cluster::Cluster;
use crate::config::{ClusterPaths, Environment};
use crate::docker::Node;
use crate::error::{Exit, Failure};
use crate::kind::{Kind, Proxies, kubeconfig};
use crate::plan::{Stage, StageId, Target};
use crate::state::State;

pub(super) async fn run(ctx: &Context, stage: &Stage, cancel: &CancellationToken) -> Result<Ended, Failure> {
    let found = match &ctx.plan.target {
        Target::Existing { context, .. } => {
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
    let cluster = of_context(&ctx.settings.environment, context).await?;
    cluster.version().await?;
    drop(ctx.cluster.set(cluster));
    Ok(())
}

/// Access to the cluster of one of the user's contexts.
pub async fn of_context(environment: &Environment, context: &str) -> Result<Cluster, Failure> {
    let mut texts = Vec::new();
    for file in kubeconfig::files(environment.kubeconfig.as_deref(), environment.home.as_deref()) {
        if let Ok(text) = fs_err::tokio::read_to_string(&file).await {
            texts.push((file.display().to_string(), text));
        }
    }
    Ok(Cluster::from_texts(&texts, Some(context)).await?)
}

/// Access to the cluster of a state: by our private kubeconfig where it is ours, else by the user's context.
pub async fn of_state(environment: &Environment, paths: &ClusterPaths, state: &State) -> Result<Cluster, Failure> {
    match state.context() {
        Some(context) => of_context(environment, context).await,
        None => Ok(Cluster::from_file(&paths.kubeconfig, None).await?),
    }
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
        Box::pin(create::create(ctx, kind, node_image, port, cancel)).await?;
        Found::Nothing
    };
    let nodes = unless_stopped(cancel, engine.nodes(name)).await?;
    let node = nodes.into_iter().find(|node| node.role == "control-plane").ok_or_else(|| {
        Failure::new("CLUSTER_GONE", Exit::StageFailed, format!("the node of cluster {name} is gone")).hint("run `quickstart up` again")
    })?;
    drop(ctx.node.set(node.name));
    if !ctx.is_making() {
        drop(ctx.cluster.set(Cluster::from_file(&ctx.paths.kubeconfig, None).await?));
        if !there {
            told(&ctx.events, &StageId::Cluster, "kubeconfig", "your kubeconfig is written", switch_context(ctx)).await;
        }
    }
    Ok(found)
}

/// kind with the engine and the proxies that we use ourselves.
pub(super) fn driver(ctx: &Context) -> Result<Kind, Failure> {
    let endpoint = ctx.engine()?.endpoint();
    Ok(Kind::new(ctx.kind()?.clone(), &endpoint.docker_host(), &proxies(&ctx.settings.environment), &endpoint.tls_variables()))
}

/// The environment's proxies in kind's form.
pub fn proxies(environment: &Environment) -> Proxies {
    Proxies { any: environment.proxies.any(), no_proxy: environment.proxies.none.clone() }
}

fn foreign(name: &str, nodes: &[Node]) -> Failure {
    let containers: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
    Failure::new("CLUSTER_FOREIGN", Exit::Prerequisite, format!("a kind cluster {name} is there already, and quickstart did not make it"))
        .cause(format!("container {}", containers.join(", ")))
        .hint(format!("take another name with --name, or take that one away with `kind delete cluster --name {name}`"))
}
