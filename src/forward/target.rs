//! Service → a Ready pod and its port, asked anew when a pod has gone.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cluster::{Cluster, ClusterError};
use crate::error::{Exit, Explain};
use crate::health::{rollout::condition, selector};

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// The Service's port.
    pub port: u16,
}

/// Where a connection goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Pod name.
    pub pod: String,
    /// Container port.
    pub port: u16,
}

/// A tunnel that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// The API server says no.
    #[error("cannot look up Service {service}")]
    Cluster {
        /// `namespace/name:port`.
        service: String,
        /// Why.
        #[source]
        source: ClusterError,
    },
    /// The Service has no such port.
    #[error("Service {service} has no port {port}: it has {known}")]
    NoPort {
        /// `namespace/name`.
        service: String,
        /// What was asked for.
        port: u16,
        /// What there is.
        known: String,
    },
    /// No pod is Ready.
    #[error("no pod of Service {service} is Ready")]
    NoPod {
        /// `namespace/name`.
        service: String,
    },
    /// The local port is taken.
    #[error("cannot listen on 127.0.0.1:{port}")]
    Listen {
        /// Port.
        port: u16,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl Explain for ForwardError {
    fn id(&self) -> &'static str {
        match self {
            Self::Cluster { source, .. } => source.id(),
            Self::NoPort { .. } => "USAGE",
            Self::NoPod { .. } => "FORWARD_NO_POD",
            Self::Listen { .. } => "PORT_BUSY",
        }
    }
    fn exit(&self) -> Exit {
        match self {
            Self::Cluster { source, .. } => source.exit(),
            Self::NoPort { .. } => Exit::Usage,
            Self::NoPod { .. } => Exit::Degraded,
            Self::Listen { .. } => Exit::Prerequisite,
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            Self::Cluster { source, .. } => source.hint(),
            Self::NoPort { .. } => None,
            Self::NoPod { .. } => Some("`quickstart status` says why it is not ready".into()),
            Self::Listen { .. } => Some("take another port with --port, or leave it out for a free one".into()),
        }
    }
}

/// How long a pod that was Ready is taken without asking again.
const FRESH: Duration = Duration::from_secs(2);

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
        let target = self.look(cluster).await?;
        if let Ok(mut last) = self.last.lock() {
            *last = Some((Instant::now(), target.clone()));
        }
        Ok(target)
    }

    async fn look(&self, cluster: &Cluster) -> Result<Target, ForwardError> {
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
        pods.iter()
            .filter(|pod| pod.pointer("/metadata/deletionTimestamp").is_none())
            .filter(|pod| condition(pod, "Ready").is_some_and(|(status, _)| status == "True"))
            .find_map(|pod| {
                let pod_name = pod.pointer("/metadata/name")?.as_str()?.to_owned();
                Some(Target { pod: pod_name, port: container_port(pod, &wanted)? })
            })
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
