//! What the API server refuses before any webhook is asked.

use serde_json::{Value, json};

use super::{
    resources::{Address, Resource},
    status::Refusal,
    store::World,
};

/// What every write checks first: the object fits the address, and its namespace is there.
pub fn check(world: &World, at: &Address, object: &mut Value, name: &str) -> Result<(), Refusal> {
    let resource = &at.resource;
    if object["kind"] != json!(resource.kind) || object["apiVersion"] != json!(resource.api_version()) {
        let (version, kind) = (&object["apiVersion"], &object["kind"]);
        return Err(Refusal::bad_request(format!(
            "{version}, Kind={kind} does not fit {}, Kind={}",
            resource.api_version(),
            resource.kind
        )));
    }
    let inner = object["metadata"]["name"].as_str();
    if inner.is_some_and(|inner| inner != name) {
        return Err(Refusal::bad_request(format!(
            "the name of the object ({}) does not match the name on the URL ({name})",
            inner.unwrap_or_default()
        )));
    }
    let valid = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.:".contains(&b);
    if name.is_empty() || (!name.bytes().all(valid) && resource.group != "rbac.authorization.k8s.io") {
        let problem = format!(
            "Invalid value: {name:?}: a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'"
        );
        return Err(Refusal::invalid(resource, name, "metadata.name", &problem));
    }
    if !resource.namespaced {
        object["metadata"].as_object_mut().into_iter().for_each(|meta| drop(meta.remove("namespace")));
        return Ok(());
    }
    let namespace = at.namespace.as_deref().unwrap_or_default();
    if object["metadata"]["namespace"].as_str().is_some_and(|inner| inner != namespace) {
        return Err(Refusal::bad_request("the namespace of the provided object does not match the namespace sent on the request"));
    }
    object["metadata"]["namespace"] = json!(namespace);
    world.find("", "namespaces", "", namespace).map(|_| ()).ok_or_else(|| Refusal::no_namespace(namespace))
}

/// Fields that cannot change.
pub fn immutable(resource: &Resource, name: &str, old: Option<&Value>, new: &Value) -> Result<(), Refusal> {
    let Some(old) = old else { return Ok(()) };
    let pointers: &[&str] = match resource.plural.as_str() {
        "deployments" => &["/spec/selector"],
        "clusterrolebindings" | "rolebindings" => &["/roleRef"],
        _ => &[],
    };
    match pointers.iter().find(|pointer| old.pointer(pointer) != new.pointer(pointer)) {
        Some(pointer) => Err(Refusal::invalid(resource, name, &pointer[1..].replace('/', "."), "Invalid value: field is immutable")),
        None => Ok(()),
    }
}
