//! What the API server serves by itself, and how an address names an object.

use super::{status::Refusal, store::World};

/// A served resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Empty for the core group.
    pub group: String,
    /// As it stands in the address.
    pub version: String,
    /// Lower case.
    pub plural: String,
    /// Of its objects.
    pub kind: String,
    /// False: cluster-scoped.
    pub namespaced: bool,
    /// False: defined by a CustomResourceDefinition.
    pub built_in: bool,
}

impl Resource {
    /// `deployments.apps`, `pods`.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// `apps/v1`, `v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }
}

/// `(group, version, namespaced, "plural Kind …")`.
const BUILT_IN: &[(&str, &str, bool, &str)] = &[
    ("", "v1", false, "namespaces Namespace nodes Node persistentvolumes PersistentVolume"),
    ("", "v1", true, "configmaps ConfigMap secrets Secret services Service serviceaccounts ServiceAccount pods Pod events Event"),
    (
        "",
        "v1",
        true,
        "endpoints Endpoints persistentvolumeclaims PersistentVolumeClaim resourcequotas ResourceQuota limitranges LimitRange",
    ),
    ("apps", "v1", true, "deployments Deployment daemonsets DaemonSet statefulsets StatefulSet replicasets ReplicaSet"),
    ("batch", "v1", true, "jobs Job cronjobs CronJob"),
    ("autoscaling", "v2", true, "horizontalpodautoscalers HorizontalPodAutoscaler"),
    ("policy", "v1", true, "poddisruptionbudgets PodDisruptionBudget"),
    ("events.k8s.io", "v1", true, "events Event"),
    ("coordination.k8s.io", "v1", true, "leases Lease"),
    ("discovery.k8s.io", "v1", true, "endpointslices EndpointSlice"),
    ("rbac.authorization.k8s.io", "v1", false, "clusterroles ClusterRole clusterrolebindings ClusterRoleBinding"),
    ("rbac.authorization.k8s.io", "v1", true, "roles Role rolebindings RoleBinding"),
    ("storage.k8s.io", "v1", false, "storageclasses StorageClass"),
    ("scheduling.k8s.io", "v1", false, "priorityclasses PriorityClass"),
    ("networking.k8s.io", "v1", false, "ingressclasses IngressClass"),
    ("networking.k8s.io", "v1", true, "ingresses Ingress networkpolicies NetworkPolicy"),
    ("apiextensions.k8s.io", "v1", false, "customresourcedefinitions CustomResourceDefinition"),
    ("apiregistration.k8s.io", "v1", false, "apiservices APIService"),
    (
        "admissionregistration.k8s.io",
        "v1",
        false,
        "mutatingwebhookconfigurations MutatingWebhookConfiguration validatingwebhookconfigurations ValidatingWebhookConfiguration \
         validatingadmissionpolicies ValidatingAdmissionPolicy validatingadmissionpolicybindings ValidatingAdmissionPolicyBinding",
    ),
];

/// Every built-in resource.
pub fn all_built_in() -> Vec<Resource> {
    let plurals = |words: &'static str| words.split_whitespace().step_by(2);
    BUILT_IN.iter().flat_map(|(group, version, _, words)| plurals(words).filter_map(|plural| built_in(group, version, plural))).collect()
}

/// The built-in resource of that group and plural.
pub fn built_in(group: &str, version: &str, plural: &str) -> Option<Resource> {
    for (of_group, of_version, namespaced, words) in BUILT_IN {
        let words: Vec<&str> = words.split_whitespace().collect();
        if *of_group != group || *of_version != version {
            continue;
        }
        if let Some(pair) = words.chunks(2).find(|pair| pair[0] == plural) {
            return Some(Resource {
                group: group.to_owned(),
                version: version.to_owned(),
                plural: plural.to_owned(),
                kind: pair[1].to_owned(),
                namespaced: *namespaced,
                built_in: true,
            });
        }
    }
    None
}

/// What an address under `/api` or `/apis` names.
#[derive(Clone, Debug)]
pub struct Address {
    /// Which resource.
    pub resource: Resource,
    /// Its namespace.
    pub namespace: Option<String>,
    /// `None`: the collection.
    pub name: Option<String>,
    /// `status`, `log`, `portforward`, …
    pub subresource: Option<String>,
}

/// Reads an address; a resource whose CustomResourceDefinition is not Established yet is not served.
pub fn address(world: &World, path: &str) -> Result<Address, Refusal> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let (group, version, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] if !rest.is_empty() => ("", *version, rest),
        ["apis", group, version, rest @ ..] if !rest.is_empty() => (*group, *version, rest),
        _ => return Err(Refusal::page_not_found()),
    };
    let (namespace, rest) = match rest {
        ["namespaces", _] => (None, rest),
        ["namespaces", _, "status" | "finalize"] if group.is_empty() => (None, rest),
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some((*namespace).to_owned()), rest),
        rest => (None, rest),
    };
    let resource =
        built_in(group, version, rest[0]).or_else(|| world.custom(group, version, rest[0])).ok_or_else(Refusal::page_not_found)?;
    if rest.len() > 3 || (namespace.is_some() && !resource.namespaced) || (namespace.is_none() && resource.namespaced && rest.len() > 1) {
        return Err(Refusal::page_not_found());
    }
    Ok(Address {
        resource,
        namespace,
        name: rest.get(1).map(|name| (*name).to_owned()),
        subresource: rest.get(2).map(|sub| (*sub).to_owned()),
    })
}
