//! Waiting for a check: polled, bounded, and never silent about what it last saw.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::probe::{World, ask};
use crate::error::{Exit, Failure};
use crate::plan::{Check, Verdict};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Five checks of an `up` follow one another, and each is seen half a pause late.
const LAST_PAUSE: Duration = Duration::from_millis(300);
/// Whoever waits for longer than this is in no hurry.
const HURRY: Duration = Duration::from_mins(1);
const PATIENT_PAUSE: Duration = Duration::from_secs(1);
const ONE_ANSWER: Duration = Duration::from_secs(65);
/// Between two close looks, which say why something is not ready, there are glances, which say whether it is.
const LOOK: Duration = Duration::from_secs(1);
/// A first answer that is not there after this time is told to be missing.
const FIRST_WORD: Duration = Duration::from_secs(1);

/// Who is asked: the cluster; in tests a script.
pub(super) trait Asked: Sync {
    /// One answer; `waited`: how long somebody has been waiting for a good one; `closely`: whether the reason is asked for.
    fn answer(&self, check: &Check, waited: Duration, closely: bool) -> impl Future<Output = Verdict> + Send;
}

impl Asked for World<'_> {
    async fn answer(&self, check: &Check, waited: Duration, closely: bool) -> Verdict {
        ask(World { waited, closely, ..*self }, check).await
    }
}

/// Asks until the check is green, its deadline passes, or waiting cannot help; `saw` hears every new answer.
pub async fn until_ready(
    world: World<'_>,
    check: &Check,
    cancel: &CancellationToken,
    saw: &mut (dyn FnMut(&str) + Send),
) -> Result<Duration, Failure> {
    poll(&world, check, cancel, saw).await
}

/// What was seen last, and since when it is the same trouble.
struct Seen {
    last: Verdict,
    since: Instant,
}

impl Seen {
    /// Trouble counts from when it was first seen, as long as it is the same one: its words may change.
    fn take(&mut self, verdict: Verdict) {
        if verdict.id().is_none() || verdict.id() != self.last.id() {
            self.since = Instant::now();
        }
        self.last = verdict;
    }

    fn is_hopeless(&self) -> bool {
        matches!(self.last, Verdict::Trouble { patience: Some(patience), .. } if self.since.elapsed() >= Duration::from_secs(patience))
    }
}

pub(super) async fn poll<A: Asked>(
    asked: &A,
    check: &Check,
    cancel: &CancellationToken,
    saw: &mut (dyn FnMut(&str) + Send),
) -> Result<Duration, Failure> {
    let started = Instant::now();
    let deadline = Duration::from_secs(check.deadline);
    let mut pause = FIRST_PAUSE;
    let mut seen = Seen { last: Verdict::Pending(String::new()), since: started };
    let mut looked: Option<Instant> = None;
    loop {
        let closely = looked.is_none_or(|looked| looked.elapsed() >= LOOK) || started.elapsed() + LAST_PAUSE >= deadline;
        let answer = {
            let bound = ONE_ANSWER.min(deadline.saturating_sub(started.elapsed()).max(FIRST_WORD));
            let mut answer = pin!(timeout(bound, asked.answer(check, started.elapsed(), closely)));
            let mut silent = seen.last.saw() == Some("");
            loop {
                tokio::select! {
                    () = cancel.cancelled() => return Err(stopped(check, &seen.last)),
                    answer = &mut answer => break answer,
                    () = sleep(FIRST_WORD), if silent => {
                        saw("no answer yet");
                        silent = false;
                    }
                }
            }
        };
        let late = started.elapsed() >= deadline;
        match answer {
            Ok(Verdict::Ready) => return Ok(started.elapsed()),
            // The last answer explains more than the silence that the deadline has cut short.
            Err(_) if late && seen.last.saw() != Some("") => {}
            Ok(_) if !closely => {}
            answer => {
                let verdict = answer.unwrap_or_else(|_| Verdict::Pending("no answer".into()));
                if verdict.saw() != seen.last.saw() {
                    saw(verdict.saw().unwrap_or_default());
                }
                seen.take(verdict);
                looked = Some(Instant::now());
            }
        }
        if seen.is_hopeless() {
            return Err(given_up(check, &seen.last, Exit::StageFailed));
        }
        if late {
            return Err(given_up(check, &seen.last, Exit::Deadline));
        }
        tokio::select! {
            () = cancel.cancelled() => return Err(stopped(check, &seen.last)),
            () = sleep(pause) => {}
        }
        pause = (pause * 3 / 2).min(if started.elapsed() < HURRY { LAST_PAUSE } else { PATIENT_PAUSE });
    }
}

fn given_up(check: &Check, last: &Verdict, exit: Exit) -> Failure {
    let what = if exit == Exit::Deadline {
        format!("{} was not ready within {} s", check.id, check.deadline)
    } else {
        format!("{} did not get ready", check.id)
    };
    let hint = match last {
        Verdict::Trouble { hint, .. } if !hint.is_empty() => hint,
        _ => &check.hint,
    };
    Failure::new(last.id().unwrap_or("DEADLINE"), exit, what).cause(last.saw().unwrap_or_default()).hint(hint)
}

/// Told to stop: with what the check saw last, and under the name of the trouble that it was in, should a deadline be the reason.
fn stopped(check: &Check, last: &Verdict) -> Failure {
    let saw = last.saw().filter(|saw| !saw.is_empty());
    let cause = saw.map_or_else(|| check.id.clone(), |saw| format!("{}: {saw}", check.id));
    match last {
        Verdict::Trouble { id, hint, .. } => {
            Failure::new(id, Exit::Interrupted, format!("{} was not ready yet", check.id)).cause(cause).hint(hint)
        }
        Verdict::Ready | Verdict::Pending(_) => interrupted().cause(cause),
    }
}

/// The failure of a run that was told to stop.
pub fn interrupted() -> Failure {
    Failure::new("INTERRUPTED", Exit::Interrupted, "interrupted")
        .hint("`quickstart up` goes on where this stopped; `quickstart down` takes it away")
}

#[cfg(test)]
#[path = "wait_tests.rs"]
mod tests;
