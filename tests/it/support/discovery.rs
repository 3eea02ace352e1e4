//! What the server says it serves, and what a user may do there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    resources::{Resource, all_built_in},
    store::World,
};

/// `/apis`, `/api/v1` and `/apis/GROUP/VERSION`; `None`: the path is another one.
pub fn answer(world: &World, path: &str) -> Option<Value> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let (group, version) = match parts.as_slice() {
        ["apis"] => return Some(groups(world)),
        ["api", version] => ("", *version),
        ["apis", group, version] => (*group, *version),
        _ => return None,
    };
    let verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
    let mut resources: Vec<Value> = all(world)
        .iter()
        .filter(|one| one.group == group && one.version == version)
        .map(|one| json!({"name": one.plural, "singularName": "", "namespaced": one.namespaced, "kind": one.kind, "verbs": verbs}))
        .collect();
    if group == "apps" {
        resources.push(json!({"name": "deployments/scale", "singularName": "", "namespaced": true, "kind": "Scale", "verbs": ["get", "patch", "update"]}));
    }
    if resources.is_empty() {
        return None;
    }
    let name = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    Some(json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": resources}))
}

fn groups(world: &World) -> Value {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for one in all(world).into_iter().filter(|one| !one.group.is_empty()) {
        versions.entry(one.group).or_default().insert(one.version);
    }
    let version = |group: &str, version: &str| json!({"groupVersion": format!("{group}/{version}"), "version": version});
    let groups: Vec<Value> = versions
        .iter()
        .map(|(group, known)| {
            let all: Vec<Value> = known.iter().rev().map(|one| version(group, one)).collect();
            json!({"name": group, "versions": all, "preferredVersion": all[0]})
        })
        .collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// Built-in kinds, and those whose definition is Established.
fn all(world: &World) -> Vec<Resource> {
    let mut all = all_built_in();
    for key in world.keys("apiextensions.k8s.io", "customresourcedefinitions") {
        let Some(definition) = world.get(&key) else { continue };
        let (group, plural) = (definition["spec"]["group"].as_str(), definition["spec"]["names"]["plural"].as_str());
        let names = definition["spec"]["versions"].as_array().into_iter().flatten().filter_map(|one| one["name"].as_str());
        for version in names {
            all.extend(world.custom(group.unwrap_or_default(), version, plural.unwrap_or_default()));
        }
    }
    all
}

/// A SelfSubjectAccessReview: everything is allowed but what [`World::denied`] names, and with it the verb `*`.
pub fn review(world: &World, body: &Value) -> Value {
    let wanted = &body["spec"]["resourceAttributes"];
    let text = |key: &str| wanted[key].as_str().unwrap_or_default();
    let resource = match wanted["subresource"].as_str() {
        Some(sub) => format!("{}/{sub}", text("resource")),
        None => text("resource").to_owned(),
    };
    let named = |(verb, of): &(String, String)| (verb == "*" || verb == text("verb")) && *of == resource;
    let allowed = if text("verb") == "*" { world.denied.is_empty() } else { !world.denied.iter().any(named) };
    let mut answer = body.clone();
    answer["status"] = json!({"allowed": allowed});
    answer
}

/// Istio's root certificate, which istiod keeps in every namespace.
pub fn root_certificates(world: &mut World) {
    for namespace in world.keys("", "namespaces") {
        let leaving = world.get(&namespace).is_some_and(|found| found["metadata"]["deletionTimestamp"].is_string());
        if leaving || world.find("", "configmaps", &namespace.name, "istio-ca-root-cert").is_some() {
            continue;
        }
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "istio-ca-root-cert", "labels": {"istio.io/config": "true"}},
            "data": {"root-cert.pem": "not looked at"}});
        world.put("", "configmaps", &namespace.name, map, "pilot-discovery");
    }
}
