//! Choosing versions: a set by name, changed by single `component=version` wishes.

use std::collections::BTreeMap;

use super::{Catalog, CatalogError, Component, ComponentVersion, Set};

/// A component at one version.
#[derive(Clone, Debug)]
pub struct Choice<'a> {
    /// The component.
    pub component: &'a Component,
    /// Its version.
    pub version: &'a ComponentVersion,
}

impl Catalog {
    /// The set of that name, or the default one.
    pub fn set(&self, name: Option<&str>) -> Result<&Set, CatalogError> {
        let found = match name {
            Some(name) => self.sets.iter().find(|set| set.name == name),
            None => self.sets.iter().find(|set| set.default),
        };
        found.ok_or_else(|| CatalogError::UnknownSet {
            name: name.unwrap_or("default").to_owned(),
            known: self.sets.iter().map(|set| set.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    /// A component by name.
    pub fn component(&self, name: &str) -> Result<&Component, CatalogError> {
        self.components.iter().find(|component| component.name == name).ok_or_else(|| CatalogError::UnknownComponent {
            name: name.to_owned(),
            known: self.components.iter().map(|component| component.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    /// The components of a profile at the set's versions, wishes applied, in the catalog's order.
    pub fn choose(
        &self,
        set: &Set,
        wishes: &BTreeMap<String, String>,
        profile: &str,
        network: &str,
    ) -> Result<Vec<Choice<'_>>, CatalogError> {
        for name in wishes.keys() {
            self.component(name)?;
        }
        let mut chosen = Vec::new();
        let wanted = |component: &&Component| {
            component.profiles.iter().any(|known| known == profile) && component.network.as_deref().is_none_or(|known| known == network)
        };
        for component in self.components.iter().filter(wanted) {
            let Some(default) = set.components.get(&component.name) else { continue };
            let wanted = wishes.get(&component.name).unwrap_or(default).trim_start_matches('v');
            let version =
                component.versions.iter().find(|version| version.version == wanted).ok_or_else(|| CatalogError::UnknownVersion {
                    component: component.name.clone(),
                    version: wanted.to_owned(),
                    known: component.versions.iter().map(|version| version.version.as_str()).collect::<Vec<_>>().join(", "),
                })?;
            chosen.push(Choice { component, version });
        }
        Ok(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::super::embedded;
    use std::collections::BTreeMap;

    #[test]
    fn the_default_set_chooses_five_components_and_wrong_wishes_list_what_there_is() {
        let catalog = embedded::catalog().unwrap();
        let set = catalog.set(None).unwrap();
        assert_eq!(catalog.choose(set, &BTreeMap::new(), "serverless", "istio").unwrap().len(), 5);
        assert_eq!(catalog.choose(set, &BTreeMap::new(), "raw", "istio").unwrap().len(), 3);
        let kourier: Vec<&str> = catalog
            .choose(set, &BTreeMap::new(), "serverless", "kourier")
            .unwrap()
            .iter()
            .map(|choice| choice.component.name.as_str())
            .collect();
        assert_eq!(kourier, ["cert-manager", "kourier", "knative", "net-kourier", "kserve"]);
        let wish = |name: &str, version: &str| BTreeMap::from([(name.to_owned(), version.to_owned())]);
        let error = catalog.choose(set, &wish("istio", "9.9.9"), "serverless", "istio").unwrap_err().to_string();
        assert!(error.contains("1.27.1"), "{error}");
        let error = catalog.choose(set, &wish("istoi", "1.27.1"), "serverless", "istio").unwrap_err().to_string();
        assert!(error.contains("cert-manager"), "{error}");
        assert!(catalog.set(Some("nope")).unwrap_err().to_string().contains("kserve-0.20"));
    }
}
