//! Deleting many objects and seeing them go; finalizers that hang are named and taken off.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::keep::text;
use crate::cluster::{Cluster, ClusterError};
use crate::error::{Exit, Failure};
use crate::health::interrupted;

const IN_FLIGHT: usize = 16;
const PAUSE: Duration = Duration::from_millis(250);
/// After finalizers were taken off nothing holds an object.
const AFTER: Duration = Duration::from_secs(20);

/// Kinds whose objects make other objects: they go first, while their controllers still clean up after them.
const FIRST: &[&[&str]] = &[
    &["inferenceservices", "inferencegraphs", "trainedmodels", "llminferenceservices"],
    &["services", "routes", "configurations", "revisions", "domainmappings"],
];

/// A custom resource's collection over all namespaces: `/apis/GROUP/VERSION/PLURAL`.
pub(super) type Collection = String;

/// Objects of these collections: path → object.
async fn found(cluster: &Cluster, collections: &[Collection]) -> Result<Vec<(String, Value)>, ClusterError> {
    let mut asked = stream::iter(collections.iter().map(|collection| async move {
        match cluster.list(collection, "").await {
            Err(error) if error.is_not_found() => Ok((collection, Vec::new())),
            listed => listed.map(|items| (collection, items)),
        }
    }))
    .buffer_unordered(IN_FLIGHT);
    let mut all = Vec::new();
    while let Some(listed) = asked.next().await {
        let (collection, items) = listed?;
        for item in items {
            all.push((path_of(collection, &item), item));
        }
    }
    Ok(all)
}

/// Deletes every object of these kinds (plural, collection), each step seen to be gone before the next; `deaf` as in [`delete_all`].
pub(super) async fn in_steps<F: Future<Output = Result<(), Failure>>>(
    cluster: &Cluster,
    all: &[(String, Collection)],
    patience: Duration,
    cancel: &CancellationToken,
    told: impl Fn(String),
    deaf: impl Fn() -> F,
) -> Result<(), Failure> {
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
        told(format!("deleting {} custom resources, such as {}", paths.len(), short(&paths[0])));
        delete_all(cluster, &paths, cancel, &deaf).await?;
        gone(cluster, &collections, paths, patience, cancel, &told).await?;
    }
    Ok(())
}

fn path_of(collection: &str, item: &Value) -> String {
    let (namespace, name) = (text(item, "/metadata/namespace"), text(item, "/metadata/name"));
    match collection.rsplit_once('/') {
        Some((root, plural)) if !namespace.is_empty() => format!("{root}/namespaces/{namespace}/{plural}/{name}"),
        _ => format!("{collection}/{name}"),
    }
}

/// Deletes all of these. `deaf` is called once when webhooks that guard deletions do not answer: whoever they are must go first.
pub(super) async fn delete_all<F: Future<Output = Result<(), Failure>>>(
    cluster: &Cluster,
    paths: &[String],
    cancel: &CancellationToken,
    deaf: impl Fn() -> F,
) -> Result<(), Failure> {
    let mut left: Vec<String> = paths.to_vec();
    for attempt in 0..20 {
        let mut failed = Vec::new();
        let mut last = None;
        let mut sending =
            stream::iter(left.iter().map(|path| async move { (path, cluster.delete(path).await) })).buffer_unordered(IN_FLIGHT);
        while let Some((path, answer)) = sending.next().await {
            match answer {
                Ok(_) => {}
                Err(error) if error.is_transient() => {
                    failed.push(path.clone());
                    last = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        drop(sending);
        let Some(error) = last else { return Ok(()) };
        if attempt == 2 && error.is_deaf_webhook() {
            deaf().await?;
        }
        if attempt == 19 {
            return Err(error.into());
        }
        left = failed;
        pause(cancel).await?;
    }
    Ok(())
}

/// Waits until none of these is there; after `patience` their finalizers are named to `told` and taken off.
pub(super) async fn gone(
    cluster: &Cluster,
    collections: &[Collection],
    mut paths: Vec<String>,
    patience: Duration,
    cancel: &CancellationToken,
    told: impl Fn(String),
) -> Result<(), Failure> {
    let started = Instant::now();
    let mut forced = None;
    loop {
        let all = found(cluster, collections).await?;
        let left: Vec<(String, Value)> = all.into_iter().filter(|(path, _)| paths.contains(path)).collect();
        paths.retain(|path| left.iter().any(|(known, _)| known == path));
        if left.is_empty() {
            return Ok(());
        }
        match forced {
            None if started.elapsed() >= patience => {
                for (path, object) in &left {
                    told(force(cluster, path, object).await?);
                }
                forced = Some(Instant::now());
            }
            Some(forced) if forced.elapsed() >= AFTER => return Err(stays(&paths)),
            _ => {}
        }
        pause(cancel).await?;
    }
}

/// Takes the finalizers off one object; answers what they were.
async fn force(cluster: &Cluster, path: &str, object: &Value) -> Result<String, Failure> {
    let finalizers = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    let names: Vec<&str> = finalizers.into_iter().flatten().filter_map(Value::as_str).collect();
    let what = short(path);
    if names.is_empty() {
        return Ok(format!("{what} takes its time to go"));
    }
    match cluster.merge(path, &json!({"metadata": {"finalizers": null}})).await {
        Err(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(format!("{what} hung: nobody took its finalizer {} off, so quickstart did", names.join(", "))),
    }
}

/// Waits until an object is not there.
pub(super) async fn absent(cluster: &Cluster, path: &str, patience: Duration, cancel: &CancellationToken) -> Result<(), Failure> {
    let started = Instant::now();
    while let Some(object) = cluster.find(path).await? {
        if started.elapsed() >= patience {
            let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
            let told = conditions.into_iter().flatten().filter(|condition| text(condition, "/status") == "True");
            let why: Vec<&str> = told.map(|condition| text(condition, "/message")).filter(|message| !message.is_empty()).collect();
            let mut failure = stays(&[path.to_owned()]);
            if !why.is_empty() {
                failure.cause = Some(why.join("; "));
            }
            return Err(failure);
        }
        pause(cancel).await?;
    }
    Ok(())
}

fn stays(paths: &[String]) -> Failure {
    let names: Vec<String> = paths.iter().take(5).map(|path| short(path)).collect();
    Failure::new("LEFTOVERS", Exit::StageFailed, "not everything of the stack could be removed")
        .cause(names.join(", "))
        .hint("run the same command again, or `quickstart reset` for a fresh cluster")
}

/// `serving.kserve.io inferenceservices default/mine` of an address.
fn short(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let rest = if parts.first() == Some(&"api") { parts.get(2..) } else { parts.get(3..) }.unwrap_or_default();
    match rest {
        ["namespaces", namespace, plural, name] => format!("{plural} {namespace}/{name}"),
        [plural, name] => format!("{plural} {name}"),
        _ => path.to_owned(),
    }
}

/// Between two looks.
pub(super) async fn pause(cancel: &CancellationToken) -> Result<(), Failure> {
    tokio::select! {
        () = cancel.cancelled() => Err(interrupted()),
        () = sleep(PAUSE) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_said_in_a_few_words() {
        assert_eq!(short("/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices/mine"), "inferenceservices default/mine");
        assert_eq!(short("/api/v1/namespaces/kserve"), "namespaces kserve");
        assert_eq!(
            path_of("/apis/a.b/v1/things", &json!({"metadata": {"name": "x", "namespace": "n"}})),
            "/apis/a.b/v1/namespaces/n/things/x"
        );
        assert_eq!(path_of("/apis/a.b/v1/things", &json!({"metadata": {"name": "x"}})), "/apis/a.b/v1/things/x");
    }
}
