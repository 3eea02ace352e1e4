//! Whose an object is, as far as it says.

use serde_json::Value;

use super::FIELD_MANAGER;
use crate::plan::MANAGED_BY;

/// Does the object say that we applied some of it?
pub fn is_ours(live: &Value) -> bool {
    managers(live).any(|manager| manager == FIELD_MANAGER)
}

/// Does it carry the label of what we create on a cluster that is not ours? A copy of such an object carries it too.
pub fn is_labelled(live: &Value) -> bool {
    label(live, MANAGED_BY.0) == Some(MANAGED_BY.1)
}

/// Who wrote some of the object first, as far as it says.
pub fn manager(live: &Value) -> Option<&str> {
    managers(live).next()
}

/// Everybody who wrote some of it.
pub fn managers(live: &Value) -> impl Iterator<Item = &str> {
    let entries = live.pointer("/metadata/managedFields").and_then(Value::as_array);
    entries.into_iter().flatten().filter_map(|entry| entry.get("manager")?.as_str())
}

fn label<'a>(live: &'a Value, key: &str) -> Option<&'a str> {
    live.pointer("/metadata/labels")?.get(key)?.as_str()
}

/// Who installed an object, in a few words: a Helm release, Argo CD, what its label says, or the program that wrote it.
pub fn installer(live: &Value) -> String {
    let note = |key: &str| live.pointer("/metadata/annotations")?.get(key)?.as_str();
    if let Some(release) = note("meta.helm.sh/release-name") {
        return format!("Helm release {release}");
    }
    if note("argocd.argoproj.io/tracking-id").is_some() {
        return "Argo CD".into();
    }
    if label(live, "kustomize.toolkit.fluxcd.io/name").or(label(live, "helm.toolkit.fluxcd.io/name")).is_some() {
        return "Flux".into();
    }
    let said = label(live, MANAGED_BY.0).filter(|said| *said != MANAGED_BY.1);
    // `kubectl-client-side-apply`, `kubectl-create` and the like are one program.
    let wrote = || manager(live).map(|name| if name.starts_with("kubectl") { "kubectl" } else { name });
    said.or_else(wrote).unwrap_or("somebody").to_owned()
}

/// The version that an object says it is of: its label, else the tag of its first image.
pub fn version_of(live: &Value) -> Option<String> {
    let image = live.pointer("/spec/template/spec/containers/0/image").and_then(Value::as_str);
    let tag = || image?.split('@').next()?.rsplit_once(':').map(|(_, tag)| tag).filter(|tag| !tag.contains('/'));
    let said = label(live, "app.kubernetes.io/version").or_else(tag)?;
    Some(said.trim_start_matches('v').to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_one_who_installed_it_is_named_as_people_know_it() {
        let of = |meta: Value| installer(&json!({ "metadata": meta }));
        let managed = |name: &str| json!({"managedFields": [{"manager": name}]});
        assert_eq!(
            of(json!({"annotations": {"meta.helm.sh/release-name": "cm"}, "labels": {"app.kubernetes.io/managed-by": "Helm"}})),
            "Helm release cm"
        );
        assert_eq!(of(json!({"annotations": {"argocd.argoproj.io/tracking-id": "x"}})), "Argo CD");
        assert_eq!(of(json!({"labels": {"app.kubernetes.io/managed-by": "eks"}})), "eks");
        assert_eq!(of(managed("kubectl-client-side-apply")), "kubectl");
        assert_eq!(of(managed("terraform")), "terraform");
        assert_eq!(of(json!({})), "somebody");
    }

    #[test]
    fn a_version_is_a_label_or_a_tag() {
        let image = |image: &str| json!({"spec": {"template": {"spec": {"containers": [{"image": image}]}}}});
        assert_eq!(version_of(&image("localhost:5000/pilot:1.27.1@sha256:00")).as_deref(), Some("1.27.1"));
        assert_eq!(version_of(&image("localhost:5000/pilot")), None);
        assert_eq!(version_of(&json!({"metadata": {"labels": {"app.kubernetes.io/version": "v1.15.0"}}})).as_deref(), Some("1.15.0"));
    }
}
