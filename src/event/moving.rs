//! Bytes that arrive stop the clock of a deadline: a slow disk or line is no failure, one that stands still is.
//!
//! It counts what we move ourselves: downloads, images into the engine and into the node. The kubelet says nothing of the bytes of
//! its own pulls (an event `Pulling`, an event `Pulled`, nothing in between), and neither does kind of its node image: while those
//! run the clock goes on, and a deadline has to allow for them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::plan::StageId;

/// Bytes that come at least this often are one flow.
const STILL: Duration = Duration::from_secs(10);

/// What has moved in each stage; clones look at the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Moving(Arc<Mutex<Flows>>);

#[derive(Debug, Default)]
struct Flows {
    seen: BTreeMap<(StageId, String), u64>,
    stages: BTreeMap<StageId, Flow>,
    run: Flow,
}

#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    last: Option<Instant>,
    moving: Duration,
}

impl Flow {
    fn beat(&mut self, now: Instant) {
        if let Some(gap) = self.last.map(|last| now - last).filter(|gap| *gap <= STILL) {
            self.moving += gap;
        }
        self.last = Some(now);
    }

    /// When a bound that began at `start` is over, as far as is known now.
    fn due(&self, start: Instant, bound: Duration) -> Instant {
        let due = start + bound + self.moving;
        self.last.map_or(due, |last| due.max(last + STILL))
    }
}

impl Moving {
    /// So many bytes have moved in all; the same number again is no sign of life.
    pub(super) fn beat(&self, stage: &StageId, what: &str, done: u64) {
        let now = Instant::now();
        let mut flows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = flows.seen.insert((stage.clone(), what.to_owned()), done).unwrap_or_default();
        if done > before {
            flows.stages.entry(stage.clone()).or_default().beat(now);
            flows.run.beat(now);
        }
    }

    fn due(&self, stage: Option<&StageId>, start: Instant, bound: Duration) -> Instant {
        let flows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let flow = match stage {
            Some(stage) => flows.stages.get(stage).copied().unwrap_or_default(),
            None => flows.run,
        };
        flow.due(start, bound)
    }

    /// Returns when `bound` has passed since `start`, without the time in which bytes arrived: those of one stage, or of any.
    pub(super) async fn expired(&self, stage: Option<&StageId>, start: Instant, bound: Duration) {
        loop {
            let due = self.due(stage, start, bound);
            if Instant::now() >= due {
                return;
            }
            sleep_until(due).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_secs(60);

    async fn seconds_until_expired(stage: Option<&StageId>, moving: &Moving, start: Instant) -> u64 {
        moving.expired(stage, start, BOUND).await;
        start.elapsed().as_secs()
    }

    /// 300 s of a slow load, then nothing: the minute begins to count again where the bytes ended.
    #[tokio::test(start_paused = true)]
    async fn time_in_which_bytes_arrive_does_not_count() {
        let (moving, start, id) = (Moving::default(), Instant::now(), StageId::Images("knative".into()));
        let load = async {
            for second in 0..=300 {
                moving.beat(&id, "images/knative.tar", second + 1);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            std::future::pending::<u64>().await
        };
        let other = StageId::component("istio");
        let (own, run, others) = tokio::select! {
            _ = load => unreachable!("it never ends"),
            times = async {
                tokio::join!(
                    seconds_until_expired(Some(&id), &moving, start),
                    seconds_until_expired(None, &moving, start),
                    seconds_until_expired(Some(&other), &moving, start),
                )
            } => times,
        };
        assert_eq!((own, run, others), (360, 360, 60), "its own stage and the run wait, another stage does not");
    }

    /// A transfer that only says again how far it is, or speaks every half a minute, does not hold the clock.
    #[tokio::test(start_paused = true)]
    async fn words_without_bytes_and_drops_do_not_stop_the_clock() {
        let (moving, start, id) = (Moving::default(), Instant::now(), StageId::Fetch);
        let talk = async {
            for drop in 1..=100 {
                moving.beat(&id, "same", 7);
                moving.beat(&id, "drops", drop / 25);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        let (took, ()) = tokio::join!(seconds_until_expired(Some(&id), &moving, start), talk);
        assert_eq!(took, 60);
    }

    /// The last byte before the end still gets its chance: a flow that goes on is not cut between two beats.
    #[tokio::test(start_paused = true)]
    async fn a_flow_that_begins_just_before_the_end_is_not_cut() {
        let (moving, start, id) = (Moving::default(), Instant::now(), StageId::Fetch);
        let load = async {
            tokio::time::sleep(Duration::from_secs(58)).await;
            for second in 1..=20 {
                moving.beat(&id, "manifests", second);
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        };
        let (took, ()) = tokio::join!(seconds_until_expired(Some(&id), &moving, start), load);
        assert_eq!(took, 58 + 95 + 10, "the bytes end at 153 s, and are waited for ten seconds more");
    }
}
