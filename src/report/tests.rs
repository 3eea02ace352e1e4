//! The views over scripted runs.

use serde_json::json;

use super::*;
use crate::timeline::Pace;
use crate::{
    cli::EventsOutput,
    error::{Exit, Failure},
    event::{Event, EventKind, Outcome},
    plan::StageId,
};

fn at(elapsed_ms: u64, kind: EventKind) -> Event {
    Event { at: "2030-01-01T00:00:00Z".to_owned(), elapsed_ms, kind }
}

fn stage(name: &str) -> StageId {
    StageId::parse(name).unwrap()
}

fn run_started(verb: &str, cluster: &str, stages: &[&str]) -> Event {
    at(
        0,
        EventKind::RunStarted {
            verb: verb.into(),
            cluster: cluster.into(),
            set: if verb == "up" { "kserve-0.20".into() } else { String::new() },
            profile: if verb == "up" { "serverless".into() } else { String::new() },
            stages: stages.iter().map(|name| stage(name)).collect(),
            needs: std::collections::BTreeMap::new(),
        },
    )
}

fn started(ms: u64, name: &str) -> Event {
    at(ms, EventKind::StageStarted { stage: stage(name) })
}

fn finished(ms: u64, name: &str, took_ms: u64) -> Event {
    at(ms, EventKind::StageFinished { stage: stage(name), took_ms })
}

fn applied(ms: u64, name: &str, object: &str, changed: bool) -> Event {
    at(ms, EventKind::ObjectApplied { stage: stage(name), object: object.into(), changed })
}

fn pending(ms: u64, name: &str, check: &str, saw: &str) -> Event {
    at(ms, EventKind::CheckPending { stage: stage(name), check: check.into(), saw: saw.into() })
}

fn cancelled(ms: u64, name: &str) -> Event {
    at(ms, EventKind::StageCancelled { stage: stage(name) })
}

fn outcome(stages: &[(&str, u64)]) -> Outcome {
    Outcome {
        url: "http://127.0.0.1:8080".into(),
        curl: Some("curl -s -H 'Host: a.example.com' http://127.0.0.1:8080/v1/models/a:predict -d '{\"instances\":  []}'".into()),
        prediction: Some(json!({"predictions": [1, 1]})),
        stages: stages.iter().map(|(name, took)| (stage(name), *took)).collect(),
        context: "kind-quickstart".into(),
    }
}

fn run_finished(ms: u64, exit: Exit, outcome: Option<Outcome>, failure: Option<Failure>) -> Event {
    at(ms, EventKind::RunFinished { exit: exit.code(), took_ms: ms, outcome, failure })
}

fn show(output: EventsOutput, events: &[Event]) -> (String, String) {
    let (printer, captured) = Printer::capture();
    let mut view = View::new(output, &printer, Pace::default());
    for event in events {
        view.event(event, &printer).unwrap();
    }
    (captured.data(), captured.talk())
}

fn successful() -> Vec<Event> {
    vec![
        run_started("up", "quickstart", &["engine-check", "istio", "predict"]),
        started(0, "engine-check"),
        finished(120, "engine-check", 120),
        started(120, "istio"),
        applied(200, "istio", "Namespace istio-system", true),
        applied(300, "istio", "Deployment istio-system/istiod", true),
        applied(310, "istio", "Service istio-system/istiod", false),
        pending(400, "istio", "istio/rollout/istiod", "0 of 1 ready"),
        at(5_500, EventKind::BytesMoved { stage: stage("istio"), what: "proxyv2".into(), done: 1, total: None }),
        at(15_600, EventKind::BytesMoved { stage: stage("istio"), what: "proxyv2".into(), done: 34_000_000, total: Some(120_000_000) }),
        at(16_000, EventKind::Retried { stage: stage("istio"), what: "apply ConfigMap".into(), reason: "503\nbusy".into(), attempt: 1 }),
        at(16_100, EventKind::Retried { stage: stage("istio"), what: "apply ConfigMap".into(), reason: "503".into(), attempt: 3 }),
        at(17_000, EventKind::CheckPassed { stage: stage("istio"), check: "istio/rollout/istiod".into(), took_ms: 16_600 }),
        finished(17_000, "istio", 16_880),
        at(17_100, EventKind::Noted { message: "port 8080 is taken, 8081 it is".into() }),
        at(17_200, EventKind::StageSkipped { stage: stage("predict"), reason: "its checks pass".into() }),
        run_finished(72_400, Exit::Ok, Some(outcome(&[("engine-check", 120), ("istio", 16_880)])), None),
    ]
}

#[test]
fn a_successful_up() {
    let (data, talk) = show(EventsOutput::Auto, &successful());
    assert_eq!(
        talk,
        "\
quickstart up: cluster quickstart, kserve-0.20, profile serverless, 3 stages
[   0.0s] • engine-check
[   0.1s] ✓ engine-check (0.1s)
[   0.1s] • istio
[   5.5s] … istio waits for rollout/istiod: 0 of 1 ready (5s)
[  15.6s] ↓ istio: proxyv2, 34.0 MB of 120.0 MB
[  16.0s] ↻ istio: apply ConfigMap again (1): 503; busy
[  17.0s] ✓ istio (16.9s, 3 objects, 2 changed)
[  17.1s] - port 8080 is taken, 8081 it is
[  17.2s] ✓ predict skipped: its checks pass
"
    );
    assert_eq!(
        data,
        "
✓ ready in 1m 12s, 1 stage was done before

  engine-check   0.1s
  istio         16.9s

  prediction  [1, 1]
  url         http://127.0.0.1:8080
  context     kind-quickstart

Try it:
  curl -s -H 'Host: a.example.com' http://127.0.0.1:8080/v1/models/a:predict -d '{\"instances\":  []}'

Next:
  quickstart status  what runs, what does not, and why
  quickstart down    take it away, completely
"
    );
}

#[test]
fn the_next_commands_name_a_cluster_that_is_not_the_default_one() {
    let events = [run_started("up", "demo", &[]), run_finished(1_000, Exit::Ok, Some(outcome(&[])), None)];
    let (data, _) = show(EventsOutput::Plain, &events);
    assert!(data.contains("quickstart status --name demo") && data.contains("quickstart down --name demo"), "{data}");
}

#[test]
fn a_failed_stage_has_its_cause_and_hint_at_the_end() {
    let failure = Failure::new("WEBHOOK_UNREACHABLE", Exit::StageFailed, "stage kserve: the webhook does not answer")
        .cause("pod kserve-controller-manager-0: \u{1b}]0;x\u{7}CrashLoopBackOff\nexit code 1")
        .hint("look at `quickstart status`");
    let events = [
        run_started("up", "quickstart", &["istio", "kserve", "runtimes", "demo"]),
        started(100, "istio"),
        started(100, "kserve"),
        at(9_000, EventKind::StageFailed { stage: stage("kserve"), failure: failure.clone() }),
        cancelled(9_000, "istio"),
        cancelled(9_000, "runtimes"),
        cancelled(9_000, "demo"),
        run_finished(9_100, Exit::StageFailed, None, Some(failure)),
    ];
    let (data, talk) = show(EventsOutput::Plain, &events);
    assert_eq!(data, "");
    assert_eq!(
        talk,
        "\
quickstart up: cluster quickstart, kserve-0.20, profile serverless, 4 stages
[   0.1s] • istio
[   0.1s] • kserve
[   9.0s] ✗ kserve failed: stage kserve: the webhook does not answer
[   9.0s] ✗ istio stopped
[   9.1s] - not started: runtimes, demo
[   9.1s] ✗ up failed after 9.1s
error[WEBHOOK_UNREACHABLE]: stage kserve: the webhook does not answer
cause: pod kserve-controller-manager-0: CrashLoopBackOff
       exit code 1
hint: look at `quickstart status`
what is there stays for a look; `quickstart up` again goes on from here
`quickstart logs` packs everything that tells why into one file, without secrets
"
    );
}

#[test]
fn an_interrupted_run_says_so() {
    let events = [
        run_started("up", "quickstart", &["cluster"]),
        started(0, "cluster"),
        cancelled(3_000, "cluster"),
        run_finished(3_050, Exit::Interrupted, None, None),
    ];
    let (_, talk) = show(EventsOutput::Plain, &events);
    let last: Vec<&str> = talk.lines().skip(2).collect();
    assert_eq!(
        last,
        [
            "[   3.0s] ✗ cluster stopped",
            "[   3.0s] ✗ up interrupted after 3.1s",
            "what is there stays for a look; `quickstart up` again goes on from here"
        ]
    );
}

#[test]
fn down_ends_with_a_line_of_talk() {
    let events = [run_started("down", "quickstart", &["cluster"]), run_finished(1_200, Exit::Ok, None, None)];
    let (data, talk) = show(EventsOutput::Plain, &events);
    assert_eq!((data.as_str(), talk.as_str()), ("", "quickstart down: cluster quickstart, 1 stage\n[   1.2s] ✓ down done in 1.2s\n"));
}

#[test]
fn an_unchanged_stage_says_none_changed() {
    let events = [applied(1, "istio", "Namespace a", false), finished(10, "istio", 9)];
    assert_eq!(show(EventsOutput::Plain, &events).1, "[   0.0s] ✓ istio (0.0s, 1 object, none changed)\n");
}

#[test]
fn time_alone_breaks_a_silence() {
    let (printer, captured) = Printer::capture();
    let mut view = View::new(EventsOutput::Plain, &printer, Pace::default());
    view.event(&pending(1_000, "kserve", "kserve/denied/isvc", "connection\nrefused"), &printer).unwrap();
    view.tick(5_900, &printer).unwrap();
    assert_eq!(captured.talk(), "");
    view.tick(6_000, &printer).unwrap();
    assert_eq!(captured.talk(), "[   6.0s] … kserve waits for denied/isvc: connection; refused (5s)\n");
}

#[test]
fn json_is_one_event_a_line_and_the_error_also_for_people() {
    let failure = Failure::new("A", Exit::Deadline, "b");
    let mut events = successful();
    events.push(run_finished(80_000, Exit::Deadline, None, Some(failure)));
    let (data, talk) = show(EventsOutput::Json, &events);
    assert_eq!(talk, "error[A]: b\n");
    assert_eq!(data.lines().count(), events.len());
    for (text, event) in data.lines().zip(&events) {
        let read: Event = serde_json::from_str(text).unwrap();
        assert_eq!(read.elapsed_ms, event.elapsed_ms);
    }
    let last: serde_json::Value = serde_json::from_str(data.lines().last().unwrap()).unwrap();
    assert_eq!((&last["event"], &last["exit"], &last["failure"]["id"]), (&json!("run_finished"), &json!(5), &json!("A")));
}

#[test]
fn quiet_keeps_the_end_and_the_errors() {
    let (printer, captured) = Printer::capture();
    let mut view = View::Quiet(Plain::default());
    for event in successful() {
        view.event(&event, &printer).unwrap();
    }
    view.event(&run_finished(1, Exit::StageFailed, None, Some(Failure::new("A", Exit::StageFailed, "b"))), &printer).unwrap();
    assert!(captured.data().contains("[1, 1]"));
    assert_eq!(captured.talk(), "error[A]: b\n");
}

#[test]
fn colour_changes_no_word() {
    let mut plain = Plain::default();
    let mut coloured = Plain::new(Palette::coloured(), Palette::coloured());
    for event in successful() {
        for (with, without) in coloured.event(&event).into_iter().zip(plain.event(&event)) {
            use Line::{Data, Passing, Talk};
            let (Talk(with) | Passing(with) | Data(with), Talk(without) | Passing(without) | Data(without)) = (with, without) else {
                panic!()
            };
            assert_eq!(console::strip_ansi_codes(&with), without);
        }
    }
}
