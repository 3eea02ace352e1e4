//! Patching JSON: merge patch, except that lists of named objects are merged by name.

use serde_json::Value;

/// Applies a JSON merge patch (RFC 7386): null deletes, objects merge, everything else replaces.
///
/// One addition, because a Deployment cannot be patched sensibly without it: where both sides are lists whose items are all
/// objects with a `name`, items are matched by that name and new ones are appended.
pub fn merge(target: &mut Value, patch: &Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, change) in patch {
                if change.is_null() {
                    target.remove(key);
                } else {
                    merge(target.entry(key.clone()).or_insert(Value::Null), change);
                }
            }
        }
        (Value::Array(items), Value::Array(changes)) if named(items) && named(changes) && !changes.is_empty() => {
            for change in changes {
                match items.iter_mut().find(|item| item["name"] == change["name"]) {
                    Some(item) => merge(item, change),
                    None => items.push(change.clone()),
                }
            }
        }
        (target, Value::Object(patch)) => {
            let mut fresh = Value::Object(serde_json::Map::new());
            merge(&mut fresh, &Value::Object(patch.clone()));
            *target = fresh;
        }
        (target, patch) => *target = patch.clone(),
    }
}

fn named(items: &[Value]) -> bool {
    items.iter().all(|item| item.get("name").is_some_and(Value::is_string))
}

/// Calls `act` on every value that a JSON pointer with `*` for "every element" names.
pub fn each<'a>(value: &'a Value, pointer: &str, act: &mut dyn FnMut(&'a Value)) {
    let Some(rest) = pointer.strip_prefix('/') else { return act(value) };
    let (key, rest) = rest.split_once('/').map_or((rest, ""), |(key, _)| (key, &rest[key.len()..]));
    match value {
        Value::Array(items) if key == "*" => items.iter().for_each(|item| each(item, rest, act)),
        Value::Object(map) => {
            if let Some(member) = map.get(&unescape(key)) {
                each(member, rest, act);
            }
        }
        _ => {}
    }
}

/// Removes every member that a JSON pointer with `*` names.
pub fn remove(value: &mut Value, pointer: &str) {
    let Some(rest) = pointer.strip_prefix('/') else { return };
    let (key, rest) = rest.split_once('/').map_or((rest, ""), |(key, _)| (key, &rest[key.len()..]));
    match value {
        Value::Array(items) if key == "*" => items.iter_mut().for_each(|item| remove(item, rest)),
        Value::Object(map) if rest.is_empty() => {
            map.remove(&unescape(key));
        }
        Value::Object(map) => {
            if let Some(member) = map.get_mut(&unescape(key)) {
                remove(member, rest);
            }
        }
        _ => {}
    }
}

fn unescape(key: &str) -> String {
    key.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn named_lists_merge_by_name_and_other_lists_are_replaced() {
        let mut target =
            json!({"containers": [{"name": "a", "image": "x", "env": [{"name": "E", "value": "1"}]}, {"name": "b"}], "args": ["1", "2"]});
        merge(&mut target, &json!({"containers": [{"name": "a", "env": [{"name": "F", "value": "2"}]}], "args": ["3"]}));
        assert_eq!(
            target,
            json!({"containers": [{"name": "a", "image": "x", "env": [{"name": "E", "value": "1"}, {"name": "F", "value": "2"}]}, {"name": "b"}], "args": ["3"]})
        );
    }

    #[test]
    fn null_deletes_and_a_scalar_gives_way_to_an_object() {
        let mut target = json!({"a": 1, "b": "x"});
        merge(&mut target, &json!({"a": null, "b": {"c": 1, "d": null}}));
        assert_eq!(target, json!({"b": {"c": 1}}));
    }

    #[test]
    fn a_star_in_a_pointer_means_every_element() {
        let mut value = json!({"webhooks": [{"clientConfig": {"caBundle": "x", "url": "u"}}, {"name": "n"}]});
        let mut seen = 0;
        each(&value, "/webhooks/*/clientConfig/caBundle", &mut |_| seen += 1);
        assert_eq!(seen, 1);
        remove(&mut value, "/webhooks/*/clientConfig/caBundle");
        assert_eq!(value, json!({"webhooks": [{"clientConfig": {"url": "u"}}, {"name": "n"}]}));
    }

    proptest::proptest! {
        #[test]
        fn an_empty_patch_changes_nothing(keys in proptest::collection::vec("[a-z]{1,4}", 0..6)) {
            let value: Value = keys.iter().map(|key| (key.clone(), json!([{"name": key}]))).collect::<serde_json::Map<_, _>>().into();
            let mut patched = value.clone();
            merge(&mut patched, &json!({}));
            proptest::prop_assert_eq!(patched, value);
        }

        #[test]
        fn a_patch_applied_twice_is_a_patch_applied_once(a in "[a-c]{1,2}", b in "[a-c]{1,2}", v in 0..5) {
            let mut once = json!({"l": [{"name": a, "v": 9}], "o": {"x": 1}});
            let patch = json!({"l": [{"name": b, "v": v}], "o": {"x": null, "y": v}});
            merge(&mut once, &patch);
            let mut twice = once.clone();
            merge(&mut twice, &patch);
            proptest::prop_assert_eq!(once, twice);
        }
    }
}
