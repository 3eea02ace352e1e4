//! What the API server knows: objects, events, the logs of containers.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::staging::Staging;
use crate::cluster::Cluster;
use crate::error::Failure;

/// What is listed, in all namespaces: file name, and the addresses of which the first that is served is taken.
const LISTS: &[(&str, &[&str])] = &[
    ("nodes", &["/api/v1/nodes"]),
    ("namespaces", &["/api/v1/namespaces"]),
    ("pods", &["/api/v1/pods"]),
    ("services", &["/api/v1/services"]),
    ("deployments", &["/apis/apps/v1/deployments"]),
    ("mutatingwebhookconfigurations", &["/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"]),
    ("validatingwebhookconfigurations", &["/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"]),
    ("inferenceservices", &["/apis/serving.kserve.io/v1beta1/inferenceservices"]),
    ("clusterservingruntimes", &["/apis/serving.kserve.io/v1alpha1/clusterservingruntimes"]),
    ("knative-services", &["/apis/serving.knative.dev/v1/services"]),
    ("knative-revisions", &["/apis/serving.knative.dev/v1/revisions"]),
    ("knative-routes", &["/apis/serving.knative.dev/v1/routes"]),
    ("virtualservices", &["/apis/networking.istio.io/v1/virtualservices", "/apis/networking.istio.io/v1beta1/virtualservices"]),
    ("gateways", &["/apis/networking.istio.io/v1/gateways", "/apis/networking.istio.io/v1beta1/gateways"]),
    ("certificates", &["/apis/cert-manager.io/v1/certificates"]),
];
/// Lines and bytes of one container's log.
const LOG: (u32, u32) = (2000, 1 << 20);
const LOG_DEADLINE: Duration = Duration::from_secs(10);
/// Requests side by side.
const SIDE_BY_SIDE: usize = 4;
/// Containers whose logs are asked for.
const MOST: usize = 200;

/// Everything, below `cluster/`. `namespaces`: whose containers' logs are wanted.
pub(super) async fn look(staging: &Staging, cluster: &Cluster, namespaces: &[String]) {
    tokio::join!(objects(staging, cluster), events(staging, cluster), secrets(staging, cluster), logs(staging, cluster, namespaces));
}

async fn objects(staging: &Staging, cluster: &Cluster) {
    let asked = LISTS.iter().map(|(name, paths)| async move {
        let part = format!("cluster/objects/{name}.json");
        let mut answer = cluster.list(paths[0], "").await;
        for path in &paths[1..] {
            if answer.as_ref().is_err_and(crate::cluster::ClusterError::is_not_found) {
                answer = cluster.list(path, "").await;
            }
        }
        match answer {
            Ok(mut items) => {
                items.iter_mut().for_each(tidy);
                staging.json(&part, &items).await;
            }
            Err(error) if error.is_not_found() => staging.missing(&part, "the cluster does not serve this kind"),
            Err(error) => staging.failed(&part, &Failure::from(error)),
        }
    });
    futures_util::stream::iter(asked).buffer_unordered(SIDE_BY_SIDE).collect::<()>().await;
}

/// Without what nobody reads, and without the copy of itself that `kubectl apply` leaves: the filter reads values in their own place.
fn tidy(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
}

/// Oldest first, one a line, as people read them; and whole.
async fn events(staging: &Staging, cluster: &Cluster) {
    const PART: &str = "cluster/events.json";
    let mut events = match cluster.list("/api/v1/events", "").await {
        Ok(events) => events,
        Err(error) => return staging.failed(PART, &Failure::from(error)),
    };
    let text = |event: &Value, pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let at = |event: &Value| {
        ["/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"].iter().map(|key| text(event, key)).find(|at| !at.is_empty())
    };
    events.iter_mut().for_each(tidy);
    events.sort_by_cached_key(at);
    let lines = events.iter().map(|event| {
        let object = ["/metadata/namespace", "/involvedObject/kind", "/involvedObject/name"].map(|key| text(event, key)).join("/");
        let message = text(event, "/message").split_whitespace().collect::<Vec<_>>().join(" ");
        let count = event.get("count").and_then(Value::as_u64).unwrap_or(1);
        format!("{} {} {} {object} x{count}: {message}\n", at(event).unwrap_or_default(), text(event, "/type"), text(event, "/reason"))
    });
    staging.text("cluster/events.txt", lines.collect(), false).await;
    staging.json(PART, &events).await;
}

/// Which Secrets there are and what their keys are called: a missing one is a common failure. Nothing of their values.
async fn secrets(staging: &Staging, cluster: &Cluster) {
    const PART: &str = "cluster/objects/secrets.json";
    let listed = match cluster.list("/api/v1/secrets", "").await {
        Ok(listed) => listed,
        Err(error) => return staging.failed(PART, &Failure::from(error)),
    };
    let named: Vec<Value> = listed
        .iter()
        .map(|secret| {
            let keys: Vec<&String> = secret.get("data").and_then(Value::as_object).into_iter().flat_map(|data| data.keys()).collect();
            let at = |pointer: &str| secret.pointer(pointer).cloned().unwrap_or_default();
            json!({"namespace": at("/metadata/namespace"), "name": at("/metadata/name"), "type": at("/type"),
                "created": at("/metadata/creationTimestamp"), "keys": keys})
        })
        .collect();
    staging.json(PART, &named).await;
}

/// A log of a container.
struct Log {
    namespace: String,
    pod: String,
    container: String,
    previous: bool,
}

async fn logs(staging: &Staging, cluster: &Cluster, namespaces: &[String]) {
    let listed = join_all(namespaces.iter().map(|namespace| async move {
        let pods = cluster.list(&format!("/api/v1/namespaces/{namespace}/pods"), "").await;
        pods.map_err(|error| staging.failed(&format!("cluster/logs/{namespace}"), &Failure::from(error))).unwrap_or_default()
    }));
    let mut wanted: Vec<Log> = listed.await.iter().flatten().flat_map(|pod| containers(staging, pod)).collect();
    if wanted.len() > MOST {
        staging.missing(
            "cluster/logs (further containers)",
            &format!("{} logs left out: no more than {MOST} are packed", wanted.len() - MOST),
        );
        wanted.truncate(MOST);
    }
    let asked = wanted.into_iter().map(|log| one(staging, cluster, log));
    futures_util::stream::iter(asked).buffer_unordered(SIDE_BY_SIDE).collect::<()>().await;
}

/// Every container of a pod that has run, and the instance before where there was one.
fn containers(staging: &Staging, pod: &Value) -> Vec<Log> {
    let text = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (namespace, name) = (text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
    let statuses =
        ["/status/initContainerStatuses", "/status/containerStatuses"].into_iter().filter_map(|pointer| pod.pointer(pointer)?.as_array());
    let mut found = Vec::new();
    for status in statuses.flatten() {
        let log = |previous| Log { namespace: namespace.clone(), pod: name.clone(), container: text(status, "/name"), previous };
        let before = status.pointer("/lastState/terminated").is_some();
        if before {
            found.push(log(true));
        }
        if status.pointer("/state/running").is_some() || status.pointer("/state/terminated").is_some() || before {
            found.push(log(false));
        } else {
            let why = format!("it has not started: {}", text(status, "/state/waiting/reason"));
            staging.missing(&log(false).part(), why.trim_end_matches(": "));
        }
    }
    found
}

impl Log {
    fn part(&self) -> String {
        let Self { namespace, pod, container, previous } = self;
        format!("cluster/logs/{namespace}/{pod}/{container}{}.log", if *previous { ".previous" } else { "" })
    }
}

async fn one(staging: &Staging, cluster: &Cluster, log: Log) {
    let ((lines, bytes), part) = (LOG, log.part());
    let Log { namespace, pod, container, previous } = log;
    let path = format!(
        "/api/v1/namespaces/{namespace}/pods/{pod}/log?container={container}&previous={previous}&tailLines={lines}&limitBytes={bytes}"
    );
    match tokio::time::timeout(LOG_DEADLINE, cluster.text(&path)).await {
        Ok(Ok(text)) => staging.text(&part, text, true).await,
        Ok(Err(error)) => staging.failed(&part, &Failure::from(error)),
        Err(_) => staging.missing(&part, &format!("no answer within {} s", LOG_DEADLINE.as_secs())),
    }
}
