//! The critical path: the chain of stages without a pause in it that ends last. What is not on it makes no run shorter.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Ended, Lane};
use crate::plan::StageId;

/// A stage of the critical path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Which.
    pub stage: StageId,
    /// When the one before it ended.
    pub from_ms: u64,
    /// When it ended.
    pub to_ms: u64,
    /// Its longest wait.
    pub bound: Option<String>,
    /// How long that was.
    pub bound_ms: u64,
}

impl Link {
    /// Its share of the run.
    pub fn took_ms(&self) -> u64 {
        self.to_ms.saturating_sub(self.from_ms)
    }
}

/// From the stage that ended last back along what it needed, each time the one that ended last.
pub(super) fn path(lanes: &[Lane]) -> Vec<Link> {
    let by_name: BTreeMap<&StageId, &Lane> = lanes.iter().map(|lane| (&lane.stage, lane)).collect();
    let worked = |lane: &&Lane| lane.began_ms.is_some() && lane.ended != Ended::Cancelled;
    let mut links = Vec::new();
    // A failed stage is what the run ended with; others may have been stopped after it.
    let failed = lanes.iter().find(|lane| lane.ended == Ended::Failed);
    let mut next = failed.or_else(|| lanes.iter().filter(worked).max_by_key(|lane| lane.ended_ms));
    while let Some(lane) = next.filter(|_| links.len() < lanes.len()) {
        let before = lane.needs.iter().filter_map(|need| by_name.get(need).copied()).filter(worked).max_by_key(|lane| lane.ended_ms);
        let from_ms = before.and_then(|before| before.ended_ms).or(lane.began_ms).unwrap_or_default();
        let bound = lane.waits.first();
        links.push(Link {
            stage: lane.stage.clone(),
            from_ms,
            to_ms: lane.ended_ms.unwrap_or(from_ms),
            bound: bound.map(|wait| wait.what.clone()),
            bound_ms: bound.map_or(0, super::Wait::took_ms),
        });
        next = before;
    }
    links.reverse();
    links
}
