//! What the fake API server knows: objects, who owns their fields, scripts, and the log.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    apply::{self, Manager},
    faults::{Fault, Logged},
    resources::Resource,
    workloads::Trouble,
};

/// Names an object in the store; its version does not matter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Group, empty for the core.
    pub group: String,
    /// Plural.
    pub plural: String,
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Key {
    /// A key.
    pub fn new(group: &str, plural: &str, namespace: &str, name: &str) -> Self {
        Self { group: group.to_owned(), plural: plural.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

/// An object and what goes with it.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Without managedFields.
    pub object: Value,
    /// Who owns what.
    pub managers: Vec<Manager>,
    /// GETs and lists that saw this generation.
    pub reads: u32,
}

/// After how many reads things happen. "Ready after k" means: k reads see it not ready, the next one sees it ready.
#[derive(Clone, Debug)]
pub struct Pace {
    /// A CustomResourceDefinition becomes Established.
    pub crds: u32,
    /// A Deployment becomes available.
    pub deployments: u32,
    /// An InferenceService becomes ready.
    pub inference_services: u32,
    /// The node becomes Ready, and so does kube-proxy.
    pub nodes: u32,
    /// Calls that a webhook still refuses after its Deployment is available: readiness is not serving.
    pub webhook_lag: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { crds: 1, deployments: 1, inference_services: 1, nodes: 0, webhook_lag: 1 }
    }
}

/// The whole state, behind one lock.
#[derive(Debug, Default)]
pub struct World {
    /// Objects.
    pub objects: BTreeMap<Key, Stored>,
    /// Last resourceVersion given out.
    pub revision: u64,
    /// How fast things happen.
    pub pace: Pace,
    /// Scripted faults.
    pub faults: Vec<Fault>,
    /// Node ports that are taken by nobody.
    pub leaked_ports: Vec<u64>,
    /// Requests so far.
    pub log: Vec<Logged>,
    /// Workloads that do not start: `namespace/name` of a Deployment or an InferenceService.
    pub troubles: BTreeMap<String, Trouble>,
    /// Calls that webhooks refused after their Deployment was available, by webhook.
    pub lag: BTreeMap<String, u32>,
    /// Logs of pods by container name.
    pub logs: BTreeMap<String, String>,
    /// What Prometheus answers, by a part of the query; behind its Service, once its Deployment is ready.
    pub samples: BTreeMap<String, Value>,
    /// Revisions of each InferenceService as `namespace/name`: what its predictor was, and which of them was rolled out last.
    pub revisions: BTreeMap<String, (Vec<Value>, usize)>,
    /// KServe's controller at its start: the generation of its Deployment, and whether Knative's kinds were served then.
    pub kserve: (u64, bool),
    /// Domain that InferenceServices are said to have; empty: `example.com`.
    pub domain: String,
    /// The gateway's routes are of another domain, as after a change that net-istio has not seen.
    pub stale_routes: bool,
    /// What the user may not do: verb (or `*`) and resource, as `pods/portforward`.
    pub denied: Vec<(String, String)>,
    /// Name of the cluster, for its node.
    pub cluster: String,
    /// `v1.34.3`.
    pub kubernetes: String,
    /// The controllers have something to look at.
    pub dirty: bool,
}

impl World {
    /// A fresh cluster: default namespaces and one node. Scripts, pace and log stay.
    pub fn reset(&mut self, cluster: &str) {
        self.objects.clear();
        self.lag.clear();
        self.kserve = (0, false);
        self.revisions.clear();
        cluster.clone_into(&mut self.cluster);
        if self.kubernetes.is_empty() {
            "v1.34.3".clone_into(&mut self.kubernetes);
        }
        for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
            self.put("", "namespaces", "", json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}), "kube-apiserver");
        }
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": format!("{cluster}-control-plane"),
            "labels": {"kubernetes.io/hostname": format!("{cluster}-control-plane"), "node-role.kubernetes.io/control-plane": ""}}, "spec": {}});
        self.put("", "nodes", "", node, "kubelet");
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "kubernetes", "namespace": "default"},
            "spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]}});
        self.put("", "services", "default", service, "kube-apiserver");
        let proxy = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "kube-proxy", "namespace": "kube-system"},
            "spec": {"selector": {"matchLabels": {"k8s-app": "kube-proxy"}}}});
        self.put("apps", "daemonsets", "kube-system", proxy, "kubeadm");
    }

    /// Counts a read of an object; the controllers look again while it is on its way.
    pub fn note_read(&mut self, key: &Key) {
        let pace = match key.plural.as_str() {
            "customresourcedefinitions" => self.pace.crds,
            "deployments" => self.pace.deployments,
            "inferenceservices" => self.pace.inference_services,
            "nodes" | "daemonsets" => self.pace.nodes,
            _ => return,
        };
        if let Some(stored) = self.objects.get_mut(key) {
            stored.reads += 1;
            self.dirty |= stored.reads <= pace + 1;
        }
    }

    /// The object, if it is there.
    pub fn get(&self, key: &Key) -> Option<&Value> {
        self.objects.get(key).map(|stored| &stored.object)
    }

    /// Shorthand.
    pub fn find(&self, group: &str, plural: &str, namespace: &str, name: &str) -> Option<&Value> {
        self.get(&Key::new(group, plural, namespace, name))
    }

    /// Keys of a kind, in any namespace.
    pub fn keys(&self, group: &str, plural: &str) -> Vec<Key> {
        self.objects.keys().filter(|key| key.group == group && key.plural == plural).cloned().collect()
    }

    /// The object as the API shows it, with managedFields.
    pub fn shown(&self, key: &Key) -> Option<Value> {
        let stored = self.objects.get(key)?;
        let mut object = stored.object.clone();
        if !stored.managers.is_empty() {
            object["metadata"]["managedFields"] = apply::managed_fields(&stored.managers);
        }
        Some(object)
    }

    /// Stores an object in place of an older one: uid, creationTimestamp, generation and resourceVersion are the server's.
    /// Returns whether anything changed.
    pub fn replace(&mut self, key: Key, mut object: Value, managers: Vec<Manager>) -> bool {
        let old = self.objects.get(&key).cloned();
        let meta = old.as_ref().map_or(Value::Null, |old| old.object["metadata"].clone());
        let next = self.revision + 1;
        let new_meta = &mut object["metadata"];
        new_meta["name"] = json!(key.name);
        if key.namespace.is_empty() {
            new_meta.as_object_mut().unwrap().remove("namespace");
        } else {
            new_meta["namespace"] = json!(key.namespace);
        }
        new_meta.as_object_mut().unwrap().remove("managedFields");
        let fallback = json!(format!("00000000-0000-4000-8000-{next:012}"));
        new_meta["uid"] = if meta["uid"].is_null() { fallback } else { meta["uid"].clone() };
        new_meta["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        let respec = old.as_ref().is_none_or(|old| content(&old.object) != content(&object));
        let generation = meta["generation"].as_u64().unwrap_or(0);
        if !matches!(key.group.as_str(), "" | "rbac.authorization.k8s.io" | "storage.k8s.io") {
            object["metadata"]["generation"] = json!(generation + u64::from(respec));
        }
        object["metadata"]["resourceVersion"] = meta["resourceVersion"].clone();
        if let Some(old) = &old
            && old.object == object
            && old.managers == managers
        {
            return false;
        }
        self.revision = next;
        self.dirty = true;
        object["metadata"]["resourceVersion"] = json!(next.to_string());
        let reads = old.filter(|_| !respec).map_or(0, |old| old.reads);
        self.objects.insert(key, Stored { object, managers, reads });
        true
    }

    /// A controller writes an object as an update, all of it.
    pub fn put(&mut self, group: &str, plural: &str, namespace: &str, object: Value, manager: &str) -> bool {
        let key = Key::new(group, plural, namespace, object["metadata"]["name"].as_str().unwrap());
        let old = self.objects.get(&key).cloned();
        let mut managers = old.as_ref().map(|old| old.managers.clone()).unwrap_or_default();
        apply::note_update(old.as_ref().map_or(&Value::Null, |old| &old.object), &object, &mut managers, manager);
        self.replace(key, object, managers)
    }

    /// A controller edits an object that is there.
    pub fn edit(&mut self, key: &Key, manager: &str, change: impl FnOnce(&mut Value)) {
        let Some(stored) = self.objects.get(key) else { return };
        let (mut object, mut managers) = (stored.object.clone(), stored.managers.clone());
        change(&mut object);
        if object == stored.object {
            return;
        }
        apply::note_update(&stored.object, &object, &mut managers, manager);
        self.replace(key.clone(), object, managers);
    }

    /// Removes an object, and what goes with it: a namespace's objects, a definition's.
    pub fn delete(&mut self, key: &Key) -> Option<Value> {
        let gone = self.objects.remove(key)?.object;
        self.revision += 1;
        self.dirty = true;
        match key.plural.as_str() {
            "namespaces" => self.objects.retain(|other, _| other.namespace != key.name),
            "customresourcedefinitions" => {
                let (group, plural) = (gone["spec"]["group"].as_str(), gone["spec"]["names"]["plural"].as_str());
                self.objects.retain(|other, _| Some(other.group.as_str()) != group || Some(other.plural.as_str()) != plural);
            }
            "deployments" | "inferenceservices" => {
                let owner = json!(format!("{}/{}", key.plural, key.name));
                let of_it = |other: &Key, stored: &Stored| {
                    other.namespace == key.namespace && stored.object["metadata"]["annotations"]["test.quickstart/owner"] == owner
                };
                let goes: Vec<Key> =
                    self.objects.iter().filter(|(other, stored)| of_it(other, stored)).map(|(other, _)| other.clone()).collect();
                for other in goes {
                    self.lag.remove(&format!("made/{}/{}/{}/{}", other.group, other.plural, other.namespace, other.name));
                    self.delete(&other);
                }
            }
            "services" => self.objects.retain(|other, stored| {
                let of = &stored.object["metadata"]["labels"]["kubernetes.io/service-name"];
                other.plural != "endpointslices" || other.namespace != key.namespace || *of != json!(key.name)
            }),
            _ => {}
        }
        Some(gone)
    }

    /// The resource that an Established definition serves.
    pub fn custom(&self, group: &str, version: &str, plural: &str) -> Option<Resource> {
        let definition = self.find("apiextensions.k8s.io", "customresourcedefinitions", "", &format!("{plural}.{group}"))?;
        let spec = &definition["spec"];
        let served = spec["versions"].as_array()?.iter().any(|one| one["name"] == version && one["served"] == true);
        let established =
            definition["status"]["conditions"].as_array()?.iter().any(|one| one["type"] == "Established" && one["status"] == "True");
        (served && established).then(|| Resource {
            group: group.to_owned(),
            version: version.to_owned(),
            plural: plural.to_owned(),
            kind: spec["names"]["kind"].as_str().unwrap_or_default().to_owned(),
            namespaced: spec["scope"] == "Namespaced",
            built_in: false,
        })
    }
}

/// Everything but metadata and status.
fn content(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(map) = object.as_object_mut() {
        map.remove("metadata");
        map.remove("status");
    }
    object
}
