//! How two bundles differ, as a value.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Index, Substitute};

/// What `bundle diff` says. `a` is missing where only the second bundle has something, `b` where only the first has.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Difference {
    /// Nothing differs.
    pub same: bool,
    /// Name, set, architecture, versions, settings.
    pub about: Vec<Change>,
    /// Images by their reference: digest in the registry where that is known, else the image's ID; and what stands in.
    pub images: Vec<Change>,
    /// Manifests, kind, model: the sum of the file, and what stands in.
    pub files: Vec<Change>,
}

/// Something that is not the same in both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What: a field, a reference, a path.
    pub name: String,
    /// In the first bundle.
    pub a: Option<String>,
    /// In the second.
    pub b: Option<String>,
}

type Facts = BTreeMap<String, String>;

/// Compares what two indexes say. Archives of images are compared by their images, not by their bytes, unless only those differ.
pub fn diff(a: &Index, b: &Index) -> Difference {
    let about = changes(&about(a), &about(b));
    let images = changes(&images(a), &images(b));
    let mut others = changes(&files(a, false), &files(b, false));
    if images.is_empty() && others.is_empty() {
        others = changes(&files(a, true), &files(b, true));
    }
    Difference { same: about.is_empty() && images.is_empty() && others.is_empty(), about, images, files: others }
}

fn changes(a: &Facts, b: &Facts) -> Vec<Change> {
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let change = |name: &String| Change { name: name.clone(), a: a.get(name).cloned(), b: b.get(name).cloned() };
    names.into_iter().map(change).filter(|change| change.a != change.b).collect()
}

fn about(index: &Index) -> Facts {
    let mut facts = Facts::new();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            facts.insert(name.to_owned(), value);
        }
    };
    put("name", Some(index.name.clone()));
    put("set", Some(index.set.clone()));
    put("architecture", Some(index.architecture.clone()));
    put("created by", Some(index.created_by.clone()));
    put("kubernetes", index.node.as_ref().map(|node| node.kubernetes.clone()));
    put("node image", index.node.as_ref().map(|node| node.reference.clone()));
    put("kind", index.kind.as_ref().map(|kind| kind.version.clone()));
    put("patches", (!index.patches.is_empty()).then(|| serde_json::to_string(&index.patches).unwrap_or_default()));
    put(
        "kind settings",
        (!index.kind_settings.feature_gates.is_empty()).then(|| serde_json::to_string(&index.kind_settings).unwrap_or_default()),
    );
    facts
}

fn images(index: &Index) -> Facts {
    let digest = |reference: &str, id: &str| {
        let origin = index.origins.iter().find(|origin| origin.reference == reference);
        origin.map_or_else(|| id.to_owned(), |origin| origin.digest.clone())
    };
    let node =
        index.node.iter().map(|node| ("the node".to_owned(), with(digest(&node.reference, &node.id), None, node.substitute.as_ref())));
    let images = index.images.iter().map(|image| {
        (image.reference.clone(), with(digest(&image.reference, &image.id), Some(image.group.as_str()), image.substitute.as_ref()))
    });
    images.chain(node).collect()
}

fn files(index: &Index, of_images: bool) -> Facts {
    let stands_in =
        |path: &str| index.manifests.iter().find(|manifest| manifest.path == path).and_then(|manifest| manifest.substitute.as_ref());
    let is_meant = |path: &str| (path.starts_with("images/") || path.starts_with("node/")) == of_images;
    let entries = index.files.iter().filter(|entry| is_meant(&entry.path));
    entries.map(|entry| (entry.path.clone(), with(format!("sha256:{}", entry.sha256), None, stands_in(&entry.path)))).collect()
}

fn with(what: String, group: Option<&str>, substitute: Option<&Substitute>) -> String {
    let mut text = what;
    if let Some(group) = group {
        text = format!("{text} in {group}");
    }
    if let Some(substitute) = substitute {
        text = format!("{text} ({} {})", substitute.name, substitute.version.as_deref().unwrap_or("stands in"));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn index(change: impl FnOnce(&mut Value)) -> Index {
        let mut value = json!({"version": 1, "name": "x", "created_by": "q 1", "architecture": "amd64", "set": "s",
            "files": [{"path": "manifests/a/a.yaml", "sha256": "00", "size": 1}, {"path": "images/istio.tar", "sha256": "11", "size": 1}],
            "manifests": [{"component": "a", "file": "a.yaml", "path": "manifests/a/a.yaml"}],
            "images": [{"reference": "i:1", "local": "i:1", "group": "istio", "archive": "images/istio.tar", "id": "sha256:22"}],
            "node": null, "kind": null, "model": null});
        change(&mut value);
        serde_json::from_value(value).unwrap()
    }

    fn names(changes: &[Change]) -> Vec<&str> {
        changes.iter().map(|change| change.name.as_str()).collect()
    }

    #[test]
    fn what_differs_is_named_once_and_where_it_belongs() {
        let a = index(|_| {});
        assert!(diff(&a, &a).same);
        let image = diff(&a, &index(|b| (b["images"][0]["id"], b["files"][1]["sha256"]) = ("sha256:33".into(), "44".into())));
        assert_eq!((names(&image.images), image.files.len(), image.same), (vec!["i:1"], 0, false));
        let packed = diff(&a, &index(|b| b["files"][1]["sha256"] = "44".into()));
        assert_eq!((names(&packed.files), packed.images.len()), (vec!["images/istio.tar"], 0));
        let gone = diff(&a, &index(|b| b["images"] = json!([])));
        assert_eq!((gone.images[0].a.as_deref(), gone.images[0].b.as_deref()), (Some("sha256:22 in istio"), None));
        let patch = json!({"component": "c", "object": {"apiVersion": "v1", "kind": "K"}, "patch": {}, "reason": "r"});
        let about = diff(&a, &index(|b| (b["set"], b["patches"]) = ("t".into(), json!([patch]))));
        assert_eq!(names(&about.about), ["patches", "set"]);
        let stands_in = diff(&a, &index(|b| b["manifests"][0]["substitute"] = json!({"name": "other", "reason": "r"})));
        assert_eq!(stands_in.files[0].b.as_deref(), Some("sha256:00 (other stands in)"));
    }
}
