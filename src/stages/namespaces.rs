//! Namespaces that are on their way out, and what keeps them.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::Context;
use super::component::{patiently, services};
use crate::catalog::Object;
use crate::cluster::{Cluster, ClusterError};
use crate::error::Failure;
use crate::health::interrupted;
use crate::plan::Wave;

/// Pods get this long, in seconds: Knative's activator alone would take ten minutes.
const GRACE: u32 = 5;
/// How long pods are waited for; what is left then is the namespace's own matter.
const EMPTY_WITHIN: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(500);

/// Two things keep a namespace of ours that is being deleted (both seen on the real cluster with knative-serving): a webhook that guards what
/// is in it and has lost its pods with it, for ever; and a pod with ten minutes of grace, since the namespace is looked at again only after
/// half of it. The webhook's configuration is taken away, and comes again with its component; the pods are hurried; and the namespace is
/// touched, so that its controller looks.
pub(super) async fn let_go(ctx: &Context, waves: &[Wave], cancel: &CancellationToken) -> Result<(), Failure> {
    if ctx.is_fresh() || !ctx.plan.is_local() {
        return Ok(());
    }
    let (cluster, rest) = (ctx.cluster()?, ctx.rest());
    for namespace in waves.iter().flat_map(|wave| &wave.objects).filter(|object| object.gvk.kind == "Namespace") {
        let path = rest.path(namespace)?;
        let live = patiently(|| cluster.find(&path)).await?;
        if live.is_none_or(|live| live.pointer("/metadata/deletionTimestamp").is_none()) {
            continue;
        }
        let guards = |object: &&Object| {
            let mut called = services(object).filter_map(|service| service.get("namespace")?.as_str());
            object.gvk.kind.ends_with("WebhookConfiguration") && called.any(|of| of == namespace.name)
        };
        for configuration in ctx.assembled()?.components.values().flatten().filter(guards) {
            let path = rest.path(configuration)?;
            patiently(|| cluster.delete(&path)).await?;
        }
        emptied(cluster, &[&namespace.name], cancel).await?;
        match cluster.touch(&path).await {
            Err(error) if !error.is_not_found() && !error.is_transient() => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Deletes the pods of these namespaces, and again while there are any: a ReplicaSet that the garbage collector has not met yet makes new
/// ones, with a grace of their own.
pub async fn emptied(cluster: &Cluster, namespaces: &[&str], cancel: &CancellationToken) -> Result<(), Failure> {
    let started = Instant::now();
    let mut left: Vec<String> = namespaces.iter().map(|namespace| format!("/api/v1/namespaces/{namespace}/pods")).collect();
    loop {
        let mut more = Vec::new();
        for path in left {
            if has_pods(cluster, &path).await? {
                more.push(path);
            }
        }
        left = more;
        if left.is_empty() || started.elapsed() >= EMPTY_WITHIN {
            return Ok(());
        }
        tokio::select! {
            () = cancel.cancelled() => return Err(interrupted()),
            () = sleep(PAUSE) => {}
        }
    }
}

async fn has_pods(cluster: &Cluster, pods: &str) -> Result<bool, ClusterError> {
    if patiently(|| cluster.list(pods, "")).await?.is_empty() {
        return Ok(false);
    }
    match patiently(|| cluster.delete_within(pods, Some(GRACE))).await {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(true),
    }
}
