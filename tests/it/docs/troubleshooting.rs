//! `docs/troubleshooting.md` from its marker on is what the failure rules say: `make docs` writes it, this test compares.

use std::fmt::Write as _;

use quickstart::error::Exit;
use quickstart::rules::{GROUPS, Rule, all};

use super::markdown::{anchor, root};

/// Behind this line nobody writes by hand.
const MARKER: &str = "<!-- From here on: written by `make docs` out of src/rules; a test compares. -->\n";
/// Set by `make docs`.
const WRITE: &str = "QUICKSTART_WRITE_DOCS";

#[test]
fn the_page_is_what_the_rules_say() {
    let path = root().join("docs/troubleshooting.md");
    let page = fs_err::read_to_string(&path).unwrap();
    let (head, _) = page.split_once(MARKER).unwrap_or_else(|| panic!("{} has no line {MARKER}", path.display()));
    let wanted = format!("{head}{MARKER}{}", body());
    if std::env::var_os(WRITE).is_some() {
        fs_err::write(&path, &wanted).unwrap();
    }
    let page = fs_err::read_to_string(&path).unwrap();
    assert!(page == wanted, "docs/troubleshooting.md is not what the rules say: `make docs` writes it anew");
}

fn body() -> String {
    let mut out = String::from("\n## All errors by name\n\n");
    let names: Vec<String> = all().iter().map(|rule| format!("[`{0}`](#{1})", rule.id, anchor(rule.id))).collect();
    out.push_str(&names.join(" ·\n"));
    out.push('\n');
    for group in GROUPS {
        let _ = write!(out, "\n## {}\n", group.title);
        let mut rules: Vec<&Rule> = group.rules.iter().collect();
        rules.sort_unstable_by_key(|rule| rule.id);
        for rule in rules {
            out.push_str(&section(rule));
        }
    }
    out
}

fn section(rule: &Rule) -> String {
    let mut out = format!("\n### {}\n\n", rule.id);
    let codes: Vec<String> = rule.exits.iter().map(|exit| exit.code().to_string()).collect();
    let usual = if codes.len() == 1 { rule.exit().meaning().to_owned() } else { format!("as a rule: {}", rule.exit().meaning()) };
    let _ = writeln!(out, "{}. Exit code {} ({usual}).\n", sentence(rule.meaning), codes.join(" or "));
    let _ = writeln!(out, "**What to do:** {}.", rule.hint.trim_end_matches('.'));
    let mut words: Vec<&str> = rule.signs.iter().flat_map(|sign| sign.reasons.iter().chain(sign.texts)).copied().collect();
    words.sort_unstable();
    words.dedup();
    if !words.is_empty() {
        let spans: Vec<String> = words.iter().map(|word| format!("`{}`", word.replace('`', "'"))).collect();
        let _ = writeln!(out, "\nSeen as: {}.", spans.join(", "));
    }
    if !rule.threads.is_empty() {
        let _ = writeln!(out, "\nOthers met it in: {}.", rule.threads.join(", "));
    }
    out
}

/// A fragment with a capital at its beginning, except where a name begins it.
fn sentence(fragment: &str) -> String {
    let mut characters = fragment.chars();
    let first = characters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let named = ["kind ", "istio-", "`"].iter().any(|name| fragment.starts_with(name));
    if named { fragment.to_owned() } else { first + characters.as_str() }
}

/// Each exit code of the table has a meaning of its own, which the page repeats.
#[test]
fn every_rule_has_a_section() {
    let page = fs_err::read_to_string(root().join("docs/troubleshooting.md")).unwrap();
    for rule in all() {
        assert!(page.contains(&format!("\n### {}\n", rule.id)), "{}", rule.id);
        assert!(rule.exits.iter().all(|exit| *exit != Exit::Ok), "{}", rule.id);
    }
}
