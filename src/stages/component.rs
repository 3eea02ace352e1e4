//! Stages that apply objects: definitions, components, runtimes, the demo. Skipped only where the journal and the checks agree.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::Ended;
use super::waiting::told;
use super::{Context, ahead, apply, checks, definitions, images};
use crate::catalog::Object;
use crate::cluster::ClusterError;
use crate::error::Failure;
use crate::plan::{Check, Stage, StageId, Wave};

/// Collections that are listed side by side.
const IN_FLIGHT: usize = 8;

/// Namespaces and definitions.
pub(super) async fn crds(ctx: &Context, stage: &Stage, cancel: &CancellationToken) -> Result<Ended, Failure> {
    let waves = ctx.assembled()?.foundation();
    let checks: Vec<Check> = waves.iter().flat_map(|wave| wave.checks.clone()).collect();
    definitions::names(ctx, &stage.id, &waves, cancel).await?;
    let ended = carry_out(ctx, &stage.id, &waves, &checks, cancel).await?;
    ahead::send(ctx, &stage.id, cancel).await?;
    Ok(ended)
}

/// One component of the catalog.
pub(super) async fn component(ctx: &Context, stage: &Stage, name: &str, cancel: &CancellationToken) -> Result<Ended, Failure> {
    let mut waves = ctx.assembled()?.waves(&ctx.plan, name);
    for wave in &mut waves {
        wave.objects = super::served(ctx.cluster()?, ctx.rest(), std::mem::take(&mut wave.objects)).await?;
    }
    ahead::arrange(ctx, name, &mut waves)?;
    let ended = carry_out(ctx, &stage.id, &waves, &stage.checks, cancel).await?;
    if let Some(component) =
        ctx.plan.component(name).filter(|_| name == "kserve" && ended == Ended::Done && !ctx.is_fresh() && ctx.plan.is_local())
    {
        super::unless_stopped(cancel, super::leases::release_gone(ctx.cluster()?, &component.namespace)).await?;
    }
    Ok(ended)
}

/// ClusterServingRuntimes.
pub(super) async fn runtimes(ctx: &Context, stage: &Stage, cancel: &CancellationToken) -> Result<Ended, Failure> {
    let waves = [Wave { name: "runtimes", objects: ctx.assembled()?.runtimes.clone(), checks: stage.checks.clone() }];
    carry_out(ctx, &stage.id, &waves, &stage.checks, cancel).await
}

/// The user's own objects.
pub(super) async fn own(ctx: &Context, stage: &Stage, cancel: &CancellationToken) -> Result<Ended, Failure> {
    let waves = ctx.assembled()?.own_waves();
    let checks: Vec<Check> = waves.iter().flat_map(|wave| wave.checks.clone()).collect();
    carry_out(ctx, &stage.id, &waves, &checks, cancel).await
}

/// The demo: its model into the node, its objects into the cluster.
pub(super) async fn demo(ctx: &Context, stage: &Stage, cancel: &CancellationToken) -> Result<Ended, Failure> {
    let objects = ctx.assembled()?.demo.clone();
    let digest = digest(&objects);
    if done_before(ctx, &stage.id, &digest, &stage.checks, &objects).await {
        return Ok(skipped());
    }
    if !images::brings_model(ctx) {
        images::model(ctx, &stage.id, cancel).await?;
    }
    claims(ctx, &objects).await;
    let (first, then): (Vec<Object>, Vec<Object>) =
        objects.into_iter().partition(|object| ["Namespace", "PersistentVolume"].contains(&object.gvk.kind.as_str()));
    let waves = [
        Wave { name: "namespace and volume", objects: first, checks: Vec::new() },
        Wave { name: "model", objects: then, checks: stage.checks.clone() },
    ];
    carry_out(ctx, &stage.id, &waves, &stage.checks, cancel).await
}

/// Claims that are not bound yet are looked at now. One that kube-controller-manager looked at before it knew the volume is looked at again
/// after 15 s only, or when somebody touches it: pods with it were scheduled up to 4 s late.
pub(super) async fn claims(ctx: &Context, objects: &[Object]) {
    let Ok(cluster) = ctx.cluster() else { return };
    for claim in objects.iter().filter(|object| object.gvk.kind == "PersistentVolumeClaim") {
        let Ok(path) = ctx.rest().path(claim) else { continue };
        let live = cluster.find(&path).await.ok().flatten();
        let waits = live.is_some_and(|live| live.pointer("/status/phase").and_then(Value::as_str) != Some("Bound"));
        // Only sooner, never needed: what it is worth is not worth a failure.
        if waits && let Err(error) = cluster.touch(&path).await {
            tracing::debug!("claim {} was not touched: {error}", claim.name);
        }
    }
}

async fn carry_out(ctx: &Context, id: &StageId, waves: &[Wave], checks: &[Check], cancel: &CancellationToken) -> Result<Ended, Failure> {
    let digest = digest(waves.iter().flat_map(|wave| &wave.objects));
    if done_before(ctx, id, &digest, checks, waves.iter().flat_map(|wave| &wave.objects)).await {
        return Ok(skipped());
    }
    ctx.forget(id)?;
    super::namespaces::let_go(ctx, waves, cancel).await?;
    unblock(ctx, id, waves, cancel).await?;
    apply::waves(ctx, id, waves, &ctx.assembled()?.rest, cancel).await?;
    ctx.journal(id, digest)?;
    Ok(Ended::Done)
}

async fn done_before<'a>(
    ctx: &Context,
    id: &StageId,
    digest: &str,
    checks: &[Check],
    objects: impl IntoIterator<Item = &'a Object>,
) -> bool {
    if ctx.journaled(id).is_none_or(|done| done.digest != digest) {
        return false;
    }
    let looking = async { checks::green_now(ctx, checks).await && all_there(ctx, objects).await };
    told(&ctx.events, id, "done", "is what an earlier run did still there?", looking).await
}

/// Is each of these objects there? A cluster can look healthy for a while without a role, a webhook's configuration or a certificate.
///
/// Definitions are left to the stage's checks, which ask for what they serve; a Job may be gone because it is done.
async fn all_there<'a>(ctx: &Context, objects: impl IntoIterator<Item = &'a Object>) -> bool {
    let Ok(cluster) = ctx.cluster() else { return false };
    let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for object in objects.into_iter().filter(|object| object.gvk.kind != "CustomResourceDefinition" && object.gvk.kind != "Job") {
        let Ok(path) = ctx.rest().path(object) else { return false };
        let Some((collection, name)) = path.rsplit_once('/') else { return false };
        wanted.entry(collection.to_owned()).or_default().insert(name.to_owned());
    }
    let asked: Vec<_> = wanted
        .iter()
        .map(|(collection, names)| async move { cluster.names(collection).await.is_ok_and(|there| names.is_subset(&there)) })
        .collect();
    stream::iter(asked).buffer_unordered(IN_FLIGHT).all(std::future::ready).await
}

/// The Services that a webhook configuration calls.
pub(super) fn services(configuration: &Object) -> impl Iterator<Item = &Value> {
    let webhooks = configuration.body.get("webhooks").and_then(Value::as_array).into_iter().flatten();
    webhooks.filter_map(|webhook| webhook.pointer("/clientConfig/service"))
}

/// A webhook whose pods are gone refuses the very objects that come before its pods, so the stage could never get to them (knative's
/// configuration, after its namespace was deleted). Its configuration is ours: it is taken away, and comes again with its wave.
///
/// Pods that were scaled to 0 come back first: their Deployment is sent before what they guard.
async fn unblock(ctx: &Context, id: &StageId, waves: &[Wave], cancel: &CancellationToken) -> Result<(), Failure> {
    if ctx.is_fresh() || !ctx.plan.is_local() {
        return Ok(());
    }
    let (cluster, rest) = (ctx.cluster()?, ctx.rest());
    let objects: Vec<&Object> = waves.iter().flat_map(|wave| &wave.objects).collect();
    for configuration in objects.iter().filter(|object| object.gvk.kind.ends_with("WebhookConfiguration")) {
        for deployment in behind(configuration, &objects) {
            let path = rest.path(deployment)?;
            match patiently(|| cluster.find(&path)).await? {
                None => {
                    let path = rest.path(configuration)?;
                    patiently(|| cluster.delete(&path)).await?;
                    break;
                }
                Some(live) if live.pointer("/spec/replicas").and_then(Value::as_i64) == Some(0) => {
                    let asleep = Wave { name: "scaled to 0", objects: vec![deployment.clone()], checks: Vec::new() };
                    apply::waves(ctx, id, &[asleep], rest, cancel).await?;
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}

/// The Deployments whose pods answer a webhook configuration's calls: those that its Services select.
fn behind<'a>(configuration: &Object, objects: &[&'a Object]) -> Vec<&'a Object> {
    let mut found = Vec::new();
    for service in services(configuration) {
        let text = |key: &str| service.get(key).and_then(Value::as_str);
        let here = |object: &Object| object.namespace.as_deref() == text("namespace");
        let selector = objects
            .iter()
            .find(|object| object.gvk.kind == "Service" && here(object) && Some(object.name.as_str()) == text("name"))
            .and_then(|object| object.body.pointer("/spec/selector")?.as_object());
        let Some(selector) = selector else { continue };
        found.extend(objects.iter().copied().filter(|object| {
            let labels = object.body.pointer("/spec/template/metadata/labels");
            object.gvk.kind == "Deployment"
                && here(object)
                && selector.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
        }));
    }
    found
}

/// Asks again while the answer is one that passes by itself.
pub(super) async fn patiently<T, W: Future<Output = Result<T, ClusterError>>>(ask: impl Fn() -> W) -> Result<T, ClusterError> {
    for _ in 0..40 {
        match ask().await {
            Err(error) if error.is_transient() => tokio::time::sleep(Duration::from_millis(250)).await,
            answer => return answer,
        }
    }
    ask().await
}

fn skipped() -> Ended {
    Ended::Skipped("done before, and its checks pass now".into())
}

fn digest<'a>(objects: impl IntoIterator<Item = &'a Object>) -> String {
    let mut sum = Sha256::new();
    for object in objects {
        sum.update(object.json().as_bytes());
        sum.update(b"\n");
    }
    hex::encode(sum.finalize())
}
