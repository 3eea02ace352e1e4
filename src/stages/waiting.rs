//! What a stage waits for beside its checks: whoever waits for a child, an engine or a server says so.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::event::{Emitter, EventKind};
use crate::plan::StageId;

/// What is over sooner is no wait.
const QUICK: Duration = Duration::from_secs(1);

/// Something that is waited for. It is told as a check is: [`EventKind::CheckPending`] with what was seen, and
/// [`EventKind::CheckPassed`] when it is over and had been told.
#[derive(Debug)]
pub(super) struct Waiting<'a> {
    events: &'a Emitter,
    stage: &'a StageId,
    what: String,
    since: Instant,
    told: bool,
}

impl<'a> Waiting<'a> {
    /// Begins to wait; `what` is short and, within its stage, the only one of its name.
    pub(super) fn new(events: &'a Emitter, stage: &'a StageId, what: impl Into<String>) -> Self {
        Self { events, stage, what: format!("{stage}/{}", what.into()), since: Instant::now(), told: false }
    }

    /// Tells what is seen now.
    pub(super) fn saw(&mut self, saw: &str) {
        self.told = true;
        self.events.tell(EventKind::CheckPending { stage: self.stage.clone(), check: self.what.clone(), saw: saw.to_owned() });
    }

    /// Does the work, and tells of it when it lasts longer than a second.
    pub(super) async fn during<T>(&mut self, saw: &str, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = sleep(QUICK) => {}
        }
        self.saw(saw);
        work.await
    }

    /// It is over, well.
    pub(super) fn over(self) {
        if self.told {
            let took_ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.events.tell(EventKind::CheckPassed { stage: self.stage.clone(), check: self.what, took_ms });
        }
    }
}

/// The same for one piece of work that says nothing by itself.
pub(super) async fn told<T>(events: &Emitter, stage: &StageId, what: &str, saw: &str, work: impl Future<Output = T>) -> T {
    let mut waiting = Waiting::new(events, stage, what);
    let done = waiting.during(saw, work).await;
    waiting.over();
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_quick_is_not_told_and_what_lasts_is_told_twice() {
        let (events, mut heard) = Emitter::new();
        let stage = StageId::Cluster;
        told(&events, &stage, "kind", "quick", sleep(Duration::from_millis(900))).await;
        assert!(heard.try_recv().is_err());
        told(&events, &stage, "kind", "Preparing nodes", sleep(Duration::from_secs(9))).await;
        let seen = heard.try_recv().unwrap().kind;
        assert!(
            matches!(&seen, EventKind::CheckPending { check, saw, .. } if check == "cluster/kind" && saw == "Preparing nodes"),
            "{seen:?}"
        );
        let over = heard.try_recv().unwrap().kind;
        assert!(matches!(&over, EventKind::CheckPassed { took_ms: 9000, .. }), "{over:?}");
    }
}
