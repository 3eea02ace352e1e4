//! Kind's nodes, as the containers that they are.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use bollard::models::{ContainerInspectResponse, PortMap};
use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};

use super::{DockerError, Engine};

/// The label by which kind knows its nodes (kind, `pkg/cluster/internal/providers/docker/constants.go`).
const CLUSTER: &str = "io.x-k8s.kind.cluster";
const ROLE: &str = "io.x-k8s.kind.role";
/// A node's processes need some seconds to die.
const REMOVE_TIMEOUT: Duration = Duration::from_mins(2);

/// A container of kind's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Container ID.
    pub id: String,
    /// Container name, which is the node's name in Kubernetes.
    pub name: String,
    /// `running`, `exited`, `paused`, …
    pub state: String,
    /// The image as it was asked for.
    pub image: String,
    /// ID of the image.
    pub image_id: String,
    /// `control-plane`, `worker`, `external-load-balancer`.
    pub role: String,
    /// Names of its volumes.
    pub volumes: Vec<String>,
    /// Its ports on the host, also while it is stopped.
    pub ports: Vec<PortMapping>,
    /// Every label.
    pub labels: BTreeMap<String, String>,
    /// RFC 3339.
    pub created: String,
    /// When it was started last, RFC 3339; empty where the engine does not say.
    pub started: String,
    /// Its address in the engine's network, while it runs.
    pub address: Option<String>,
}

impl Node {
    /// It runs and is not paused.
    pub fn is_running(&self) -> bool {
        self.state == "running"
    }

    /// The host's port for a port of the container.
    pub fn host_port(&self, container_port: u16) -> Option<u16> {
        self.ports.iter().find(|port| port.container_port == container_port).map(|port| port.host_port)
    }
}

/// A port of a container on the host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortMapping {
    /// `127.0.0.1`; empty is every address.
    pub host_ip: String,
    /// On the host.
    pub host_port: u16,
    /// In the container.
    pub container_port: u16,
}

impl Engine {
    /// The nodes of a kind cluster, running or not, by name.
    pub async fn nodes(&self, cluster: &str) -> Result<Vec<Node>, DockerError> {
        let mut nodes = Vec::new();
        for id in self.labelled(&format!("{CLUSTER}={cluster}")).await?.into_keys() {
            match self.call("inspect a node", self.api.inspect_container(&id, None)).await {
                Ok(container) => nodes.push(node(container)),
                // It went between the two questions.
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        nodes.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(nodes)
    }

    /// Names of all kind clusters of this engine.
    pub async fn clusters(&self) -> Result<Vec<String>, DockerError> {
        let names: BTreeSet<String> = self.labelled(CLUSTER).await?.into_values().filter_map(|mut labels| labels.remove(CLUSTER)).collect();
        Ok(names.into_iter().collect())
    }

    /// Kills and removes a container with its anonymous volumes; one that is gone is fine.
    pub async fn remove(&self, container: &str) -> Result<(), DockerError> {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        let api = self.api.clone().with_timeout(REMOVE_TIMEOUT);
        let what = format!("remove container {container}");
        let answer = tokio::time::timeout(REMOVE_TIMEOUT, api.remove_container(container, Some(options))).await;
        match answer.map(|answer| answer.map_err(|error| self.error(&what, &error))) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if error.is_not_found() => Ok(()),
            Ok(Err(error)) if error.is_conflict() => self.gone(container, &what).await,
            Ok(Err(error)) => Err(error),
            Err(_) => Err(DockerError::Timeout { what, seconds: REMOVE_TIMEOUT.as_secs() }),
        }
    }

    /// Somebody else removes it already: wait for that.
    async fn gone(&self, container: &str, what: &str) -> Result<(), DockerError> {
        let wait = async {
            loop {
                match self.call(what, self.api.inspect_container(container, None)).await {
                    Ok(_) => tokio::time::sleep(Duration::from_millis(300)).await,
                    Err(error) if error.is_not_found() => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
        };
        let late = DockerError::Timeout { what: what.to_owned(), seconds: REMOVE_TIMEOUT.as_secs() };
        tokio::time::timeout(REMOVE_TIMEOUT, wait).await.unwrap_or(Err(late))
    }

    /// IDs of all containers with a label, running or not.
    pub(super) async fn with_label(&self, label: &str) -> Result<Vec<String>, DockerError> {
        Ok(self.labelled(label).await?.into_keys().collect())
    }

    /// ID → labels of every container with a label.
    async fn labelled(&self, label: &str) -> Result<BTreeMap<String, HashMap<String, String>>, DockerError> {
        let filters = HashMap::from([("label".to_owned(), vec![label.to_owned()])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let found = self.call("list kind's containers", self.api.list_containers(Some(options))).await?;
        Ok(found.into_iter().filter_map(|container| Some((container.id?, container.labels.unwrap_or_default()))).collect())
    }
}

fn node(container: ContainerInspectResponse) -> Node {
    let configuration = container.config.unwrap_or_default();
    let labels: BTreeMap<String, String> = configuration.labels.unwrap_or_default().into_iter().collect();
    let volumes = container.mounts.unwrap_or_default().into_iter().filter(|mount| mount.typ.as_deref() == Some("volume"));
    let network = container.network_settings.unwrap_or_default();
    let addresses = network.networks.unwrap_or_default().into_values().filter_map(|network| network.ip_address);
    let address = addresses.filter(|address| !address.is_empty()).min();
    let live = network.ports.map(ports).unwrap_or_default();
    let state = container.state.unwrap_or_default();
    let asked = || container.host_config.and_then(|host| host.port_bindings).map(ports).unwrap_or_default();
    Node {
        id: container.id.unwrap_or_default(),
        name: container.name.unwrap_or_default().trim_start_matches('/').to_owned(),
        state: state.status.map(|status| status.to_string()).unwrap_or_default(),
        image: configuration.image.unwrap_or_default(),
        image_id: container.image.unwrap_or_default(),
        role: labels.get(ROLE).cloned().unwrap_or_default(),
        volumes: volumes.filter_map(|mount| mount.name).collect(),
        ports: if live.is_empty() { asked() } else { live },
        labels,
        created: container.created.unwrap_or_default(),
        started: state.started_at.unwrap_or_default(),
        address,
    }
}

fn ports(map: PortMap) -> Vec<PortMapping> {
    let mut mappings = Vec::new();
    for (port, bindings) in map {
        let Some(container_port) = port.split('/').next().and_then(|number| number.parse().ok()) else { continue };
        for binding in bindings.unwrap_or_default() {
            let Some(host_port) = binding.host_port.and_then(|number| number.parse().ok()) else { continue };
            mappings.push(PortMapping { host_ip: binding.host_ip.unwrap_or_default(), host_port, container_port });
        }
    }
    mappings.sort();
    mappings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_node_still_tells_its_ports_and_volumes() {
        let inspected = serde_json::json!({
            "Id": "abc", "Name": "/quickstart-control-plane", "Created": "2026-11-21T12:00:00Z", "Image": "sha256:1",
            "State": {"Status": "exited", "StartedAt": "2026-11-21T12:00:00Z"},
            "Config": {"Image": "kindest/node:v1.34.3", "Labels": {CLUSTER: "quickstart", ROLE: "control-plane"}},
            "HostConfig": {"PortBindings": {
                "31080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}], "6443/tcp": [{"HostIp": "127.0.0.1", "HostPort": "34567"}]}},
            "NetworkSettings": {"Ports": {}},
            "Mounts": [{"Type": "volume", "Name": "0f1e", "Destination": "/var"}, {"Type": "bind", "Source": "/lib/modules"}],
        });
        let node = node(serde_json::from_value(inspected).unwrap());
        assert_eq!((node.name.as_str(), node.role.as_str(), node.is_running()), ("quickstart-control-plane", "control-plane", false));
        assert_eq!(node.host_port(31080), Some(8080));
        assert_eq!(node.volumes, ["0f1e"]);
        assert_eq!((node.started.as_str(), node.address), ("2026-11-21T12:00:00Z", None));
    }
}
