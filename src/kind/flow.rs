//! A list in flow style on one line, `contexts: [{name: a, context: {…}}] # mine`: an item more, an item less, the rest as it was.

use serde_json::Value;

/// Behind the last `]` of a line only a comment may stand. One that stands in the comment makes an edit that the caller refuses when it
/// reads the result.
fn end_of_list(line: &str) -> Option<usize> {
    let end = line.rfind(']')?;
    let rest = line[end + 1..].trim();
    (rest.is_empty() || rest.starts_with('#')).then_some(end)
}

/// With one item more, in JSON's form.
pub(super) fn with(line: &str, item: &Value) -> Option<String> {
    let end = end_of_list(line)?;
    Some(format!("{}, {item}{}", &line[..end], &line[end..]))
}

/// Without the item of that name, which [`with`] put in; the line as it is where there is none.
pub(super) fn without(line: &str, name: &str) -> Option<String> {
    const BEFORE: &str = ", ";
    for (start, _) in line.match_indices(", {\"") {
        let mut items = serde_json::Deserializer::from_str(&line[start + BEFORE.len()..]).into_iter::<Value>();
        let Some(Ok(item)) = items.next() else { continue };
        if item.get("name").and_then(Value::as_str) == Some(name) {
            let end = start + BEFORE.len() + items.byte_offset();
            return Some(format!("{}{}", &line[..start], &line[end..]));
        }
    }
    // One of that name that somebody else wrote is not cut out by guessing.
    (!line.contains(name)).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn in_and_out_again() {
        let line = "clusters: [{name: a, cluster: {server: \"https://x]\"}}] # mine\n";
        let item = json!({"cluster": {"server": "https://127.0.0.1:1", "data": "a, {\"b\"}"}, "name": "kind-q"});
        let more = with(line, &item).unwrap();
        assert!(more.ends_with("\"name\":\"kind-q\"}] # mine\n"), "{more}");
        assert_eq!(without(&more, "kind-q").unwrap(), line);
        assert_eq!(without(line, "kind-q").unwrap(), line);
        let theirs = "clusters: [{name: kind-q, cluster: {}}]\n";
        assert_eq!(without(theirs, "kind-q"), None);
    }
}
