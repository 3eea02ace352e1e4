//! The only door for YAML: read as kubectl reads it.
//!
//! kubectl and every controller read YAML 1.1 through `sigs.k8s.io/yaml`: `yes` is a bool, `0644` is octal. serde_yaml
//! (archived) reads both differently; kube itself moved to serde-saphyr, which agrees once one option is set.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{CatalogError, Filter};

/// Reads one document into a type of ours.
pub fn parse<T: DeserializeOwned>(text: &str, place: &str) -> Result<T, CatalogError> {
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| yaml_error(place, 0, &error))
}

/// Reads a file of our own into a type of ours, by way of JSON's values: a reader of YAML for each of these types was half a megabyte of
/// the program. An error has the file but no line: it is a defect, and whoever made it sees the field's name.
pub fn ours<T: DeserializeOwned>(text: &str, place: &str) -> Result<T, CatalogError> {
    let value = parse::<Value>(text, place)?;
    serde_json::from_value(value).map_err(|error| CatalogError::Yaml { place: place.to_owned(), message: error.to_string() })
}

/// Bounds of one document: the deepest that is known has 38 levels, the longest 30 000 events. Aliases are read anew at each place, so their
/// depth adds up: without a bound 64 anchors, each 250 lists deep around the one before, were a value that no stack holds.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        legacy_octal_numbers: true,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_depth: 64, max_events: 2_000_000, max_nodes: 1_000_000 },
        alias_limits: serde_saphyr::alias_limits! { max_replay_stack_depth: 2, max_total_replayed_events: 200_000 },
    }
}

/// Reads the documents of a manifest that the filters want. Empty and null documents are left out.
///
/// The text is cut at `---` first and a document's kind and name are read from its top lines, so that the seven megabytes
/// of KServe's file, most of them unwanted CRDs, are never parsed as a whole.
pub fn documents(text: &str, place: &str, include: &Filter, exclude: &Filter) -> Result<Vec<Value>, CatalogError> {
    let mut wanted = Vec::new();
    for (line, document) in cut(text) {
        if let Some(kind) = peek_kind(document)
            && ((!include.kinds.is_empty() && !include.kinds.iter().any(|k| k == kind)) || exclude.kinds.iter().any(|k| k == kind))
        {
            continue;
        }
        #[expect(clippy::disallowed_methods, reason = "this is the door")]
        let value: Option<Value> =
            serde_saphyr::from_str_with_options(document, options()).map_err(|error| yaml_error(place, line, &error))?;
        let Some(value) = value.filter(|value| !value.is_null()) else { continue };
        if value.get("kind").and_then(Value::as_str) == Some("List") {
            for item in value.get("items").and_then(Value::as_array).into_iter().flatten() {
                if selected(item, include, exclude) {
                    wanted.push(item.clone());
                }
            }
        } else if selected(&value, include, exclude) {
            wanted.push(value);
        }
    }
    Ok(wanted)
}

fn selected(value: &Value, include: &Filter, exclude: &Filter) -> bool {
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
    let name = value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let any =
        |list: &[String], text: &str, part: bool| list.iter().any(|item| if part { text.contains(item.as_str()) } else { item == text });
    (include.kinds.is_empty() || any(&include.kinds, kind, false))
        && (include.names.is_empty() || any(&include.names, name, true))
        && !any(&exclude.kinds, kind, false)
        && !any(&exclude.names, name, true)
}

/// Documents with the number of their first line (from 0); a line that starts with `---` separates.
fn cut(text: &str) -> Vec<(usize, &str)> {
    let mut documents = Vec::new();
    let (mut start, mut start_line, mut offset) = (0, 0, 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let bare = line.trim_end();
        if bare == "---" || bare.starts_with("--- ") {
            documents.push((start_line, &text[start..offset]));
            start = offset + line.len();
            start_line = number + 1;
            if let Some(rest) = bare.strip_prefix("--- ")
                && !rest.trim_start().starts_with('#')
            {
                start = offset + 4;
                start_line = number;
            }
        }
        offset += line.len();
    }
    documents.push((start_line, &text[start..]));
    documents.retain(|(_, document)| document.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')));
    documents
}

/// The kind, when it stands unquoted at the left margin.
fn peek_kind(document: &str) -> Option<&str> {
    document
        .lines()
        .find_map(|line| line.strip_prefix("kind:"))
        .map(str::trim)
        .filter(|kind| kind.bytes().all(|b| b.is_ascii_alphanumeric()))
}

fn yaml_error(place: &str, line: usize, error: &serde_saphyr::Error) -> CatalogError {
    let at = error.location().map_or_else(String::new, |location| {
        let found = usize::try_from(location.line()).unwrap_or_default() + line;
        format!(":{found}:{}", location.column())
    });
    let message = error.to_string();
    let message = message.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    CatalogError::Yaml { place: format!("{place}{at}"), message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn one(text: &str) -> Value {
        documents(text, "test", &Filter::default(), &Filter::default()).unwrap().remove(0)
    }

    /// serde_yaml read `0644` as a string and `yes` as "yes"; kubectl reads 420 and true.
    #[test]
    fn yaml_is_read_as_kubectl_reads_it() {
        assert_eq!(one("v: 0644"), json!({"v": 420}));
        assert_eq!(one("v: yes"), json!({"v": true}));
        assert_eq!(one("v: 'yes'"), json!({"v": "yes"}));
        assert_eq!(one("v: 1_000"), json!({"v": 1000}));
        assert_eq!(one("v: ="), json!({"v": "="}));
        assert_eq!(one("v: 20s"), json!({"v": "20s"}));
    }

    #[test]
    fn empty_documents_are_left_out_and_separators_may_carry_comments() {
        let text = "---\n# only a comment\n---\nkind: A\n--- # next\nkind: B\n---\n---\n";
        let kinds: Vec<Value> = documents(text, "t", &Filter::default(), &Filter::default()).unwrap();
        assert_eq!(kinds, [json!({"kind": "A"}), json!({"kind": "B"})]);
    }

    #[test]
    fn a_separator_inside_a_block_scalar_is_indented_and_does_not_cut() {
        let text = "kind: A\ndata:\n  x: |\n    one\n    ---\n    two\n";
        assert_eq!(one(text)["data"]["x"], "one\n---\ntwo\n");
    }

    #[test]
    fn filters_choose_by_kind_and_by_part_of_the_name() {
        let text = "kind: A\nmetadata: {name: keep}\n---\nkind: B\nmetadata: {name: keep}\n---\nkind: A\nmetadata: {name: x-llmisvc-y}\n";
        let include = Filter { kinds: vec!["A".into()], names: vec![] };
        let exclude = Filter { kinds: vec![], names: vec!["llmisvc".into()] };
        assert_eq!(documents(text, "t", &include, &exclude).unwrap().len(), 1);
    }

    #[test]
    fn an_error_names_file_and_line() {
        let error = documents("kind: A\n---\nkind: B\nx: [1\n", "istio.yaml", &Filter::default(), &Filter::default()).unwrap_err();
        assert!(error.to_string().starts_with("istio.yaml:"), "{error}");
    }

    /// A manifest of a bundle could end the program: aliases nested lists deeper than a stack holds, or made gigabytes out of a line.
    #[test]
    fn aliases_neither_nest_nor_multiply_without_end() {
        let chain = |item: &dyn Fn(usize) -> String| {
            (0..60).fold("kind: A\n".to_owned(), |text, at| {
                let inner = if at == 0 { "x".to_owned() } else { item(at - 1) };
                format!("{text}a{at}: &a{at} {}{inner}{}\n", "[".repeat(60), "]".repeat(60))
            })
        };
        let deep = chain(&|before| format!("*a{before}"));
        let wide = chain(&|before| format!("*a{before}, *a{before}, *a{before}"));
        let nested = format!("kind: A\nx: {}{}\n", "[".repeat(70), "]".repeat(70));
        let reader = std::thread::Builder::new().stack_size(2 << 20).spawn(move || {
            for text in [deep, wide, nested] {
                let error = documents(&text, "t", &Filter::default(), &Filter::default()).unwrap_err();
                assert!(error.to_string().starts_with("t:"), "{error}");
                parse::<Value>(&text, "t").unwrap_err();
            }
            let within = format!("kind: A\na: &a {}x{}\nb: *a\n", "[".repeat(60), "]".repeat(60));
            assert_eq!(one(&within)["a"], one(&within)["b"]);
        });
        reader.unwrap().join().unwrap();
    }

    #[test]
    fn lists_are_taken_apart() {
        let text = "kind: List\nitems:\n- kind: A\n- kind: B\n";
        assert_eq!(documents(text, "t", &Filter::default(), &Filter::default()).unwrap().len(), 2);
    }
}
