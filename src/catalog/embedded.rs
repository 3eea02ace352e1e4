//! What the program carries inside: the catalog, the overlays, the node template and the samples. Upstream manifests are not among it.

use super::{Catalog, CatalogError, NeverClaimed, Overlays, yaml};

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
];
/// The demo with its public model.
pub const SAMPLE_ONLINE: &str = include_str!("../../manifests/samples/sklearn-iris.yaml");
/// The demo with the model inside the node.
pub const SAMPLE_OFFLINE: &str = include_str!("../../manifests/samples/sklearn-iris-offline.yaml");
/// The demo's two rows.
pub const SAMPLE_INPUT: &str = include_str!("../../manifests/samples/input/iris-input.json");

/// The catalog.
pub fn catalog() -> Result<Catalog, CatalogError> {
    let catalog: Catalog = yaml::parse(CATALOG, "manifests/catalog.yaml")?;
    check_version(catalog.version, "manifests/catalog.yaml")?;
    Ok(catalog)
}

/// The overlays of one component; a component without any has an empty file's worth.
pub fn overlays(component: &str) -> Result<Overlays, CatalogError> {
    let Some((_, text)) = OVERLAYS.iter().find(|(name, _)| *name == component) else {
        return Ok(Overlays { version: 1, component: component.to_owned(), overlays: Vec::new(), extra: Vec::new() });
    };
    let place = format!("manifests/overlays/{component}.yaml");
    let overlays: Overlays = yaml::parse(text, &place)?;
    check_version(overlays.version, &place)?;
    Ok(overlays)
}

/// The fields that we never claim.
pub fn never_claimed() -> Result<NeverClaimed, CatalogError> {
    yaml::parse(NEVER_CLAIMED, "manifests/overlays/never-claimed.yaml")
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
