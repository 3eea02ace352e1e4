//! A kubeconfig: its context read and written, files merged. The first line is the new context.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quickstart::catalog::yaml;
use quickstart::cluster::merge;
use quickstart::kind::kubeconfig::{Entries, context_of, with_context, with_entries, without_entries};
use serde_json::{Map, Value};

/// Entries are put in, found, and taken out again, and what else the file says stays.
fn check(text: &str, entries: &Entries) {
    let Ok(with) = with_entries(text, entries) else { return };
    assert_eq!(Entries::of(&with, &entries.name).ok().as_ref(), Some(entries), "{text:?} became {with:?}");
    let without = without_entries(&with, &entries.name).expect("it could be edited before");
    assert!(Entries::of(&without, &entries.name).is_err(), "{with:?} became {without:?}");
    let before = without_entries(text, &entries.name).expect("it could be edited before");
    assert_eq!(meaning(&before), meaning(&without), "{text:?}");
}

/// A file's values but for what is empty.
fn meaning(text: &str) -> Map<String, Value> {
    let value = yaml::parse::<Value>(text, "kubeconfig").expect("what was written can be read");
    let map = value.as_object().cloned().unwrap_or_default();
    map.into_iter().filter(|(_, value)| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty())).collect()
}

fuzz_target!(|data: &str| {
    let Some((name, text)) = data.split_once('\n') else { return };
    context_of(text);
    let mut texts = vec![("a".to_owned(), text.to_owned())];
    if let Ok(after) = with_context(text, name) {
        assert_eq!(context_of(&after).unwrap_or_default(), name, "{after:?}");
        if let Ok(Value::Object(mut meant)) = yaml::parse::<Value>(text, "before") {
            meant.insert("current-context".into(), name.into());
            let read = yaml::parse::<Value>(&after, "after");
            assert_eq!(read.ok(), Some(Value::Object(meant)), "{text:?} became {after:?}");
        }
        texts.push(("b".to_owned(), after));
    }
    let _ = merge(&texts);
    if let Ok(entries) = Entries::of(text, name) {
        check(text, &entries);
    }
    let ours = "clusters: [{name: k, cluster: {server: x}}]\nusers: [{name: k, user: {token: \" t\"}}]\n";
    check(text, &Entries::of(ours, "k").expect("kind's own"));
});
