//! One stage of the board.

use std::collections::BTreeMap;

use super::super::{Palette, Tone, bytes, whole_seconds};
use crate::plan::StageId;

/// Bytes that have not moved for so long, in milliseconds, are no news any more: what is waited for is.
const STILL: u64 = 5_000;

/// What is known of a stage.
#[derive(Clone, Debug, Default)]
pub(super) struct Stage {
    started: Option<u64>,
    ended: bool,
    objects: usize,
    loads: BTreeMap<String, Load>,
    waits: BTreeMap<String, Wait>,
    again: Option<String>,
}

#[derive(Clone, Copy, Debug)]
struct Load {
    done: u64,
    total: Option<u64>,
    at: u64,
}

#[derive(Clone, Debug)]
struct Wait {
    asked: u64,
    saw: String,
}

impl Load {
    fn is_whole(&self) -> bool {
        self.total.is_some_and(|total| self.done >= total)
    }
}

impl Stage {
    pub(super) fn started(&mut self, now: u64) {
        self.started = Some(now);
    }

    pub(super) fn ended(&mut self) {
        self.ended = true;
    }

    pub(super) fn applied(&mut self) {
        self.objects += 1;
        self.again = None;
    }

    pub(super) fn waits(&mut self, now: u64, check: &str, saw: &str) {
        let wait = self.waits.entry(check.to_owned()).or_insert_with(|| Wait { asked: now, saw: String::new() });
        saw.clone_into(&mut wait.saw);
    }

    pub(super) fn passed(&mut self, check: &str) {
        self.waits.remove(check);
        self.again = None;
    }

    pub(super) fn moved(&mut self, now: u64, what: &str, done: u64, total: Option<u64>) {
        self.loads.insert(what.to_owned(), Load { done, total, at: now });
        self.again = None;
    }

    pub(super) fn retries(&mut self, again: &str) {
        self.again = Some(again.to_owned());
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.started.is_none() && !self.ended
    }

    pub(super) fn running_since(&self) -> Option<u64> {
        self.started.filter(|_| !self.ended)
    }

    /// The line of a stage at work: what is tried again before what arrives, that before what is waited for.
    pub(super) fn row(&self, id: &StageId, now: u64) -> Row {
        let (mark, tone, saw) = match (&self.again, self.load(now), self.waiting()) {
            (Some(again), ..) => ('↻', Tone::Warn, again.clone()),
            (None, Some(load), _) => ('↓', Tone::Good, load),
            (None, None, Some(wait)) => ('…', Tone::Strong, wait),
            (None, None, None) if self.objects > 0 => ('•', Tone::Good, counted(self.objects, "object", "sent")),
            (None, None, None) => ('•', Tone::Good, String::new()),
        };
        let since = now.saturating_sub(self.started.unwrap_or(now));
        Row { mark, tone, name: id.to_string(), since: whole_seconds(since), saw, faint: false }
    }

    /// `images/istio.tar: 34.0 MB of 120.0 MB (28%)`, `3 of 5 loaded: 34.0 MB of 120.0 MB (28%)`
    fn load(&self, now: u64) -> Option<String> {
        let fresh = |load: &Load| !load.is_whole() && now.saturating_sub(load.at) < STILL;
        let (name, _) = self.loads.iter().find(|(_, load)| fresh(load))?;
        let what = match self.loads.len() {
            1 => name.clone(),
            all => format!("{} of {all} loaded", self.loads.values().filter(|load| load.is_whole()).count()),
        };
        let done = self.loads.values().fold(0_u64, |sum, load| sum.saturating_add(load.done));
        let total = self.loads.values().try_fold(0_u64, |sum, load| Some(sum.saturating_add(load.total?)));
        let of = total.filter(|total| *total > 0).map(|total| {
            let percent = u128::from(done) * 100 / u128::from(total);
            format!(" of {} ({percent}%)", bytes(total))
        });
        Some(format!("{what}: {}{}", bytes(done), of.unwrap_or_default()))
    }

    /// What has been waited for the longest, and how much more there is: `rollout/istiod (+2): 0 of 1 ready`
    fn waiting(&self) -> Option<String> {
        let (check, wait) = self.waits.iter().min_by_key(|(_, wait)| wait.asked)?;
        let more = if self.waits.len() > 1 { format!(" (+{})", self.waits.len() - 1) } else { String::new() };
        Some(format!("{check}{more}: {}", wait.saw))
    }
}

fn counted(count: usize, what: &str, done: &str) -> String {
    format!("{count} {what}{} {done}", if count == 1 { "" } else { "s" })
}

/// One line, before it has a width.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Says it without colour.
    mark: char,
    tone: Tone,
    name: String,
    since: String,
    saw: String,
    faint: bool,
}

impl Row {
    /// The line of a stage that cannot start yet.
    pub(super) fn waiting(id: &StageId, missing: &[String]) -> Self {
        let saw = if missing.is_empty() { "next".to_owned() } else { format!("after {}", missing.join(", ")) };
        Self { mark: '◦', tone: Tone::Faint, name: id.to_string(), since: String::new(), saw, faint: true }
    }

    /// `↓ images/istio      18s  images/istio.tar: 34.0 MB of 120.0 MB (28%)`, at most so many columns wide.
    pub(super) fn line(&self, longest: usize, width: usize, palette: Palette) -> String {
        let start = format!("{:longest$}  {:>6}  ", self.name, self.since);
        let text = console::truncate_str(&start, width.saturating_sub(2), "…").into_owned();
        let free = width.saturating_sub(2 + console::measure_text_width(&text));
        let saw = console::truncate_str(&self.saw, free, "…");
        let (text, saw) = if saw.is_empty() { (text.trim_end(), saw) } else { (text.as_str(), saw) };
        let tone = |text: &str| if self.faint { palette.paint(Tone::Faint, text) } else { text.to_owned() };
        format!("{} {}{}", palette.paint(self.tone, &self.mark.to_string()), tone(text), palette.paint(Tone::Faint, &saw))
    }
}
