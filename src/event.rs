//! The one language between the engine and everything that a person or a script reads: past-tense facts with a time.

mod moving;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{error::Failure, plan::StageId};

/// A fact. One line of `-o json`, of `events.jsonl`, and the source of the plain view.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    /// RFC 3339, UTC.
    pub at: String,
    /// Milliseconds since the run started.
    pub elapsed_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// The plan is known and starts.
    RunStarted {
        /// `up`, `reset`, `down`.
        verb: String,
        /// Cluster name.
        cluster: String,
        /// Version set.
        set: String,
        /// Profile.
        profile: String,
        /// Every stage, in plan order.
        stages: Vec<StageId>,
        /// What each of them waits for.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        needs: BTreeMap<StageId, Vec<StageId>>,
    },
    /// A stage has all it needs and starts.
    StageStarted {
        /// Which.
        stage: StageId,
    },
    /// A stage was done before and its checks pass now.
    StageSkipped {
        /// Which.
        stage: StageId,
        /// Why.
        reason: String,
    },
    /// An object was sent to the API server.
    ObjectApplied {
        /// Which stage.
        stage: StageId,
        /// `Kind namespace/name`.
        object: String,
        /// False when the server already had exactly this.
        changed: bool,
    },
    /// A check is not green yet; sent when what it saw has changed.
    CheckPending {
        /// Which stage.
        stage: StageId,
        /// Which check.
        check: String,
        /// What it saw.
        saw: String,
    },
    /// A check turned green.
    CheckPassed {
        /// Which stage.
        stage: StageId,
        /// Which check.
        check: String,
        /// Milliseconds since it was first asked.
        took_ms: u64,
    },
    /// Bytes arrived: of a download, or of images on their way into the engine or the node. While they do, no deadline runs. Nobody
    /// tells the bytes of a pull by the kubelet or by kind, so there is no such event for them.
    BytesMoved {
        /// Which stage.
        stage: StageId,
        /// What is moved.
        what: String,
        /// Bytes so far.
        done: u64,
        /// Bytes in all, where known.
        total: Option<u64>,
    },
    /// Something transient was tried again.
    Retried {
        /// Which stage.
        stage: StageId,
        /// What.
        what: String,
        /// Why.
        reason: String,
        /// From 1.
        attempt: u32,
    },
    /// Something worth a line that fits nowhere else.
    Noted {
        /// A sentence.
        message: String,
    },
    /// A stage is done and its checks are green.
    StageFinished {
        /// Which.
        stage: StageId,
        /// Milliseconds.
        took_ms: u64,
    },
    /// A stage ended without success.
    StageFailed {
        /// Which.
        stage: StageId,
        /// Why.
        failure: Failure,
    },
    /// A stage was told to stop, or never started because one that it needs failed.
    StageCancelled {
        /// Which.
        stage: StageId,
    },
    /// The end of a run.
    RunFinished {
        /// Exit code.
        exit: u8,
        /// Milliseconds.
        took_ms: u64,
        /// What the user can do next; only after success.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outcome: Option<Outcome>,
        /// Why it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
    },
}

/// What a successful `up` leaves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// A `curl` line that was proven to work.
    pub curl: Option<String>,
    /// The answer of the demo.
    pub prediction: Option<serde_json::Value>,
    /// Stage → milliseconds; skipped stages are left out.
    pub stages: Vec<(StageId, u64)>,
    /// The kubectl context.
    pub context: String,
}

/// Where events come from: numbers them with a clock and hands them to whoever listens.
#[derive(Clone, Debug)]
pub struct Emitter {
    started: Instant,
    sender: tokio::sync::mpsc::UnboundedSender<Event>,
    moving: moving::Moving,
}

impl Emitter {
    /// An emitter and its listener's end.
    pub fn new() -> (Self, tokio::sync::mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        (Self { started: Instant::now(), sender, moving: moving::Moving::default() }, receiver)
    }

    /// Tells a fact. A listener that has gone away is no reason to stop working.
    pub fn tell(&self, kind: EventKind) {
        if let EventKind::BytesMoved { stage, what, done, .. } = &kind {
            self.moving.beat(stage, what, *done);
        }
        let event = Event { at: jiff::Timestamp::now().to_string(), elapsed_ms: self.elapsed_ms(), kind };
        drop(self.sender.send(event));
    }

    /// A sentence.
    pub fn note(&self, message: impl Into<String>) {
        self.tell(EventKind::Noted { message: message.into() });
    }

    /// Returns when a deadline is over that began at `start`: time in which bytes arrive (those of this stage; without one, of any)
    /// does not count. Pulls of the kubelet and of kind are not seen here, see [`EventKind::BytesMoved`].
    pub async fn expired(&self, stage: Option<&StageId>, start: Instant, bound: Duration) {
        self.moving.expired(stage, start, bound).await;
    }

    /// Milliseconds since the run started.
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
