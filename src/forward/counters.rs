//! What went through a tunnel, and what went wrong last.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Counted while it runs.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) connections: AtomicU64,
    pub(super) active: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) up: AtomicU64,
    pub(super) down: AtomicU64,
    reconnects: AtomicU64,
    broken: AtomicBool,
    last_error: Mutex<Option<Told>>,
    health: Mutex<Option<Health>>,
}

/// The counters as they are written down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Connections accepted.
    pub connections: u64,
    /// Connections open now.
    pub active: u64,
    /// Connections that found no way to a pod.
    pub failed: u64,
    /// Bytes to the service.
    pub bytes_up: u64,
    /// Bytes from the service.
    pub bytes_down: u64,
    /// How often the way was lost (pod, API server, engine) and found again.
    pub reconnects: u64,
}

/// Something that went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// What.
    pub message: String,
}

/// The last look through the tunnel at the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Did it answer?
    pub ok: bool,
    /// Milliseconds to the answer.
    pub took_ms: u64,
}

impl Counters {
    /// Remembers what went wrong.
    pub(super) fn told(&self, message: impl Into<String>) {
        let told = Told { at: Timestamp::now(), message: message.into() };
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
    }

    /// The way is lost.
    pub(super) fn lost(&self) {
        self.broken.store(true, Relaxed);
    }

    /// There is a way; counts if it had been lost.
    pub(super) fn found(&self) {
        if self.broken.swap(false, Relaxed) {
            self.reconnects.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn looked(&self, health: Health) {
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = Some(health);
    }

    pub(super) fn health(&self) -> Option<Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn last_error(&self) -> Option<Told> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn now(&self) -> Counted {
        Counted {
            connections: self.connections.load(Relaxed),
            active: self.active.load(Relaxed),
            failed: self.failed.load(Relaxed),
            bytes_up: self.up.load(Relaxed),
            bytes_down: self.down.load(Relaxed),
            reconnects: self.reconnects.load(Relaxed),
        }
    }
}
