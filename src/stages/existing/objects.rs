//! Objects of the plan that are there and are not ours: none of them is ever changed.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};
use serde_json::Value;

use super::refused;
use crate::cluster::{installer, is_ours};
use crate::error::Failure;
use crate::stages::Context;

/// Requests in flight.
const IN_FLIGHT: usize = 16;
/// How many are named.
const NAMED: usize = 6;

/// Refuses when an object that would be applied is there and not ours. A namespace is used as it is.
pub(super) async fn none_foreign(ctx: &Context) -> Result<(), Failure> {
    let (cluster, assembled) = (ctx.cluster()?, ctx.assembled()?);
    let mut wanted: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for object in assembled.in_order(&ctx.plan) {
        let path = assembled.rest.path(&object)?;
        if let Some((collection, name)) = path.rsplit_once('/') {
            wanted.entry(collection.to_owned()).or_default().insert(name.to_owned(), object.to_string());
        }
    }
    let asked: Vec<_> =
        wanted.iter().map(|(collection, names)| async move { (names, cluster.list_metadata(collection, "").await) }).collect();
    let mut asked = stream::iter(asked).buffered(IN_FLIGHT);
    let (mut foreign, mut namespaces) = (Vec::new(), BTreeSet::new());
    while let Some((names, listed)) = asked.next().await {
        for live in listed?.iter().filter(|live| !is_ours(live)) {
            let name = live.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
            match names.get(name) {
                Some(object) if object.starts_with("Namespace ") => drop(namespaces.insert(name.to_owned())),
                Some(object) => foreign.push(format!("{object} by {}", installer(live))),
                None => {}
            }
        }
    }
    if !namespaces.is_empty() {
        let names: Vec<String> = namespaces.into_iter().collect();
        let what = if names.len() == 1 { "namespace" } else { "namespaces" };
        ctx.events.note(format!("already there, used, and not taken away: {what} {}", names.join(", ")));
    }
    if foreign.is_empty() {
        return Ok(());
    }
    let count = foreign.len();
    let more = if count > NAMED { format!(" and {} more", count - NAMED) } else { String::new() };
    foreign.truncate(NAMED);
    let what = match count {
        1 => "an object that would be applied is there already, and is not ours".to_owned(),
        count => format!("{count} objects that would be applied are there already, and are not ours"),
    };
    Err(refused("OBJECT_FOREIGN", what, format!("{}{more}", foreign.join(", "))))
}
