//! Every failure rule has a test that provokes it and reads the three lines and the exit code; this is the list.

use std::{collections::BTreeSet, path::Path};

use crate::support::sandbox::Output;

/// ID → the test that runs the whole program into it, as `file::function` of this folder.
const COVERED: &[(&str, &str)] = &[
    ("BUNDLE_ARCH", "config::a_bundle_that_cannot_be_trusted"),
    ("BUNDLE_VERSION", "config::a_bundle_that_cannot_be_trusted"),
    ("CGROUP_UNSUPPORTED", "rules_machine::what_kind_says"),
    ("CHECKSUM", "rules_machine::a_download_that_is_not_the_pinned_file"),
    ("CLUSTER_EXISTS", "rules_machine::what_kind_says"),
    ("CLUSTER_FOREIGN", "config::a_foreign_cluster"),
    ("CRASH_LOOP", "rules_late::a_pod_in_trouble_when_the_time_is_up"),
    ("CRD_NOT_ESTABLISHED", "rules_late::a_definition_that_is_never_served"),
    ("DNS_IN_CLUSTER", "rules_late::a_pod_in_trouble_when_the_time_is_up"),
    ("DOWNLOAD_404", "rules_machine::a_download_that_is_gone"),
    ("ENGINE_TOO_OLD", "rules_machine::an_engine_that_is_too_old"),
    ("ENGINE_UNREACHABLE", "config::no_engine"),
    ("GATEWAY_404", "rules_late::a_host_under_another_domain"),
    ("IMAGE_ARCH", "rules_pods::a_pod_that_cannot_start"),
    ("IMAGE_DIGEST_RESOLVE", "rules_late::a_model_in_trouble_when_the_time_is_up"),
    ("IMAGE_NOT_FOUND", "rules_pods::a_pod_that_cannot_start"),
    ("IMAGE_RATE_LIMIT", "errors::a_pull_rate_limit"),
    ("INOTIFY_LIMIT", "rules_machine::what_kind_says"),
    ("INSUFFICIENT_CPU", "errors::a_pod_that_does_not_fit"),
    ("INSUFFICIENT_MEMORY", "rules_late::a_pod_in_trouble_when_the_time_is_up"),
    ("ISVC_NO_RUNTIME", "rules_late::a_model_in_trouble_when_the_time_is_up"),
    ("KUBECONFIG_LOCKED", "rules_machine::a_kubeconfig_whose_lock_was_left_behind"),
    ("MODEL_DOWNLOAD", "rules_late::a_model_in_trouble_when_the_time_is_up"),
    ("NODE_PORT_HELD", "errors::a_node_port_that_stays_held"),
    ("NO_SPACE", "rules_machine::what_kind_says"),
    ("OOM_KILLED", "rules_pods::a_pod_that_cannot_start"),
    ("PORT_BUSY", "rules_machine::what_kind_says"),
    ("PROXY_ENV", "rules_machine::a_proxy_that_does_not_answer"),
    ("REGISTRY_LOGIN", "bundle_registry::a_registry_that_wants_a_login"),
    ("REGISTRY_TLS", "rules_machine::a_proxy_whose_certificate_nobody_trusts"),
    ("SECRET_MISSING", "rules_late::a_pod_in_trouble_when_the_time_is_up"),
    ("STATE_NEWER", "rules_machine::a_state_of_a_newer_program"),
    ("UNPINNED", "bundle_registry::what_has_no_checksum_is_refused_before_anything_is_asked"),
    ("WEBHOOK_CERT", "rules_late::a_webhook_whose_certificate_is_not_trusted"),
    ("WEBHOOK_UNREACHABLE", "errors::a_webhook_that_never_answers"),
];
/// Rules whose test is elsewhere, or that are no failure of their own.
const ELSEWHERE: &[&str] = &["IMAGE_PULL", "NOT_SCHEDULED", "GATEWAY_PENDING"];

/// A failure as a person reads it.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) what: String,
    pub(crate) cause: String,
    pub(crate) hint: String,
}

/// Fails with everything that was printed unless the run ended with this code and the three lines of this rule.
#[track_caller]
pub(crate) fn three_lines(output: &Output, code: i32, id: &str) -> Told {
    assert_eq!(output.code, Some(code), "{}", output.text());
    let line = |start: &str| {
        let mut lines = output.stderr.lines().filter_map(|line| line.strip_prefix(start));
        let first = lines.next().unwrap_or_else(|| panic!("no `{start}` in\n{}", output.text())).trim();
        assert!(!first.is_empty() && lines.next().is_none(), "{}", output.text());
        first.to_owned()
    };
    let told = Told { what: line(&format!("error[{id}]:")), cause: line("cause:"), hint: line("hint:") };
    let listed = quickstart::rules::rule(id).unwrap_or_else(|| panic!("{id} is not in the table"));
    let codes: Vec<i32> = listed.exits.iter().map(|exit| i32::from(exit.code())).collect();
    assert!(codes.contains(&code), "{id} came with exit {code}, the table lists {codes:?}");
    told
}

/// Is there a test of that name in that file which names the ID?
fn covers(text: &str, function: &str, id: &str) -> bool {
    let Some((_, after)) = text.split_once(&format!("#[tokio::test]\nasync fn {function}()")) else { return false };
    let body = after.split("\n}\n").next().unwrap_or_default();
    body.contains(&format!("\"{id}\""))
}

#[test]
fn every_rule_that_can_be_provoked_has_its_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    for (id, test) in COVERED {
        let (file, function) = test.split_once("::").unwrap();
        let text = fs_err::read_to_string(folder.join(format!("{file}.rs"))).unwrap();
        assert!(covers(&text, function, id), "{test} does not exist, or does not name {id}");
    }
    let covered: BTreeSet<&str> = COVERED.iter().map(|(id, _)| *id).collect();
    assert_eq!(covered.len(), COVERED.len());
    let signed: Vec<&str> = quickstart::rules::all().iter().filter(|rule| !rule.signs.is_empty()).map(|rule| rule.id).collect();
    let missing: Vec<&&str> = signed.iter().filter(|id| !covered.contains(**id) && !ELSEWHERE.contains(id)).collect();
    assert!(missing.is_empty(), "a rule with signs and no test at the wire: {missing:?}");
}
