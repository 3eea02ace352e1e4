//! Our few changes to upstream manifests, as data with a reason each (`manifests/overlays/*.yaml`).

use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CatalogError, Object, Target, merge};

/// An overlay file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overlays {
    /// Format version; 1.
    pub version: u32,
    /// Component that it changes.
    pub component: String,
    /// Changes, in order.
    #[serde(default)]
    pub overlays: Vec<Overlay>,
    /// Objects of ours.
    #[serde(default)]
    pub extra: Vec<Extra>,
}

/// One change.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overlay {
    /// Unique within the file.
    pub id: String,
    /// Why, for `plan`.
    pub reason: String,
    /// Where it applies.
    pub scope: Scope,
    /// Versions of the component that it is for, as in Cargo.toml; none: all.
    #[serde(default)]
    pub versions: Option<VersionReq>,
    /// What it changes.
    pub object: Target,
    /// Leave the object out.
    #[serde(default)]
    pub drop: bool,
    /// Merge patch, see [`merge::merge`].
    #[serde(default)]
    pub patch: Value,
    /// Patches of JSON texts inside strings.
    #[serde(default)]
    pub embedded: Vec<Embedded>,
}

/// A patch of a JSON text inside a string.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Embedded {
    /// JSON pointer of the string.
    pub pointer: String,
    /// Merge patch of the text's value.
    pub patch: Value,
}

/// An object of ours.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extra {
    /// Why.
    pub reason: String,
    /// Where it applies.
    pub scope: Scope,
    /// Versions of the component that it is for, as in Cargo.toml; none: all.
    #[serde(default)]
    pub versions: Option<VersionReq>,
    /// The object.
    pub manifest: Value,
}

/// Where a change applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// On a cluster that quickstart created.
    Local,
    /// Everywhere.
    Always,
}

impl Scope {
    /// Does it apply to this kind of cluster?
    pub fn applies(self, local: bool) -> bool {
        local || self == Self::Always
    }
}

impl Overlays {
    /// Changes a component's objects and adds ours; an overlay that finds nothing is an error, since it then says something untrue.
    pub fn apply(&self, objects: &mut Vec<Object>, version: &str, local: bool) -> Result<(), CatalogError> {
        self.apply_telling(objects, version, local, &mut |_, _, _| {})
    }

    /// The same; after each change `told` hears its id, its reason and what the objects are now.
    pub fn apply_telling(
        &self,
        objects: &mut Vec<Object>,
        version: &str,
        local: bool,
        told: &mut dyn FnMut(&str, &str, &[Object]),
    ) -> Result<(), CatalogError> {
        let version = Version::parse(version).ok();
        let is_for =
            |wanted: &Option<VersionReq>| wanted.as_ref().zip(version.as_ref()).is_none_or(|(wanted, version)| wanted.matches(version));
        for overlay in self.overlays.iter().filter(|overlay| overlay.scope.applies(local) && is_for(&overlay.versions)) {
            if !overlay.apply(objects, &self.component)? {
                return Err(CatalogError::OverlayUnmatched { component: self.component.clone(), id: overlay.id.clone() });
            }
            told(&overlay.id, &overlay.reason, objects);
        }
        for extra in self.extra.iter().filter(|extra| extra.scope.applies(local) && is_for(&extra.versions)) {
            objects.push(Object::new(extra.manifest.clone(), &format!("overlays/{}.yaml", self.component))?);
            told("extra", &extra.reason, objects);
        }
        Ok(())
    }
}

impl Overlay {
    fn apply(&self, objects: &mut Vec<Object>, component: &str) -> Result<bool, CatalogError> {
        let before = objects.len();
        if self.drop {
            objects.retain(|object| !object.is(&self.object));
            return Ok(objects.len() < before);
        }
        let mut matched = false;
        for object in objects.iter_mut().filter(|object| object.is(&self.object)) {
            matched = true;
            patch(object, &self.patch)?;
            for embedded in &self.embedded {
                let place = format!("overlay `{}` of {component}", self.id);
                let mut body = object.whole().into_owned();
                edit_text(&mut body, &embedded.pointer, &embedded.patch)
                    .map_err(|message| CatalogError::Object { place: place.clone(), message })?;
                *object = Object::new(body, &place)?;
            }
        }
        Ok(matched)
    }
}

/// Patches an object and reads its identity anew.
pub fn patch(object: &mut Object, change: &Value) -> Result<(), CatalogError> {
    if change.is_null() {
        return Ok(());
    }
    let mut body = object.whole().into_owned();
    merge::merge(&mut body, change);
    *object = Object::new(body, &object.to_string())?;
    Ok(())
}

/// Patches the value of the JSON text at `pointer` of an object.
pub fn patch_text(object: &mut Object, pointer: &str, change: &Value) -> Result<(), CatalogError> {
    let place = object.to_string();
    let mut body = object.whole().into_owned();
    edit_text(&mut body, pointer, change).map_err(|message| CatalogError::Object { place: place.clone(), message })?;
    *object = Object::new(body, &place)?;
    Ok(())
}

fn edit_text(body: &mut Value, pointer: &str, change: &Value) -> Result<(), String> {
    let slot = body.pointer_mut(pointer).ok_or_else(|| format!("{pointer} is not there"))?;
    let text = slot.as_str().ok_or_else(|| format!("{pointer} is not a string"))?;
    let mut value: Value = serde_json::from_str(text).map_err(|error| format!("{pointer} is not JSON: {error}"))?;
    merge::merge(&mut value, change);
    *slot = Value::String(serde_json::to_string_pretty(&value).map_err(|error| error.to_string())?);
    Ok(())
}

/// Fields that controllers own (`manifests/overlays/never-claimed.yaml`).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeverClaimed {
    /// Format version; 1.
    pub version: u32,
    /// Rules; all that match apply.
    pub rules: Vec<Rule>,
}

/// Fields of some objects.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// Kind, or `*`.
    pub kind: String,
    /// API group, or `*`.
    pub api_group: String,
    /// Name; absent matches every one.
    #[serde(default)]
    pub name: Option<String>,
    /// JSON pointers with `*`.
    pub remove: Vec<String>,
    /// What happens when the object is new.
    #[serde(rename = "on_create")]
    pub on_create: OnCreate,
    /// Why.
    pub reason: String,
}

/// What happens to a never-claimed field when the object is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnCreate {
    /// Never sent.
    Remove,
    /// Sent while nobody else has written it: the live object is absent or holds our value.
    Keep,
}

impl NeverClaimed {
    /// The body to send, given what the server has now (`None`: nothing); none where that is the object as it is.
    ///
    /// A kept field goes on being sent while the live value is ours: leaving it out would hand it back to its default.
    pub fn strip(&self, object: &Object, live: Option<&Value>) -> Option<Value> {
        let mut stripped = None;
        for rule in self.rules.iter().filter(|rule| rule.matches(object)) {
            for pointer in rule.remove.iter().filter(|pointer| names_something(&object.body, pointer)) {
                if rule.on_create == OnCreate::Keep && live.is_none_or(|live| same(live, &object.body, pointer)) {
                    continue;
                }
                merge::remove(stripped.get_or_insert_with(|| object.whole().into_owned()), pointer);
            }
        }
        stripped
    }

    /// Must the live object be known before this one is sent?
    pub fn needs_live(&self, object: &Object) -> bool {
        self.rules.iter().any(|rule| rule.on_create == OnCreate::Keep && rule.matches(object))
    }
}

fn names_something(body: &Value, pointer: &str) -> bool {
    let mut found = false;
    merge::each(body, pointer, &mut |_| found = true);
    found
}

fn same(live: &Value, ours: &Value, pointer: &str) -> bool {
    let collect = |value: &Value| {
        let mut found = Vec::new();
        merge::each(value, pointer, &mut |item| found.push(item.clone()));
        found
    };
    collect(live) == collect(ours)
}

impl Rule {
    fn matches(&self, object: &Object) -> bool {
        (self.kind == "*" || self.kind == object.gvk.kind)
            && (self.api_group == "*" || self.api_group == object.gvk.group)
            && self.name.as_ref().is_none_or(|name| *name == object.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config_map() -> Object {
        Object::new(
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}, "data": {"deploy": "{\"mode\": \"Serverless\", \"x\": 1}"}}),
            "t",
        )
        .unwrap()
    }

    fn overlay(yaml: &str) -> Overlays {
        super::super::yaml::ours(yaml, "t").unwrap()
    }

    #[test]
    fn json_inside_a_string_is_patched_as_json() {
        let overlays = overlay(
            "version: 1\ncomponent: k\noverlays:\n- id: a\n  reason: r\n  scope: always\n  object: {apiVersion: v1, kind: ConfigMap, name: c}\n  embedded: [{pointer: /data/deploy, patch: {mode: Knative}}]\n",
        );
        let mut objects = vec![config_map()];
        overlays.apply(&mut objects, "1.0.0", false).unwrap();
        let text: Value = serde_json::from_str(objects[0].text("/data/deploy").unwrap()).unwrap();
        assert_eq!(text, json!({"mode": "Knative", "x": 1}));
    }

    #[test]
    fn local_overlays_stay_away_from_other_clusters_and_unmatched_ones_are_errors() {
        let overlays = overlay(
            "version: 1\ncomponent: k\noverlays:\n- {id: a, reason: r, scope: local, object: {apiVersion: v1, kind: Secret}, drop: true}\n",
        );
        let mut objects = vec![config_map()];
        overlays.apply(&mut objects, "1.0.0", false).unwrap();
        assert!(overlays.apply(&mut objects, "1.0.0", true).unwrap_err().to_string().contains("`a` of k"));
    }

    /// KServe 0.13 has no `/data/inferenceService`: the overlay for it made every plan of that version an error.
    #[test]
    fn an_overlay_is_for_the_versions_that_it_names() {
        let overlays = overlay(
            "version: 1\ncomponent: k\noverlays:\n- {id: a, reason: r, scope: always, versions: '>=0.15', object: {apiVersion: v1, kind: ConfigMap}, drop: true}\n",
        );
        for (version, left) in [("0.13.1", 1), ("0.15.2", 0), ("0.20.0", 0)] {
            let mut objects = vec![config_map()];
            overlays.apply(&mut objects, version, false).unwrap();
            assert_eq!(objects.len(), left, "{version}");
        }
    }

    /// A second server-side apply of Istio's validator conflicted with pilot-discovery on `failurePolicy` (seen on the real cluster).
    #[test]
    fn a_kept_field_is_sent_until_its_controller_writes_it() {
        let claimed: NeverClaimed = super::super::yaml::ours(
            "version: 1\nrules:\n- {kind: V, apiGroup: '*', name: v, remove: ['/webhooks/*/failurePolicy'], on_create: keep, reason: r}\n",
            "t",
        )
        .unwrap();
        let ours = Object::new(
            json!({"apiVersion": "a/v1", "kind": "V", "metadata": {"name": "v"}, "webhooks": [{"name": "w", "failurePolicy": "Ignore"}]}),
            "t",
        )
        .unwrap();
        let sent = |live: Option<Value>| {
            claimed.strip(&ours, live.as_ref()).unwrap_or_else(|| ours.whole().into_owned()).pointer("/webhooks/0/failurePolicy").cloned()
        };
        assert_eq!(sent(None), Some(json!("Ignore")));
        assert_eq!(sent(Some(json!({"webhooks": [{"failurePolicy": "Ignore"}]}))), Some(json!("Ignore")));
        assert_eq!(sent(Some(json!({"webhooks": [{"failurePolicy": "Fail"}]}))), None);
        assert!(claimed.needs_live(&ours));
    }
}
