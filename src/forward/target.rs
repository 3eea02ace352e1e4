//! Service → a Ready pod and its port, asked anew when a pod has gone.

use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ForwardError;
use crate::cluster::Cluster;
use crate::config::{Network, Scheme};
use crate::health::{rollout::condition, selector};

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// The Service's port.
    pub port: u16,
}

impl Service {
    /// The service that predictions go through.
    pub fn ingress() -> Self {
        Self { namespace: "istio-system".into(), name: "istio-ingressgateway".into(), port: 80 }
    }

    /// The same on a cluster with this way to Knative's routes, whose gateway is spoken to like this.
    pub fn ingress_of(network: Network, scheme: Scheme) -> Self {
        match network {
            Network::Istio => Self { port: scheme.service_port(), ..Self::ingress() },
            Network::Kourier => Self { namespace: "kourier-system".into(), name: "kourier".into(), port: 80 },
        }
    }

    /// Do predictions go through it?
    pub fn is_ingress(&self) -> bool {
        self.is_tls() || self.is_first()
    }

    /// Is it the gateway's HTTPS?
    pub fn is_tls(&self) -> bool {
        *self == Self::ingress_of(Network::Istio, Scheme::Https)
    }

    fn is_first(&self) -> bool {
        [Network::Istio, Network::Kourier].into_iter().any(|network| *self == Self::ingress_of(network, Scheme::Http))
    }

    /// The address of its port of 127.0.0.1.
    pub fn url(&self, port: u16) -> String {
        if self.is_tls() { Scheme::Https } else { Scheme::Http }.url(port)
    }

    /// What its files' names have after `forward`: nothing for the ingress, as long as that is HTTP. Names of Kubernetes have no underscore.
    pub fn suffix(&self) -> String {
        if self.is_first() { String::new() } else { format!("-{}_{}_{}", self.namespace, self.name, self.port) }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.namespace, self.name, self.port)
    }
}

/// Where a connection goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Pod name.
    pub pod: String,
    /// Container port.
    pub port: u16,
}

/// How long a pod that was Ready is taken without asking again; the tunnel asks more often by itself.
const FRESH: Duration = Duration::from_secs(30);

/// Finds pods of one Service, remembering the last one for a moment.
#[derive(Debug)]
pub(super) struct Finder {
    service: Service,
    last: Mutex<Option<(Instant, Target)>>,
}

impl Finder {
    /// A finder for this Service.
    pub(super) fn new(service: Service) -> Self {
        Self { service, last: Mutex::new(None) }
    }

    /// Namespace of the Service and its pods.
    pub(super) fn namespace(&self) -> &str {
        &self.service.namespace
    }

    /// The Service.
    pub(super) fn service(&self) -> &Service {
        &self.service
    }

    /// The remembered pod.
    pub(super) fn last(&self) -> Option<Target> {
        self.last.lock().ok()?.as_ref().map(|(_, target)| target.clone())
    }

    /// Asks anew, and answers whether the pod is another one than before.
    pub(super) async fn refresh(&self, cluster: &Cluster) -> Result<bool, ForwardError> {
        let before = self.last();
        let target = self.look(cluster, before.as_ref().map(|target| target.pod.as_str())).await?;
        let changed = before.is_some_and(|before| before != target);
        self.keep(target);
        Ok(changed)
    }

    fn keep(&self, target: Target) {
        if let Ok(mut last) = self.last.lock() {
            *last = Some((Instant::now(), target));
        }
    }

    /// Forgets the remembered pod, after it failed.
    pub(super) fn forget(&self) {
        if let Ok(mut last) = self.last.lock() {
            *last = None;
        }
    }

    /// A Ready pod and its port.
    pub(super) async fn find(&self, cluster: &Cluster) -> Result<Target, ForwardError> {
        if let Some((at, target)) = self.last.lock().ok().and_then(|last| last.clone())
            && at.elapsed() < FRESH
        {
            return Ok(target);
        }
        let target = self.look(cluster, None).await?;
        self.keep(target.clone());
        Ok(target)
    }

    /// A Ready pod; `favourite` where it is one of them.
    async fn look(&self, cluster: &Cluster, favourite: Option<&str>) -> Result<Target, ForwardError> {
        let Service { namespace, name, port } = &self.service;
        let failed = |source| ForwardError::Cluster { service: format!("{namespace}/{name}:{port}"), source };
        let service = cluster.get(&format!("/api/v1/namespaces/{namespace}/services/{name}")).await.map_err(failed)?;
        let wanted = target_port(&service, *port).ok_or_else(|| ForwardError::NoPort {
            service: format!("{namespace}/{name}"),
            port: *port,
            known: ports(&service).map(|port| port.to_string()).collect::<Vec<_>>().join(", "),
        })?;
        let labels = serde_json::json!({ "spec": { "selector": { "matchLabels": service.pointer("/spec/selector") } } });
        let pods = cluster.list(&format!("/api/v1/namespaces/{namespace}/pods"), &selector(&labels)).await.map_err(failed)?;
        let mut ready: Vec<Target> = pods
            .iter()
            .filter(|pod| pod.pointer("/metadata/deletionTimestamp").is_none())
            .filter(|pod| condition(pod, "Ready").is_some_and(|(status, _)| status == "True"))
            .filter_map(|pod| {
                let pod_name = pod.pointer("/metadata/name")?.as_str()?.to_owned();
                Some(Target { pod: pod_name, port: container_port(pod, &wanted)? })
            })
            .collect();
        let place = ready.iter().position(|target| Some(target.pod.as_str()) == favourite).unwrap_or(0);
        (place < ready.len())
            .then(|| ready.swap_remove(place))
            .ok_or_else(|| ForwardError::NoPod { service: format!("{namespace}/{name}") })
    }
}

fn ports(service: &Value) -> impl Iterator<Item = u64> + '_ {
    let ports = service.pointer("/spec/ports").and_then(Value::as_array);
    ports.into_iter().flatten().filter_map(|port| port.get("port").and_then(Value::as_u64))
}

/// `targetPort` of a Service's port; absent means the same number.
pub fn target_port(service: &Value, port: u16) -> Option<Value> {
    let ports = service.pointer("/spec/ports")?.as_array()?;
    let found = ports.iter().find(|candidate| candidate.get("port").and_then(Value::as_u64) == Some(u64::from(port)))?;
    Some(found.get("targetPort").cloned().unwrap_or_else(|| Value::from(port)))
}

/// A number is the port; a name is looked up among the containers' ports.
pub fn container_port(pod: &Value, wanted: &Value) -> Option<u16> {
    if let Some(number) = wanted.as_u64() {
        return u16::try_from(number).ok();
    }
    let containers = pod.pointer("/spec/containers")?.as_array()?;
    let mut ports = containers.iter().filter_map(|container| container.get("ports")?.as_array()).flatten();
    let found = ports.find(|port| port.get("name") == Some(wanted))?;
    u16::try_from(found.get("containerPort")?.as_u64()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_named_target_port_is_looked_up_in_the_pod() {
        let service = json!({"spec": {"ports": [{"port": 80, "targetPort": "http2"}, {"port": 81}]}});
        let pod = json!({"spec": {"containers": [{"ports": [{"name": "http2", "containerPort": 8080}]}]}});
        assert_eq!(container_port(&pod, &target_port(&service, 80).unwrap()), Some(8080));
        assert_eq!(container_port(&pod, &target_port(&service, 81).unwrap()), Some(81));
        assert!(target_port(&service, 82).is_none());
    }
}
