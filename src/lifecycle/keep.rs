//! The user's own InferenceServices: listed before they would be lost, and written down with what they need.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::catalog::{Filter, yaml};
use crate::cluster::{Cluster, ClusterError, is_ours};
use crate::error::{Exit, Failure};
use crate::health::rollout;
use crate::state::persist;

/// The file in the cluster's state folder. It stays until everything in it is back in a cluster.
pub const KEPT: &str = "kept.yaml";
/// Says on a written InferenceService that it was Ready: it will be waited for.
pub(super) const WAS_READY: &str = "quickstart.kserve.io/was-ready";

const SERVING: &str = "/apis/serving.kserve.io";
/// Namespaces that every cluster has.
const GIVEN: &[&str] = &["default", "kube-system", "kube-public", "kube-node-lease"];

/// `namespace/name` of every InferenceService but the demo, and whether it is Ready. A cluster without that kind has none.
pub async fn models(cluster: &Cluster, demo: Option<(&str, &str)>) -> Result<Vec<(String, Value)>, ClusterError> {
    let all = all(cluster, "v1beta1", "InferenceService").await?.into_iter().map(|model| {
        let name = format!("{}/{}", text(&model, "/metadata/namespace"), text(&model, "/metadata/name"));
        (name, model)
    });
    let demo = demo.map(|(namespace, name)| format!("{namespace}/{name}"));
    Ok(all.filter(|(name, _)| demo.as_ref() != Some(name)).collect())
}

/// Every object of one of KServe's kinds, by namespace and name. A cluster without that kind has none.
pub(super) async fn all(cluster: &Cluster, version: &str, kind: &str) -> Result<Vec<Value>, ClusterError> {
    let mut all = match cluster.list(&format!("{SERVING}/{version}/{}s", kind.to_ascii_lowercase()), "").await {
        Err(error) if error.is_not_found() => Vec::new(),
        all => all?,
    };
    for object in &mut all {
        typed(object, &format!("serving.kserve.io/{version}"), kind);
    }
    let key = |object: &Value| (text(object, "/metadata/namespace").to_owned(), text(object, "/metadata/name").to_owned());
    all.sort_by_key(key);
    Ok(all)
}

/// Objects to be put back, in the order in which that must happen.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Clean: nothing of the server's in them.
    pub objects: Vec<Value>,
}

impl Kept {
    /// Takes over what the other has and this has not yet.
    pub fn merge(&mut self, other: Self) {
        let key = |object: &Value| ["/kind", "/metadata/namespace", "/metadata/name"].map(|pointer| text(object, pointer).to_owned());
        for object in other.objects {
            if !self.objects.iter().any(|known| key(known) == key(&object)) {
                self.objects.push(object);
            }
        }
    }

    /// An object that needs nothing else.
    pub(super) fn add(&mut self, object: Value) {
        let (api_version, kind) = (text(&object, "/apiVersion").to_owned(), text(&object, "/kind").to_owned());
        push(self, Some(object), &api_version, &kind);
    }

    /// Replaces the file.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let texts: Result<Vec<String>, _> = self.objects.iter().map(serde_saphyr::to_string).collect();
        let text = texts.map_err(|error| Failure::internal(error.to_string()))?.join("---\n");
        persist::write(path, text.as_bytes(), true).map_err(|error| {
            Failure::new("STATE_IO", Exit::Prerequisite, format!("{} cannot be written", path.display()))
                .cause(error.to_string())
                .hint("nothing was taken away; free some space and run the same command again")
        })
    }

    /// Reads the file; `None` where there is none.
    pub fn read(path: &Path) -> Result<Option<Self>, Failure> {
        let text = match fs_err::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::new("STATE_IO", Exit::Prerequisite, "kept objects cannot be read").cause(error.to_string())),
        };
        let objects = yaml::documents(&text, KEPT, &Filter::default(), &Filter::default())?;
        Ok(Some(Self { objects }))
    }

    /// `namespace/name` of the InferenceServices among them.
    pub fn models(&self) -> Vec<String> {
        let models = self.objects.iter().filter(|object| object.get("kind").and_then(Value::as_str) == Some("InferenceService"));
        models.map(|model| format!("{}/{}", text(model, "/metadata/namespace"), text(model, "/metadata/name"))).collect()
    }
}

/// The models with their namespaces and the runtimes, Secrets, ConfigMaps and ServiceAccounts that they name.
pub async fn gather(cluster: &Cluster, models: &[(String, Value)]) -> Result<Kept, ClusterError> {
    let mut namespaces = BTreeSet::new();
    let mut needed = BTreeSet::new();
    for (_, model) in models {
        let namespace = text(model, "/metadata/namespace").to_owned();
        let mut names = BTreeSet::new();
        named(model.get("spec").unwrap_or(&Value::Null), &mut names);
        // KServe looks for credentials in this one by itself.
        names.insert(("secrets", "storage-config".to_owned()));
        needed.extend(names.into_iter().map(|(plural, name)| (namespace.clone(), plural, name)));
        namespaces.insert(namespace);
    }
    let mut kept = Kept::default();
    for namespace in namespaces.iter().filter(|namespace| !GIVEN.contains(&namespace.as_str())) {
        push(&mut kept, cluster.find(&format!("/api/v1/namespaces/{namespace}")).await?, "v1", "Namespace");
    }
    for (namespace, _, name) in needed.clone().iter().filter(|(_, plural, _)| *plural == "serviceaccounts") {
        let Some(account) = cluster.find(&format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}")).await? else { continue };
        let lists = ["secrets", "imagePullSecrets"].into_iter().filter_map(|key| account.get(key)?.as_array());
        for secret in lists.flatten().filter_map(|secret| secret.get("name")?.as_str()) {
            needed.insert((namespace.clone(), "secrets", secret.to_owned()));
        }
        push(&mut kept, Some(account), "v1", "ServiceAccount");
    }
    for (namespace, plural, name) in &needed {
        let (path, version, kind) = match *plural {
            "secrets" => (format!("/api/v1/namespaces/{namespace}/secrets/{name}"), "v1", "Secret"),
            "configmaps" => (format!("/api/v1/namespaces/{namespace}/configmaps/{name}"), "v1", "ConfigMap"),
            "servingruntimes" => {
                let shared = cluster.find(&format!("{SERVING}/v1alpha1/clusterservingruntimes/{name}")).await?;
                push(&mut kept, shared.filter(|runtime| !is_ours(runtime)), "serving.kserve.io/v1alpha1", "ClusterServingRuntime");
                (
                    format!("{SERVING}/v1alpha1/namespaces/{namespace}/servingruntimes/{name}"),
                    "serving.kserve.io/v1alpha1",
                    "ServingRuntime",
                )
            }
            _ => continue,
        };
        let found = cluster.find(&path).await?;
        push(&mut kept, found.filter(|object| text(object, "/type") != "kubernetes.io/service-account-token"), version, kind);
    }
    for (_, model) in models {
        let ready = rollout::condition(model, "Ready").is_some_and(|(status, _)| status == "True");
        push(&mut kept, Some(model.clone()), "serving.kserve.io/v1beta1", "InferenceService");
        if let Some(last) = kept.objects.last_mut().filter(|_| ready) {
            annotations(last).insert(WAS_READY.into(), json!("true"));
        }
    }
    Ok(kept)
}

fn push(kept: &mut Kept, object: Option<Value>, api_version: &str, kind: &str) {
    let Some(mut object) = object else { return };
    typed(&mut object, api_version, kind);
    clean(&mut object);
    if !kept.objects.contains(&object) {
        kept.objects.push(object);
    }
}

/// Items of a list come without their kind.
fn typed(object: &mut Value, api_version: &str, kind: &str) {
    if let Some(map) = object.as_object_mut() {
        map.insert("apiVersion".into(), json!(api_version));
        map.insert("kind".into(), json!(kind));
    }
}

/// Takes out what the server and the controllers wrote.
fn clean(object: &mut Value) {
    let Some(map) = object.as_object_mut() else { return };
    map.remove("status");
    if map.get("kind").and_then(Value::as_str) == Some("Namespace") {
        map.remove("spec");
    }
    if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
        for key in [
            "managedFields",
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "generation",
            "selfLink",
            "ownerReferences",
            "finalizers",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        ] {
            metadata.remove(key);
        }
    }
}

/// The names of other objects in a predictor, a transformer or an explainer, whatever stands between.
fn named(value: &Value, found: &mut BTreeSet<(&'static str, String)>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| named(item, found)),
        Value::Object(map) => {
            for (key, inner) in map {
                let of = |inner: &Value| inner.get("name").and_then(Value::as_str).map(str::to_owned);
                let plain = inner.as_str().map(str::to_owned);
                let hit = match key.as_str() {
                    "serviceAccountName" => plain.map(|name| ("serviceaccounts", name)),
                    "secretName" => plain.map(|name| ("secrets", name)),
                    "runtime" => plain.map(|name| ("servingruntimes", name)),
                    "secretKeyRef" | "secretRef" => of(inner).map(|name| ("secrets", name)),
                    "configMapKeyRef" | "configMapRef" | "configMap" => of(inner).map(|name| ("configmaps", name)),
                    _ => None,
                };
                found.extend(hit);
                if key == "imagePullSecrets" {
                    found.extend(inner.as_array().into_iter().flatten().filter_map(of).map(|name| ("secrets", name)));
                }
                named(inner, found);
            }
        }
        _ => {}
    }
}

/// The annotations of an object, made where there are none.
pub(super) fn annotations(object: &mut Value) -> &mut Map<String, Value> {
    let slot = &mut object["metadata"]["annotations"];
    if !slot.is_object() {
        *slot = json!({});
    }
    match slot {
        Value::Object(map) => map,
        _ => unreachable!("it was made an object"),
    }
}

pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_predictor_names_is_found() {
        let spec = json!({"predictor": {"serviceAccountName": "s3", "imagePullSecrets": [{"name": "pull"}], "model": {"runtime": "mine",
            "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "key", "key": "k"}}}]}, "volumes": [{"name": "v", "secret": {"secretName": "files"}}]}});
        let mut found = BTreeSet::new();
        named(&spec, &mut found);
        let found: Vec<String> = found.iter().map(|(plural, name)| format!("{plural}/{name}")).collect();
        assert_eq!(found, ["secrets/files", "secrets/key", "secrets/pull", "serviceaccounts/s3", "servingruntimes/mine"]);
    }

    #[test]
    fn nothing_of_the_server_is_written_down_and_the_file_reads_back() {
        let mut kept = Kept::default();
        let model = json!({"metadata": {"name": "m", "namespace": "n", "uid": "1", "resourceVersion": "2", "managedFields": [], "finalizers": ["f"],
            "annotations": {"a": "yes"}}, "spec": {"predictor": {"minReplicas": 1, "word": "no"}}, "status": {"url": "u"}});
        push(&mut kept, Some(model), "serving.kserve.io/v1beta1", "InferenceService");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(KEPT);
        kept.write(&path).unwrap();
        let read = Kept::read(&path).unwrap().unwrap();
        assert_eq!(read.objects, kept.objects);
        assert_eq!(read.models(), ["n/m"]);
        assert_eq!(read.objects[0]["metadata"], json!({"name": "m", "namespace": "n", "annotations": {"a": "yes"}}));
        assert!(read.objects[0].get("status").is_none());
    }
}
