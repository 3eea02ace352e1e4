//! A Kubernetes object as we send it: raw JSON, with its identity at hand.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{CatalogError, Target};

/// Group and kind with version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gvk {
    /// Empty for the core group.
    pub group: String,
    /// Such as `v1`.
    pub version: String,
    /// Such as `Deployment`.
    pub kind: String,
}

impl Gvk {
    /// From `apiVersion` and `kind`.
    pub fn new(api_version: &str, kind: &str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self { group: group.to_owned(), version: version.to_owned(), kind: kind.to_owned() }
    }
}

/// A document with an identity.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// The body; the identity below is part of it. Shared: an object stands in several waves. Of a definition it is the outline, without
    /// the schemas: [`Object::whole`] has them.
    pub body: Arc<Value>,
    /// All of a definition, as JSON text: KServe's schemas are 4 MB of text and would be 30 MB of trees.
    definition: Option<Arc<str>>,
    /// Group, version, kind.
    pub gvk: Gvk,
    /// `metadata.namespace`, where it has one.
    pub namespace: Option<String>,
    /// `metadata.name`.
    pub name: String,
}

impl Object {
    /// Takes a document apart; `place` is for the error.
    pub fn new(mut body: Value, place: &str) -> Result<Self, CatalogError> {
        let invalid = |message: &str| CatalogError::Object { place: place.to_owned(), message: message.to_owned() };
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let api_version = text("/apiVersion").ok_or_else(|| invalid("a document without apiVersion"))?;
        let kind = text("/kind").ok_or_else(|| invalid("a document without kind"))?;
        let name = text("/metadata/name").ok_or_else(|| invalid(&format!("a {kind} without metadata.name cannot be applied")))?;
        let namespace = text("/metadata/namespace");
        strip_nulls(&mut body);
        let definition = (kind == "CustomResourceDefinition").then(|| Arc::from(body.to_string()));
        if definition.is_some() {
            outline(&mut body);
        }
        Ok(Self { gvk: Gvk::new(&api_version, &kind), namespace, name, body: Arc::new(body), definition })
    }

    /// Everything, as it is sent.
    pub fn whole(&self) -> Cow<'_, Value> {
        match &self.definition {
            // It was written by us from a Value.
            Some(text) => Cow::Owned(serde_json::from_str(text).unwrap_or_default()),
            None => Cow::Borrowed(&self.body),
        }
    }

    /// The same as JSON text.
    pub fn json(&self) -> Cow<'_, str> {
        match &self.definition {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(self.body.to_string()),
        }
    }

    /// Of a definition: the same one with schemas that say nothing yet; `None` for everything else.
    ///
    /// `selectableFields` goes too: the API server looks each of its fields up in the schema.
    pub fn outline(&self) -> Option<Self> {
        self.definition.as_ref()?;
        let mut body = Value::clone(&self.body);
        let versions = body.pointer_mut("/spec/versions").and_then(Value::as_array_mut);
        for version in versions.into_iter().flatten().filter_map(Value::as_object_mut) {
            version.remove("selectableFields");
            version.insert("schema".into(), json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}));
        }
        Some(Self { body: Arc::new(body), definition: None, ..self.clone() })
    }

    /// Is it a definition of at least so many bytes of JSON?
    pub fn is_definition_of(&self, bytes: usize) -> bool {
        self.definition.as_ref().is_some_and(|text| text.len() >= bytes)
    }

    /// Does it answer to this name?
    pub fn is(&self, target: &Target) -> bool {
        self.gvk == Gvk::new(&target.api_version, &target.kind)
            && target.name.as_ref().is_none_or(|name| *name == self.name)
            && target.namespace.as_ref().is_none_or(|namespace| Some(namespace) == self.namespace.as_ref())
    }

    /// A string within the body.
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.body.pointer(pointer).and_then(Value::as_str)
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.gvk.kind, self.name),
            None => write!(f, "{} {}", self.gvk.kind, self.name),
        }
    }
}

fn outline(definition: &mut Value) {
    let versions = definition.pointer_mut("/spec/versions").and_then(Value::as_array_mut);
    for version in versions.into_iter().flatten().filter_map(Value::as_object_mut) {
        version.remove("schema");
    }
}

/// Drops null members: server-side apply would claim them.
/// Upstream files carry `creationTimestamp: null`, `annotations: null` and null affinity lists.
pub fn strip_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            let kept: Map<String, Value> = std::mem::take(map)
                .into_iter()
                .filter(|(_, member)| !member.is_null())
                .map(|(key, mut member)| {
                    strip_nulls(&mut member);
                    (key, member)
                })
                .collect();
            *map = kept;
        }
        Value::Array(items) => items.iter_mut().for_each(strip_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_is_read_and_nulls_are_dropped() {
        let body =
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "b", "creationTimestamp": null}});
        let object = Object::new(body, "t").unwrap();
        assert_eq!(object.to_string(), "Deployment b/a");
        assert_eq!(object.gvk.group, "apps");
        assert!(object.body.pointer("/metadata/creationTimestamp").is_none());
    }

    /// All schemas kept as trees were half of the memory of an `up`.
    #[test]
    fn a_definition_is_kept_as_text_and_comes_back_whole() {
        let body = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "a.b"},
            "spec": {"group": "b", "versions": [{"name": "v1", "served": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]}});
        let object = Object::new(body.clone(), "t").unwrap();
        assert_eq!(object.body.pointer("/spec/versions/0"), Some(&json!({"name": "v1", "served": true})));
        let outline = object.outline().unwrap();
        let open = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
        assert_eq!(outline.whole().pointer("/spec/versions/0"), Some(&json!({"name": "v1", "served": true, "schema": open})));
        assert!(object.is_definition_of(50) && !object.is_definition_of(5000));
        assert_eq!(*object.whole(), body);
        assert_eq!(object.json(), body.to_string());
    }

    /// Knative's post-install Jobs have only `generateName`, which server-side apply cannot take.
    #[test]
    fn an_object_without_a_name_is_refused_with_its_place() {
        let error =
            Object::new(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "x-"}}), "jobs.yaml").unwrap_err();
        assert!(error.to_string().contains("jobs.yaml"), "{error}");
    }
}
