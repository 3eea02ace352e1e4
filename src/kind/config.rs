//! The configuration that kind is given: the template with this cluster's values.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Where containerd has images in kind's nodes.
const IMAGES: &str = "/var/lib/containerd";

/// What of the template differs from cluster to cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// Cluster name.
    pub name: String,
    /// Node image; `None` is kind's own.
    pub node_image: Option<String>,
    /// Port on 127.0.0.1 that leads to the ingress; `None`: none does.
    pub host_port: Option<u16>,
    /// The node port it leads to.
    pub node_port: u16,
    /// Folder of the engine's machine in which the node keeps its images; `None`: inside the node.
    pub image_store: Option<String>,
    /// Kubernetes feature gates.
    pub feature_gates: BTreeMap<String, bool>,
}

/// `template` (the parsed `manifests/kind.yaml`) with the values of `wanted`. kind reads YAML, so the JSON text of this will do.
pub fn configuration(template: &Value, wanted: &Configuration) -> Value {
    let mut value = if template.is_object() { template.clone() } else { json!({}) };
    value["kind"] = json!("Cluster");
    value["apiVersion"] = json!("kind.x-k8s.io/v1alpha4");
    value["name"] = json!(wanted.name);
    if value["nodes"].as_array().is_none_or(Vec::is_empty) {
        value["nodes"] = json!([{"role": "control-plane"}]);
    }
    for node in value["nodes"].as_array_mut().into_iter().flatten() {
        if let Some(image) = &wanted.node_image {
            node["image"] = json!(image);
        }
    }
    map_port(&mut value["nodes"][0], wanted.host_port, wanted.node_port);
    if let Some(folder) = &wanted.image_store {
        mount_images(&mut value["nodes"][0], folder);
    }
    for (gate, on) in &wanted.feature_gates {
        value["featureGates"][gate] = json!(on);
    }
    value
}

/// The node's image store is a folder of the engine's machine; a template that has a mount there keeps it.
fn mount_images(node: &mut Value, folder: &str) {
    let mut mounts = node["extraMounts"].as_array().cloned().unwrap_or_default();
    if !mounts.iter().any(|mount| mount["containerPath"] == json!(IMAGES)) {
        mounts.push(json!({"hostPath": folder, "containerPath": IMAGES}));
    }
    node["extraMounts"] = Value::Array(mounts);
}

/// The mapping of the node port, changed where it is and added where it is not, or taken out; always on the loopback address alone.
fn map_port(node: &mut Value, host_port: Option<u16>, node_port: u16) {
    let mut mappings = node["extraPortMappings"].as_array().cloned().unwrap_or_default();
    let Some(host_port) = host_port else {
        mappings.retain(|mapping| mapping["containerPort"] != json!(node_port));
        node["extraPortMappings"] = Value::Array(mappings);
        return;
    };
    let mapping = json!({"listenAddress": "127.0.0.1", "hostPort": host_port, "containerPort": node_port, "protocol": "TCP"});
    match mappings.iter_mut().find(|existing| existing["containerPort"] == mapping["containerPort"]) {
        Some(existing) => *existing = mapping,
        None => mappings.push(mapping),
    }
    node["extraPortMappings"] = Value::Array(mappings);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Configuration {
        let feature_gates = BTreeMap::from([("KubeletInUserNamespace".to_owned(), true)]);
        Configuration {
            name: "lab".into(),
            node_image: Some("kindest/node:v1.34.3".into()),
            host_port: Some(8081),
            node_port: 31080,
            image_store: None,
            feature_gates,
        }
    }

    #[test]
    fn the_template_keeps_what_is_its_own_and_gets_the_clusters_values() {
        let template = json!({
            "kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "name": "quickstart",
            "networking": {"apiServerAddress": "127.0.0.1"},
            "nodes": [{"role": "control-plane", "extraPortMappings": [
                {"listenAddress": "0.0.0.0", "hostPort": 8080, "containerPort": 31080, "protocol": "TCP"}, {"hostPort": 9, "containerPort": 9}]}],
            "kubeadmConfigPatches": ["kind: KubeletConfiguration\n"],
        });
        let made = configuration(&template, &wanted());
        assert_eq!(
            made,
            json!({
                "kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "name": "lab",
                "networking": {"apiServerAddress": "127.0.0.1"},
                "nodes": [{"role": "control-plane", "image": "kindest/node:v1.34.3", "extraPortMappings": [
                    {"listenAddress": "127.0.0.1", "hostPort": 8081, "containerPort": 31080, "protocol": "TCP"}, {"hostPort": 9, "containerPort": 9}]}],
                "kubeadmConfigPatches": ["kind: KubeletConfiguration\n"],
                "featureGates": {"KubeletInUserNamespace": true},
            })
        );
    }

    #[test]
    fn with_a_tunnel_nothing_is_mapped() {
        let template =
            json!({"nodes": [{"extraPortMappings": [{"hostPort": 8080, "containerPort": 31080}, {"hostPort": 9, "containerPort": 9}]}]});
        let made = configuration(&template, &Configuration { host_port: None, ..wanted() });
        assert_eq!(made["nodes"][0]["extraPortMappings"], json!([{"hostPort": 9, "containerPort": 9}]));
    }

    #[test]
    fn the_image_store_is_mounted_unless_the_template_has_one() {
        let store = Configuration { image_store: Some("/volumes/images/nodes/lab".into()), ..wanted() };
        let mount = |path: &str| json!([{"hostPath": path, "containerPath": "/var/lib/containerd"}]);
        assert_eq!(configuration(&Value::Null, &store)["nodes"][0]["extraMounts"], mount("/volumes/images/nodes/lab"));
        let own = json!({"nodes": [{"extraMounts": mount("/mine")}]});
        assert_eq!(configuration(&own, &store)["nodes"][0]["extraMounts"], mount("/mine"));
        assert!(configuration(&Value::Null, &wanted())["nodes"][0].get("extraMounts").is_none());
    }

    /// kube-controller-manager's first try for its lease met an API server without roles, and the next came up to 4.4 s later: every `up`
    /// waited for it. kubeadm takes the words of arguments as texts, and a patch without a kind reaches nothing.
    #[test]
    fn the_control_plane_of_one_elects_nobody() {
        let template = crate::catalog::embedded::kind_template().unwrap();
        let patches: Vec<Value> = template["kubeadmConfigPatches"]
            .as_array()
            .unwrap()
            .iter()
            .map(|patch| crate::catalog::yaml::parse(patch.as_str().unwrap(), "patch").unwrap())
            .collect();
        assert!(patches.iter().all(|patch| patch["kind"].is_string()), "{patches:?}");
        let cluster = patches.iter().find(|patch| patch["apiVersion"] == json!("kubeadm.k8s.io/v1beta3")).unwrap();
        for program in ["controllerManager", "scheduler"] {
            assert_eq!(cluster[program]["extraArgs"]["leader-elect"], json!("false"));
        }
        // In four runs of six the demo's claim was bound 15 s after kube-controller-manager had started, and the model's pod waited 3 s for it.
        assert_eq!(cluster["controllerManager"]["extraArgs"]["pvclaimbinder-sync-period"], json!("2s"));
    }

    #[test]
    fn an_empty_template_still_gives_a_cluster() {
        let made = configuration(&Value::Null, &Configuration { node_image: None, feature_gates: BTreeMap::new(), ..wanted() });
        assert_eq!(made["nodes"][0]["role"], "control-plane");
        assert_eq!(made["nodes"][0]["extraPortMappings"][0]["hostPort"], 8081);
        assert!(made.get("featureGates").is_none() && made["nodes"][0].get("image").is_none());
    }
}
