//! Label and field selectors.

use serde_json::Value;

/// Does the object satisfy `a=b,c!=d,e,!f,g in (h,i)` of a query?
pub fn labels_match(object: &Value, selector: &str) -> bool {
    let labels = &object["metadata"]["labels"];
    terms(selector).iter().all(|term| {
        let term = term.trim();
        if term.is_empty() {
            return true;
        }
        for (word, wanted) in [(" notin ", false), (" in ", true)] {
            if let Some((key, values)) = term.split_once(word) {
                let values: Vec<&str> = values.trim().trim_matches(['(', ')']).split(',').map(str::trim).collect();
                return labels[key.trim()].as_str().is_some_and(|value| values.contains(&value)) == wanted;
            }
        }
        if let Some((key, value)) = term.split_once("!=") {
            return labels[key.trim()].as_str() != Some(value.trim());
        }
        if let Some((key, value)) = term.split_once('=') {
            return labels[key.trim()].as_str() == Some(value.trim_start_matches('=').trim());
        }
        match term.strip_prefix('!') {
            Some(key) => labels[key].is_null(),
            None => !labels[term].is_null(),
        }
    })
}

/// Commas inside parentheses do not separate.
fn terms(selector: &str) -> Vec<String> {
    let (mut out, mut depth) = (vec![String::new()], 0);
    for c in selector.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                out.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = out.last_mut() {
            last.push(c);
        }
    }
    out
}

/// Does the object satisfy `metadata.name=a,status.phase!=b` of a query?
pub fn fields_match(object: &Value, selector: &str) -> bool {
    selector.split(',').filter(|term| !term.is_empty()).all(|term| {
        let (key, value, wanted) = match (term.split_once("!="), term.split_once('=')) {
            (Some((key, value)), _) => (key, value, false),
            (None, Some((key, value))) => (key, value.trim_start_matches('='), true),
            (None, None) => return false,
        };
        let pointer = format!("/{}", key.replace('.', "/"));
        (object.pointer(&pointer).and_then(Value::as_str).unwrap_or_default() == value) == wanted
    })
}

/// Does a `LabelSelector` object (matchLabels, matchExpressions) accept these labels? An absent one accepts everything.
pub fn selects(selector: &Value, labels: &Value) -> bool {
    let equal = selector["matchLabels"].as_object().is_none_or(|wanted| wanted.iter().all(|(key, value)| labels[key] == *value));
    let expressions = selector["matchExpressions"].as_array().is_none_or(|all| {
        all.iter().all(|one| {
            let label = &labels[one["key"].as_str().unwrap_or_default()];
            let listed = one["values"].as_array().is_some_and(|values| values.contains(label));
            match one["operator"].as_str() {
                Some("In") => listed,
                Some("NotIn") => !listed,
                Some("Exists") => !label.is_null(),
                Some("DoesNotExist") => label.is_null(),
                _ => false,
            }
        })
    });
    equal && expressions
}
