//! Asking the cluster for everything that stands on the way to an InferenceService, side by side.

use serde_json::Value;

use super::route::{Facts, Route, route};
use crate::catalog::RestMap;
use crate::cluster::{Cluster, ClusterError};
use crate::config::Network;
use crate::error::{Exit, Failure};
use crate::gateway::{self, Authority};
use crate::health::{World, ask, pods};
use crate::plan::{Check, Probe, Verdict, is_raw};
use crate::state::State;

/// The way to an InferenceService.
///
/// # Errors
/// `ISVC_MISSING` where there is none of that name; what the API server's client says where it does not answer.
pub async fn trace(cluster: &Cluster, state: &State, namespace: &str, name: &str) -> Result<Route, Failure> {
    let path = format!("/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices/{name}");
    let Some(service) = cluster.find(&path).await? else {
        let what = format!("there is no InferenceService {namespace}/{name}");
        return Err(Failure::new("ISVC_MISSING", Exit::NotRunning, what).hint("`kubectl get inferenceservices -A` lists them"));
    };
    let raw = is_raw(Some(&service), &state.profile);
    let of = |group: &str, plural: &str| format!("{group}/namespaces/{namespace}/{plural}");
    let (virtual_services, knative, ingresses, routes) = (
        of("/apis/networking.istio.io/v1beta1", "virtualservices"),
        of("/apis/networking.internal.knative.dev/v1alpha1", "ingresses"),
        of("/apis/networking.k8s.io/v1", "ingresses"),
        of("/apis/gateway.networking.k8s.io/v1", "httproutes"),
    );
    let (services, slices, own) = (of("/api/v1", "services"), of("/apis/discovery.k8s.io/v1", "endpointslices"), of("/api/v1", "pods"));
    let selector = format!("serving.kserve.io/inferenceservice={name}");
    let (verdict, domains, gateway, virtual_services, knative, ingresses, routes, services, slices, pods) = tokio::join!(
        readiness(cluster, namespace, name),
        domains(cluster, raw),
        mapped(cluster, state),
        list(cluster, &virtual_services),
        list(cluster, &knative),
        list(cluster, &ingresses),
        list(cluster, &routes),
        list(cluster, &services),
        list(cluster, &slices),
        cluster.list(&own, &selector),
    );
    let pods = pods?;
    let facts = Facts {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        service,
        unready: unready(verdict),
        raw,
        kourier: state.network() == Network::Kourier,
        domains: domains?,
        gateway,
        virtual_services: virtual_services?,
        knative: knative?,
        ingresses: ingresses?.into_iter().chain(routes?).collect(),
        services: services?,
        slices: slices?,
        pod_trouble: pods.iter().find_map(trouble),
        pods,
    };
    Ok(route(&facts))
}

/// A kind that is not served has no objects.
async fn list(cluster: &Cluster, path: &str) -> Result<Vec<Value>, ClusterError> {
    match cluster.list(path, "").await {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        answer => answer,
    }
}

async fn readiness(cluster: &Cluster, namespace: &str, name: &str) -> Verdict {
    let probe = Probe::InferenceServiceReady { namespace: namespace.to_owned(), name: name.to_owned() };
    let check = Check { id: "route".into(), probe, hint: String::new(), deadline: 0 };
    let rest = RestMap::default();
    ask(World { cluster, rest: &rest, demo: None, waited: std::time::Duration::MAX, closely: true }, &check).await
}

fn unready(verdict: Verdict) -> Option<(Option<String>, String, Option<String>)> {
    match verdict {
        Verdict::Ready => None,
        Verdict::Pending(saw) => Some((None, saw, None)),
        Verdict::Trouble { id, saw, hint, .. } => Some((Some(id), saw, Some(hint))),
    }
}

/// Keys of config-domain, or KServe's own `ingressDomain`.
async fn domains(cluster: &Cluster, raw: bool) -> Result<Vec<String>, ClusterError> {
    if raw {
        let found = cluster.find("/api/v1/namespaces/kserve/configmaps/inferenceservice-config").await?;
        let text = found.as_ref().and_then(|map| map.pointer("/data/ingress")).and_then(Value::as_str).unwrap_or_default();
        let ingress: Value = serde_json::from_str(text).unwrap_or_default();
        return Ok(ingress.get("ingressDomain").and_then(Value::as_str).map(str::to_owned).into_iter().collect());
    }
    let found = cluster.find("/api/v1/namespaces/knative-serving/configmaps/config-domain").await?;
    let data = found.as_ref().and_then(|map| map.pointer("/data")).and_then(Value::as_object);
    Ok(data.into_iter().flatten().map(|(key, _)| key.clone()).filter(|key| !key.starts_with('_')).collect())
}

async fn mapped(cluster: &Cluster, state: &State) -> Option<(u16, Result<(), String>)> {
    let port = state.port?;
    let answered = async { gateway::answers(port, Authority::of(cluster, state.scheme()).await?.as_ref()).await };
    Some((port, answered.await.map_err(|error| error.to_string())))
}

fn trouble(pod: &Value) -> Option<(Option<String>, String)> {
    match pods::judge(pod)? {
        pods::Finding::Trouble(verdict) => Some((verdict.id().map(str::to_owned), verdict.saw().unwrap_or_default().to_owned())),
        pods::Finding::Ended { container, reason, code, .. } => {
            let saw = format!("container {container} of {} ended: {reason}, exit code {code}", pods::name(pod));
            Some((Some("CRASH_LOOP".into()), saw))
        }
        pods::Finding::Busy(saw) => Some((None, saw)),
        pods::Finding::Starting => Some((None, format!("{} is being started", pods::name(pod)))),
    }
}
