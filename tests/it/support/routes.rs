//! Verbs on objects: from a request to an answer, all under one lock and without waiting.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    apply, components, discovery, logs, ports,
    resources::{Address, address},
    selectors::{fields_match, labels_match},
    status::Refusal,
    store::{Key, World},
    validation::{check, immutable},
    webhooks, workloads,
};

/// A request, read.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// `GET`, …
    pub method: &'a str,
    /// Without the query.
    pub path: &'a str,
    /// Decoded query parameters; the last of a name wins.
    pub query: BTreeMap<String, String>,
    /// Of the body.
    pub content_type: &'a str,
    /// What the answer is to be.
    pub accept: &'a str,
    /// Its part before `/` is the manager of a write that names none.
    pub user_agent: &'a str,
    /// The body.
    pub body: &'a [u8],
}

impl Call<'_> {
    fn dry_run(&self) -> bool {
        self.query.get("dryRun").is_some_and(|value| value == "All")
    }

    fn manager(&self) -> String {
        let agent = self.user_agent.split('/').next().unwrap_or_default();
        self.query.get("fieldManager").cloned().unwrap_or_else(|| if agent.is_empty() { "unknown".to_owned() } else { agent.to_owned() })
    }

    fn object(&self) -> Result<Value, Refusal> {
        let text = String::from_utf8_lossy(self.body);
        serde_json::from_slice(self.body).map_err(|error| Refusal::bad_request(format!("error decoding body: {error}: {text:.80}")))
    }
}

/// Code and body of a success.
pub type Answer = Result<(u16, Value), Refusal>;

/// Answers a call and lets the controllers react.
pub fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    match call.path {
        "/version" => return Ok((200, json!({"major": "1", "minor": "34", "gitVersion": world.kubernetes, "platform": "linux/amd64"}))),
        "/healthz" | "/livez" | "/readyz" => return Ok((200, json!("ok"))),
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" if call.method == "POST" => {
            return Ok((201, discovery::review(world, &call.object()?)));
        }
        PROMETHEUS => return prometheus(world, call),
        _ => {}
    }
    if call.method == "GET"
        && let Some(list) = discovery::answer(world, call.path)
    {
        return Ok((200, list));
    }
    let at = match address(world, call.path) {
        Ok(at) => at,
        Err(refusal) => {
            // Asking for a resource that is not served yet is a look at its definition: time passes for it too.
            if let Some(key) = unserved(call.path).filter(|key| world.get(key).is_some()) {
                world.note_read(&key);
                components::settle(world);
            }
            return Err(refusal);
        }
    };
    let answer = match call.method {
        "GET" => read(world, call, &at),
        "POST" => create(world, call, &at),
        "PATCH" => patch(world, call, &at),
        "PUT" => put(world, call, &at),
        "DELETE" => delete(world, call, &at),
        _ => Err(Refusal::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", Value::Null)),
    };
    components::settle(world);
    // What a write returns is the object before the controllers saw it; what a read returns is the present.
    let answer = match (call.method, answer) {
        ("GET", Ok(_)) if at.subresource.as_deref() != Some("log") => show(world, call, &at),
        (_, answer) => answer,
    };
    answer.map(|(code, body)| (code, as_asked(call.accept, body)))
}

/// Through the API server to the Service's pods.
const PROMETHEUS: &str = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query";

fn prometheus(world: &World, call: &Call<'_>) -> Answer {
    if !workloads::ready(world, "monitoring", "prometheus") {
        return Err(Refusal::new(503, "ServiceUnavailable", "no endpoints available for service \"prometheus:9090\"", Value::Null));
    }
    let query = call.query.get("query").map(String::as_str).unwrap_or_default();
    let result =
        world.samples.iter().find(|(part, _)| query.contains(part.as_str())).map_or_else(|| json!([]), |(_, result)| result.clone());
    Ok((200, json!({"status": "success", "data": {"resultType": "vector", "result": result}})))
}

/// `as=PartialObjectMetadata` of the first media type: that, and nothing else of the object; of a list, of each item.
fn as_asked(accept: &str, body: Value) -> Value {
    let first = accept.split(',').next().unwrap_or_default();
    let Some(kind) = first.split(';').find_map(|part| part.trim().strip_prefix("as=")) else { return body };
    let only = |object: &Value| json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"]});
    match (kind, body["items"].as_array()) {
        ("PartialObjectMetadataList", Some(items)) => {
            let items: Vec<Value> = items.iter().map(only).collect();
            // As an API server 1.34 does it for custom resources.
            let items = if items.is_empty() { Value::Null } else { json!(items) };
            json!({"apiVersion": "meta.k8s.io/v1", "kind": kind, "metadata": body["metadata"], "items": items})
        }
        ("PartialObjectMetadata", None) => only(&body),
        _ => body,
    }
}

/// The definition behind `/apis/GROUP/VERSION/[namespaces/NS/]PLURAL…`.
fn unserved(path: &str) -> Option<Key> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let (group, plural) = match parts.as_slice() {
        ["apis", group, _, "namespaces", _, plural, ..] | ["apis", group, _, plural, ..] => (*group, *plural),
        _ => return None,
    };
    Some(Key::new("apiextensions.k8s.io", "customresourcedefinitions", "", &format!("{plural}.{group}")))
}

fn key(at: &Address) -> Key {
    let namespace = at.namespace.as_deref().unwrap_or_default();
    Key::new(&at.resource.group, &at.resource.plural, namespace, at.name.as_deref().unwrap_or_default())
}

/// Counts the read.
fn read(world: &mut World, call: &Call<'_>, at: &Address) -> Answer {
    if call.query.get("watch").is_some_and(|value| value != "false" && value != "0") {
        return Err(Refusal::bad_request("this server has no watches: poll"));
    }
    if at.subresource.as_deref() == Some("log") {
        let pod = world.get(&key(at)).ok_or_else(|| Refusal::not_found(&at.resource, at.name.as_deref().unwrap_or_default()))?;
        return logs::answer(world, call, pod);
    }
    let wanted = key(at);
    let seen: Vec<Key> = match &at.name {
        Some(_) => vec![wanted],
        None => world
            .keys(&wanted.group, &wanted.plural)
            .into_iter()
            .filter(|key| at.namespace.is_none() || key.namespace == wanted.namespace)
            .collect(),
    };
    for key in &seen {
        world.note_read(key);
    }
    Ok((200, Value::Null))
}

fn show(world: &World, call: &Call<'_>, at: &Address) -> Answer {
    if let Some(name) = &at.name {
        let mut object = world.shown(&key(at)).ok_or_else(|| Refusal::not_found(&at.resource, name))?;
        object["apiVersion"] = json!(at.resource.api_version());
        return Ok((200, object));
    }
    let labels = call.query.get("labelSelector").map_or("", String::as_str);
    let fields = call.query.get("fieldSelector").map_or("", String::as_str);
    let items: Vec<Value> = world
        .keys(&at.resource.group, &at.resource.plural)
        .iter()
        .filter(|key| at.namespace.as_ref().is_none_or(|namespace| *namespace == key.namespace))
        .filter_map(|key| world.shown(key))
        .filter(|object| labels_match(object, labels) && fields_match(object, fields))
        .map(|mut object| {
            // Lists of built-in kinds leave these out, as the real server does.
            if at.resource.built_in {
                object.as_object_mut().unwrap().retain(|key, _| key != "apiVersion" && key != "kind");
            }
            object
        })
        .collect();
    let meta = json!({"resourceVersion": world.revision.to_string()});
    Ok((
        200,
        json!({"apiVersion": at.resource.api_version(), "kind": format!("{}List", at.resource.kind), "metadata": meta, "items": items}),
    ))
}

fn create(world: &mut World, call: &Call<'_>, at: &Address) -> Answer {
    let mut object = call.object()?;
    let generated = object["metadata"]["generateName"].as_str().map(|prefix| format!("{prefix}{:05x}", world.revision));
    let name = object["metadata"]["name"].as_str().map(str::to_owned).or(generated).unwrap_or_default();
    check(world, at, &mut object, &name)?;
    let mut at = at.clone();
    at.name = Some(name.clone());
    let key = key(&at);
    object["metadata"]["name"] = json!(name);
    object.as_object_mut().unwrap().remove("status");
    // As in the real server, admission speaks before the store finds that the name is taken.
    webhooks::admit(world, &at.resource, "CREATE", &object)?;
    // So is a port allocator: a Service that is there already is refused for its own ports (redpanda-data/redpanda#3263).
    ports::check(world, &at.resource, None, &name, &object)?;
    if world.get(&key).is_some() {
        return Err(Refusal::already_exists(&at.resource, &name));
    }
    let mut managers = Vec::new();
    apply::note_update(&Value::Null, &object, &mut managers, &call.manager());
    Ok(store(world, call, &key, object, managers, 201))
}

fn store(world: &mut World, call: &Call<'_>, key: &Key, object: Value, managers: Vec<apply::Manager>, code: u16) -> (u16, Value) {
    if call.dry_run() {
        return (code, object);
    }
    world.replace(key.clone(), object, managers);
    let shown = world.shown(key).unwrap_or_default();
    // The last finalizer is off: what was deleted goes now. A namespace has one of its own, which its controller takes off.
    if key.plural != "namespaces" && shown["metadata"]["deletionTimestamp"].is_string() && !held(&shown) {
        world.delete(key);
    }
    (code, shown)
}

/// Does a finalizer hold it?
fn held(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty())
}

/// Deletes an object, or marks it where a finalizer holds it.
fn remove(world: &mut World, key: &Key) {
    if world.get(key).is_some_and(held) {
        world.edit(key, "kube-apiserver", |object| object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z"));
    } else {
        world.delete(key);
    }
}

fn patch(world: &mut World, call: &Call<'_>, at: &Address) -> Answer {
    let name = at.name.clone().unwrap_or_default();
    let key = key(at);
    let live = world.objects.get(&key).cloned();
    let mut body = call.object()?;
    if call.content_type.starts_with("application/apply-patch") {
        let Some(me) = call.query.get("fieldManager") else {
            return Err(Refusal::bad_request(
                "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
            ));
        };
        check(world, at, &mut body, &name)?;
        if !body["metadata"]["managedFields"].is_null() {
            return Err(Refusal::bad_request("metadata.managedFields must be nil"));
        }
        let force = call.query.get("force").is_some_and(|value| value == "true");
        let (mut object, mut managers) = live.clone().map_or_else(
            || {
                (
                    json!({"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": {"name": name, "namespace": at.namespace}}),
                    Vec::new(),
                )
            },
            |live| (live.object, live.managers),
        );
        let api_version = at.resource.api_version();
        apply::apply(&mut object, &mut managers, &body, me, force)
            .map_err(|conflicts| Refusal::apply_conflict(&api_version, &conflicts))?;
        immutable(&at.resource, &name, live.as_ref().map(|live| &live.object), &object)?;
        webhooks::admit(world, &at.resource, if live.is_some() { "UPDATE" } else { "CREATE" }, &object)?;
        ports::check(world, &at.resource, Some(&key), &name, &object)?;
        return Ok(store(world, call, &key, object, managers, if live.is_some() { 200 } else { 201 }));
    }
    let strategic = call.content_type.starts_with("application/strategic-merge-patch");
    if !strategic && !call.content_type.starts_with("application/merge-patch") {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: application/merge-patch+json, application/apply-patch+yaml, not {}",
            call.content_type
        );
        return Err(Refusal::new(415, "UnsupportedMediaType", message, Value::Null));
    }
    let Some(live) = live else { return Err(Refusal::not_found(&at.resource, &name)) };
    let mut object = live.object;
    apply::merge(&mut object, &body, strategic);
    update(world, call, at, object)
}

fn put(world: &mut World, call: &Call<'_>, at: &Address) -> Answer {
    let mut object = call.object()?;
    let name = at.name.clone().unwrap_or_default();
    check(world, at, &mut object, &name)?;
    let Some(live) = world.get(&key(at)) else { return Err(Refusal::not_found(&at.resource, &name)) };
    if !object["metadata"]["resourceVersion"].is_null() && object["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"] {
        return Err(Refusal::modified(&at.resource, &name));
    }
    update(world, call, at, object)
}

/// The rest of PUT and merge patch: status and the rest are two different doors.
fn update(world: &mut World, call: &Call<'_>, at: &Address, mut object: Value) -> Answer {
    let key = key(at);
    let stored = world.objects[&key].clone();
    if at.subresource.as_deref() == Some("status") {
        let status = object["status"].take();
        object = stored.object.clone();
        object["status"] = status;
    } else if !stored.object["status"].is_null() {
        object["status"] = stored.object["status"].clone();
    } else if let Some(map) = object.as_object_mut() {
        map.remove("status");
    }
    immutable(&at.resource, &key.name, Some(&stored.object), &object)?;
    webhooks::admit(world, &at.resource, "UPDATE", &object)?;
    let mut managers = stored.managers;
    apply::note_update(&stored.object, &object, &mut managers, &call.manager());
    Ok(store(world, call, &key, object, managers, 200))
}

fn delete(world: &mut World, call: &Call<'_>, at: &Address) -> Answer {
    let success = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"});
    let Some(name) = &at.name else {
        let labels = call.query.get("labelSelector").cloned().unwrap_or_default();
        let wanted = key(at);
        for found in world.keys(&wanted.group, &wanted.plural) {
            let here = at.namespace.is_none() || found.namespace == wanted.namespace;
            if here && !call.dry_run() && world.get(&found).is_some_and(|object| labels_match(object, &labels)) {
                remove(world, &found);
            }
        }
        return Ok((200, success));
    };
    let Some(object) = world.get(&key(at)).cloned() else { return Err(Refusal::not_found(&at.resource, name)) };
    webhooks::admit(world, &at.resource, "DELETE", &object)?;
    if !call.dry_run() {
        remove(world, &key(at));
    }
    Ok((200, success))
}
