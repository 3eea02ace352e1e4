//! What the stages wait for, and when that is worth a line.

use std::collections::BTreeMap;

use crate::plan::StageId;

/// A check that has seen the same for so long is worth a line.
const SAME: u64 = 5_000;
/// Even one that is still the same, or never is, gets another line after this time: silence looks like a hang.
const SILENCE: u64 = 30_000;

/// Pending checks by stage. Times are milliseconds since the run started.
#[derive(Clone, Debug, Default)]
pub(super) struct Pending {
    stages: BTreeMap<StageId, BTreeMap<String, Wait>>,
}

#[derive(Clone, Debug)]
struct Wait {
    saw: String,
    asked: u64,
    changed: u64,
    spoke: u64,
    told: bool,
}

impl Pending {
    /// A check saw something that is not green.
    pub(super) fn saw(&mut self, now: u64, stage: &StageId, check: &str, saw: &str) {
        let fresh = || Wait { saw: saw.to_owned(), asked: now, changed: now, spoke: now, told: false };
        let wait = self.stages.entry(stage.clone()).or_default().entry(check.to_owned()).or_insert_with(fresh);
        if wait.saw != saw {
            saw.clone_into(&mut wait.saw);
            wait.changed = now;
            wait.told = false;
        }
    }

    /// A check turned green.
    pub(super) fn passed(&mut self, stage: &StageId, check: &str) {
        if let Some(checks) = self.stages.get_mut(stage) {
            checks.remove(check);
        }
    }

    /// A stage waits for nothing any more.
    pub(super) fn ended(&mut self, stage: &StageId) {
        self.stages.remove(stage);
    }

    /// At most one sentence a stage, about the check that has been red the longest of those that are due.
    pub(super) fn due(&mut self, now: u64) -> Vec<String> {
        let mut sentences = Vec::new();
        for (stage, checks) in &mut self.stages {
            let in_all = checks.len();
            let mut due: Vec<(&String, &mut Wait)> = checks.iter_mut().filter(|(_, wait)| wait.is_due(now)).collect();
            due.sort_by_key(|(_, wait)| wait.asked);
            let Some((check, wait)) = due.first() else { continue };
            let prefix = format!("{stage}/");
            let what = check.strip_prefix(&prefix).unwrap_or(check);
            let more = if in_all > 1 { format!(", and {} more", in_all - 1) } else { String::new() };
            let since = now.saturating_sub(wait.asked) / 1000;
            sentences.push(format!("{stage} waits for {what}: {} ({since}s{more})", wait.saw));
            for (_, wait) in due {
                wait.told = true;
                wait.spoke = now;
            }
        }
        sentences
    }
}

impl Wait {
    fn is_due(&self, now: u64) -> bool {
        let same = !self.told && now.saturating_sub(self.changed) >= SAME;
        same || now.saturating_sub(self.spoke) >= SILENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knative() -> StageId {
        StageId::component("knative")
    }

    #[test]
    fn a_check_is_told_once_after_five_seconds_of_the_same() {
        let mut pending = Pending::default();
        pending.saw(0, &knative(), "knative/rollout/activator", "0 of 1 ready");
        assert!(pending.due(4_999).is_empty());
        assert_eq!(pending.due(5_000), ["knative waits for rollout/activator: 0 of 1 ready (5s)"]);
        assert!(pending.due(34_999).is_empty());
        assert_eq!(pending.due(35_000), ["knative waits for rollout/activator: 0 of 1 ready (35s)"]);
    }

    #[test]
    fn a_stage_has_one_line_however_many_checks_it_waits_for() {
        let mut pending = Pending::default();
        pending.saw(0, &knative(), "b", "x");
        pending.saw(1, &knative(), "a", "y");
        assert_eq!(pending.due(6_000), ["knative waits for b: x (6s, and 1 more)"]);
        pending.passed(&knative(), "b");
        assert!(pending.due(7_000).is_empty());
    }

    /// A counter that moves every second would never be the same for five.
    #[test]
    fn one_that_changes_all_the_time_is_told_too() {
        let mut pending = Pending::default();
        let mut told = 0;
        for second in 0..61 {
            pending.saw(second * 1000, &knative(), "a", &second.to_string());
            told += pending.due(second * 1000).len();
        }
        assert_eq!(told, 2);
    }

    #[test]
    fn what_has_ended_is_silent() {
        let mut pending = Pending::default();
        pending.saw(0, &knative(), "a", "x");
        pending.ended(&knative());
        pending.passed(&knative(), "a");
        assert!(pending.due(100_000).is_empty());
    }
}
