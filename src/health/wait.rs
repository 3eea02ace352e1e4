//! Waiting for a check: polled, bounded, and never silent about what it last saw.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::probe::{World, ask};
use crate::error::{Exit, Failure};
use crate::plan::{Check, Verdict};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(1);
const ONE_ANSWER: Duration = Duration::from_secs(65);
/// How long a state that looks terminal must last: one more look at an image that cannot be had; longer for a pod that does not
/// fit, since one that is being replaced may still hold the CPU that its successor needs.
fn must_last(id: &str) -> Duration {
    Duration::from_secs(if id.starts_with("INSUFFICIENT") { 15 } else { 2 })
}

/// Asks until the check is green, its deadline passes, or waiting cannot help; `saw` hears every new answer.
pub async fn until_ready(
    world: World<'_>,
    check: &Check,
    cancel: &CancellationToken,
    saw: &mut (dyn FnMut(&str) + Send),
) -> Result<Duration, Failure> {
    let started = Instant::now();
    let deadline = Duration::from_secs(check.deadline);
    let mut pause = FIRST_PAUSE;
    let mut last = String::new();
    let mut terminal_since: Option<Instant> = None;
    loop {
        let verdict = tokio::select! {
            () = cancel.cancelled() => return Err(stopped(check, &last)),
            answer = timeout(ONE_ANSWER, ask(world, check)) => answer.unwrap_or_else(|_| Verdict::Pending("no answer".into())),
        };
        let seen = match verdict {
            Verdict::Ready => return Ok(started.elapsed()),
            Verdict::Failed { id, saw, hint } => {
                let since = *terminal_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= must_last(&id) {
                    return Err(Failure::new(&id, Exit::StageFailed, format!("{} did not get ready", check.id))
                        .cause(saw)
                        .hint(hint.unwrap_or_else(|| check.hint.clone())));
                }
                saw
            }
            Verdict::Pending(saw) => {
                terminal_since = None;
                saw
            }
        };
        if seen != last {
            saw(&seen);
            last = seen;
        }
        if started.elapsed() >= deadline {
            return Err(Failure::new("DEADLINE", Exit::Deadline, format!("{} was not ready within {} s", check.id, check.deadline))
                .cause(last)
                .hint(check.hint.clone()));
        }
        tokio::select! {
            () = cancel.cancelled() => return Err(stopped(check, &last)),
            () = sleep(pause) => {}
        }
        pause = (pause * 3 / 2).min(LAST_PAUSE);
    }
}

/// [`interrupted`], with what the check saw last.
fn stopped(check: &Check, last: &str) -> Failure {
    interrupted().cause(if last.is_empty() { check.id.clone() } else { format!("{}: {last}", check.id) })
}

/// The failure of a run that was told to stop.
pub fn interrupted() -> Failure {
    Failure::new("INTERRUPTED", Exit::Interrupted, "interrupted")
        .hint("`quickstart up` goes on where this stopped; `quickstart down` takes it away")
}
