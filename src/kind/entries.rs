//! A cluster's three entries in a kubeconfig, put in and taken out as text: what the file's owner wrote around them stays as it is.
//!
//! Every edit is checked by reading the result again. A file whose form does not allow it (JSON, a flow list over several lines) is written
//! anew from its values, which costs its comments.

use std::io::{Error, ErrorKind};
use std::ops::Range;

use serde_json::{Map, Value, json};

use super::flow;

/// The lists of a kubeconfig, each with the key under which an entry keeps its value.
const SECTIONS: [(&str, &str); 3] = [("clusters", "cluster"), ("contexts", "context"), ("users", "user")];

/// What a cluster needs in a kubeconfig. Cluster, context and user have one name.
#[derive(Clone, Debug, PartialEq)]
pub struct Entries {
    /// `kind-NAME`.
    pub name: String,
    cluster: Value,
    user: Value,
}

impl Entries {
    /// From a kubeconfig that holds nothing else, as kind writes it.
    ///
    /// # Errors
    /// One that is not YAML, or has no such entries.
    pub fn of(text: &str, name: &str) -> std::io::Result<Self> {
        let value = read(text)?;
        let find = |section: &str, key: &str| {
            let items = value.get(section).and_then(Value::as_array)?;
            items.iter().find(|item| item.get("name").and_then(Value::as_str) == Some(name))?.get(key).cloned()
        };
        match (find("clusters", "cluster"), find("users", "user")) {
            (Some(cluster), Some(user)) => Ok(Self { name: name.to_owned(), cluster, user }),
            _ => Err(Error::new(ErrorKind::InvalidData, format!("there is no cluster and user {name}"))),
        }
    }

    fn value(&self, section: &str) -> Value {
        match section {
            "clusters" => self.cluster.clone(),
            "users" => self.user.clone(),
            _ => json!({"cluster": self.name, "user": self.name}),
        }
    }
}

/// The same file with these entries; older ones of that name are replaced.
///
/// # Errors
/// A file that is no kubeconfig.
pub fn with(text: &str, entries: &Entries) -> std::io::Result<String> {
    edit(text, &entries.name, Some(entries))
}

/// The same file without the entries of that name.
///
/// # Errors
/// A file that is no kubeconfig.
pub fn without(text: &str, name: &str) -> std::io::Result<String> {
    edit(text, name, None)
}

/// Does nothing but the frame of a kubeconfig stand in it?
pub(super) fn is_bare(text: &str) -> bool {
    let Ok(Value::Object(value)) = read(text) else { return false };
    let empty = |value: &Value| value.is_null() || *value == json!([]) || *value == json!({}) || *value == json!("");
    value.iter().all(|(key, value)| ["apiVersion", "kind"].contains(&key.as_str()) || empty(value)) && !text.contains('#')
}

fn edit(text: &str, name: &str, entries: Option<&Entries>) -> std::io::Result<String> {
    let wanted = edited_value(read(text)?, name, entries)?;
    let mut after = Some(text.to_owned());
    for (section, key) in SECTIONS {
        after = after.and_then(|text| {
            let text = without_item(&text, section, name)?;
            match entries {
                Some(entries) => with_item(&text, section, name, key, &entries.value(section)),
                None => Some(text),
            }
        });
    }
    match after {
        Some(after) if read(&after).is_ok_and(|value| same(&value, &wanted)) => Ok(after),
        _ if text.trim_start().starts_with('{') => Ok(format!("{wanted:#}\n")),
        _ => Ok(yaml(&wanted, 0)),
    }
}

fn read(text: &str) -> std::io::Result<Value> {
    let value: Value =
        crate::catalog::yaml::parse(text, "kubeconfig").map_err(|error| Error::new(ErrorKind::InvalidData, error.to_string()))?;
    match value {
        Value::Null => Ok(json!({})),
        Value::Object(_) => Ok(value),
        _ => Err(Error::new(ErrorKind::InvalidData, "it is no kubeconfig: the top is not a map")),
    }
}

/// What the file must say afterwards.
fn edited_value(mut value: Value, name: &str, entries: Option<&Entries>) -> std::io::Result<Value> {
    for (section, key) in SECTIONS {
        let list = &mut value[section];
        if list.is_null() {
            *list = json!([]);
        }
        let items = list.as_array_mut().ok_or_else(|| Error::new(ErrorKind::InvalidData, format!("{section} is not a list")))?;
        items.retain(|item| item.get("name").and_then(Value::as_str) != Some(name));
        if let Some(entries) = entries {
            items.push(json!({key: entries.value(section), "name": name}));
        }
    }
    Ok(value)
}

/// Equal but for lists that are absent, null or empty.
fn same(one: &Value, other: &Value) -> bool {
    let full = |value: &Value| -> Map<String, Value> {
        let entries = value.as_object().into_iter().flatten();
        entries.filter(|(_, value)| !value.is_null() && **value != json!([])).map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    full(one) == full(other)
}

/// Where a list stands in the text: its key's line and the lines of its items.
struct Section {
    key: usize,
    items: Range<usize>,
    indent: usize,
}

/// How a list is written.
enum Written {
    /// Not at all.
    Absent,
    /// In block style, or empty.
    Block(Section),
    /// `[…]` with something in it, on this line.
    Flow(usize),
    /// In a way that cannot be edited line by line.
    Otherwise,
}

fn section(lines: &[&str], name: &str) -> Written {
    let Some(key) = lines.iter().position(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(':'))) else {
        return Written::Absent;
    };
    let value = lines[key][name.len() + 1..].split(" #").next().unwrap_or_default().trim();
    let inside = |line: &&str| line.starts_with([' ', '-', '#']) || line.trim().is_empty();
    let mut end = key + 1 + lines[key + 1..].iter().take_while(|line| inside(line)).count();
    while end > key + 1 && !lines[end - 1].trim_start().starts_with(|first: char| first != '#') {
        end -= 1;
    }
    let first = lines[key + 1..end].iter().find(|line| line.trim_start().starts_with('-'));
    match (value, first) {
        ("" | "[]" | "null" | "~", None) if end == key + 1 => Written::Block(Section { key, items: end..end, indent: 0 }),
        ("", Some(first)) => Written::Block(Section { key, items: key + 1..end, indent: first.len() - first.trim_start().len() }),
        (list, None) if list.starts_with('[') && list.ends_with(']') && end == key + 1 => Written::Flow(key),
        _ => Written::Otherwise,
    }
}

fn without_item(text: &str, name: &str, item: &str) -> Option<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let section = match section(&lines, name) {
        Written::Absent => return Some(text.to_owned()),
        Written::Block(section) => section,
        Written::Flow(at) => return on_line(&lines, at, |line| flow::without(line, item)),
        Written::Otherwise => return None,
    };
    let starts: Vec<usize> = section.items.clone().filter(|&at| starts_item(lines[at], section.indent)).collect();
    let mut gone: Option<Range<usize>> = None;
    for (number, &start) in starts.iter().enumerate() {
        let mut end = starts.get(number + 1).copied().unwrap_or(section.items.end);
        // Comments before the next item are the next item's.
        while end > start + 1 && lines[end - 1].trim_start().starts_with(['#', '\n']) {
            end -= 1;
        }
        let value: Option<Value> = crate::catalog::yaml::parse(&lines[start..end].concat(), "kubeconfig").ok();
        if value.as_ref().and_then(|list| list.pointer("/0/name")).and_then(Value::as_str) == Some(item) {
            gone = Some(start..end);
        }
    }
    let Some(gone) = gone else { return Some(text.to_owned()) };
    let mut after: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    after.drain(gone);
    if starts.len() == 1 {
        after[section.key] = format!("{name}: []\n");
    }
    Some(after.concat())
}

fn starts_item(line: &str, indent: usize) -> bool {
    line.split_at_checked(indent)
        .is_some_and(|(before, item)| before.trim().is_empty() && item.starts_with('-') && !item.starts_with("---"))
}

/// The text with one line edited.
fn on_line(lines: &[&str], at: usize, edit: impl FnOnce(&str) -> Option<String>) -> Option<String> {
    let edited = edit(lines[at])?;
    Some([lines[..at].concat(), edited, lines[at + 1..].concat()].concat())
}

fn with_item(text: &str, section_name: &str, name: &str, key: &str, value: &Value) -> Option<String> {
    let item = item(name, key, value);
    let mut text = text.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let section = match section(&lines, section_name) {
        Written::Absent => return Some(format!("{text}{section_name}:\n{item}")),
        Written::Block(section) => section,
        Written::Flow(at) => return on_line(&lines, at, |line| flow::with(line, &json!({key: value, "name": name}))),
        Written::Otherwise => return None,
    };
    let mut after: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    if section.items.is_empty() {
        after[section.key] = format!("{section_name}:\n");
    }
    let shift = " ".repeat(section.indent);
    let item = item.lines().map(|line| format!("{shift}{line}\n")).collect::<Vec<_>>().concat();
    after.insert(section.items.end, item);
    Some(after.concat())
}

/// `- cluster: …` with its name, as kubectl writes it.
fn item(name: &str, key: &str, value: &Value) -> String {
    let nested = yaml(value, 4);
    let value = if nested.starts_with("    ") { format!("\n{nested}") } else { format!(" {nested}") };
    format!("- {key}:{value}  name: {}\n", scalar(&Value::String(name.to_owned())))
}

/// Block style for maps and lists that hold something, JSON's form for everything else; ends with a line break.
fn yaml(value: &Value, indent: usize) -> String {
    let pad = " ".repeat(indent);
    let below = |value: &Value| match value {
        Value::Object(map) if !map.is_empty() => format!("\n{}", yaml(value, indent + 2)),
        Value::Array(list) if !list.is_empty() => format!("\n{}", yaml(value, indent)),
        other => format!(" {}\n", scalar(other)),
    };
    let lines: Vec<String> = match value {
        Value::Object(map) if !map.is_empty() => {
            map.iter().map(|(key, value)| format!("{pad}{}:{}", scalar(&Value::String(key.clone())), below(value))).collect()
        }
        Value::Array(list) if !list.is_empty() => {
            list.iter().map(|value| format!("{pad}- {}", yaml(value, indent + 2).trim_start())).collect()
        }
        other => vec![format!("{}\n", scalar(other))],
    };
    lines.concat()
}

/// Plain where every YAML reader takes it for a string, else JSON's form, which YAML reads.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => super::kubeconfig::written(text),
        other => other.to_string(),
    }
}

#[cfg(test)]
#[path = "entries_tests.rs"]
mod tests;
