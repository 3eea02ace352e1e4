//! The scheduler. It owns all state of a run; stages own nothing that is shared.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::error::{Exit, Failure};
use crate::event::{Emitter, EventKind};
use crate::health::interrupted;
use crate::plan::{Plan, Stage, StageId};
use crate::stages::Ended;

/// Carries out one stage.
pub trait Runner: Send + Sync + 'static {
    /// Does the work of a stage; `cancel` tells it to stop at the next safe point.
    fn stage(&self, stage: &Stage, cancel: CancellationToken) -> impl Future<Output = Result<Ended, Failure>> + Send;
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Progress {
    Waiting,
    Running,
    Done,
    Ended,
}

/// How long stages may take to stop after one has failed or Ctrl-C.
const DRAIN: Duration = Duration::from_secs(15);

/// Runs all stages; answers how long each one that was not skipped took, in the order in which they ended.
pub async fn run<R: Runner>(
    plan: &Plan,
    runner: Arc<R>,
    events: &Emitter,
    cancel: &CancellationToken,
) -> Result<Vec<(StageId, u64)>, Failure> {
    let mut progress: BTreeMap<StageId, Progress> = plan.stages.iter().map(|stage| (stage.id.clone(), Progress::Waiting)).collect();
    let mut tasks: JoinSet<(StageId, u64, Result<Ended, Failure>)> = JoinSet::new();
    let stop = cancel.child_token();
    let deadline = Instant::now() + Duration::from_secs(plan.timeout);
    let mut took = Vec::new();
    let mut failure: Option<Failure> = None;
    loop {
        if failure.is_none() && !stop.is_cancelled() {
            for stage in &plan.stages {
                let ready = stage.needs.iter().all(|need| progress.get(need) == Some(&Progress::Done));
                if ready && progress.get(&stage.id) == Some(&Progress::Waiting) {
                    progress.insert(stage.id.clone(), Progress::Running);
                    events.tell(EventKind::StageStarted { stage: stage.id.clone() });
                    start(&mut tasks, Arc::clone(&runner), stage.clone(), stop.child_token());
                }
            }
        }
        if tasks.is_empty() {
            break;
        }
        let ended = tokio::select! {
            // In this order: after Ctrl-C a stage that ends was stopped, it did not fail.
            biased;
            () = stop.cancelled(), if failure.is_none() => {
                failure = Some(interrupted());
                drain(&mut tasks).await;
                break;
            }
            ended = tasks.join_next() => ended,
            () = tokio::time::sleep_until(deadline), if failure.is_none() => {
                stop.cancel();
                let seen = drain(&mut tasks).await;
                failure = Some(too_long(plan, &progress, &seen));
                break;
            }
        };
        match ended {
            Some(Ok((id, ms, Ok(Ended::Done)))) => {
                events.tell(EventKind::StageFinished { stage: id.clone(), took_ms: ms });
                took.push((id.clone(), ms));
                progress.insert(id, Progress::Done);
            }
            Some(Ok((id, _, Ok(Ended::Skipped(reason))))) => {
                events.tell(EventKind::StageSkipped { stage: id.clone(), reason });
                progress.insert(id, Progress::Done);
            }
            Some(Ok((id, _, Err(problem)))) => {
                progress.insert(id.clone(), Progress::Ended);
                if failure.is_none() {
                    events.tell(EventKind::StageFailed { stage: id, failure: problem.clone() });
                    failure = Some(problem);
                    stop.cancel();
                    drain(&mut tasks).await;
                    break;
                }
            }
            Some(Err(defect)) => {
                failure = failure.or(Some(Failure::internal(format!("a stage ended unexpectedly: {defect}"))));
                stop.cancel();
                drain(&mut tasks).await;
                break;
            }
            None => break,
        }
    }
    match failure {
        None => Ok(took),
        Some(failure) => {
            for (id, state) in progress {
                if matches!(state, Progress::Waiting | Progress::Running) {
                    events.tell(EventKind::StageCancelled { stage: id });
                }
            }
            Err(failure)
        }
    }
}

type Tasks = JoinSet<(StageId, u64, Result<Ended, Failure>)>;

fn start<R: Runner>(tasks: &mut Tasks, runner: Arc<R>, stage: Stage, cancel: CancellationToken) {
    tasks.spawn(async move {
        let started = Instant::now();
        let bound = Duration::from_secs(stage.timeout);
        let result = match timeout(bound, runner.stage(&stage, cancel)).await {
            Ok(result) => result,
            Err(_) => Err(Failure::new("DEADLINE", Exit::Deadline, format!("stage {} was not done within {} s", stage.id, stage.timeout))
                .hint("`quickstart status` shows what it waits for; `quickstart up` goes on")),
        };
        (stage.id, u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX), result)
    });
}

/// Waits until all have stopped; answers the last thing that each one saw, where it says so.
async fn drain(tasks: &mut Tasks) -> BTreeMap<StageId, String> {
    let mut seen = BTreeMap::new();
    let all = async {
        while let Some(ended) = tasks.join_next().await {
            if let Ok((id, _, Err(Failure { cause: Some(cause), .. }))) = ended {
                seen.insert(id, cause);
            }
        }
    };
    if timeout(DRAIN, all).await.is_err() {
        tasks.abort_all();
    }
    seen
}

fn too_long(plan: &Plan, progress: &BTreeMap<StageId, Progress>, seen: &BTreeMap<StageId, String>) -> Failure {
    let running = progress.iter().filter(|(_, state)| **state == Progress::Running);
    let running: Vec<String> = running.map(|(id, _)| seen.get(id).map_or_else(|| id.to_string(), |saw| format!("{id} ({saw})"))).collect();
    Failure::new("DEADLINE", Exit::Deadline, format!("not done within {} s", plan.timeout))
        .cause(format!("still at work: {}", running.join(", ")))
        .hint("`quickstart up` goes on where this stopped; --timeout gives it longer")
}

#[cfg(test)]
mod tests;
