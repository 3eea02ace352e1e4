//! Components that go on beside those that guard or issue something of them.
//!
//! On a cluster that this run made, what is guarded is there before the webhooks are, and a certificate before its issuer: the issuer's
//! controller finds it when it starts, and whoever mounts the Secret starts then. Where a webhook may be there already, it must answer first.

use tokio_util::sync::CancellationToken;

use super::{Context, apply};
use crate::error::Failure;
use crate::plan::{Check, PlannedComponent, Probe, StageId, Wave};

/// Seconds for what another stage brings: that stage's own checks (5 minutes for pods, 2 for a webhook) speak first when they fail.
const BESIDE: u64 = 7 * 60 + 30;

/// Sends what no webhook guards yet.
pub(super) async fn send(ctx: &Context, stage: &StageId, cancel: &CancellationToken) -> Result<(), Failure> {
    if !ctx.is_fresh() {
        return Ok(());
    }
    let assembled = ctx.assembled()?;
    let wave = Wave { name: "ahead", objects: assembled.ahead(&ctx.plan), checks: Vec::new() };
    apply::waves(ctx, stage, std::slice::from_ref(&wave), &assembled.rest, cancel).await?;
    ctx.sent_ahead(&wave.objects);
    Ok(())
}

/// Puts the waits between components that go on side by side into the waves of `name`.
pub(super) fn arrange(ctx: &Context, name: &str, waves: &mut Vec<Wave>) -> Result<(), Failure> {
    let others = ctx.plan.component(name).map(|component| component.beside.as_slice()).unwrap_or_default();
    if !ctx.is_fresh() {
        if !others.is_empty() {
            waves.insert(0, Wave { name: "who goes on beside", objects: Vec::new(), checks: answers(ctx, others) });
        }
        return Ok(());
    }
    if !others.is_empty() {
        let certificates = waves.iter_mut().filter(|wave| wave.name == Wave::CERTIFICATES);
        certificates.flat_map(|wave| &mut wave.checks).for_each(|check| check.deadline = BESIDE);
    }
    let issued = secrets(ctx, name)?;
    if let Some(at) = waves.iter().position(|wave| wave.name == Wave::WEBHOOKS).filter(|_| !issued.is_empty()) {
        waves.insert(at, Wave { name: "certificates of others", objects: Vec::new(), checks: issued });
    }
    Ok(())
}

/// The Secrets of those who go on beside `issuer`.
fn secrets(ctx: &Context, issuer: &str) -> Result<Vec<Check>, Failure> {
    let assembled = ctx.assembled()?;
    let is_beside = |component: &&PlannedComponent| component.beside.iter().any(|name| name == issuer);
    let waves = ctx.plan.components.iter().filter(is_beside).flat_map(|component| assembled.waves(&ctx.plan, &component.name));
    Ok(waves.filter(|wave| wave.name == Wave::CERTIFICATES).flat_map(|wave| wave.checks).collect())
}

/// That the webhooks of `others` answer; nothing for one that was there before, which the stage `preflight` has looked at.
fn answers(ctx: &Context, others: &[String]) -> Vec<Check> {
    let stages = others.iter().filter_map(|name| ctx.plan.stage(&StageId::component(name)));
    let webhooks = stages.flat_map(|stage| &stage.checks).filter(|check| matches!(check.probe, Probe::Denied { .. }));
    webhooks.map(|check| Check { deadline: BESIDE, ..check.clone() }).collect()
}
