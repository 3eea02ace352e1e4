//! A kubeconfig: its context read and written, files merged. The first line is the new context.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quickstart::catalog::yaml;
use quickstart::cluster::merge;
use quickstart::kind::kubeconfig::{context_of, with_context};
use serde_json::Value;

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
});
