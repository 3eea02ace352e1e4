//! A sample's objects as one cluster needs them.

use serde_json::{Value, json};

use super::{Sample, SampleError};
use crate::catalog::{CatalogError, Filter, Object, embedded, yaml};

/// The image in the files; a cluster's own runtime says which one it has.
pub(super) const SERVER: &str = "kserve/sklearnserver:v0.20.0";
/// The published model in the files; a cluster from a bundle has it in its node.
const PUBLISHED: &str = "gs://kfserving-examples/models/sklearn/1.0/model";
/// Written where an object's name or text has to differ from namespace to namespace.
const PLACEHOLDER: &str = "NAMESPACE";
const CLAIM: &str = "sample-iris";

macro_rules! files {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("../../manifests/samples/", $name)))),*] };
}
const FILES: &[(&str, &str)] = files![
    "sklearn-iris.yaml",
    "sklearn-iris-v2.yaml",
    "grpc.yaml",
    "models.yaml",
    "http.yaml",
    "pvc-model.yaml",
    "pvc.yaml",
    "custom-predictor.yaml",
    "transformer.yaml",
    "graph-namer.yaml",
    "graph.yaml",
    "canary.yaml",
    "canary-next.yaml",
    "scale-to-zero.yaml",
    "resources.yaml",
    "failing-model.yaml",
    "s3-secret.yaml",
    "s3-server.yaml",
    "s3-model.yaml",
    "s3.yaml",
    "gcs.yaml",
    "azure.yaml",
    "xgboost.yaml",
    "tensorflow.yaml",
    "pytorch.yaml",
    "onnx.yaml",
    "mlflow.yaml",
    "explainer.yaml",
    "gpu.yaml",
];

/// Where a sample goes.
#[derive(Clone, Debug)]
pub struct Place {
    /// Namespace of all its objects.
    pub namespace: String,
    /// Image of the cluster's scikit-learn runtime.
    pub server: Option<String>,
    /// The folder of the node that holds the demo's model, where it does.
    pub model: Option<String>,
}

/// All files of a sample, as they are in the program.
pub fn text(sample: &Sample) -> Result<String, CatalogError> {
    let texts: Result<Vec<&str>, CatalogError> = sample.steps.iter().map(|step| file(step)).collect();
    Ok(texts?.iter().map(|text| text.trim_end()).collect::<Vec<_>>().join("\n---\n") + "\n")
}

fn file(name: &str) -> Result<&'static str, CatalogError> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text).ok_or_else(|| CatalogError::Object {
        place: "manifests/samples/index.yaml".into(),
        message: format!("{name} is not in the program"),
    })
}

/// The objects of each step.
pub(super) fn steps(sample: &Sample, place: &Place) -> Result<Vec<Vec<Object>>, CatalogError> {
    sample.steps.iter().map(|step| objects(step, place)).collect()
}

fn objects(step: &str, place: &Place) -> Result<Vec<Object>, CatalogError> {
    let at = format!("manifests/samples/{step}");
    let text = file(step)?.replace(PLACEHOLDER, &place.namespace);
    let mut objects = Vec::new();
    for mut document in yaml::documents(&text, &at, &Filter::default(), &Filter::default())? {
        if document.get("kind") == Some(&json!("Namespace")) {
            continue;
        }
        if let Some(folder) = place.model.as_deref().filter(|_| published(&mut document)) {
            for volume in volume(&place.namespace, folder) {
                objects.push(Object::new(volume, &at)?);
            }
        }
        if let Some(server) = &place.server {
            replace(&mut document, SERVER, server);
        }
        let kind = document.get("kind").and_then(Value::as_str).unwrap_or_default();
        if kind != "PersistentVolume"
            && let Some(metadata) = document.get_mut("metadata").and_then(Value::as_object_mut)
        {
            metadata.insert("namespace".into(), json!(place.namespace));
        }
        objects.push(Object::new(document, &at)?);
    }
    Ok(objects)
}

/// Points a predictor that wants the published model to the claim; answers whether it did.
fn published(document: &mut Value) -> bool {
    let Some(uri) = document.pointer_mut("/spec/predictor/model/storageUri") else { return false };
    let found = *uri == json!(PUBLISHED);
    if found {
        *uri = json!(format!("pvc://{CLAIM}/"));
    }
    found
}

/// The demo's model once more, for a claim of this namespace: a volume belongs to one claim only.
fn volume(namespace: &str, folder: &str) -> [Value; 2] {
    let name = format!("{CLAIM}-{namespace}");
    let size = json!({"storage": "16Mi"});
    [
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
            "spec": {"capacity": size, "accessModes": ["ReadOnlyMany"], "persistentVolumeReclaimPolicy": "Retain", "storageClassName": "",
                "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace, "name": CLAIM},
                "hostPath": {"path": folder, "type": "Directory"}}}),
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": CLAIM, "namespace": namespace},
            "spec": {"accessModes": ["ReadOnlyMany"], "storageClassName": "", "volumeName": name, "resources": {"requests": size}}}),
    ]
}

fn replace(value: &mut Value, old: &str, new: &str) {
    match value {
        Value::String(text) if text == old => new.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, old, new)),
        Value::Object(fields) => fields.values_mut().for_each(|field| replace(field, old, new)),
        _ => {}
    }
}

/// The folder of the node that the demo's own volume names.
pub(super) fn folder_of_demo() -> Result<String, CatalogError> {
    let documents = yaml::documents(embedded::SAMPLE_OFFLINE, "manifests/samples", &Filter::default(), &Filter::default())?;
    let path = documents.iter().find_map(|document| document.pointer("/spec/hostPath/path")?.as_str());
    Ok(path.unwrap_or_default().to_owned())
}

/// Does the profile of the cluster do?
pub(super) fn suits(sample: &Sample, profile: &str) -> Result<(), SampleError> {
    match &sample.profile {
        Some(needs) if needs != profile => {
            Err(SampleError::Profile { name: sample.name.clone(), needs: needs.clone(), has: profile.to_owned() })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::index;
    use super::*;

    fn place(model: Option<&str>) -> Place {
        Place { namespace: "here".into(), server: Some("mirror.test/sklearn:9".into()), model: model.map(str::to_owned) }
    }

    #[test]
    fn every_sample_can_be_applied_and_names_the_service_that_it_asks() {
        for sample in index().unwrap().samples {
            let steps = steps(&sample, &place(None)).unwrap();
            let objects: Vec<&Object> = steps.iter().flatten().collect();
            let named = |object: &&&Object| object.name == sample.service && object.gvk.group == "serving.kserve.io";
            assert!(objects.iter().any(|object| named(&object)), "{}", sample.name);
            for object in &objects {
                assert!(crate::catalog::RestMap::default().path(object).is_ok(), "{object}");
                assert!(object.namespace.as_deref() == Some("here") || object.gvk.kind == "PersistentVolume", "{object}");
                assert!(!object.json().contains(PLACEHOLDER), "{object}");
                assert!(!object.json().contains(SERVER), "{object}");
            }
            assert!(text(&sample).unwrap().contains("kind: Inference"));
        }
    }

    /// A cluster made from a bundle has the model in its node and no way to the bucket.
    #[test]
    fn without_a_network_the_published_model_is_the_one_in_the_node() {
        let iris = super::super::find("sklearn-iris").unwrap();
        let online = steps(&iris, &place(None)).unwrap().concat();
        assert_eq!(online.iter().map(|object| object.gvk.kind.as_str()).collect::<Vec<_>>(), ["InferenceService"]);
        let offline = steps(&iris, &place(Some("/models"))).unwrap().concat();
        let kinds: Vec<&str> = offline.iter().map(|object| object.gvk.kind.as_str()).collect();
        assert_eq!(kinds, ["PersistentVolume", "PersistentVolumeClaim", "InferenceService"]);
        assert_eq!(offline[0].text("/spec/hostPath/path"), Some("/models"));
        assert_eq!(offline[2].text("/spec/predictor/model/storageUri"), Some("pvc://sample-iris/"));
        assert_eq!(folder_of_demo().unwrap(), "/var/lib/quickstart/models/sklearn-iris");
    }
}
