//! Kind → URL, without asking a cluster: custom kinds from the CustomResourceDefinitions themselves, built-in ones from a table.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{CatalogError, Gvk, Object};

/// Where a kind lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Plural name in the URL.
    pub plural: String,
    /// Has a namespace.
    pub namespaced: bool,
}

/// Group and kind → plural and scope.
#[derive(Clone, Debug)]
pub struct RestMap {
    custom: BTreeMap<(String, String), Resource>,
}

/// Built-in kinds that occur in the catalog or in users' extra manifests: group, kind, plural, namespaced.
const BUILT_IN: &[(&str, &str, &str, bool)] = &[
    ("", "Namespace", "namespaces", false),
    ("", "Node", "nodes", false),
    ("", "PersistentVolume", "persistentvolumes", false),
    ("", "PersistentVolumeClaim", "persistentvolumeclaims", true),
    ("", "ConfigMap", "configmaps", true),
    ("", "Secret", "secrets", true),
    ("", "Service", "services", true),
    ("", "ServiceAccount", "serviceaccounts", true),
    ("", "Pod", "pods", true),
    ("", "Endpoints", "endpoints", true),
    ("", "LimitRange", "limitranges", true),
    ("", "ResourceQuota", "resourcequotas", true),
    ("apps", "Deployment", "deployments", true),
    ("apps", "DaemonSet", "daemonsets", true),
    ("apps", "StatefulSet", "statefulsets", true),
    ("apps", "ReplicaSet", "replicasets", true),
    ("batch", "Job", "jobs", true),
    ("batch", "CronJob", "cronjobs", true),
    ("autoscaling", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true),
    ("policy", "PodDisruptionBudget", "poddisruptionbudgets", true),
    ("networking.k8s.io", "Ingress", "ingresses", true),
    ("networking.k8s.io", "IngressClass", "ingressclasses", false),
    ("networking.k8s.io", "NetworkPolicy", "networkpolicies", true),
    ("rbac.authorization.k8s.io", "Role", "roles", true),
    ("rbac.authorization.k8s.io", "RoleBinding", "rolebindings", true),
    ("rbac.authorization.k8s.io", "ClusterRole", "clusterroles", false),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding", "clusterrolebindings", false),
    ("apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions", false),
    ("apiregistration.k8s.io", "APIService", "apiservices", false),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", false),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", false),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", false),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", false),
    ("storage.k8s.io", "StorageClass", "storageclasses", false),
    ("scheduling.k8s.io", "PriorityClass", "priorityclasses", false),
    ("coordination.k8s.io", "Lease", "leases", true),
];

/// Custom kinds that we name ourselves (checks, the demo) even where no CRD file has been read.
const OURS: &[(&str, &str, &str, bool)] = &[
    ("serving.kserve.io", "InferenceService", "inferenceservices", true),
    ("serving.kserve.io", "InferenceGraph", "inferencegraphs", true),
    ("serving.kserve.io", "ClusterServingRuntime", "clusterservingruntimes", false),
    ("monitoring.coreos.com", "ServiceMonitor", "servicemonitors", true),
    ("cert-manager.io", "Issuer", "issuers", true),
    ("cert-manager.io", "Certificate", "certificates", true),
    ("serving.knative.dev", "Service", "services", true),
];

impl Default for RestMap {
    fn default() -> Self {
        let custom = BUILT_IN
            .iter()
            .chain(OURS)
            .map(|(group, kind, plural, namespaced)| {
                (((*group).to_owned(), (*kind).to_owned()), Resource { plural: (*plural).to_owned(), namespaced: *namespaced })
            })
            .collect();
        Self { custom }
    }
}

impl RestMap {
    /// Learns the kinds that CustomResourceDefinitions among these objects define.
    pub fn learn<'a>(&mut self, objects: impl IntoIterator<Item = &'a Object>) {
        for object in objects.into_iter().filter(|object| object.gvk.kind == "CustomResourceDefinition") {
            let text = |pointer: &str| object.text(pointer).map(str::to_owned);
            if let (Some(group), Some(kind), Some(plural)) = (text("/spec/group"), text("/spec/names/kind"), text("/spec/names/plural")) {
                let namespaced = object.text("/spec/scope") == Some("Namespaced");
                self.custom.insert((group, kind), Resource { plural, namespaced });
            }
        }
    }

    /// Is this group one of Kubernetes' own?
    pub fn is_built_in(group: &str) -> bool {
        BUILT_IN.iter().any(|(known, ..)| *known == group)
    }

    /// Where this kind lives.
    pub fn resource(&self, gvk: &Gvk) -> Option<&Resource> {
        self.custom.get(&(gvk.group.clone(), gvk.kind.clone()))
    }

    /// The URL path of an object.
    ///
    /// A namespace is left out for cluster-scoped kinds (KServe's ClusterStorageContainer carries one all the same) and is
    /// `default` where a namespaced object names none, as `kubectl` does.
    pub fn path(&self, object: &Object) -> Result<String, CatalogError> {
        Ok(format!("{}/{}", self.collection(&object.gvk, object.namespace.as_deref(), &object.to_string())?, object.name))
    }

    /// The URL path of the collection.
    pub fn collection(&self, gvk: &Gvk, namespace: Option<&str>, place: &str) -> Result<String, CatalogError> {
        let resource = self.resource(gvk).ok_or_else(|| CatalogError::Object {
            place: place.to_owned(),
            message: format!("kind {} of group `{}` is neither built in nor defined by a manifest of the plan", gvk.kind, gvk.group),
        })?;
        let root = if gvk.group.is_empty() { format!("/api/{}", gvk.version) } else { format!("/apis/{}/{}", gvk.group, gvk.version) };
        Ok(if resource.namespaced {
            format!("{root}/namespaces/{}/{}", namespace.unwrap_or("default"), resource.plural)
        } else {
            format!("{root}/{}", resource.plural)
        })
    }
}

/// `spec.names.plural` + group of a CustomResourceDefinition's served versions: the collections that must answer once it is Established.
pub fn served_collections(crd: &Value) -> Vec<String> {
    let group = crd.pointer("/spec/group").and_then(Value::as_str).unwrap_or_default();
    let plural = crd.pointer("/spec/names/plural").and_then(Value::as_str).unwrap_or_default();
    let versions = crd.pointer("/spec/versions").and_then(Value::as_array).cloned().unwrap_or_default();
    versions
        .iter()
        .filter(|version| version.get("served").and_then(Value::as_bool) == Some(true))
        .filter_map(|version| version.get("name").and_then(Value::as_str))
        .map(|version| format!("/apis/{group}/{version}/{plural}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn custom_kinds_come_from_their_definitions() {
        let crd = Object::new(
            json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "gateways.networking.istio.io"},
                   "spec": {"group": "networking.istio.io", "scope": "Namespaced", "names": {"kind": "Gateway", "plural": "gateways"}}}),
            "t",
        )
        .unwrap();
        let mut rest = RestMap::default();
        rest.learn([&crd]);
        let gateway = Object::new(
            json!({"apiVersion": "networking.istio.io/v1beta1", "kind": "Gateway", "metadata": {"name": "g", "namespace": "n"}}),
            "t",
        )
        .unwrap();
        assert_eq!(rest.path(&gateway).unwrap(), "/apis/networking.istio.io/v1beta1/namespaces/n/gateways/g");
    }

    /// KServe 0.20 ships a cluster-scoped object with `metadata.namespace: kserve`; a path built from that is a 404.
    #[test]
    fn a_namespace_on_a_cluster_scoped_kind_is_ignored() {
        let runtime = Object::new(
            json!({"apiVersion": "serving.kserve.io/v1alpha1", "kind": "ClusterServingRuntime", "metadata": {"name": "r", "namespace": "kserve"}}),
            "t",
        )
        .unwrap();
        assert_eq!(RestMap::default().path(&runtime).unwrap(), "/apis/serving.kserve.io/v1alpha1/clusterservingruntimes/r");
    }

    #[test]
    fn an_unknown_kind_is_an_error_with_its_place() {
        let odd = Object::new(json!({"apiVersion": "x.io/v1", "kind": "Odd", "metadata": {"name": "o"}}), "t").unwrap();
        assert!(RestMap::default().path(&odd).unwrap_err().to_string().contains("Odd o"));
    }
}
