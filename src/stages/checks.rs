//! A stage's checks: all asked side by side, each with its own deadline.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use super::Context;
use crate::error::{Exit, Failure};
use crate::event::EventKind;
use crate::health::{World, ask, interrupted, until_ready};
use crate::plan::{Check, StageId, Verdict};

/// Waits until every check is green; the first one that cannot get green ends it. Told to stop, all of them are heard, and the one
/// that is in trouble speaks: the first to notice may be one that was merely waiting.
pub(super) async fn all_green(ctx: &Context, stage: &StageId, checks: &[Check], cancel: &CancellationToken) -> Result<(), Failure> {
    let mut waiting: FuturesUnordered<_> = checks.iter().map(|check| one(ctx, stage, check, cancel)).collect();
    let mut stopped = Vec::new();
    while let Some(result) = waiting.next().await {
        match result {
            Err(failure) if failure.exit == Exit::Interrupted => stopped.push(failure),
            result => result?,
        }
    }
    let trouble = stopped.iter().position(|failure| failure.id != interrupted().id).unwrap_or_default();
    if stopped.is_empty() { Ok(()) } else { Err(stopped.swap_remove(trouble)) }
}

async fn one(ctx: &Context, stage: &StageId, check: &Check, cancel: &CancellationToken) -> Result<(), Failure> {
    let world = world(ctx)?;
    let mut told = |saw: &str| {
        ctx.events.tell(EventKind::CheckPending { stage: stage.clone(), check: check.id.clone(), saw: saw.to_owned() });
    };
    let took = until_ready(world, check, cancel, &mut told).await?;
    ctx.events.tell(EventKind::CheckPassed {
        stage: stage.clone(),
        check: check.id.clone(),
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    });
    Ok(())
}

/// Are all of them green right now? Asked once, without waiting.
pub(super) async fn green_now(ctx: &Context, checks: &[Check]) -> bool {
    let Ok(world) = world(ctx) else { return false };
    let mut asked: FuturesUnordered<_> = checks.iter().map(|check| ask(world, check)).collect();
    while let Some(verdict) = asked.next().await {
        if verdict != Verdict::Ready {
            return false;
        }
    }
    true
}

fn world(ctx: &Context) -> Result<World<'_>, Failure> {
    let demo = ctx.plan.demo.as_ref().map(|demo| (&demo.input, &demo.expected));
    Ok(World { cluster: ctx.cluster()?, rest: ctx.rest(), demo, waited: Duration::ZERO, closely: true })
}
