//! The plain view: one line for each fact that is worth it. Works on any terminal and in any log file.

use std::collections::{BTreeMap, BTreeSet};

use super::{Palette, Tone, bytes, closing::closing, one_line, pending::Pending, seconds};
use crate::{
    error::{Exit, Failure},
    event::{Event, EventKind, Outcome},
    plan::StageId,
};

/// Bytes that move are told this often, in milliseconds.
const MOVING: u64 = 10_000;

/// Something to print, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// stderr.
    Talk(String),
    /// stderr, and of no worth any more when it is over: where a board shows it, it is no line.
    Passing(String),
    /// stdout.
    Data(String),
    /// An error: stderr, also when quiet.
    Failure(Box<Failure>),
}

/// Turns events into lines.
#[derive(Clone, Debug, Default)]
pub struct Plain {
    talk: Palette,
    data: Palette,
    verb: String,
    cluster: String,
    now: u64,
    started: BTreeSet<StageId>,
    not_started: Vec<StageId>,
    skipped: usize,
    objects: BTreeMap<StageId, Objects>,
    moving: BTreeMap<(StageId, String), u64>,
    pending: Pending,
}

#[derive(Clone, Copy, Debug, Default)]
struct Objects {
    all: usize,
    changed: usize,
}

impl Plain {
    /// A view with the colours of stderr and stdout.
    pub fn new(talk: Palette, data: Palette) -> Self {
        Self { talk, data, ..Self::default() }
    }

    /// What an event is worth.
    pub fn event(&mut self, event: &Event) -> Vec<Line> {
        let mut lines = self.tick(event.elapsed_ms);
        match &event.kind {
            EventKind::RunStarted { verb, cluster, set, profile, stages, .. } => {
                verb.clone_into(&mut self.verb);
                cluster.clone_into(&mut self.cluster);
                let mut facts = vec![format!("cluster {cluster}")];
                facts.extend((!set.is_empty()).then(|| set.clone()));
                facts.extend((!profile.is_empty()).then(|| format!("profile {profile}")));
                facts.extend((!stages.is_empty()).then(|| format!("{} {}", stages.len(), plural(stages.len(), "stage"))));
                lines.push(Line::Talk(one_line(&format!("quickstart {verb}: {}", facts.join(", ")))));
            }
            EventKind::StageStarted { stage } => {
                self.started.insert(stage.clone());
                lines.push(self.pass(Tone::Faint, "•", &stage.to_string()));
            }
            EventKind::StageSkipped { stage, reason } => {
                self.skipped += 1;
                self.pending.ended(stage);
                lines.push(self.say(Tone::Good, "✓", &format!("{stage} skipped: {reason}")));
            }
            EventKind::ObjectApplied { stage, changed, .. } => {
                let objects = self.objects.entry(stage.clone()).or_default();
                objects.all += 1;
                objects.changed += usize::from(*changed);
            }
            EventKind::CheckPending { stage, check, saw } => self.pending.saw(self.now, stage, check, &one_line(saw)),
            EventKind::CheckPassed { stage, check, .. } => self.pending.passed(stage, check),
            EventKind::BytesMoved { stage, what, done, total } => lines.extend(self.moved(stage, what, *done, *total)),
            // Once, twice, four, eight times: enough to see it, not enough to drown in it.
            EventKind::Retried { stage, what, reason, attempt } if attempt.is_power_of_two() => {
                lines.push(self.pass(Tone::Warn, "↻", &format!("{stage}: {what} again ({attempt}): {reason}")));
            }
            EventKind::Retried { .. } => {}
            EventKind::Noted { message } => lines.push(self.say(Tone::Faint, "-", message)),
            EventKind::StageFinished { stage, took_ms } => {
                self.pending.ended(stage);
                lines.push(self.say(Tone::Good, "✓", &format!("{stage} ({}{})", seconds(*took_ms), self.applied(stage))));
            }
            EventKind::StageFailed { stage, failure } => {
                self.pending.ended(stage);
                lines.push(self.say(Tone::Bad, "✗", &format!("{stage} failed: {}", failure.what)));
            }
            EventKind::StageCancelled { stage } => {
                self.pending.ended(stage);
                if self.started.contains(stage) {
                    lines.push(self.say(Tone::Warn, "✗", &format!("{stage} stopped")));
                } else {
                    self.not_started.push(stage.clone());
                }
            }
            EventKind::RunFinished { exit, took_ms, outcome, failure } => {
                lines.extend(self.finished(*exit, *took_ms, outcome.as_ref(), failure.as_ref()));
            }
        }
        lines
    }

    /// What the time alone is worth: call it about once a second, so that a long wait is not silent.
    pub fn tick(&mut self, elapsed_ms: u64) -> Vec<Line> {
        self.now = self.now.max(elapsed_ms);
        let due = self.pending.due(self.now);
        due.iter().map(|sentence| self.pass(Tone::Faint, "…", sentence)).collect()
    }

    fn say(&self, tone: Tone, mark: &str, text: &str) -> Line {
        Line::Talk(self.timed(tone, mark, text))
    }

    fn pass(&self, tone: Tone, mark: &str, text: &str) -> Line {
        Line::Passing(self.timed(tone, mark, text))
    }

    /// `[ 12.3s] ✓ text`
    fn timed(&self, tone: Tone, mark: &str, text: &str) -> String {
        let time = format!("[{:>4}.{}s]", self.now / 1000, self.now / 100 % 10);
        format!("{} {} {}", self.talk.paint(Tone::Faint, &time), self.talk.paint(tone, mark), one_line(text))
    }

    /// `, 38 objects, 2 changed`
    fn applied(&self, stage: &StageId) -> String {
        let Some(Objects { all, changed }) = self.objects.get(stage) else { return String::new() };
        let changed = if *changed == 0 { "none".to_owned() } else { changed.to_string() };
        format!(", {all} {}, {changed} changed", plural(*all, "object"))
    }

    fn moved(&mut self, stage: &StageId, what: &str, done: u64, total: Option<u64>) -> Option<Line> {
        let now = self.now;
        let last = self.moving.entry((stage.clone(), what.to_owned())).or_insert(now);
        if now - *last < MOVING {
            return None;
        }
        *last = now;
        let total = total.map(|total| format!(" of {}", bytes(total))).unwrap_or_default();
        Some(self.pass(Tone::Faint, "↓", &format!("{stage}: {what}, {}{total}", bytes(done))))
    }

    fn finished(&self, exit: u8, took_ms: u64, outcome: Option<&Outcome>, failure: Option<&Failure>) -> Vec<Line> {
        if exit == Exit::Ok.code() {
            return vec![match outcome {
                Some(outcome) => Line::Data(closing(outcome, &self.cluster, took_ms, self.skipped, self.data)),
                None => self.say(Tone::Good, "✓", &format!("{} done in {}", self.verb, seconds(took_ms))),
            }];
        }
        let mut lines = Vec::new();
        if !self.not_started.is_empty() {
            let names: Vec<String> = self.not_started.iter().map(ToString::to_string).collect();
            lines.push(self.say(Tone::Faint, "-", &format!("not started: {}", names.join(", "))));
        }
        let interrupted = exit == Exit::Interrupted.code();
        let end = if interrupted { "interrupted" } else { "failed" };
        lines.push(self.say(Tone::Bad, "✗", &format!("{} {end} after {}", self.verb, seconds(took_ms))));
        lines.extend(failure.map(|failure| Line::Failure(Box::new(failure.clone()))));
        let stays = [Exit::StageFailed, Exit::Deadline, Exit::Interrupted].iter().any(|stays| stays.code() == exit);
        if stays && self.verb == "up" {
            lines.push(Line::Talk("what is there stays for a look; `quickstart up` again goes on from here".to_owned()));
            if !interrupted {
                lines.push(Line::Talk("`quickstart logs` packs everything that tells why into one file, without secrets".to_owned()));
            }
        }
        lines
    }
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}
