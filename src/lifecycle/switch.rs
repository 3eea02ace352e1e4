//! Another profile: what of the old one has no place in the new one goes, while the controllers that clean up after it still run.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::clear::{delete_all, gone, pause};
use super::keep::{Kept, all, annotations, gather, text};
use super::stack::remove;
use crate::catalog::Object;
use crate::cluster::{Cluster, ClusterError};
use crate::error::Failure;
use crate::plan::{Assembled, Fate, Plan, StageId, Switch, Switched};
use crate::stages::{self, Context};

/// How long finalizers get before they are taken off.
const PATIENCE: Duration = Duration::from_secs(45);
/// Says in which mode an object is wanted, whatever the cluster's profile.
const MODE: &str = "serving.kserve.io/deploymentMode";
const SERVING: &str = "/apis/serving.kserve.io";
/// Kinds that nothing can stand in for.
const OF_KNATIVE: &[(&str, &str)] =
    &[("/apis/serving.knative.dev/v1/services", "Knative Service"), ("/apis/serving.knative.dev/v1beta1/domainmappings", "DomainMapping")];

/// Asks the cluster what a switch would mean for what is in it.
pub async fn look(cluster: &Cluster, former: &[Plan], plan: &Plan) -> Result<Switch, ClusterError> {
    let mut switch = Switch::new(former, plan);
    let mut found = Vec::new();
    for (version, kind) in [("v1beta1", "InferenceService"), ("v1alpha1", "InferenceGraph")] {
        found.extend(all(cluster, version, kind).await?.iter().map(|live| Switched::of_kserve(kind, live, &switch.from, plan)));
    }
    let goes = former.iter().any(|plan| plan.component("knative").is_some()) && plan.component("knative").is_none();
    for (collection, kind) in OF_KNATIVE.iter().filter(|_| goes) {
        let all = match cluster.list(collection, "").await {
            Err(error) if error.is_not_found() => Vec::new(),
            all => all?,
        };
        let owned = |live: &Value| live.pointer("/metadata/ownerReferences").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
        found.extend(all.iter().filter(|live| !owned(live)).map(|live| Switched::lost(kind, live)));
    }
    switch.objects = Some(found);
    Ok(switch)
}

/// What is made again in the other mode, with all that it names. Whoever has asked for the old mode by name gets the new one.
pub async fn keep(cluster: &Cluster, switch: &Switch) -> Result<Kept, ClusterError> {
    let wanted: BTreeSet<String> = switch.affected().filter(|object| object.fate == Fate::Recreated).map(Switched::full_name).collect();
    let named = |kind: &str, object: &Value| wanted.contains(&format!("{kind} {}", name_of(object)));
    let services = all(cluster, "v1beta1", "InferenceService").await?;
    let services: Vec<(String, Value)> =
        services.into_iter().filter(|one| named("InferenceService", one)).map(|one| (name_of(&one), one)).collect();
    let mut kept = gather(cluster, &services).await?;
    // A TrainedModel goes with the InferenceService that serves it.
    for model in all(cluster, "v1alpha1", "TrainedModel").await? {
        let of = format!("{}/{}", text(&model, "/metadata/namespace"), text(&model, "/spec/inferenceService"));
        if services.iter().any(|(name, _)| *name == of) {
            kept.add(model);
        }
    }
    for graph in all(cluster, "v1alpha1", "InferenceGraph").await?.into_iter().filter(|graph| named("InferenceGraph", graph)) {
        kept.add(graph);
    }
    for object in &mut kept.objects {
        if object.pointer("/metadata/annotations").is_some() {
            annotations(object).remove(MODE);
        }
    }
    Ok(kept)
}

/// The cluster as `up` reaches it: awake, its objects at hand.
pub async fn reach(ctx: &Context, cancel: &CancellationToken) -> Result<(), Failure> {
    for id in [StageId::EngineCheck, StageId::Fetch, StageId::Cluster] {
        if let Some(stage) = ctx.plan.stage(&id) {
            stages::run(ctx, stage, cancel).await?;
        }
    }
    Ok(())
}

/// Takes away what the plan does not have of what the former plans had, and every object whose mode is the old one's.
///
/// Only what was kept or agreed to goes: an InferenceService that came after that stays.
pub async fn leave(ctx: &Context, switch: &Switch, former: &[Assembled], cancel: &CancellationToken) -> Result<(), Failure> {
    let assembled = ctx.assembled()?;
    let stays: BTreeSet<String> = assembled.components.values().flatten().chain(&assembled.runtimes).map(key).collect();
    modes(ctx, switch, cancel).await?;
    for old in former {
        let all = old.components.values().flatten().chain(&old.runtimes);
        let goes: Vec<&Object> = all.filter(|object| !stays.contains(&key(object))).collect();
        remove(ctx, &goes, &old.rest, PATIENCE, cancel).await?;
    }
    swept(ctx, switch, cancel).await?;
    // A stage that the new plan has not is done in no sense when it comes back.
    let known: BTreeSet<StageId> = ctx.plan.stages.iter().map(|stage| stage.id.clone()).collect();
    ctx.change(|state| state.stages.retain(|id, _| known.contains(id)))
}

/// Graphs before the services that they call.
async fn modes(ctx: &Context, switch: &Switch, cancel: &CancellationToken) -> Result<(), Failure> {
    let cluster = ctx.cluster()?;
    for (version, kind) in [("v1alpha1", "InferenceGraph"), ("v1beta1", "InferenceService")] {
        let goes = |object: &&Switched| object.kind == kind && object.fate != Fate::Stays;
        let plural = format!("{}s", kind.to_ascii_lowercase());
        let path = |object: &Switched| {
            let (namespace, name) = object.name.split_once('/')?;
            Some(format!("{SERVING}/{version}/namespaces/{namespace}/{plural}/{name}"))
        };
        let paths: Vec<String> = switch.objects.iter().flatten().filter(goes).filter_map(path).collect();
        if paths.is_empty() {
            continue;
        }
        let names: Vec<&str> = switch.objects.iter().flatten().filter(goes).map(|object| object.name.as_str()).collect();
        ctx.events.note(format!("deleting {kind} {}, whose mode cannot be changed", names.join(", ")));
        delete_all(cluster, &paths, cancel, || async { Ok(()) }).await?;
        let collections = [format!("{SERVING}/{version}/{plural}")];
        gone(cluster, &collections, paths, PATIENCE, cancel, |sentence| ctx.events.note(sentence)).await?;
    }
    Ok(())
}

/// What the deleted objects owned is deleted behind them. Both modes call a model's Service by the same name, and a new owner that finds
/// the old one's stops there (Knative's Route: `NotOwned`), so it is waited for.
async fn swept(ctx: &Context, switch: &Switch, cancel: &CancellationToken) -> Result<(), Failure> {
    let cluster = ctx.cluster()?;
    let goes: Vec<&Switched> = switch.objects.iter().flatten().filter(|object| object.fate != Fate::Stays).collect();
    let namespaces: BTreeSet<&str> = goes.iter().filter_map(|object| Some(object.name.split_once('/')?.0)).collect();
    let knative_goes = ctx.plan.component("knative").is_none();
    let started = Instant::now();
    for namespace in namespaces {
        let of_gone = |owner: &Value| {
            let name = format!("{namespace}/{}", text(owner, "/name"));
            let by_knative = text(owner, "/apiVersion").split('/').next().is_some_and(|group| group.ends_with("knative.dev"));
            (knative_goes && by_knative) || goes.iter().any(|object| object.kind == text(owner, "/kind") && object.name == name)
        };
        let left = |object: &Value| {
            object.pointer("/metadata/ownerReferences").and_then(Value::as_array).is_some_and(|owners| owners.iter().any(of_gone))
        };
        for collection in [format!("/api/v1/namespaces/{namespace}/services"), format!("/apis/apps/v1/namespaces/{namespace}/deployments")]
        {
            while started.elapsed() < PATIENCE && cluster.list(&collection, "").await?.iter().any(left) {
                pause(cancel).await?;
            }
        }
    }
    Ok(())
}

fn name_of(object: &Value) -> String {
    format!("{}/{}", text(object, "/metadata/namespace"), text(object, "/metadata/name"))
}

/// What an object is, whatever version of its kind is used.
fn key(object: &Object) -> String {
    format!("{} {object}", object.gvk.group)
}
