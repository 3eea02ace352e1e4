//! Data flows one way: a module uses only what stands to its left in this list.

use std::path::{Path, PathBuf};

const ORDER: &[&str] = &[
    "error",
    "rules",
    "cli",
    "config",
    "catalog",
    "bundle",
    "plan",
    "event",
    "timeline",
    "fetch",
    "docker",
    "kind",
    "registry",
    "cluster",
    "gateway",
    "health",
    "state",
    "forward",
    "stages",
    "engine",
    "lifecycle",
    "predict",
    "sample",
    "status",
    "doctor",
    "logs",
    "report",
    "serve",
    "dashboard",
    "app",
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

/// The top modules that a file names after `crate::`, braces included: `use crate::{a::B, c}` names a and c.
fn used(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (start, _) in text.match_indices("crate::") {
        let rest = &text[start + "crate::".len()..];
        let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        let Some(group) = rest.strip_prefix('{') else {
            names.push(word(rest));
            continue;
        };
        let (mut depth, mut fresh) = (0, true);
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => fresh = true,
                c if fresh && depth == 0 && c.is_alphanumeric() => {
                    names.push(word(&group[at..]));
                    fresh = false;
                }
                _ => {}
            }
        }
    }
    names
}

#[test]
fn no_module_uses_what_stands_to_its_right() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    assert!(files.len() > 50, "only {} files found", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let relative = file.strip_prefix(&source).unwrap();
        let module = relative.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
        if module == "main" || module == "lib" {
            continue;
        }
        let Some(place) = ORDER.iter().position(|name| *name == module) else {
            wrong.push(format!("{module} is not in the list"));
            continue;
        };
        let text = fs_err::read_to_string(&file).unwrap();
        for name in used(&text) {
            if let Some(other) = ORDER.iter().position(|known| *known == name)
                && other > place
            {
                wrong.push(format!("{} uses {name}, which stands to its right", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn grouped_imports_are_read() {
    assert_eq!(used("use crate::{a::{B, C}, d, e::F}; use crate::g::H; crate::i()"), ["a", "d", "e", "g", "i"]);
}
