//! Waiting for what no check of a stage asks: revisions, traffic, pods that go, jobs.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Bench;
use crate::error::{Exit, Failure};
use crate::health::interrupted;

/// What a look found.
#[derive(Debug)]
pub(super) enum Look<T> {
    /// It is as it should be.
    Done(T),
    /// Not yet; what was seen.
    Yet(String),
}

const PAUSE: Duration = Duration::from_millis(400);

/// Looks again and again until it is done, told to stop, or too late. `what` completes the sentence "… within 60 s".
pub(super) async fn until<T>(
    bench: &Bench<'_>,
    what: &str,
    bound: Duration,
    mut look: impl AsyncFnMut() -> Result<Look<T>, Failure>,
) -> Result<T, Failure> {
    let started = Instant::now();
    let mut last = String::new();
    loop {
        match look().await? {
            Look::Done(found) => return Ok(found),
            Look::Yet(saw) => {
                if saw != last {
                    (bench.tell)(&saw);
                    last = saw;
                }
            }
        }
        if started.elapsed() >= bound {
            return Err(Failure::new("DEADLINE", Exit::Deadline, format!("{what} did not happen within {} s", bound.as_secs()))
                .cause(last)
                .hint("a busy machine may need more: --timeout"));
        }
        tokio::select! {
            () = bench.cancel.cancelled() => return Err(interrupted().cause(what)),
            () = sleep(PAUSE) => {}
        }
    }
}
