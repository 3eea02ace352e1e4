use std::collections::BTreeMap;

use super::*;
use crate::error::{Exit, Failure};
use crate::event::{Event, EventKind};

fn id(name: &str) -> StageId {
    serde_json::from_value(name.into()).unwrap()
}

fn at(elapsed_ms: u64, kind: EventKind) -> Event {
    Event { at: "2030-01-01T00:00:00Z".into(), elapsed_ms, kind }
}

fn started(stages: &[(&str, &[&str])]) -> Event {
    let needs: BTreeMap<StageId, Vec<StageId>> =
        stages.iter().map(|(stage, needs)| (id(stage), needs.iter().map(|need| id(need)).collect())).collect();
    at(
        0,
        EventKind::RunStarted {
            verb: "up".into(),
            cluster: "quickstart".into(),
            set: "kserve-0.20".into(),
            profile: "serverless".into(),
            stages: stages.iter().map(|(stage, _)| id(stage)).collect(),
            needs,
        },
    )
}

fn begin(ms: u64, stage: &str) -> Event {
    at(ms, EventKind::StageStarted { stage: id(stage) })
}

fn done(ms: u64, stage: &str) -> Event {
    at(ms, EventKind::StageFinished { stage: id(stage), took_ms: 0 })
}

/// kserve starts after cert-manager and crds; the demo after kserve and istio. istio ends long before, so it is not on the path.
fn run() -> Vec<Event> {
    vec![
        started(&[
            ("crds", &[]),
            ("cert-manager", &["crds"]),
            ("istio", &["crds"]),
            ("kserve", &["cert-manager"]),
            ("demo", &["kserve", "istio"]),
        ]),
        begin(10, "crds"),
        done(1_000, "crds"),
        begin(1_000, "cert-manager"),
        begin(1_001, "istio"),
        at(2_000, EventKind::ObjectApplied { stage: id("istio"), object: "Service a/b".into(), changed: true }),
        at(3_000, EventKind::CheckPassed { stage: id("istio"), check: "rollout/istiod".into(), took_ms: 900 }),
        done(3_000, "istio"),
        at(2_500, EventKind::CheckPending { stage: id("cert-manager"), check: "webhook".into(), saw: "refused".into() }),
        at(8_000, EventKind::CheckPassed { stage: id("cert-manager"), check: "webhook".into(), took_ms: 5_600 }),
        at(8_010, EventKind::CheckPassed { stage: id("cert-manager"), check: "at-once".into(), took_ms: 5 }),
        done(8_100, "cert-manager"),
        begin(8_100, "kserve"),
        at(8_200, EventKind::Retried { stage: id("kserve"), what: "apply Issuer k/s".into(), reason: "no endpoints".into(), attempt: 4 }),
        at(9_700, EventKind::ObjectApplied { stage: id("kserve"), object: "Issuer k/s".into(), changed: false }),
        done(10_000, "kserve"),
        begin(10_000, "demo"),
        done(14_000, "demo"),
        at(14_010, EventKind::RunFinished { exit: 0, took_ms: 14_010, outcome: None, failure: None }),
    ]
}

#[test]
fn lanes_waits_and_the_critical_path() {
    let told = timeline(&run()).unwrap();
    assert_eq!((told.took_ms, told.exit, told.stages.len()), (14_010, Some(0), 5));
    let path: Vec<(String, u64)> = told.critical.iter().map(|link| (link.stage.to_string(), link.took_ms())).collect();
    assert_eq!(path, [("crds".into(), 990), ("cert-manager".into(), 7_100), ("kserve".into(), 1_900), ("demo".into(), 4_000)]);
    assert_eq!((told.critical[1].bound.as_deref(), told.critical[1].bound_ms), (Some("webhook"), 5_600));
    let cert_manager = &told.stages[1];
    assert_eq!(cert_manager.waits.len(), 1, "a check that was green at once is no wait: {:?}", cert_manager.waits);
    assert_eq!((cert_manager.waits[0].from_ms, cert_manager.waits[0].saw.as_deref()), (2_400, Some("refused")));
    let kserve = &told.stages[3];
    assert_eq!((kserve.retries, kserve.objects, kserve.changed), (1, 1, 0));
    assert_eq!((kserve.waits[0].what.as_str(), kserve.waits[0].took_ms()), ("apply Issuer k/s", 1_500));
}

/// The path of a run that failed ends with what failed, not with what was stopped after it.
#[test]
fn a_run_that_failed() {
    let mut events: Vec<Event> = run().into_iter().take_while(|event| event.elapsed_ms <= 8_100).collect();
    let failure = Failure::new("IMAGE_NOT_FOUND", Exit::StageFailed, "cannot pull").cause("no such tag");
    events.push(begin(8_100, "kserve"));
    events.push(at(9_000, EventKind::StageFailed { stage: id("kserve"), failure: failure.clone() }));
    events.push(at(9_100, EventKind::StageCancelled { stage: id("demo") }));
    events.push(at(9_100, EventKind::RunFinished { exit: 4, took_ms: 9_100, outcome: None, failure: Some(failure) }));
    let told = timeline(&events).unwrap();
    assert_eq!((told.exit, told.error.as_deref()), (Some(4), Some("IMAGE_NOT_FOUND")));
    assert_eq!(told.critical.last().unwrap().stage, id("kserve"));
    assert_eq!((told.stages[3].ended, told.stages[3].reason.as_deref()), (Ended::Failed, Some("IMAGE_NOT_FOUND: no such tag")));
    assert_eq!((told.stages[4].ended, told.stages[4].began_ms), (Ended::Cancelled, None));
}

/// A run that was killed has no last event: what was at work is drawn to the end.
#[test]
fn a_run_without_an_end() {
    let events: Vec<Event> = run().into_iter().take(13).collect();
    let told = timeline(&events).unwrap();
    assert_eq!((told.exit, told.took_ms), (None, 8_100));
    assert_eq!((told.stages[3].ended, told.stages[3].ended_ms), (Ended::Unfinished, Some(8_100)));
    assert!(timeline(&[]).is_none());
    assert!(timeline(&[done(1, "crds")]).is_none());
}

#[test]
fn only_the_last_run_is_read_and_torn_lines_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    assert!(last_run(&path).unwrap().is_empty());
    let line = |event: &Event| serde_json::to_string(event).unwrap() + "\n";
    let mut text: String = run().iter().map(line).collect();
    text.push_str("{\"at\":\"2030-01-01T00:0\n\u{0}\n");
    text.extend(run().iter().take(3).map(line));
    fs_err::write(&path, text).unwrap();
    assert_eq!(last_run(&path).unwrap().len(), 3);
}
