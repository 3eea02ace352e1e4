use proptest::prelude::*;

use super::*;

const OURS: &str = "apiVersion: v1\nkind: Config\nclusters:\n- cluster:\n    certificate-authority-data: Zm9v\n    server: https://127.0.0.1:40001\n  name: kind-q\ncontexts:\n- context:\n    cluster: kind-q\n    user: kind-q\n  name: kind-q\ncurrent-context: kind-q\nusers:\n- name: kind-q\n  user:\n    client-certificate-data: YmFy\n    client-key-data: YmF6\n";

/// As a careful person keeps it: comments, two styles of indentation, an entry that names ours.
const THEIRS: &str = "# my clusters\napiVersion: v1\nkind: Config\npreferences: {}\nclusters:\n  # at work\n  - name: work\n    cluster:\n      server: https://work.example:6443 # vpn\n      insecure-skip-tls-verify: true\n\n# contexts\ncontexts:\n- context: {cluster: work, user: me, namespace: kind-q}\n  name: work\n# the last one\nusers:\n- name: me\n  user:\n    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      command: login\n      args: [\"--now\"]\ncurrent-context: work\n";

fn ours() -> Entries {
    Entries::of(OURS, "kind-q").unwrap()
}

#[test]
fn entries_are_put_in_and_taken_out_and_the_file_is_the_same_byte_for_byte() {
    let with_ours = with(THEIRS, &ours()).unwrap();
    for line in THEIRS.lines() {
        assert!(with_ours.contains(line), "{line} is gone:\n{with_ours}");
    }
    assert_eq!(Entries::of(&with_ours, "kind-q").unwrap(), ours());
    assert!(with_ours.contains("    server: https://127.0.0.1:40001\n") || with_ours.contains("server: \"https://127.0.0.1:40001\"\n"));
    assert_eq!(without(&with_ours, "kind-q").unwrap(), THEIRS);
}

#[test]
fn entries_of_an_older_cluster_of_that_name_are_replaced() {
    let older = with(THEIRS, &Entries::of(&OURS.replace("40001", "39999"), "kind-q").unwrap()).unwrap();
    let newer = with(&older, &ours()).unwrap();
    assert!(!newer.contains("39999") && newer.contains("40001"), "{newer}");
    assert_eq!(without(&newer, "kind-q").unwrap(), THEIRS);
}

#[test]
fn a_file_without_lists_gets_them_and_what_is_left_of_our_own_is_bare() {
    for text in
        ["", "apiVersion: v1\nkind: Config\n", "clusters: []\ncontexts: null\nusers: []", "apiVersion: v1\nclusters:\ncontexts:\nusers:\n"]
    {
        let made = with(text, &ours()).unwrap();
        assert_eq!(Entries::of(&made, "kind-q").unwrap(), ours(), "{text:?} became\n{made}");
        assert!(is_bare(&without(&made, "kind-q").unwrap()), "{made}");
    }
    assert!(!is_bare(THEIRS) && !is_bare("# mine\n"));
}

#[test]
fn a_form_that_cannot_be_edited_line_by_line_keeps_its_values() {
    let flow = "apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: 'https://a'}}]\ncontexts: []\nusers: []\ncurrent-context: a\n";
    let json =
        "{\"apiVersion\": \"v1\", \"kind\": \"Config\", \"clusters\": [{\"name\": \"a\", \"cluster\": {\"server\": \"https://a\"}}]}";
    for text in [flow, json] {
        let made = with(text, &ours()).unwrap();
        assert!(same(&read(&made).unwrap(), &edited_value(read(text).unwrap(), "kind-q", Some(&ours())).unwrap()), "{made}");
        assert!(same(&read(&without(&made, "kind-q").unwrap()).unwrap(), &read(text).unwrap()));
    }
    assert!(serde_json::from_str::<Value>(&with(json, &ours()).unwrap()).is_ok(), "JSON stays JSON");
}

#[test]
fn what_is_no_kubeconfig_is_refused() {
    for text in ["- a\n", "clusters: 7\n", "a: b: c\n", "clusters:\n\t- x\n"] {
        assert!(with(text, &ours()).is_err(), "{text:?}");
    }
}

proptest! {
    /// Whatever the file holds: either it is refused, or it says afterwards what it said before, and our entries.
    #[test]
    fn no_entry_of_anybody_else_is_ever_lost(
        names in proptest::collection::btree_set("[a-z][a-z0-9:/@. #'\"-]{0,12}", 0..5),
        indent in 0usize..4,
        comment in proptest::bool::ANY,
    ) {
        let pad = " ".repeat(indent);
        let list = |key: &str, value: &str| -> String {
            let items: Vec<String> = names.iter().map(|name| {
                let note = if comment { format!("{pad}# about it\n") } else { String::new() };
                format!("{note}{pad}- name: {}\n{pad}  {key}: {value}\n", Value::String(name.clone()))
            }).collect();
            if items.is_empty() { format!("{key}s: []\n") } else { format!("{key}s:\n{}", items.concat()) }
        };
        let text = [list("cluster", "{server: s}"), list("context", "{cluster: c}"), list("user", "{}")].concat();
        let made = with(&text, &ours()).unwrap();
        prop_assert!(same(&read(&made).unwrap(), &edited_value(read(&text).unwrap(), "kind-q", Some(&ours())).unwrap()));
        prop_assert_eq!(without(&made, "kind-q").unwrap(), text);
    }
}

/// The indentation of a line was cut off at a byte count: a comment at the margin that begins with an umlaut ended the program.
#[test]
fn a_comment_between_items_may_begin_with_any_letter() {
    let text = "clusters:\n  - name: a\n    cluster: {server: x}\n#é mine\n  - name: b\n    cluster: {server: y}\n";
    let after = without(text, "b").unwrap();
    assert!(after.contains("#é mine") && !after.contains("name: b"), "{after}");
}
