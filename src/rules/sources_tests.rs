use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::*;
use crate::error::Exit;

/// Words in capitals that are no error IDs: variables, methods, protocols and types that a driver names, a registry's own error codes, keys of a Secret, placeholders of samples, the beginning of two IDs. Those of `config` are skipped with their files.
const OTHER_WORDS: &[&str] = &[
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "NO_PROXY",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "PATCH",
    "POST",
    "DELETE",
    "FP32",
    "HTTP",
    "INSUFFICIENT",
    "BLOB_UNKNOWN",
    "MANIFEST_UNKNOWN",
    "UNSUPPORTED",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "BASE_OF_KSERVE",
    "IMAGE",
    "MODEL",
    "NAMESPACE",
];
const NAMES_OF_VARIABLES: &[&str] = &[
    "gateway/grpc/status.rs",
    "predict/grpc/datatype.rs",
    "config/environment.rs",
    "config/paths.rs",
    "doctor/holders.rs",
    "report/style.rs",
    "logs/redact/shapes.rs",
];

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// String literals that look like an ID, in the part of a file that is not its tests.
fn literals(text: &str) -> Vec<&str> {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//") && !line.contains("value_name"));
    let looks = |word: &str| {
        word.len() >= 4
            && word.starts_with(|first: char| first.is_ascii_uppercase())
            && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    lines.flat_map(|line| line.split('"').skip(1).step_by(2)).filter(|word| looks(word)).collect()
}

/// ID → the first file that names it.
fn used(files: impl Fn(&str) -> bool) -> BTreeMap<String, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    rust_files(&source, &mut paths);
    let mut found = BTreeMap::new();
    for path in paths {
        let name = path.strip_prefix(&source).unwrap().to_string_lossy().into_owned();
        let is_test = name.ends_with("tests.rs") || name.contains("/tests/");
        if is_test || NAMES_OF_VARIABLES.contains(&name.as_str()) || name.starts_with("rules/") || !files(&name) {
            continue;
        }
        for word in literals(&fs_err::read_to_string(&path).unwrap()) {
            let ours = word.starts_with("QUICKSTART_") || word.starts_with("CARGO_") || OTHER_WORDS.contains(&word);
            if !ours {
                found.entry(word.to_owned()).or_insert_with(|| name.clone());
            }
        }
    }
    found
}

fn listed() -> BTreeSet<String> {
    all().iter().map(|rule| rule.id.to_owned()).collect()
}

#[test]
fn every_id_of_the_sources_is_listed() {
    let found = used(|_| true);
    assert!(found.len() > 40, "only {} IDs found", found.len());
    let missing: Vec<_> = found.iter().filter(|(id, _)| !listed().contains(*id)).collect();
    assert!(missing.is_empty(), "add a rule (or, if it is no error ID, to OTHER_WORDS): {missing:?}");
}

#[test]
fn every_rule_is_used() {
    let found = used(|_| true);
    let idle: Vec<_> = all().iter().filter(|rule| rule.signs.is_empty() && !found.contains_key(rule.id)).map(|rule| rule.id).collect();
    assert!(idle.is_empty(), "no source names these any more: {idle:?}");
}

#[test]
fn every_rule_is_complete_and_has_its_own_id() {
    let rules = all();
    let ids: BTreeSet<&str> = rules.iter().map(|rule| rule.id).collect();
    assert_eq!(ids.len(), rules.len());
    for rule in rules {
        assert!(!rule.exits.is_empty() && !rule.exits.contains(&Exit::Ok), "{}", rule.id);
        assert!(!rule.meaning.is_empty() && !rule.meaning.ends_with('.') && !rule.meaning.contains('\n'), "{}", rule.id);
        assert!(!rule.hint.is_empty() && !rule.hint.ends_with('.'), "{}", rule.id);
        let lower = |text: &&str| **text == text.to_lowercase();
        assert!(
            rule.signs.iter().all(|sign| sign.texts.iter().chain(sign.unless).all(lower)),
            "{}: signs are compared in lower case",
            rule.id
        );
    }
}

#[test]
fn literals_are_found_and_tests_are_not() {
    let text = "// \"COMMENT\"\nx(\"PORT_BUSY\", \"no\")\n\"GATEWAY_404\" => 1\n#[arg(value_name = \"FILE\")]\n#[cfg(test)]\nmod tests {\n\"TEST_ONLY\"\n";
    assert_eq!(literals(text), ["PORT_BUSY", "GATEWAY_404"]);
}
