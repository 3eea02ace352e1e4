//! What the program carries inside: the catalog, the overlays, the node template and the samples. Upstream manifests are not among it.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Catalog, CatalogError, Filter, NeverClaimed, Object, Overlays, yaml};

/// The text of the catalog, also written into bundles.
pub const CATALOG: &str = include_str!("../../manifests/catalog.yaml");
const NEVER_CLAIMED: &str = include_str!("../../manifests/overlays/never-claimed.yaml");
const KIND: &str = include_str!("../../manifests/kind.yaml");
const OVERLAYS: &[(&str, &str)] = &[
    ("cert-manager", include_str!("../../manifests/overlays/cert-manager.yaml")),
    ("istio", include_str!("../../manifests/overlays/istio.yaml")),
    ("knative", include_str!("../../manifests/overlays/knative.yaml")),
    ("net-istio", include_str!("../../manifests/overlays/net-istio.yaml")),
    ("kourier", include_str!("../../manifests/overlays/kourier.yaml")),
    ("net-kourier", include_str!("../../manifests/overlays/net-kourier.yaml")),
    ("kserve", include_str!("../../manifests/overlays/kserve.yaml")),
    ("metrics-server", include_str!("../../manifests/overlays/metrics-server.yaml")),
    ("prometheus", include_str!("../../manifests/overlays/prometheus.yaml")),
];
/// Add-ons and their objects.
const ADDONS: &[(&str, &str)] = &[
    ("metrics-server", include_str!("../../manifests/addons/metrics-server.yaml")),
    ("prometheus", include_str!("../../manifests/addons/prometheus.yaml")),
    ("hardening", include_str!("../../manifests/addons/hardening.yaml")),
    ("local-storage", include_str!("../../manifests/addons/local-storage.yaml")),
    ("https", include_str!("../../manifests/addons/https.yaml")),
];
/// Files that an add-on's ConfigMaps hold: ConfigMap, key, text. They are files so that `promtool` and Grafana can read them as they are.
const HELD: &[(&str, &str, &str)] = &[
    ("prometheus", "prometheus.yml", include_str!("../../manifests/addons/prometheus-config.yml")),
    ("prometheus", "rules.yml", include_str!("../../manifests/addons/prometheus-rules.yml")),
    ("kube-state-metrics", "inferenceservices.yml", include_str!("../../manifests/addons/kube-state-metrics.yml")),
    ("grafana-dashboard", "kserve.json", include_str!("../../manifests/addons/grafana-dashboard.json")),
];
/// The annotation of pods that read such files only when they start.
const HELD_SUM: &str = "quickstart/config-sha256";
/// The demo with its public model.
pub const SAMPLE_ONLINE: &str = include_str!("../../manifests/samples/sklearn-iris.yaml");
/// The demo with the model inside the node.
pub const SAMPLE_OFFLINE: &str = include_str!("../../manifests/samples/sklearn-iris-offline.yaml");
/// The demo with the model in a ConfigMap, for a cluster whose nodes we cannot reach.
pub const SAMPLE_CONFIG_MAP: &str = include_str!("../../manifests/samples/sklearn-iris-configmap.yaml");
/// The demo's two rows.
pub const SAMPLE_INPUT: &str = include_str!("../../manifests/samples/input/iris-input.json");

/// The catalog.
pub fn catalog() -> Result<Catalog, CatalogError> {
    let catalog: Catalog = yaml::ours(CATALOG, "manifests/catalog.yaml")?;
    check_version(catalog.version, "manifests/catalog.yaml")?;
    Ok(catalog)
}

/// The overlays of one component; a component without any has an empty file's worth.
pub fn overlays(component: &str) -> Result<Overlays, CatalogError> {
    let Some((_, text)) = OVERLAYS.iter().find(|(name, _)| *name == component) else {
        return Ok(Overlays { version: 1, component: component.to_owned(), overlays: Vec::new(), extra: Vec::new() });
    };
    let place = format!("manifests/overlays/{component}.yaml");
    let overlays: Overlays = yaml::ours(text, &place)?;
    check_version(overlays.version, &place)?;
    Ok(overlays)
}

/// Is this the name of an add-on?
pub fn is_addon(name: &str) -> bool {
    ADDONS.iter().any(|(known, _)| *known == name)
}

/// The objects of an add-on, with the files that they hold; none where there is no such add-on.
pub fn addon(name: &str) -> Result<Vec<Object>, CatalogError> {
    let Some((_, text)) = ADDONS.iter().find(|(known, _)| *known == name) else { return Ok(Vec::new()) };
    let (place, all) = (format!("addons/{name}.yaml"), Filter::default());
    let mut documents = yaml::documents(text, &place, &all, &all)?;
    for document in &mut documents {
        hold(document);
    }
    documents.into_iter().map(|document| Object::new(document, &place)).collect()
}

/// The files of a ConfigMap: key and text.
fn held(name: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    HELD.iter().filter(move |(map, ..)| *map == name).map(|(_, key, text)| (*key, *text))
}

/// Puts the files into a ConfigMap that is there for them; pods that mount one carry its sum, so that they start anew with another one.
fn hold(document: &mut Value) {
    let named = document.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let sum = |name: &str| {
        let mut sum = Sha256::new();
        held(name).for_each(|(key, text)| sum.update(format!("{key}\n{text}\n")));
        hex::encode(sum.finalize())
    };
    match document.get("kind").and_then(Value::as_str) {
        Some("ConfigMap") if held(&named).next().is_some() => {
            document["data"] =
                held(&named).map(|(key, text)| (key.to_owned(), Value::from(text))).collect::<serde_json::Map<_, _>>().into();
        }
        Some("Deployment") => {
            let volumes = document.pointer("/spec/template/spec/volumes").and_then(Value::as_array).cloned().unwrap_or_default();
            let mounted = volumes.iter().filter_map(|volume| volume.pointer("/configMap/name")?.as_str());
            let sums: Vec<String> = mounted.filter(|name| held(name).next().is_some()).map(sum).collect();
            if let Some(metadata) = document.pointer_mut("/spec/template/metadata").filter(|_| !sums.is_empty()) {
                metadata["annotations"][HELD_SUM] = sums.join(",").into();
            }
        }
        _ => {}
    }
}

/// The fields that we never claim.
pub fn never_claimed() -> Result<NeverClaimed, CatalogError> {
    yaml::ours(NEVER_CLAIMED, "manifests/overlays/never-claimed.yaml")
}

/// kind's node template.
pub fn kind_template() -> Result<serde_json::Value, CatalogError> {
    yaml::parse(KIND, "manifests/kind.yaml")
}

fn check_version(found: u32, place: &str) -> Result<(), CatalogError> {
    if found > 1 {
        return Err(CatalogError::Newer { place: place.to_owned(), found, known: 1 });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_inside_parses_and_has_a_default_set() {
        let catalog = catalog().unwrap();
        assert_eq!(catalog.sets.iter().filter(|set| set.default).count(), 1);
        for component in &catalog.components {
            let overlays = overlays(&component.name).unwrap();
            assert_eq!(overlays.component, component.name);
            assert!(overlays.overlays.iter().all(|overlay| !overlay.reason.is_empty()));
        }
        assert!(never_claimed().unwrap().rules.iter().all(|rule| !rule.reason.is_empty()));
        assert!(kind_template().unwrap().is_object());
    }

    #[test]
    fn every_add_on_has_objects_and_no_other_images_than_its_pins() {
        let catalog = catalog().unwrap();
        for component in catalog.components.iter().filter(|component| component.addon) {
            assert!(is_addon(&component.name), "{}", component.name);
            let objects = addon(&component.name).unwrap();
            assert!(!objects.is_empty(), "{}", component.name);
            let pinned: Vec<&str> = component.versions[0].images.iter().map(|image| image.reference.as_str()).collect();
            for object in &objects {
                super::super::merge::each(&object.body, "/spec/template/spec/containers/*/image", &mut |image| {
                    assert!(pinned.contains(&image.as_str().unwrap()), "{object}: {image} is not in the catalog");
                });
            }
            for image in &component.versions[0].images {
                assert_eq!(image.group, component.name, "a bundle carries an add-on's images by its name");
            }
        }
        assert!(addon("istio").unwrap().is_empty());
    }

    #[test]
    fn an_add_ons_pods_start_anew_when_the_files_that_they_read_change() {
        let objects = addon("prometheus").unwrap();
        let of = |kind: &str, name: &str| objects.iter().find(|object| object.gvk.kind == kind && object.name == name).unwrap();
        assert!(of("ConfigMap", "prometheus").text("/data/rules.yml").unwrap().contains("alert:"));
        assert!(of("ConfigMap", "grafana-dashboard").text("/data/kserve.json").is_some());
        let sum = of("Deployment", "prometheus").body.pointer("/spec/template/metadata/annotations").unwrap()[HELD_SUM].clone();
        assert_eq!(sum.as_str().unwrap().len(), 64);
    }

    /// The provisioner ended at once on the first real cluster: its ConfigMap and the account of the pods that it starts have other names
    /// here than upstream's, and nobody had told it.
    #[test]
    fn local_storage_is_told_the_names_of_its_own_objects() {
        let objects = addon("local-storage").unwrap();
        let named = |kind: &str| objects.iter().find(|object| object.gvk.kind == kind).map(|object| object.name.as_str());
        let deployment = objects.iter().find(|object| object.gvk.kind == "Deployment").unwrap();
        let command = deployment.body.pointer("/spec/template/spec/containers/0/command").and_then(Value::as_array).unwrap();
        let told = |flag: &str| command.iter().skip_while(|word| *word != flag).nth(1).and_then(Value::as_str);
        assert_eq!(told("--configmap-name"), named("ConfigMap"));
        assert_eq!(told("--service-account-name"), named("ServiceAccount"));
        assert_eq!(told("--provisioner-name"), Some("quickstart/local-path"));
    }

    #[test]
    fn every_null_pin_has_its_reason() {
        let catalog = catalog().unwrap();
        for binary in catalog.kind.versions.iter().flat_map(|version| &version.binaries) {
            assert!(binary.sha256.is_some() || binary.reason.is_some(), "{}", binary.url);
        }
        for model in &catalog.models {
            assert!(model.sha256.is_some() || model.reason.is_some(), "{}", model.name);
        }
        for image in catalog.components.iter().flat_map(|c| &c.versions).flat_map(|v| &v.images) {
            assert!(image.digest.is_some() || image.reason.is_some(), "{}", image.reference);
        }
    }
}
