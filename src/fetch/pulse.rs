//! Bytes as a sign of life: a transfer may take hours, but not stand still.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Told how many bytes have moved so far.
pub type OnBytes<'a> = &'a (dyn Fn(u64) + Send + Sync);

/// An [`OnBytes`] that nobody listens to.
pub fn quiet(_: u64) {}

/// How often a listener is told at most.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// No byte moved within the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idle {
    /// The bound, in seconds.
    pub seconds: u64,
    /// Bytes that had moved before.
    pub moved: u64,
}

/// Counts bytes; clones count together.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    moved: AtomicU64,
    beat: Notify,
}

impl Pulse {
    /// `bytes` more have moved.
    pub fn add(&self, bytes: usize) {
        self.0.moved.fetch_add(bytes as u64, Ordering::Relaxed);
        self.0.beat.notify_one();
    }

    /// Something lives, though it is not counted.
    pub fn touch(&self) {
        self.0.beat.notify_one();
    }

    /// Bytes so far.
    pub fn moved(&self) -> u64 {
        self.0.moved.load(Ordering::Relaxed)
    }

    /// Runs `work` to its end unless nothing beats for `limit`; `on_bytes` is told at most five times a second, and at the end.
    pub async fn watch<T>(&self, limit: Duration, on_bytes: OnBytes<'_>, work: impl Future<Output = T>) -> Result<T, Idle> {
        let mut work = pin!(work);
        let mut told = Instant::now();
        loop {
            tokio::select! {
                biased;
                done = &mut work => {
                    on_bytes(self.moved());
                    return Ok(done);
                }
                beat = tokio::time::timeout(limit, self.0.beat.notified()) => {
                    if beat.is_err() {
                        return Err(Idle { seconds: limit.as_secs(), moved: self.moved() });
                    }
                    if told.elapsed() >= TELL_EVERY {
                        told = Instant::now();
                        on_bytes(self.moved());
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_slow_transfer_lives_and_a_still_one_is_idle() {
        let pulse = Pulse::default();
        let slow = async {
            for _ in 0..100 {
                tokio::time::sleep(Duration::from_secs(29)).await;
                pulse.add(1);
            }
            "done"
        };
        assert_eq!(pulse.watch(Duration::from_secs(30), &quiet, slow).await, Ok("done"));
        let still = pulse.watch(Duration::from_secs(30), &quiet, std::future::pending::<()>()).await;
        // The first wait may see the last beat of before, hence one more limit; the answer is the same.
        assert_eq!(still, Err(Idle { seconds: 30, moved: 100 }));
    }
}
