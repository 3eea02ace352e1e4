//! Server-side apply: who owns which field, and what an apply or an update changes.
//!
//! Simplifications: a list is merged by `name` when every element is an object with a `name` of its own, else it is one value;
//! no defaulting.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// A step into an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A key.
    Field(String),
    /// The element of a list that has this name.
    Item(String),
}

/// Where a field is.
pub type Path = Vec<Step>;

/// A field manager and its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manager {
    /// Such as `quickstart`.
    pub name: String,
    /// `Apply` or `Update`.
    pub operation: &'static str,
    /// Version through which it wrote.
    pub api_version: String,
    /// Leaves that it owns.
    pub fields: BTreeSet<Path>,
}

/// Every leaf of the part of an object that managers own.
pub fn leaves(object: &Value) -> BTreeMap<Path, Value> {
    let mut out = BTreeMap::new();
    for (key, value) in object.as_object().into_iter().flatten() {
        match key.as_str() {
            "apiVersion" | "kind" | "status" => {}
            "metadata" => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    if !SERVER_OWNED.contains(&key.as_str()) {
                        collect(value, vec![Step::Field("metadata".to_owned()), Step::Field(key.clone())], &mut out);
                    }
                }
            }
            _ => collect(value, vec![Step::Field(key.clone())], &mut out),
        }
    }
    out
}

const SERVER_OWNED: [&str; 8] =
    ["name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "deletionTimestamp"];

fn collect(value: &Value, at: Path, out: &mut BTreeMap<Path, Value>) {
    let deeper = |step: Step| {
        let mut path = at.clone();
        path.push(step);
        path
    };
    match value {
        Value::Null => {}
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                collect(value, deeper(Step::Field(key.clone())), out);
            }
        }
        Value::Array(list) => match names(list) {
            Some(names) => {
                for (name, item) in names.into_iter().zip(list) {
                    collect(item, deeper(Step::Item(name)), out);
                }
            }
            None => drop(out.insert(at, value.clone())),
        },
        _ => drop(out.insert(at, value.clone())),
    }
}

/// The names of a list's elements, when each has one and no two are the same.
pub fn names(list: &[Value]) -> Option<Vec<String>> {
    let names: Vec<String> = list.iter().map(|item| item["name"].as_str().map(str::to_owned)).collect::<Option<_>>()?;
    (!names.is_empty() && names.iter().collect::<BTreeSet<_>>().len() == names.len()).then_some(names)
}

/// The value at a path.
pub fn get<'a>(object: &'a Value, path: &[Step]) -> Option<&'a Value> {
    path.iter().try_fold(object, |value, step| match step {
        Step::Field(key) => value.get(key),
        Step::Item(name) => value.as_array()?.iter().find(|item| item["name"] == json!(name)),
    })
}

/// Writes a value, making what is missing on the way.
pub fn set(object: &mut Value, path: &[Step], new: &Value) {
    match path.split_first() {
        None => {
            let keeps = object.is_object() && new.as_object().is_some_and(Map::is_empty);
            if !keeps {
                *object = new.clone();
            }
        }
        Some((Step::Field(key), rest)) => {
            if !object.is_object() {
                *object = json!({});
            }
            set(&mut object[key.as_str()], rest, new);
        }
        Some((Step::Item(name), rest)) => {
            if !object.is_array() {
                *object = json!([]);
            }
            let list = object.as_array_mut().unwrap();
            let index = list.iter().position(|item| item["name"] == json!(name)).unwrap_or_else(|| {
                list.push(json!({"name": name}));
                list.len() - 1
            });
            set(&mut list[index], rest, new);
        }
    }
}

/// Removes a field and whatever it leaves empty.
fn remove(object: &mut Value, path: &[Step]) {
    let Some((step, rest)) = path.split_first() else { return };
    let is_gone = |value: &Value| value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty);
    match (step, object) {
        (Step::Field(key), Value::Object(map)) => {
            let Some(value) = map.get_mut(key) else { return };
            remove(value, rest);
            if rest.is_empty() || is_gone(value) {
                map.remove(key);
            }
        }
        (Step::Item(name), Value::Array(list)) => {
            let Some(index) = list.iter().position(|item| item["name"] == json!(name)) else { return };
            remove(&mut list[index], rest);
            if is_gone(&list[index]) {
                list.remove(index);
            }
        }
        _ => {}
    }
}

/// `.spec.containers[name="x"].image`.
pub fn render(path: &[Step]) -> String {
    path.iter()
        .map(|step| match step {
            Step::Field(key) if key.contains(['.', '/']) => format!("[{key:?}]"),
            Step::Field(key) => format!(".{key}"),
            Step::Item(name) => format!("[name={name:?}]"),
        })
        .collect()
}

/// Applies a configuration; `Err` lists `(manager, field)` of each conflict.
pub fn apply(live: &mut Value, managers: &mut Vec<Manager>, config: &Value, me: &str, force: bool) -> Result<(), Vec<(String, String)>> {
    let wanted = leaves(config);
    let differs = |path: &Path| {
        wanted.get(path).is_some_and(|new| get(live, path).is_some_and(|old| old != new && !(old.is_object() && new.is_object())))
    };
    let mut conflicts = Vec::new();
    for manager in managers.iter().filter(|manager| !(manager.name == me && manager.operation == "Apply")) {
        conflicts.extend(manager.fields.iter().filter(|path| differs(path)).map(|path| (manager.name.clone(), render(path))));
    }
    if !conflicts.is_empty() && !force {
        return Err(conflicts);
    }
    let taken: BTreeSet<Path> = wanted.keys().filter(|path| differs(path)).cloned().collect();
    for manager in managers.iter_mut().filter(|manager| !(manager.name == me && manager.operation == "Apply")) {
        manager.fields.retain(|path| !taken.contains(path));
    }
    let mine = managers.iter().position(|manager| manager.name == me && manager.operation == "Apply");
    let before = mine.map(|index| managers.remove(index).fields).unwrap_or_default();
    for path in before.iter().filter(|path| !wanted.contains_key(*path)) {
        if !managers.iter().any(|manager| manager.fields.contains(path)) {
            remove(live, path);
        }
    }
    for (path, value) in &wanted {
        set(live, path, value);
    }
    let api_version = config["apiVersion"].as_str().unwrap_or("v1").to_owned();
    managers.push(Manager { name: me.to_owned(), operation: "Apply", api_version, fields: wanted.into_keys().collect() });
    tidy(managers);
    Ok(())
}

/// Books what an update (PUT, merge patch, a controller) changed from `old` to `new`.
pub fn note_update(old: &Value, new: &Value, managers: &mut Vec<Manager>, me: &str) {
    let (before, after) = (leaves(old), leaves(new));
    let changed: BTreeSet<Path> =
        after.iter().filter(|(path, value)| before.get(*path) != Some(value)).map(|(path, _)| path.clone()).collect();
    for manager in managers.iter_mut() {
        manager.fields.retain(|path| after.contains_key(path) && !changed.contains(path));
    }
    if !changed.is_empty() {
        if let Some(manager) = managers.iter_mut().find(|manager| manager.name == me && manager.operation == "Update") {
            manager.fields.extend(changed);
        } else {
            let api_version = new["apiVersion"].as_str().unwrap_or("v1").to_owned();
            managers.push(Manager { name: me.to_owned(), operation: "Update", api_version, fields: changed });
        }
    }
    tidy(managers);
}

/// No manager without fields, and always the same order: another order would look like a change.
fn tidy(managers: &mut Vec<Manager>) {
    managers.retain(|manager| !manager.fields.is_empty());
    managers.sort_by(|a, b| (&a.name, a.operation).cmp(&(&b.name, b.operation)));
}

/// `metadata.managedFields` as the API server shows it.
pub fn managed_fields(managers: &[Manager]) -> Value {
    let entry = |manager: &Manager| {
        let mut fields = json!({});
        for path in &manager.fields {
            let mut at = &mut fields;
            for step in path {
                let key = match step {
                    Step::Field(key) => format!("f:{key}"),
                    Step::Item(name) => format!("k:{{\"name\":{name:?}}}"),
                };
                if at[&key].is_null() {
                    at[&key] = json!({});
                }
                at = &mut at[&key];
            }
        }
        json!({"manager": manager.name, "operation": manager.operation, "apiVersion": manager.api_version,
            "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields})
    };
    Value::Array(managers.iter().map(entry).collect())
}

/// JSON merge patch (RFC 7386); with `strategic`, lists of named objects are merged by name.
pub fn merge(target: &mut Value, patch: &Value, strategic: bool) {
    match patch {
        Value::Object(patch) => {
            if !target.is_object() {
                *target = json!({});
            }
            for (key, value) in patch {
                if value.is_null() {
                    target.as_object_mut().unwrap().remove(key);
                } else {
                    merge(&mut target[key.as_str()], value, strategic);
                }
            }
        }
        Value::Array(items) if strategic && names(items).is_some() && target.is_array() => {
            let list = target.as_array_mut().unwrap();
            for item in items {
                match list.iter().position(|old| old["name"] == item["name"]) {
                    Some(index) => merge(&mut list[index], item, strategic),
                    None => list.push(item.clone()),
                }
            }
        }
        _ => *target = patch.clone(),
    }
}
