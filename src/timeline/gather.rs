//! From events to lanes.

use std::collections::BTreeMap;

use super::{Ended, Lane, Timeline, Wait, critical};
use crate::event::{Event, EventKind};
use crate::plan::StageId;

/// Shorter waits are not worth a line: every check is asked at least once.
const SHORT: u64 = 300;

/// The picture of one run; `None` where its first event is missing.
pub fn timeline(events: &[Event]) -> Option<Timeline> {
    let (first, started) = events.iter().enumerate().find(|(_, event)| matches!(event.kind, EventKind::RunStarted { .. }))?;
    let EventKind::RunStarted { verb, cluster, set, profile, stages, needs } = &started.kind else { return None };
    let mut lanes: Lanes = stages.iter().map(|stage| (stage.clone(), Open::new(stage, needs.get(stage)))).collect();
    let mut told = Timeline {
        version: 1,
        verb: verb.clone(),
        cluster: cluster.clone(),
        set: set.clone(),
        profile: profile.clone(),
        at: started.at.clone(),
        took_ms: 0,
        exit: None,
        error: None,
        stages: Vec::new(),
        critical: Vec::new(),
    };
    for event in &events[first..] {
        told.took_ms = told.took_ms.max(event.elapsed_ms);
        if let EventKind::RunFinished { exit, failure, .. } = &event.kind {
            told.exit = Some(*exit);
            told.error = failure.as_ref().map(|failure| failure.id.clone());
        }
        note(&mut lanes, event);
    }
    told.stages = stages.iter().filter_map(|stage| lanes.remove(stage)).map(|open| open.close(told.took_ms)).collect();
    told.critical = critical::path(&told.stages);
    Some(told)
}

type Lanes = BTreeMap<StageId, Open>;

/// A lane that may still be written to.
struct Open {
    lane: Lane,
    /// Waits without an end, by what they are for.
    waiting: BTreeMap<String, Wait>,
    bytes: BTreeMap<String, u64>,
}

fn note(lanes: &mut Lanes, event: &Event) {
    let at = event.elapsed_ms;
    let mut with = |stage: &StageId, change: &mut dyn FnMut(&mut Open)| {
        if let Some(open) = lanes.get_mut(stage) {
            change(open);
        }
    };
    match &event.kind {
        EventKind::StageStarted { stage } => with(stage, &mut |open| open.lane.began_ms = Some(at)),
        EventKind::StageSkipped { stage, reason } => with(stage, &mut |open| open.end(at, Ended::Skipped, Some(reason.clone()))),
        EventKind::StageFinished { stage, .. } => with(stage, &mut |open| open.end(at, Ended::Done, None)),
        EventKind::StageFailed { stage, failure } => {
            let reason = format!("{}: {}", failure.id, failure.cause.as_ref().unwrap_or(&failure.what));
            with(stage, &mut |open| open.end(at, Ended::Failed, Some(reason.clone())));
        }
        EventKind::StageCancelled { stage } => with(stage, &mut |open| open.end(at, Ended::Cancelled, None)),
        EventKind::ObjectApplied { stage, object, changed } => with(stage, &mut |open| {
            open.lane.objects += 1;
            open.lane.changed += u32::from(*changed);
            open.over(&format!("apply {object}"), at, None);
        }),
        EventKind::CheckPending { stage, check, saw } => with(stage, &mut |open| open.wait(check, saw, at)),
        EventKind::CheckPassed { stage, check, took_ms } => with(stage, &mut |open| open.over(check, at, Some(*took_ms))),
        EventKind::Retried { stage, what, reason, .. } => with(stage, &mut |open| {
            open.lane.retries += 1;
            open.wait(what, reason, at);
        }),
        EventKind::BytesMoved { stage, what, done, .. } => with(stage, &mut |open| {
            open.bytes.insert(what.clone(), *done);
        }),
        EventKind::RunStarted { .. } | EventKind::Noted { .. } | EventKind::RunFinished { .. } => {}
    }
}

impl Open {
    fn new(stage: &StageId, needs: Option<&Vec<StageId>>) -> Self {
        let lane = Lane {
            stage: stage.clone(),
            needs: needs.cloned().unwrap_or_default(),
            began_ms: None,
            ended_ms: None,
            ended: Ended::Unfinished,
            reason: None,
            objects: 0,
            changed: 0,
            bytes: 0,
            retries: 0,
            waits: Vec::new(),
        };
        Self { lane, waiting: BTreeMap::new(), bytes: BTreeMap::new() }
    }

    fn end(&mut self, at: u64, ended: Ended, reason: Option<String>) {
        if self.lane.began_ms.is_some() {
            self.lane.ended_ms = Some(at);
        }
        self.lane.ended = ended;
        self.lane.reason = reason;
    }

    fn wait(&mut self, what: &str, saw: &str, at: u64) {
        let fresh = || Wait { what: what.to_owned(), saw: None, from_ms: at, to_ms: at };
        self.waiting.entry(what.to_owned()).or_insert_with(fresh).saw = Some(saw.to_owned());
    }

    /// A wait is over; `took` where the event itself says how long it was.
    fn over(&mut self, what: &str, at: u64, took: Option<u64>) {
        let known = self.waiting.remove(what);
        let from_ms = took.map(|took| at.saturating_sub(took)).or(known.as_ref().map(|wait| wait.from_ms)).unwrap_or(at);
        let saw = known.and_then(|wait| wait.saw);
        self.lane.waits.push(Wait { what: what.to_owned(), saw, from_ms, to_ms: at });
    }

    fn close(mut self, end: u64) -> Lane {
        if self.lane.began_ms.is_some() && self.lane.ended_ms.is_none() {
            self.lane.ended_ms = Some(end);
        }
        let last = self.lane.ended_ms.unwrap_or(end);
        for (_, wait) in std::mem::take(&mut self.waiting) {
            self.lane.waits.push(Wait { to_ms: last, ..wait });
        }
        self.lane.waits.retain(|wait| wait.took_ms() >= SHORT);
        self.lane.waits.sort_by_key(|wait| (std::cmp::Reverse(wait.took_ms()), wait.from_ms));
        self.lane.bytes = self.bytes.values().sum();
        self.lane
    }
}
