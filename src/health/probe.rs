//! Asking: one answer to one check, now.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;

use super::explain::explain;
use super::{pods, restarted, rollout};
use crate::catalog::{Object, RestMap};
use crate::cluster::{Cluster, ClusterError};
use crate::error::Explain;
use crate::gateway::{self, Authority};
use crate::plan::{Check, Probe, Verdict, said_host};
use crate::rules::{self, Patience, Source};

/// What a probe needs to know of the world.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// The cluster that is asked.
    pub cluster: &'a Cluster,
    /// Kind → URL.
    pub rest: &'a RestMap,
    /// What the demo is asked, and what it must answer.
    pub demo: Option<(&'a Value, &'a Value)>,
    /// How long the answer has been waited for; [`Duration::MAX`] for a single look, which wants to know all.
    pub waited: Duration,
    /// Whether to say why something is not ready. It costs a list of pods each time, which a look that only asks whether it is does without.
    pub closely: bool,
}

/// One answer. An API server that cannot be reached is "not yet", with its reason.
pub async fn ask(world: World<'_>, check: &Check) -> Verdict {
    match answer(world, &check.probe).await {
        Ok(verdict) => verdict,
        Err(error) if error.is_not_found() => Verdict::Pending(error.to_string()),
        Err(error) => failed(&error, if error.is_transient() { Patience::Deadline } else { Patience::Seconds(2) }),
    }
}

fn failed<E: Explain>(error: &E, patience: Patience) -> Verdict {
    match rules::rule(error.id()) {
        Some(rule) => pods::trouble(rules::Found { rule, patience }, error.to_string()),
        None => Verdict::Pending(error.to_string()),
    }
}

async fn answer(world: World<'_>, probe: &Probe) -> Result<Verdict, ClusterError> {
    let World { cluster, rest, .. } = world;
    match probe {
        Probe::ApiAnswers => cluster.version().await.map(|_| Verdict::Ready),
        Probe::NodesReady => nodes(cluster).await,
        Probe::ServicesRouted => services(cluster).await,
        Probe::StartedAgain { since } => restarted::since(cluster, since).await,
        Probe::CrdsServed { collections } => definitions(cluster, collections).await,
        Probe::Rollout { namespace, name } => deployment(world, namespace, name).await,
        Probe::Secret { namespace, name, key } => secret(cluster, namespace, name, key).await,
        Probe::Denied { object, by } => denied(cluster, rest, object, by).await,
        Probe::Present { paths } => present(cluster, paths).await,
        Probe::Condition { path, condition } => has_condition(cluster, path, condition).await,
        Probe::InferenceServiceReady { namespace, name } => inference_service(world, namespace, name).await,
        Probe::GatewayAnswers { port, scheme } => {
            let answered = async { gateway::answers(*port, Authority::of(cluster, *scheme).await?.as_ref()).await };
            Ok(match answered.await {
                Ok(()) => Verdict::Ready,
                Err(error) => failed(&error, Patience::Deadline),
            })
        }
        Probe::Prediction { namespace, name, host, port, scheme } => {
            let path = inference_service_path(namespace, name);
            let live = cluster.find(&path).await.ok().flatten();
            let host = live.as_ref().and_then(said_host).unwrap_or(host);
            Ok(match Authority::of(cluster, *scheme).await {
                Ok(authority) => prediction(world, name, host, *port, authority.as_ref()).await,
                Err(error) => failed(&error, Patience::Deadline),
            })
        }
    }
}

async fn nodes(cluster: &Cluster) -> Result<Verdict, ClusterError> {
    let nodes = cluster.list("/api/v1/nodes", "").await?;
    if nodes.is_empty() {
        return Ok(Verdict::Pending("no node has joined yet".into()));
    }
    for node in &nodes {
        let name = node.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("node");
        match rollout::condition(node, "Ready") {
            Some((status, _)) if status == "True" => {}
            Some((_, message)) => return Ok(Verdict::Pending(format!("node {name} is not Ready: {message}"))),
            None => return Ok(Verdict::Pending(format!("node {name} has not reported yet"))),
        }
    }
    // A pod in `default` is refused until its ServiceAccount is there.
    Ok(match cluster.find("/api/v1/namespaces/default/serviceaccounts/default").await? {
        Some(_) => Verdict::Ready,
        None => Verdict::Pending("ServiceAccount default/default is not there yet".into()),
    })
}

/// A pod that starts before kube-proxy has made the rules finds no API server behind 10.96.0.1: controllers end, or wait half a minute
/// until they ask again (cert-manager's leader election, on the real cluster). Networks that do without kube-proxy have no such DaemonSet.
async fn services(cluster: &Cluster) -> Result<Verdict, ClusterError> {
    let Some(proxy) = cluster.find("/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy").await? else {
        return Ok(Verdict::Ready);
    };
    Ok(rollout::daemon_set(&proxy))
}

/// Small questions, one a definition: the list of all definitions would be eight megabytes at every look.
async fn definitions(cluster: &Cluster, collections: &[String]) -> Result<Verdict, ClusterError> {
    let mut missing = Vec::new();
    for (collection, answer) in collections.iter().zip(join_all(collections.iter().map(|collection| cluster.serves(collection))).await) {
        if !answer? {
            missing.push(collection.rsplit('/').next().unwrap_or(collection));
        }
    }
    Ok(match missing.first() {
        None => Verdict::Ready,
        Some(first) => {
            let saw = format!("{} of {} custom resources are not served yet, such as {first}", missing.len(), collections.len());
            match rules::rule("CRD_NOT_ESTABLISHED") {
                Some(rule) => pods::trouble(rules::Found { rule, patience: Patience::Deadline }, saw),
                None => Verdict::Pending(saw),
            }
        }
    })
}

async fn deployment(world: World<'_>, namespace: &str, name: &str) -> Result<Verdict, ClusterError> {
    let World { cluster, waited, closely, .. } = world;
    let Some(object) = cluster.find(&format!("/apis/apps/v1/namespaces/{namespace}/deployments/{name}")).await? else {
        return Ok(Verdict::Pending(format!("Deployment {namespace}/{name} is not there")));
    };
    let verdict = rollout::deployment(&object);
    let Verdict::Pending(saw) = &verdict else { return Ok(verdict) };
    if !closely {
        return Ok(verdict);
    }
    let selector = selector(&object);
    if let Some(verdict) = explain(cluster, namespace, &selector, waited).await? {
        return Ok(verdict);
    }
    let saw = format!("Deployment {name}: {saw}");
    Ok(match rules::find(Source::Condition, "ReplicaFailure", &saw) {
        Some(found) => pods::trouble(found, saw),
        None => Verdict::Pending(saw),
    })
}

/// `matchLabels` of a workload in kubectl's form.
pub fn selector(object: &Value) -> String {
    let labels = object.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let pairs = labels.into_iter().flatten().filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)));
    pairs.collect::<Vec<_>>().join(",")
}

async fn secret(cluster: &Cluster, namespace: &str, name: &str, key: &str) -> Result<Verdict, ClusterError> {
    let object = cluster.find(&format!("/api/v1/namespaces/{namespace}/secrets/{name}")).await?;
    let filled = object.as_ref().and_then(|object| object.pointer("/data")).and_then(|data| data.get(key)).and_then(Value::as_str);
    Ok(match filled {
        Some(value) if !value.is_empty() => Verdict::Ready,
        _ => Verdict::Pending(format!("Secret {namespace}/{name} has no {key} yet")),
    })
}

async fn denied(cluster: &Cluster, rest: &RestMap, object: &Value, by: &str) -> Result<Verdict, ClusterError> {
    let Ok(object) = Object::new(object.clone(), "probe") else { return Ok(Verdict::Pending("the probe's object is not one".into())) };
    let Ok(path) = rest.path(&object) else { return Ok(Verdict::Pending(format!("{} is not served yet", object.gvk.kind))) };
    // A ConfigMap of a component exists already, and creating it again would only say so: patch it, without storing anything.
    let outcome = if object.gvk.group.is_empty() && object.gvk.kind == "ConfigMap" {
        let data = serde_json::json!({ "data": object.body.get("data") });
        cluster.dry_run_patch(&path, &data).await
    } else {
        let collection = path.rsplit_once('/').map_or(path.as_str(), |(collection, _)| collection);
        cluster.dry_run_create(collection, &object.body).await
    };
    Ok(match outcome {
        Err(error) if error.is_denied_by(by) => Verdict::Ready,
        Err(error) if error.is_not_found() => Verdict::Pending(error.to_string()),
        Err(error) => failed(&error, Patience::Deadline),
        Ok(_) => Verdict::Pending(format!("webhook {by} does not check {object} yet")),
    })
}

async fn present(cluster: &Cluster, paths: &[String]) -> Result<Verdict, ClusterError> {
    for path in paths {
        let name = path.rsplit('/').next().unwrap_or(path);
        match cluster.find(path).await? {
            None => return Ok(Verdict::Pending(format!("{name} is not there"))),
            Some(object) if object.pointer("/metadata/deletionTimestamp").is_some() => {
                return Ok(Verdict::Pending(format!("{name} is being deleted")));
            }
            Some(_) => {}
        }
    }
    Ok(Verdict::Ready)
}

async fn has_condition(cluster: &Cluster, path: &str, kind: &str) -> Result<Verdict, ClusterError> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some(object) = cluster.find(path).await? else { return Ok(Verdict::Pending(format!("{name} is not there"))) };
    Ok(match rollout::condition(&object, kind) {
        Some((status, _)) if status == "True" => Verdict::Ready,
        Some((_, message)) => Verdict::Pending(format!("{name} is not {kind}: {message}")),
        None => Verdict::Pending(format!("{name} has not reported {kind} yet")),
    })
}

fn inference_service_path(namespace: &str, name: &str) -> String {
    format!("/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices/{name}")
}

async fn inference_service(world: World<'_>, namespace: &str, name: &str) -> Result<Verdict, ClusterError> {
    let World { cluster, waited, closely, .. } = world;
    let Some(object) = cluster.find(&inference_service_path(namespace, name)).await? else {
        return Ok(Verdict::Pending(format!("InferenceService {namespace}/{name} is not there")));
    };
    match rollout::condition(&object, "Ready") {
        Some((status, _)) if status == "True" => return Ok(Verdict::Ready),
        _ if !closely => return Ok(Verdict::Pending("not Ready".into())),
        _ => {}
    }
    let selector = format!("serving.kserve.io/inferenceservice={name}");
    let pods = explain(cluster, namespace, &selector, waited).await?;
    if let Some(trouble @ Verdict::Trouble { .. }) = pods {
        return Ok(trouble);
    }
    Ok(conditions(&object)
        .filter(|verdict| pods.is_none() || verdict.id().is_some())
        .or(pods)
        .unwrap_or_else(|| Verdict::Pending("no condition reported yet".into())))
}

/// What an InferenceService says of itself: a rule that fits one of its conditions, or the first one that is not True.
pub fn conditions(object: &Value) -> Option<Verdict> {
    let failure = object.pointer("/status/modelStatus/lastFailureInfo");
    let failure = failure.map(|info| {
        let text = |key: &str| info.get(key).and_then(Value::as_str).unwrap_or_default();
        ("modelStatus".to_owned(), text("reason").to_owned(), text("message").to_owned())
    });
    let red = object.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten().filter_map(|condition| {
        let text = |key: &str| condition.get(key).and_then(Value::as_str).unwrap_or_default();
        (text("status") != "True").then(|| (text("type").to_owned(), text("reason").to_owned(), text("message").to_owned()))
    });
    let mut plain = None;
    for (kind, reason, message) in failure.into_iter().chain(red) {
        let saw = format!("{kind}: {}", if message.is_empty() { &reason } else { &message });
        match rules::find(Source::Condition, &reason, &message) {
            Some(found) => return Some(pods::trouble(found, saw)),
            // What the predictor lacks explains the rest.
            None if plain.is_none() || kind == "PredictorReady" => plain = Some(Verdict::Pending(saw)),
            None => {}
        }
    }
    plain
}

async fn prediction(world: World<'_>, name: &str, host: &str, port: u16, authority: Option<&Authority>) -> Verdict {
    let Some((input, expected)) = world.demo else { return Verdict::Ready };
    match gateway::post(port, authority, host, &format!("/v1/models/{name}:predict"), input).await {
        Ok(answer) if answer == *expected => Verdict::Ready,
        Ok(answer) => Verdict::Trouble {
            id: "PREDICTION_WRONG".into(),
            saw: format!("{answer} instead of {expected}"),
            hint: "is this the demo's own model? `quickstart up` puts it back".into(),
            patience: Some(2),
        },
        Err(error) => failed(&error, Patience::Deadline),
    }
}
