//! When does a session end that nobody ends? A client that is gone, or silence that lasts too long.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::peer;

/// A session without a byte for so long is ended.
const IDLE: Duration = Duration::from_mins(10);
/// Where the system does not tell whether a client that closed its sending side still listens: so much silence after an answer means no.
const LINGER: Duration = Duration::from_secs(5);

/// An answer of more bytes than these is a download.
const FLOOD: u64 = 1 << 20;

/// What a session's two directions and its watch tell each other.
#[derive(Debug)]
pub(super) struct Pulse {
    began: Instant,
    last: AtomicU64,
    answered: AtomicBool,
    received: AtomicU64,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), last: AtomicU64::new(0), answered: AtomicBool::new(false), received: AtomicU64::new(0) }
    }

    /// Bytes have moved; `down`: how many of them from the pod.
    pub(super) fn beat(&self, down: usize) {
        self.received.fetch_add(down as u64, Relaxed);
        self.last.store(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX), Relaxed);
        self.answered.store(down > 0, Relaxed);
    }

    /// Has so much come that more of it may be on its way to a client that has gone?
    pub(super) fn is_flood(&self) -> bool {
        self.received.load(Relaxed) > FLOOD
    }

    fn silence(&self) -> Duration {
        self.began.elapsed().saturating_sub(Duration::from_millis(self.last.load(Relaxed)))
    }

    /// Returns when the session has been silent for too long.
    pub(super) async fn idle(&self) {
        loop {
            let silence = self.silence();
            if silence >= IDLE {
                return;
            }
            sleep(IDLE.saturating_sub(silence)).await;
        }
    }

    /// After the client has closed its sending side: returns when it listens no more either. A server that still thinks is waited for.
    pub(super) async fn gone(&self, client: SocketAddr, here: SocketAddr) {
        let mut pause = Duration::from_millis(2);
        loop {
            let there = peer::is_there(client, here);
            if there == Some(false) || (there.is_none() && self.answered.load(Relaxed) && self.silence() >= LINGER) {
                return;
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }
}
