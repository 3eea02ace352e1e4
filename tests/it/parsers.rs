//! Properties of what reads other people's bytes: nothing panics, and what is written is read again. `make fuzz` looks further.

use std::path::Path;

use proptest::prelude::*;
use quickstart::{
    catalog::{Filter, merge, strip_nulls, yaml},
    cli::{SetVersion, Span, parse_duration},
    config::{ClusterName, ConfigError, ConfigFile},
    docker::normalize_reference,
    forward::{container_port, target_port},
    health::{conditions, pods, rollout, selector},
    kind::kubeconfig::{context_of, with_context},
    report::{one_line, sanitize, values},
    rules::{self, Source},
    state::State,
};
use serde_json::{Map, Value, json};

/// Keys that readers look for, at any place.
fn key() -> impl Strategy<Value = String> {
    prop::sample::select(
        [
            "metadata",
            "name",
            "status",
            "spec",
            "state",
            "waiting",
            "reason",
            "message",
            "ready",
            "terminated",
            "exitCode",
            "conditions",
            "containerStatuses",
            "initContainerStatuses",
            "lastState",
            "type",
            "replicas",
            "ports",
            "port",
            "targetPort",
            "items",
            "code",
        ]
        .map(str::to_owned)
        .to_vec(),
    )
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop_oneof![any::<i64>(), -2..3_i64, Just(i64::MAX), Just(i64::MIN)].prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec!["", "Ready", "False", "PodScheduled", "ImagePullBackOff", "CrashLoopBackOff", "x\u{1b}[2J\ny"])
            .prop_map(Value::from),
    ]
}

fn answer() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..6).prop_map(|pairs| pairs.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), -2..3_i64, Just(i64::MAX), Just(i64::MIN)]
}

proptest! {
    #[test]
    fn any_answer_of_an_api_server_is_judged(answer in answer()) {
        pods::judge(&json!({"status": {"containerStatuses": [answer.clone()]}}));
        pods::judge(&json!({"metadata": answer.clone(), "status": answer.clone()}));
        rollout::deployment(&json!({"status": answer.clone(), "spec": answer.clone()}));
        rollout::condition(&json!({"status": {"conditions": [answer.clone()]}}), "Ready");
        conditions(&json!({"status": answer.clone()}));
        selector(&json!({"spec": {"selector": {"matchLabels": answer.clone()}}}));
        values(&answer);
        if let Some(wanted) = target_port(&json!({"spec": {"ports": [{"port": 80, "targetPort": answer.clone()}]}}), 80) {
            container_port(&json!({"spec": {"containers": [answer.clone()]}}), &wanted);
        }
        let mut merged = answer.clone();
        merge::merge(&mut merged, &answer);
        strip_nulls(&mut merged);
    }

    /// `old pods still end` was a subtraction of two numbers of the answer: it overflowed.
    #[test]
    fn any_numbers_of_a_rollout_are_judged(desired in number(), updated in number(), total in number(), available in number()) {
        rollout::deployment(&json!({
            "metadata": {"generation": 1}, "spec": {"replicas": desired},
            "status": {"observedGeneration": 1, "updatedReplicas": updated, "replicas": total, "availableReplicas": available},
        }));
    }

    #[test]
    fn any_word_of_another_program_fits_a_rule_or_none(reason in "\\PC{0,20}", message in "(?s).{0,200}") {
        for source in [Source::Waiting, Source::Event, Source::Api, Source::Kind, Source::Engine, Source::Download] {
            rules::find(source, &reason, &message);
        }
    }

    #[test]
    fn durations_are_printed_as_they_are_read(seconds in 1..u64::from(u32::MAX), text in "[0-9hms .]{0,12}") {
        let span = std::time::Duration::from_secs(seconds);
        prop_assert_eq!(parse_duration(&Span(span).to_string()), Ok(span));
        if let Ok(read) = parse_duration(&text) {
            prop_assert_eq!(parse_duration(&Span(read).to_string()), Ok(read));
        }
    }

    #[test]
    fn names_and_versions_are_taken_as_they_are_or_refused(text in "[a-z0-9.A-Z/= -]{0,60}") {
        if let Ok(name) = ClusterName::new(&text) {
            prop_assert!(!text.contains(['/', ' ', '=']) && Path::new("/x").join(name.as_str()).parent() == Some(Path::new("/x")));
        }
        if let Ok(set) = text.parse::<SetVersion>() {
            prop_assert!(!set.component.is_empty() && !set.version.is_empty());
        }
    }

    #[test]
    fn a_reference_in_full_form_stays_as_it_is(text in "(localhost|[a-z]{1,4}(\\.io)?)?(:[0-9]{2})?(/[a-z]{1,4}){0,3}(:[a-z0-9.]{1,4})?(@sha256:[0-9a-f]{4})?|[a-z:@/.]{0,12}") {
        let full = normalize_reference(&text);
        prop_assert_eq!(normalize_reference(&full), full);
    }

    #[test]
    fn what_is_printed_steers_no_terminal(text in "(?s)(.|[\\x00-\\x1f\\x7f-\\x9f\u{202a}-\u{202e}]|\\x1b\\[[0-9;]{0,4}[A-Za-z]){0,40}") {
        let clean = sanitize(&text);
        prop_assert!(clean.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'), "{:?}", clean);
        prop_assert_eq!(sanitize(&clean), clean.clone());
        prop_assert!(!one_line(&text).contains('\n'));
    }

    #[test]
    fn a_context_that_was_written_is_read(name in "\\PC{0,20}|[a-z-]{1,8}", before in "\\PC{0,10}", rest in "([a-z]{1,4}: [a-z{}\\[\\]\"']{0,6}\r?\n){0,4}") {
        for text in [rest.clone(), format!("current-context: {before}\n{rest}"), format!("{rest}\"current-context\": \"{before}\"\r\n")] {
            context_of(&text);
            if let Ok(after) = with_context(&text, &name) {
                prop_assert_eq!(context_of(&after).unwrap_or_default(), name.clone(), "{:?}", after);
                if let Ok(Value::Object(mut meant)) = yaml::parse::<Value>(&text, "before") {
                    meant.insert("current-context".into(), name.clone().into());
                    prop_assert_eq!(yaml::parse::<Value>(&after, "after").ok(), Some(Value::Object(meant)), "{:?} became {:?}", text, after);
                }
            }
        }
    }

    #[test]
    fn a_configuration_is_read_or_refused_at_a_place(text in "((name|port|profile|versions|node|demo|timeout|x): ?[a-z0-9\\[\\]{}\"'&*!|>:é-]{0,8}\n? ?){0,5}") {
        if let Err(ConfigError::Invalid { line, column, .. }) = ConfigFile::parse(&text, Path::new("q.yaml")) {
            prop_assert!(line > 0 && column > 0);
        }
    }

    #[test]
    fn documents_that_a_filter_chose_are_documents_of_the_manifest(text in "((---|--- #c|kind: [A-C]|metadata: \\{name: [a-b]\\}|data: \\[1, &a 2\\]| x: \\|)\r?\n){0,10}") {
        let none = Filter::default();
        let only = Filter { kinds: vec!["A".into()], names: Vec::new() };
        if let Ok(all) = yaml::documents(&text, "m.yaml", &none, &none) {
            let chosen = yaml::documents(&text, "m.yaml", &only, &Filter { kinds: Vec::new(), names: vec!["b".into()] }).unwrap();
            prop_assert!(chosen.iter().all(|document| document["kind"] == "A" && all.contains(document)));
        }
    }
}

/// A state that is cut off or changed anywhere is read, refused, or told to be newer.
#[test]
fn a_damaged_state_is_an_error() {
    let text = json!({
        "version": 1, "name": "q", "created_by": "x", "target": "kind", "profile": "raw", "set": "s", "components": {"kserve": "1"}, "port": 8080,
        "node_image": null, "stages": {"cluster": {"digest": "0", "at": "2026-01-01T00:00:00Z", "took_ms": 1}},
    })
    .to_string();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    fs_err::write(&path, &text).unwrap();
    assert!(State::read(&path).unwrap().is_some());
    for at in 0..text.len() {
        fs_err::write(&path, &text[..at]).unwrap();
        State::read(&path).unwrap_err();
        let mut flipped = text.clone().into_bytes();
        flipped[at] ^= 0x11;
        fs_err::write(&path, flipped).unwrap();
        drop(State::read(&path));
    }
}
