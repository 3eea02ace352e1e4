//! `reset --stack`: everything that `up` installed goes, from the leaves to the roots; the node and its images stay.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::clear::{Collection, absent, delete_all, found, gone, short};
use crate::catalog::{Object, served_collections};
use crate::error::Failure;
use crate::plan::StageId;
use crate::stages::{self, Context};

/// Namespaces and definitions.
const GONE_WITHIN: Duration = Duration::from_secs(180);

/// Groups whose objects make other objects: they go first, while their controllers still clean up after them.
const FIRST: &[&[&str]] = &[
    &["inferenceservices", "inferencegraphs", "trainedmodels", "llminferenceservices"],
    &["services", "routes", "configurations", "revisions", "domainmappings"],
];

/// Takes the stack down; `patience` is how long finalizers get before they are taken off.
pub async fn take_down(ctx: &Context, patience: Duration, cancel: &CancellationToken) -> Result<(), Failure> {
    for id in [StageId::EngineCheck, StageId::Fetch, StageId::Cluster] {
        if let Some(stage) = ctx.plan.stage(&id) {
            stages::run(ctx, stage, cancel).await?;
        }
    }
    let objects: Vec<&Object> = {
        let assembled = ctx.assembled()?;
        assembled.components.values().flatten().chain(&assembled.runtimes).collect()
    };
    custom_resources(ctx, &objects, patience, cancel).await?;
    webhooks(ctx, &objects).await?;
    workloads(ctx, &objects, cancel).await?;
    rest(ctx, &objects, cancel).await
}

/// Custom resources in three steps, each seen to be gone before the next.
async fn custom_resources(ctx: &Context, objects: &[&Object], patience: Duration, cancel: &CancellationToken) -> Result<(), Failure> {
    let cluster = ctx.cluster()?;
    // One version of a kind shows all its objects.
    let all: Vec<(String, Collection)> = of_kind(objects, "CustomResourceDefinition")
        .filter_map(|definition| {
            let plural = definition.text("/spec/names/plural")?.to_owned();
            Some((plural, served_collections(&definition.body).pop()?))
        })
        .collect();
    for step in 0..=FIRST.len() {
        let wanted = |plural: &str| match FIRST.get(step) {
            Some(names) => names.contains(&plural),
            None => true,
        };
        let collections: Vec<Collection> =
            all.iter().filter(|(plural, _)| wanted(plural)).map(|(_, collection)| collection.clone()).collect();
        let paths: Vec<String> = found(cluster, &collections).await?.into_iter().map(|(path, _)| path).collect();
        if paths.is_empty() {
            continue;
        }
        ctx.events.note(format!("deleting {} custom resources, such as {}", paths.len(), short(&paths[0])));
        delete_all(cluster, &paths, cancel, || async {
            ctx.events.note("a webhook that guards deletions does not answer: the webhooks go first");
            webhooks(ctx, objects).await
        })
        .await?;
        gone(cluster, &collections, paths, patience, cancel, |sentence| ctx.events.note(sentence)).await?;
    }
    Ok(())
}

async fn webhooks(ctx: &Context, objects: &[&Object]) -> Result<(), Failure> {
    // An API that nobody serves any more keeps every namespace from ending: discovery fails (seen with metrics.k8s.io).
    for kind in ["APIService", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] {
        for object in of_kind(objects, kind) {
            ctx.cluster()?.delete(&ctx.rest().path(object)?).await?;
        }
    }
    Ok(())
}

/// What runs, and the namespaces that it runs in.
async fn workloads(ctx: &Context, objects: &[&Object], cancel: &CancellationToken) -> Result<(), Failure> {
    let cluster = ctx.cluster()?;
    let running = objects.iter().filter(|object| matches!(object.gvk.group.as_str(), "apps" | "batch"));
    let paths: Result<Vec<String>, _> = running.map(|object| ctx.rest().path(object)).collect();
    let namespaces: Vec<&str> = of_kind(objects, "Namespace").map(|object| object.name.as_str()).collect();
    ctx.events.note(format!("deleting the components' workloads and namespaces {}", namespaces.join(", ")));
    delete_all(cluster, &paths?, cancel, || async { Ok(()) }).await?;
    stages::emptied(cluster, &namespaces, cancel).await?;
    let paths: Vec<String> = namespaces.iter().map(|namespace| format!("/api/v1/namespaces/{namespace}")).collect();
    delete_all(cluster, &paths, cancel, || async { Ok(()) }).await?;
    for path in &paths {
        absent(cluster, path, GONE_WITHIN, cancel).await?;
    }
    // cert-manager's lie in kube-system: its next controller would wait a minute for them.
    let deployments: Vec<&str> = of_kind(objects, "Deployment").map(|object| object.name.as_str()).collect();
    stages::release_of(cluster, &deployments).await?;
    Ok(())
}

/// What lies outside of those namespaces, definitions last.
async fn rest(ctx: &Context, objects: &[&Object], cancel: &CancellationToken) -> Result<(), Failure> {
    let cluster = ctx.cluster()?;
    let namespaces: Vec<&str> = of_kind(objects, "Namespace").map(|object| object.name.as_str()).collect();
    let (definitions, others): (Vec<&Object>, Vec<&Object>) =
        objects.iter().copied().partition(|object| object.gvk.kind == "CustomResourceDefinition");
    let built_in = others.into_iter().filter(|object| crate::catalog::RestMap::is_built_in(&object.gvk.group));
    let outside = built_in.filter(|object| !object.namespace.as_deref().is_some_and(|namespace| namespaces.contains(&namespace)));
    let outside = outside.filter(|object| object.gvk.kind != "Namespace");
    let paths: Result<Vec<String>, _> = outside.map(|object| ctx.rest().path(object)).collect();
    delete_all(cluster, &paths?, cancel, || async { Ok(()) }).await?;
    let paths: Result<Vec<String>, _> = definitions.into_iter().map(|object| ctx.rest().path(object)).collect();
    let paths = paths?;
    ctx.events.note(format!("deleting {} definitions", paths.len()));
    delete_all(cluster, &paths, cancel, || async { Ok(()) }).await?;
    for path in &paths {
        absent(cluster, path, GONE_WITHIN, cancel).await?;
    }
    Ok(())
}

fn of_kind<'a>(objects: &[&'a Object], kind: &str) -> impl Iterator<Item = &'a Object> {
    objects.iter().copied().filter(move |object| object.gvk.kind == kind)
}
