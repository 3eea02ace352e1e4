//! How long stages took in earlier runs on this machine, and what that says about a run that is under way.

use std::collections::BTreeMap;

use crate::event::{Event, EventKind};
use crate::plan::StageId;

/// Milliseconds by stage: of each the last time that it was carried out in a run that succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pace(BTreeMap<StageId, u64>);

/// How far a stage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It waits for other stages.
    Waiting,
    /// It has been at work for so many milliseconds.
    Running(u64),
    /// It ended, in whichever way.
    Ended,
}

impl Pace {
    /// What the events of earlier runs teach, oldest first. A run that failed teaches nothing: its stages may have hung.
    pub fn of(events: impl IntoIterator<Item = Event>) -> Self {
        let (mut known, mut run) = (BTreeMap::new(), BTreeMap::new());
        for event in events {
            match event.kind {
                EventKind::RunStarted { .. } => run.clear(),
                EventKind::StageFinished { stage, took_ms } => drop(run.insert(stage, took_ms)),
                EventKind::RunFinished { exit: 0, .. } => known.append(&mut run),
                _ => {}
            }
        }
        Self(known)
    }

    /// Milliseconds that are left of a run, along the longest chain of stages; 0 of one that takes longer than before. `None` when one of
    /// the stages that are not done was never seen: a guess that leaves out a stage is a wrong promise.
    ///
    /// `stages` are in plan order, each behind what it needs.
    pub fn left<'a>(&self, stages: impl IntoIterator<Item = (&'a StageId, &'a [StageId], Progress)>) -> Option<u64> {
        let mut ends: BTreeMap<&StageId, u64> = BTreeMap::new();
        for (stage, needs, progress) in stages {
            let end = match progress {
                Progress::Ended => 0,
                Progress::Running(since) => self.0.get(stage)?.saturating_sub(since),
                Progress::Waiting => {
                    let ready = needs.iter().filter_map(|need| ends.get(need)).max();
                    ready.copied().unwrap_or_default().saturating_add(*self.0.get(stage)?)
                }
            };
            ends.insert(stage, end);
        }
        ends.into_values().max()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(name: &str) -> StageId {
        StageId::component(name)
    }

    fn event(kind: EventKind) -> Event {
        Event { at: String::new(), elapsed_ms: 0, kind }
    }

    fn run(stages: &[(&str, u64)], exit: u8) -> Vec<Event> {
        let (verb, cluster, set, profile) = ("up".into(), String::new(), String::new(), String::new());
        let mut events = vec![event(EventKind::RunStarted { verb, cluster, set, profile, stages: Vec::new(), needs: BTreeMap::new() })];
        events.extend(stages.iter().map(|(name, took_ms)| event(EventKind::StageFinished { stage: id(name), took_ms: *took_ms })));
        events.push(event(EventKind::RunFinished { exit, took_ms: 0, outcome: None, failure: None }));
        events
    }

    /// A second `up` skips what is done: what it does not say is known from the first.
    #[test]
    fn the_last_time_of_each_stage_counts_and_failed_runs_do_not() {
        let runs = [run(&[("a", 10), ("b", 20)], 0), run(&[("a", 30)], 0), run(&[("a", 999), ("c", 1)], 4)];
        let mut torn = run(&[("b", 777)], 0);
        torn.pop();
        let pace = Pace::of(runs.concat().into_iter().chain(torn).chain(run(&[], 0)));
        assert_eq!(pace, Pace(BTreeMap::from([(id("a"), 30), (id("b"), 20)])));
    }

    #[test]
    fn the_longest_chain_counts() {
        let pace = Pace(BTreeMap::from([(id("a"), 10), (id("b"), 20), (id("c"), 5)]));
        let (a, b, c) = (id("a"), id("b"), id("c"));
        let (none, both) = ([], [a.clone(), b.clone()]);
        let left = |first, second, third| pace.left([(&a, &none[..], first), (&b, &none[..], second), (&c, &both[..], third)]);
        assert_eq!(left(Progress::Waiting, Progress::Waiting, Progress::Waiting), Some(25));
        assert_eq!(left(Progress::Ended, Progress::Running(15), Progress::Waiting), Some(10));
        assert_eq!(left(Progress::Ended, Progress::Ended, Progress::Running(60)), Some(0), "longer than before");
        assert_eq!(left(Progress::Ended, Progress::Ended, Progress::Ended), Some(0));
    }

    #[test]
    fn one_stage_that_nobody_knows_is_enough_to_know_nothing() {
        let (pace, a, b) = (Pace(BTreeMap::from([(id("a"), 10)])), id("a"), id("new"));
        assert_eq!(pace.left([(&a, &[][..], Progress::Running(1)), (&b, &[][..], Progress::Waiting)]), None);
        assert_eq!(pace.left([(&a, &[][..], Progress::Running(1)), (&b, &[][..], Progress::Ended)]), Some(9));
        assert_eq!(Pace::default().left([]), None);
    }

    proptest! {
        /// Time that passes makes no run longer, and no number makes it panic.
        #[test]
        fn it_only_gets_less(took in prop::collection::vec(any::<u64>(), 1..8), since in any::<u64>(), later in any::<u64>()) {
            let ids: Vec<StageId> = (0..took.len()).map(|number| id(&format!("s{number}"))).collect();
            let pace = Pace(ids.iter().cloned().zip(took).collect());
            let left = |since| pace.left(ids.iter().enumerate().map(|(number, stage)| {
                (stage, &ids[..number], if number == 0 { Progress::Running(since) } else { Progress::Waiting })
            }));
            prop_assert!(left(since.max(later)) <= left(since.min(later)));
        }
    }
}
