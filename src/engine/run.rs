//! The scheduler. It owns all state of a run; stages own nothing that is shared.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
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
    let started = Instant::now();
    let mut took = Vec::new();
    let mut failure: Option<Failure> = None;
    loop {
        if failure.is_none() && !stop.is_cancelled() {
            for stage in &plan.stages {
                let ready = stage.needs.iter().all(|need| progress.get(need) == Some(&Progress::Done));
                if ready && progress.get(&stage.id) == Some(&Progress::Waiting) {
                    progress.insert(stage.id.clone(), Progress::Running);
                    events.tell(EventKind::StageStarted { stage: stage.id.clone() });
                    start(&mut tasks, Arc::clone(&runner), stage.clone(), stop.child_token(), events.clone());
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
                let seen = drain(&mut tasks).await;
                failure = Some(interrupted().cause(format!("told to stop while at work: {}", at_work(plan, &progress, &seen, None))));
                break;
            }
            ended = tasks.join_next() => ended,
            () = events.expired(None, started, Duration::from_secs(plan.timeout)), if failure.is_none() => {
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

fn start<R: Runner>(tasks: &mut Tasks, runner: Arc<R>, stage: Stage, cancel: CancellationToken, events: Emitter) {
    tasks.spawn(async move {
        let started = Instant::now();
        let result = bounded(&*runner, &stage, &cancel, &events).await;
        (stage.id, u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX), result)
    });
}

/// A stage within its own deadline. One that is late is told to stop, and says what it was waiting for.
async fn bounded<R: Runner>(runner: &R, stage: &Stage, cancel: &CancellationToken, events: &Emitter) -> Result<Ended, Failure> {
    let mut work = pin!(runner.stage(stage, cancel.clone()));
    tokio::select! {
        biased;
        result = &mut work => return result,
        () = events.expired(Some(&stage.id), Instant::now(), Duration::from_secs(stage.timeout)) => {}
    }
    cancel.cancel();
    let late = Failure::new("DEADLINE", Exit::Deadline, format!("stage {} was not done within {} s", stage.id, stage.timeout))
        .hint("`quickstart status` shows what it waits for; `quickstart up` goes on");
    match timeout(DRAIN, work).await {
        Ok(Ok(ended)) => Ok(ended),
        Ok(Err(seen)) if named(&seen) => Err(in_the_way(late, &seen)),
        Ok(Err(Failure { cause: Some(cause), .. })) => Err(late.cause(cause)),
        Ok(Err(_)) | Err(_) => Err(late),
    }
}

/// Does a stage that was told to stop know what stood in its way?
fn named(seen: &Failure) -> bool {
    seen.id != interrupted().id
}

/// A deadline's failure under the name of what stood in the way, with its cause and its next step.
fn in_the_way(late: Failure, seen: &Failure) -> Failure {
    let cause = seen.cause.clone().unwrap_or_else(|| seen.what.clone());
    Failure { id: seen.id.clone(), cause: Some(cause), hint: seen.hint.clone().or(late.hint), ..late }
}

/// Waits until all have stopped; answers what those that did not succeed say.
async fn drain(tasks: &mut Tasks) -> BTreeMap<StageId, Failure> {
    let mut seen = BTreeMap::new();
    let all = async {
        while let Some(ended) = tasks.join_next().await {
            if let Ok((id, _, Err(failure))) = ended {
                seen.insert(id, failure);
            }
        }
    };
    if timeout(DRAIN, all).await.is_err() {
        tasks.abort_all();
    }
    seen
}

/// The run is late: the first stage of the plan that knows what stands in its way names the failure, the others are listed.
fn too_long(plan: &Plan, progress: &BTreeMap<StageId, Progress>, seen: &BTreeMap<StageId, Failure>) -> Failure {
    let late = Failure::new("DEADLINE", Exit::Deadline, format!("not done within {} s", plan.timeout))
        .hint("`quickstart up` goes on where this stopped; --timeout gives it longer");
    let culprit = running(plan, progress).find_map(|id| Some((id, seen.get(id).filter(|failure| named(failure))?)));
    let Some((id, failure)) = culprit else { return late.cause(format!("still at work: {}", at_work(plan, progress, seen, None))) };
    let mut late = in_the_way(late, failure);
    let others = at_work(plan, progress, seen, Some(id));
    let others = if others.is_empty() { String::new() } else { format!("; also at work: {others}") };
    late.cause = Some(format!("{id}: {}{others}", late.cause.unwrap_or_default()));
    late
}

fn running<'a>(plan: &'a Plan, progress: &BTreeMap<StageId, Progress>) -> impl Iterator<Item = &'a StageId> {
    plan.stages.iter().map(|stage| &stage.id).filter(|id| progress.get(*id) == Some(&Progress::Running))
}

/// The stages that ran, each with what it saw last.
fn at_work(plan: &Plan, progress: &BTreeMap<StageId, Progress>, seen: &BTreeMap<StageId, Failure>, without: Option<&StageId>) -> String {
    let texts =
        running(plan, progress).filter(|id| Some(*id) != without).map(|id| match seen.get(id).and_then(|failure| failure.cause.as_ref()) {
            Some(cause) => format!("{id} ({cause})"),
            None => id.to_string(),
        });
    texts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
