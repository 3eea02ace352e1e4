//! `reset --stack`: everything that `up` installed goes, from the leaves to the roots; the node and its images stay.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::clear::{Collection, absent, delete_all, in_steps};
use crate::catalog::{Object, RestMap, served_collections};
use crate::error::Failure;
use crate::stages::{self, Context};

/// Namespaces and definitions.
const GONE_WITHIN: Duration = Duration::from_secs(180);

/// Takes the stack down; `patience` is how long finalizers get before they are taken off.
pub async fn take_down(ctx: &Context, patience: Duration, cancel: &CancellationToken) -> Result<(), Failure> {
    super::reach(ctx, cancel).await?;
    let assembled = ctx.assembled()?;
    let objects: Vec<&Object> = assembled.components.values().flatten().chain(&assembled.runtimes).collect();
    remove(ctx, &objects, &assembled.rest, patience, cancel).await
}

/// The same for some objects only, whose addresses `rest` knows; with a definition go all its objects.
pub(super) async fn remove(
    ctx: &Context,
    objects: &[&Object],
    rest: &RestMap,
    patience: Duration,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    custom_resources(ctx, objects, rest, patience, cancel).await?;
    webhooks(ctx, objects, rest).await?;
    workloads(ctx, objects, rest, cancel).await?;
    others(ctx, objects, rest, cancel).await
}

/// Custom resources in three steps, each seen to be gone before the next.
async fn custom_resources(
    ctx: &Context,
    objects: &[&Object],
    rest: &RestMap,
    patience: Duration,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    let cluster = ctx.cluster()?;
    // One version of a kind shows all its objects.
    let all: Vec<(String, Collection)> = of_kind(objects, "CustomResourceDefinition")
        .filter_map(|definition| {
            let plural = definition.text("/spec/names/plural")?.to_owned();
            Some((plural, served_collections(&definition.body).pop()?))
        })
        .collect();
    in_steps(
        cluster,
        &all,
        patience,
        cancel,
        |sentence| ctx.events.note(sentence),
        || async {
            ctx.events.note("a webhook that guards deletions does not answer: the webhooks go first");
            webhooks(ctx, objects, rest).await
        },
    )
    .await
}

async fn webhooks(ctx: &Context, objects: &[&Object], rest: &RestMap) -> Result<(), Failure> {
    // An API that nobody serves any more keeps every namespace from ending: discovery fails (seen with metrics.k8s.io).
    for kind in ["APIService", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] {
        for object in of_kind(objects, kind) {
            ctx.cluster()?.delete(&rest.path(object)?).await?;
        }
    }
    Ok(())
}

/// What runs, and the namespaces that it runs in.
async fn workloads(ctx: &Context, objects: &[&Object], rest: &RestMap, cancel: &CancellationToken) -> Result<(), Failure> {
    let cluster = ctx.cluster()?;
    let running = objects.iter().filter(|object| matches!(object.gvk.group.as_str(), "apps" | "batch"));
    let paths: Result<Vec<String>, _> = running.map(|object| rest.path(object)).collect();
    let namespaces: Vec<&str> = of_kind(objects, "Namespace").map(|object| object.name.as_str()).collect();
    if !namespaces.is_empty() {
        ctx.events.note(format!("deleting the components' workloads and namespaces {}", namespaces.join(", ")));
    }
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
async fn others(ctx: &Context, objects: &[&Object], rest: &RestMap, cancel: &CancellationToken) -> Result<(), Failure> {
    let cluster = ctx.cluster()?;
    let namespaces: Vec<&str> = of_kind(objects, "Namespace").map(|object| object.name.as_str()).collect();
    let (definitions, others): (Vec<&Object>, Vec<&Object>) =
        objects.iter().copied().partition(|object| object.gvk.kind == "CustomResourceDefinition");
    // Objects of a kind that goes went with it; those of a kind that stays are deleted like built-in ones.
    let goes = |object: &Object| definitions.iter().any(|definition| definition.text("/spec/group") == Some(&object.gvk.group));
    let alone = others.into_iter().filter(|object| RestMap::is_built_in(&object.gvk.group) || !goes(object));
    let outside = alone.filter(|object| !object.namespace.as_deref().is_some_and(|namespace| namespaces.contains(&namespace)));
    let outside = outside.filter(|object| object.gvk.kind != "Namespace");
    let paths: Result<Vec<String>, _> = outside.map(|object| rest.path(object)).collect();
    delete_all(cluster, &paths?, cancel, || async { Ok(()) }).await?;
    let paths: Result<Vec<String>, _> = definitions.iter().map(|object| rest.path(object)).collect();
    let paths = paths?;
    if !paths.is_empty() {
        ctx.events.note(format!("deleting {} definitions", paths.len()));
    }
    delete_all(cluster, &paths, cancel, || async { Ok(()) }).await?;
    for path in &paths {
        absent(cluster, path, GONE_WITHIN, cancel).await?;
    }
    Ok(())
}

fn of_kind<'a>(objects: &[&'a Object], kind: &str) -> impl Iterator<Item = &'a Object> {
    objects.iter().copied().filter(move |object| object.gvk.kind == kind)
}
