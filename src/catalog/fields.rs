//! In which fields two objects differ, in words that people know from `kubectl explain`.

use std::collections::BTreeSet;

use serde_json::Value;

/// The fields in which the second differs from the first: `spec.template.spec.containers[manager].image`. A field that only one of them
/// has is named as a whole.
pub fn differing(before: &Value, after: &Value) -> Vec<String> {
    let mut fields = Vec::new();
    walk(before, after, "", &mut fields);
    fields
}

fn walk(before: &Value, after: &Value, place: &str, fields: &mut Vec<String>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                either(a.get(key), b.get(key), &member(place, key), fields);
            }
        }
        (Value::Array(a), Value::Array(b)) if named(a) && named(b) => {
            let names: BTreeSet<&str> = a.iter().chain(b).filter_map(name).collect();
            let known = fields.len();
            for wanted in names {
                let of = |list: &[Value]| list.iter().position(|item| name(item) == Some(wanted));
                either(of(a).map(|at| &a[at]), of(b).map(|at| &b[at]), &format!("{place}[{wanted}]"), fields);
            }
            // The same items in another order.
            if fields.len() == known {
                fields.push(place.to_owned());
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                walk(a, b, &format!("{place}[{at}]"), fields);
            }
        }
        _ => fields.push(place.to_owned()),
    }
}

fn either(before: Option<&Value>, after: Option<&Value>, place: &str, fields: &mut Vec<String>) {
    match (before, after) {
        (Some(before), Some(after)) => walk(before, after, place, fields),
        (None, None) => {}
        _ => fields.push(place.to_owned()),
    }
}

fn member(place: &str, key: &str) -> String {
    let simple = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    match (place, simple) {
        ("", true) => key.to_owned(),
        (_, true) => format!("{place}.{key}"),
        (_, false) => format!("{place}[{key}]"),
    }
}

fn name(item: &Value) -> Option<&str> {
    item.get("name").and_then(Value::as_str)
}

/// Is it a list whose items have a name each, and none twice?
fn named(items: &[Value]) -> bool {
    let names: BTreeSet<&str> = items.iter().filter_map(name).collect();
    !items.is_empty() && names.len() == items.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_named_as_people_name_them() {
        let before = json!({"metadata": {"labels": {"app.kubernetes.io/name": "a"}}, "spec": {"replicas": 1, "args": ["a", "b"],
            "containers": [{"name": "x", "image": "1"}, {"name": "y"}], "ports": [1]}});
        let after = json!({"metadata": {"labels": {"app.kubernetes.io/name": "b"}}, "spec": {"args": ["a", "c"],
            "containers": [{"name": "y"}, {"name": "x", "image": "2"}], "ports": [1, 2], "new": {"deep": 1}}});
        assert_eq!(
            differing(&before, &after),
            [
                "metadata.labels[app.kubernetes.io/name]",
                "spec.args[1]",
                "spec.containers[x].image",
                "spec.new",
                "spec.ports",
                "spec.replicas"
            ]
        );
    }

    #[test]
    fn another_order_is_a_difference() {
        let (a, b) = (json!({"l": [{"name": "x"}, {"name": "y"}]}), json!({"l": [{"name": "y"}, {"name": "x"}]}));
        assert_eq!((differing(&a, &b), differing(&a, &a)), (vec!["l".to_owned()], vec![]));
    }

    proptest! {
        #[test]
        fn nothing_differs_exactly_when_both_are_the_same(a in value(), b in value()) {
            prop_assert_eq!(differing(&a, &b).is_empty(), a == b);
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(json!(1)), Just(json!("x")), Just(json!(null))];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[ab]|name", inner, 0..3).prop_map(Value::from_iter),
            ]
        })
    }
}
