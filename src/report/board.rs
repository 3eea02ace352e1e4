//! The board of a run: a pure value made of events, and its lines at a time and in a size.

mod row;

use std::collections::BTreeMap;

use self::row::{Row, Stage};
use super::{Palette, Tone, one_line, whole_seconds};
use crate::event::{Event, EventKind};
use crate::plan::StageId;
use crate::timeline::{Pace, Progress};

/// A terminal's size in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Lines.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
}

impl Default for Size {
    fn default() -> Self {
        Self { rows: 24, columns: 80 }
    }
}

/// What is known of a run that is under way.
#[derive(Clone, Debug, Default)]
pub struct Board {
    pace: Pace,
    verb: String,
    /// In plan order.
    order: Vec<StageId>,
    needs: BTreeMap<StageId, Vec<StageId>>,
    stages: BTreeMap<StageId, Stage>,
}

impl Board {
    /// A board that knows how long stages took before.
    pub fn new(pace: Pace) -> Self {
        Self { pace, ..Self::default() }
    }

    /// Takes a fact in.
    pub fn event(&mut self, event: &Event) {
        let now = event.elapsed_ms;
        let mut of = |stage: &StageId, change: &mut dyn FnMut(&mut Stage)| {
            if let Some(stage) = self.stages.get_mut(stage) {
                change(stage);
            }
        };
        match &event.kind {
            EventKind::RunStarted { verb, stages, needs, .. } => {
                verb.clone_into(&mut self.verb);
                self.order.clone_from(stages);
                self.needs.clone_from(needs);
                self.stages = stages.iter().map(|stage| (stage.clone(), Stage::default())).collect();
            }
            EventKind::StageStarted { stage } => of(stage, &mut |stage| stage.started(now)),
            EventKind::StageSkipped { stage, .. }
            | EventKind::StageFinished { stage, .. }
            | EventKind::StageFailed { stage, .. }
            | EventKind::StageCancelled { stage } => of(stage, &mut Stage::ended),
            EventKind::ObjectApplied { stage, .. } => of(stage, &mut Stage::applied),
            EventKind::CheckPending { stage, check, saw } => {
                let prefix = format!("{stage}/");
                let (check, saw) = (one_line(check.strip_prefix(&prefix).unwrap_or(check)), one_line(saw));
                of(stage, &mut |stage| stage.waits(now, &check, &saw));
            }
            EventKind::CheckPassed { stage, check, .. } => {
                let prefix = format!("{stage}/");
                let check = one_line(check.strip_prefix(&prefix).unwrap_or(check));
                of(stage, &mut |stage| stage.passed(&check));
            }
            EventKind::BytesMoved { stage, what, done, total } => {
                let what = one_line(what);
                of(stage, &mut |stage| stage.moved(now, &what, *done, *total));
            }
            EventKind::Retried { stage, what, reason, attempt } => {
                let again = one_line(&format!("{what} again ({attempt}): {reason}"));
                of(stage, &mut |stage| stage.retries(&again));
            }
            EventKind::Noted { .. } | EventKind::RunFinished { .. } => {}
        }
    }

    /// The lines at a time, in milliseconds since the run started: stages at work, stages that wait as far as there is room, and one for
    /// the whole run. None is wider than the terminal, and together they leave it a line.
    pub fn lines(&self, now: u64, size: Size, palette: Palette) -> Vec<String> {
        // The last column stays free: a character there makes some terminals wrap.
        let width = size.columns.saturating_sub(1);
        let room = size.rows.saturating_sub(2);
        if self.verb.is_empty() {
            return Vec::new();
        }
        let longest = self.order.iter().map(|id| id.to_string().len()).max().unwrap_or_default();
        let mut rows: Vec<Row> = self.of(|stage| stage.running_since().is_some()).map(|(id, stage)| stage.row(id, now)).collect();
        rows.extend(self.of(Stage::is_waiting).map(|(id, _)| Row::waiting(id, &self.missing(id))));
        let hidden = if rows.len() > room { rows.len() - room.saturating_sub(1) } else { 0 };
        rows.truncate(rows.len() - hidden);
        let mut lines: Vec<String> = rows.iter().map(|row| row.line(longest, width, palette)).collect();
        if hidden > 0 && room > 0 {
            lines.push(palette.paint(Tone::Faint, &console::truncate_str(&format!("… and {hidden} more"), width, "…")));
        }
        lines.push(palette.paint(Tone::Strong, &console::truncate_str(&self.total(now), width, "…")));
        lines
    }

    fn of(&self, wanted: impl Fn(&Stage) -> bool) -> impl Iterator<Item = (&StageId, &Stage)> {
        self.order.iter().filter_map(|id| Some((id, self.stages.get(id)?))).filter(move |(_, stage)| wanted(stage))
    }

    /// Which of the stages that this one needs are not done.
    fn missing(&self, id: &StageId) -> Vec<String> {
        let needs = self.needs.get(id).into_iter().flatten();
        needs.filter(|need| self.stages.get(need).is_some_and(|stage| !stage.has_ended())).map(ToString::to_string).collect()
    }

    /// `up: 7 of 15 stages, 1m 12s, about 1m 40s to go`
    fn total(&self, now: u64) -> String {
        let done = self.of(Stage::has_ended).count();
        let left = match self.left(now) {
            _ if done == self.order.len() => String::new(),
            Some(0) => ", longer than last time".to_owned(),
            Some(left) => format!(", about {} to go", whole_seconds(left.saturating_add(999))),
            None => String::new(),
        };
        let stages = if self.order.is_empty() { String::new() } else { format!("{done} of {} stages, ", self.order.len()) };
        format!("{}: {stages}{}{left}", self.verb, whole_seconds(now))
    }

    /// Milliseconds that are probably left.
    fn left(&self, now: u64) -> Option<u64> {
        self.pace.left(self.of(|_| true).map(|(id, stage)| {
            let progress = match stage.running_since() {
                Some(since) => Progress::Running(now.saturating_sub(since)),
                None if stage.has_ended() => Progress::Ended,
                None => Progress::Waiting,
            };
            (id, self.needs.get(id).map(Vec::as_slice).unwrap_or_default(), progress)
        }))
    }
}
