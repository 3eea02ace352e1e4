//! Which images are read from registries by ourselves, from the first moment on.

use serde::Serialize;

use crate::bundle::{GROUPS, Index};
use crate::catalog::Choice;

/// The images of one group that no bundle brings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PulledGroup {
    /// Its name.
    pub group: String,
    /// Its images, each once.
    pub images: Vec<PulledImage>,
}

/// An image that is pulled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PulledImage {
    /// As manifests write it.
    pub reference: String,
    /// Of the catalog; without one it is what the tag named when it was asked first.
    pub digest: Option<String>,
}

/// The name of an image in an archive: always with a tag, since engines and nodes take no other names.
pub fn archive_name(reference: &str) -> String {
    let Some((name, digest)) = reference.split_once('@') else { return reference.to_owned() };
    let has_tag = name.rsplit('/').next().unwrap_or_default().contains(':');
    if has_tag { name.to_owned() } else { format!("{name}:{}", digest.replace(':', "-").get(..19).unwrap_or("digest")) }
}

/// The groups of a plan in the order in which stages need them, without what the bundle brings. Images of runtimes that nothing starts
/// are left to whoever starts one.
pub(super) fn pulls(choices: &[Choice<'_>], bundle: Option<&Index>, demo: bool) -> Vec<PulledGroup> {
    let is_bundled = |reference: &str| bundle.is_some_and(|index| index.images.iter().any(|image| image.reference == reference));
    let needed = |group: &str| if group == "demo" { demo } else { choices.iter().any(|choice| choice.component.name == group) };
    let all = choices.iter().flat_map(|choice| &choice.version.images);
    let of = |group: &&str| {
        let mut images: Vec<PulledImage> = Vec::new();
        for image in all.clone().filter(|image| image.group == *group && !is_bundled(&image.reference)) {
            if !images.iter().any(|known| known.reference == image.reference) {
                images.push(PulledImage { reference: image.reference.clone(), digest: image.digest.clone() });
            }
        }
        PulledGroup { group: (*group).to_owned(), images }
    };
    let addons = choices.iter().filter(|choice| choice.component.addon).map(|choice| choice.component.name.as_str());
    GROUPS
        .into_iter()
        .filter(|group| needed(group))
        .chain(addons)
        .map(|group| of(&group))
        .filter(|group| !group.images.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::embedded;

    fn names(profile: &str, demo: bool) -> Vec<String> {
        let catalog = embedded::catalog().unwrap();
        let choices = catalog.choose(catalog.set(None).unwrap(), &std::collections::BTreeMap::new(), profile, "istio").unwrap();
        pulls(&choices, None, demo).into_iter().map(|group| group.group).collect()
    }

    #[test]
    fn only_what_the_profile_needs_is_pulled() {
        assert_eq!(names("serverless", true), ["cert-manager", "istio", "knative", "net-istio", "kserve", "demo"]);
        assert_eq!(names("raw", true), ["cert-manager", "istio", "kserve", "demo"]);
        assert_eq!(names("raw", false), ["cert-manager", "istio", "kserve"]);
    }

    #[test]
    fn names_in_archives_have_tags() {
        for (reference, name) in
            [("a/b:1", "a/b:1"), ("a/b:1@sha256:00", "a/b:1"), ("h:5/a@sha256:0123456789abcdef", "h:5/a:sha256-0123456789ab")]
        {
            assert_eq!(archive_name(reference), name);
        }
    }
}
