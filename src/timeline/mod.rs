//! A run, told as a picture: when each stage was at work, what it waited for, and which chain of stages made it as long as it was.
//!
//! A pure function of the run's events (`events.jsonl`); the views are in `report`.

mod critical;
mod gather;
mod pace;
mod read;
mod runs;

pub use critical::Link;
pub use gather::timeline;
pub use pace::{Pace, Progress};
pub use read::{last_run, pace};
pub use runs::{Run, Sort, remember, runs};

use serde::Serialize;

use crate::plan::StageId;

/// `timeline -o json`, version 1. All times are milliseconds since the run started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// Of this document.
    pub version: u32,
    /// `up`, `start`, `reset`.
    pub verb: String,
    /// Cluster name.
    pub cluster: String,
    /// Version set.
    pub set: String,
    /// Profile.
    pub profile: String,
    /// When the run started, RFC 3339.
    pub at: String,
    /// How long it took; of a run without an end, until its last event.
    pub took_ms: u64,
    /// Its exit code; none of a run that was killed.
    pub exit: Option<u8>,
    /// The error's ID.
    pub error: Option<String>,
    /// Every stage of the plan, in its order.
    pub stages: Vec<Lane>,
    /// The stages that bounded the run, first to last.
    pub critical: Vec<Link>,
}

/// One stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lane {
    /// Which.
    pub stage: StageId,
    /// What it waited for before it could start.
    pub needs: Vec<StageId>,
    /// When it started; none of a stage that never did.
    pub began_ms: Option<u64>,
    /// When it ended; of one without an end, the run's.
    pub ended_ms: Option<u64>,
    /// How it ended.
    pub ended: Ended,
    /// Why it was skipped or failed.
    pub reason: Option<String>,
    /// Objects that it sent.
    pub objects: u32,
    /// Those that the server did not have like that.
    pub changed: u32,
    /// Bytes that arrived in it.
    pub bytes: u64,
    /// How often something was tried again.
    pub retries: u32,
    /// What it waited for, longest first.
    pub waits: Vec<Wait>,
}

impl Lane {
    /// How long it was at work.
    pub fn took_ms(&self) -> u64 {
        self.ended_ms.zip(self.began_ms).map_or(0, |(ended, began)| ended.saturating_sub(began))
    }
}

/// How a stage ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// It did its work.
    Done,
    /// Its work was done before.
    Skipped,
    /// With an error.
    Failed,
    /// It was told to stop, or never started.
    Cancelled,
    /// The run has no end.
    Unfinished,
}

impl Ended {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Unfinished => "unfinished",
        }
    }
}

/// A wait inside a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wait {
    /// For which check, or for which request's success.
    pub what: String,
    /// What was seen last while it lasted.
    pub saw: Option<String>,
    /// When it began.
    pub from_ms: u64,
    /// When it was over; of one without an end, the stage's.
    pub to_ms: u64,
}

impl Wait {
    /// Its length.
    pub fn took_ms(&self) -> u64 {
        self.to_ms.saturating_sub(self.from_ms)
    }
}

#[cfg(test)]
mod tests;
