//! Stages that apply objects: definitions, components, runtimes, the demo. Skipped only where the journal and the checks agree.

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::Ended;
use super::waiting::told;
use super::{Context, apply, checks};
use crate::catalog::Object;
use crate::error::{Exit, Failure};
use crate::plan::{Check, Stage, StageId, Wave};

/// Namespaces and definitions.
pub(super) async fn crds(ctx: &Context, stage: &Stage, cancel: &CancellationToken) -> Result<Ended, Failure> {
    let waves = ctx.assembled()?.foundation();
    let checks: Vec<Check> = waves.iter().flat_map(|wave| wave.checks.clone()).collect();
    carry_out(ctx, &stage.id, &waves, &checks, cancel).await
}

/// One component of the catalog.
pub(super) async fn component(ctx: &Context, stage: &Stage, name: &str, cancel: &CancellationToken) -> Result<Ended, Failure> {
    refuse_foreign(ctx, name).await?;
    let waves = ctx.assembled()?.waves(&ctx.plan, name);
    carry_out(ctx, &stage.id, &waves, &stage.checks, cancel).await
}

/// ClusterServingRuntimes.
pub(super) async fn runtimes(ctx: &Context, stage: &Stage, cancel: &CancellationToken) -> Result<Ended, Failure> {
    let waves = [Wave { name: "runtimes", objects: ctx.assembled()?.runtimes.clone(), checks: stage.checks.clone() }];
    carry_out(ctx, &stage.id, &waves, &stage.checks, cancel).await
}

/// The demo: its model into the node, its objects into the cluster.
pub(super) async fn demo(ctx: &Context, stage: &Stage, cancel: &CancellationToken) -> Result<Ended, Failure> {
    let objects = ctx.assembled()?.demo.clone();
    let digest = digest(&objects);
    if done_before(ctx, &stage.id, &digest, &stage.checks).await {
        return Ok(skipped());
    }
    if ctx.plan.demo.as_ref().is_some_and(|demo| demo.offline) && ctx.plan.is_local() {
        super::images::model(ctx, cancel).await?;
    }
    let namespaces = |object: &Object| object.gvk.kind == "Namespace";
    let waves = [
        Wave { name: "namespace", objects: objects.iter().filter(|object| namespaces(object)).cloned().collect(), checks: Vec::new() },
        Wave {
            name: "model",
            objects: objects.iter().filter(|object| !namespaces(object)).cloned().collect(),
            checks: stage.checks.clone(),
        },
    ];
    carry_out(ctx, &stage.id, &waves, &stage.checks, cancel).await
}

async fn carry_out(ctx: &Context, id: &StageId, waves: &[Wave], checks: &[Check], cancel: &CancellationToken) -> Result<Ended, Failure> {
    let digest = digest(waves.iter().flat_map(|wave| &wave.objects));
    if done_before(ctx, id, &digest, checks).await {
        return Ok(skipped());
    }
    ctx.forget(id)?;
    apply::waves(ctx, id, waves, &ctx.assembled()?.rest, cancel).await?;
    ctx.journal(id, digest)?;
    Ok(Ended::Done)
}

async fn done_before(ctx: &Context, id: &StageId, digest: &str, checks: &[Check]) -> bool {
    let journaled = ctx.journaled(id).is_some_and(|done| done.digest == digest);
    journaled && told(&ctx.events, id, "done", "is what an earlier run did still there?", checks::green_now(ctx, checks)).await
}

fn skipped() -> Ended {
    Ended::Skipped("done before, and its checks pass now".into())
}

fn digest<'a>(objects: impl IntoIterator<Item = &'a Object>) -> String {
    let mut sum = Sha256::new();
    for object in objects {
        sum.update(object.body.to_string().as_bytes());
        sum.update(b"\n");
    }
    hex::encode(sum.finalize())
}

/// On a cluster that is not ours, a component that somebody else installed is not ours to change.
async fn refuse_foreign(ctx: &Context, name: &str) -> Result<(), Failure> {
    if ctx.plan.is_local() {
        return Ok(());
    }
    let Some(component) = ctx.plan.component(name) else { return Ok(()) };
    for deployment in &component.deployments {
        let path = format!("/apis/apps/v1/namespaces/{}/deployments/{deployment}", component.namespace);
        let Some(live) = ctx.cluster()?.find(&path).await? else { continue };
        let managers = live.pointer("/metadata/managedFields").and_then(Value::as_array);
        let ours =
            managers.into_iter().flatten().any(|entry| entry.get("manager").and_then(Value::as_str) == Some(crate::cluster::FIELD_MANAGER));
        if !ours {
            let what = format!("{} is already installed on this cluster, by somebody else", component.title);
            return Err(Failure::new("COMPONENT_FOREIGN", Exit::Prerequisite, what)
                .cause(format!("Deployment {}/{deployment} is there and quickstart did not apply it", component.namespace))
                .hint("use another cluster, or `quickstart up` without --on for a cluster of its own"));
        }
    }
    Ok(())
}
