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
    let mut last = Verdict::Pending(String::new());
    let mut since = started;
    loop {
        let world = World { waited: started.elapsed(), ..world };
        let verdict = tokio::select! {
            () = cancel.cancelled() => return Err(stopped(check, &last)),
            answer = timeout(ONE_ANSWER, ask(world, check)) => answer.unwrap_or_else(|_| Verdict::Pending("no answer".into())),
        };
        if verdict == Verdict::Ready {
            return Ok(started.elapsed());
        }
        // Trouble counts from when it was first seen, as long as it is the same one: its words may change.
        if verdict.id().is_none() || verdict.id() != last.id() {
            since = Instant::now();
        }
        if verdict.saw() != last.saw() {
            saw(verdict.saw().unwrap_or_default());
        }
        last = verdict;
        if let Verdict::Trouble { patience: Some(patience), .. } = last
            && since.elapsed() >= Duration::from_secs(patience)
        {
            return Err(given_up(check, &last, Exit::StageFailed));
        }
        if started.elapsed() >= deadline {
            return Err(given_up(check, &last, Exit::Deadline));
        }
        tokio::select! {
            () = cancel.cancelled() => return Err(stopped(check, &last)),
            () = sleep(pause) => {}
        }
        pause = (pause * 3 / 2).min(LAST_PAUSE);
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

/// [`interrupted`], with what the check saw last.
fn stopped(check: &Check, last: &Verdict) -> Failure {
    let saw = last.saw().filter(|saw| !saw.is_empty());
    interrupted().cause(saw.map_or_else(|| check.id.clone(), |saw| format!("{}: {saw}", check.id)))
}

/// The failure of a run that was told to stop.
pub fn interrupted() -> Failure {
    Failure::new("INTERRUPTED", Exit::Interrupted, "interrupted")
        .hint("`quickstart up` goes on where this stopped; `quickstart down` takes it away")
}
