//! Add-ons: components that are installed only where they are asked for by name, and stay chosen until the cluster goes.

use std::collections::BTreeMap;

use super::{Catalog, CatalogError, Choice, Component};
use crate::config::nearest;

impl Catalog {
    /// Every add-on, in the catalog's order.
    fn all_addons(&self) -> impl Iterator<Item = &Component> {
        self.components.iter().filter(|component| component.addon)
    }

    /// The add-ons of these names at their newest version or the wished one, in the catalog's order.
    ///
    /// # Errors
    /// A name that no add-on of this profile has, and a version that is not known.
    pub fn addons(&self, names: &[String], wishes: &BTreeMap<String, String>, profile: &str) -> Result<Vec<Choice<'_>>, CatalogError> {
        let fits = |component: &&Component| component.profiles.iter().any(|known| known == profile);
        let known: Vec<&str> = self.all_addons().filter(fits).map(|component| component.name.as_str()).collect();
        if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
            let near = nearest(name, known.iter().copied()).map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
            return Err(CatalogError::UnknownAddon { name: name.clone(), near, known: known.join(", ") });
        }
        self.all_addons()
            .filter(|component| names.contains(&component.name))
            .map(|component| {
                let wanted = wishes.get(&component.name).map(|version| version.trim_start_matches('v'));
                let found = component.versions.iter().find(|version| wanted.is_none_or(|wanted| version.version == wanted));
                let version = found.ok_or_else(|| CatalogError::UnknownVersion {
                    component: component.name.clone(),
                    version: wanted.unwrap_or_default().to_owned(),
                    known: component.versions.iter().map(|version| version.version.as_str()).collect::<Vec<_>>().join(", "),
                })?;
                Ok(Choice { component, version })
            })
            .collect()
    }

    /// Adds to `chosen` the add-ons that a cluster has already: leaving one out of a later command does not take it away.
    pub fn keep_addons<'a>(&self, chosen: &mut Vec<String>, installed: impl IntoIterator<Item = &'a String>) {
        for name in installed {
            if !chosen.contains(name) && self.all_addons().any(|addon| addon.name == *name) {
                chosen.push(name.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::embedded;

    #[test]
    fn add_ons_come_by_name_only_and_a_slip_is_answered_with_the_nearest() {
        let catalog = embedded::catalog().unwrap();
        let of = |names: &[&str], wishes: &[(&str, &str)]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let wishes = wishes.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned())).collect();
            catalog
                .addons(&names, &wishes, "serverless")
                .map(|choices| choices.into_iter().map(|c| c.component.name.clone()).collect::<Vec<_>>())
        };
        assert_eq!(of(&[], &[]).unwrap(), Vec::<String>::new());
        assert_eq!(of(&["prometheus", "metrics-server"], &[]).unwrap(), ["metrics-server", "prometheus"], "in the catalog's order");
        let wrong = of(&["promethues"], &[]).unwrap_err().to_string();
        assert!(wrong.contains("did you mean `prometheus`?") && wrong.contains("metrics-server"), "{wrong}");
        assert!(of(&["istio"], &[]).unwrap_err().to_string().contains("unknown add-on"), "a component is no add-on");
        assert!(of(&["prometheus"], &[("prometheus", "0.0.1")]).unwrap_err().to_string().contains("unknown version"));
    }

    #[test]
    fn what_a_cluster_has_stays_chosen() {
        let catalog = embedded::catalog().unwrap();
        let mut chosen = vec!["hardening".to_owned()];
        catalog.keep_addons(&mut chosen, &["istio".to_owned(), "prometheus".to_owned(), "hardening".to_owned()]);
        assert_eq!(chosen, ["hardening", "prometheus"]);
    }
}
