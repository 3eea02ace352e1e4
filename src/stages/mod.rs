//! Effects: what each stage does.

mod ahead;
mod apply;
mod checks;
mod cluster;
mod compare;
mod component;
mod context;
mod create;
mod definitions;
mod engine_check;
mod existing;
mod fetch;
mod hosts;
mod image_store;
mod images;
mod lane;
mod leases;
mod namespaces;
mod network;
mod optional;
mod ports;
mod prefetch;
mod repair;
mod resume;
mod unpack;
mod user_context;
mod waiting;
mod wake;

pub use cluster::{of_context, of_state, proxies};
pub use compare::{Compared, Difference, compare};
pub use context::Context;
pub use engine_check::{connect, large_enough};
pub use existing::{Found, Who, survey};
pub use fetch::{goarch, manifests};
pub use images::carry_model;
pub use leases::release_of;
pub use namespaces::emptied;
pub use optional::served;
pub use ports::{free_port, owner, taken};
pub use wake::{at_hand, start_order};

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::config::{Ingress, Scheme};
use crate::error::Failure;
use crate::forward::{self, Service, Start, TunnelStatus};
use crate::health::interrupted;
use crate::plan::{Stage, StageId};

/// How a stage ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It did its work.
    Done,
    /// There was nothing to do.
    Skipped(String),
}

/// How long a stage may go on after it was told to stop: long enough to say what it saw last.
const GRACE: Duration = Duration::from_secs(1);

/// Carries out one stage. Whatever it waits for, it ends soon after `cancel`; only the stage that may have half a node to clean up ends in
/// its own time.
pub async fn run(ctx: &Context, stage: &Stage, cancel: &CancellationToken) -> Result<Ended, Failure> {
    let working = Box::pin(carry_out(ctx, stage, cancel));
    if stage.id == StageId::Cluster || (stage.id == StageId::Kubeconfig && ctx.is_making()) {
        return working.await;
    }
    tokio::select! {
        ended = working => ended,
        () = async { cancel.cancelled().await; tokio::time::sleep(GRACE).await } => Err(interrupted()),
    }
}

/// Something that can be given up at any time.
async fn unless_stopped<T, E: Into<Failure>>(cancel: &CancellationToken, work: impl Future<Output = Result<T, E>>) -> Result<T, Failure> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(interrupted()),
        done = work => done.map_err(Into::into),
    }
}

async fn carry_out(ctx: &Context, stage: &Stage, cancel: &CancellationToken) -> Result<Ended, Failure> {
    if ctx.is_resuming() {
        return resume::run(ctx, stage, cancel).await;
    }
    match &stage.id {
        StageId::EngineCheck => engine_check::run(ctx, &stage.id).await,
        StageId::Fetch => fetch::run(ctx, cancel).await,
        StageId::Cluster => Box::pin(cluster::run(ctx, stage, cancel)).await,
        StageId::Preflight => Box::pin(existing::preflight(ctx, stage, cancel)).await,
        StageId::Pull(group) => Box::pin(prefetch::group(ctx, &stage.id, group, cancel)).await,
        StageId::Images(group) => images::group(ctx, &stage.id, group, cancel).await,
        StageId::Crds => component::crds(ctx, stage, cancel).await,
        StageId::Component(name) => component::component(ctx, stage, name, cancel).await,
        StageId::Runtimes => component::runtimes(ctx, stage, cancel).await,
        StageId::Own => component::own(ctx, stage, cancel).await,
        StageId::Demo => component::demo(ctx, stage, cancel).await,
        StageId::Ingress => {
            if ctx.plan.ingress == Ingress::Tunnel {
                tunnel(ctx).await?;
            }
            checks::all_green(ctx, &stage.id, &stage.checks, cancel).await?;
            Ok(Ended::Done)
        }
        StageId::Kubeconfig => {
            let ended = create::settled(ctx).await?;
            if let (true, Some(assembled)) = (ctx.is_fresh(), ctx.assembled.get()) {
                component::claims(ctx, &assembled.demo).await;
            }
            Ok(ended)
        }
        StageId::Nodes => network::nodes(ctx, stage, cancel).await,
        StageId::Predict => {
            hosts::settled(ctx, cancel).await?;
            checks::all_green(ctx, &stage.id, &stage.checks, cancel).await?;
            Ok(Ended::Done)
        }
    }
}

/// The tunnel to the gateway, on the plan's port and no other: the checks ask there.
async fn tunnel(ctx: &Context) -> Result<(), Failure> {
    let Some(port) = ctx.plan.port() else { return Ok(()) };
    let scheme = ctx.plan.scheme();
    let before = Service::ingress();
    let in_the_way = |tunnel: &TunnelStatus| tunnel.service == before.to_string() && tunnel.record.port == port;
    if scheme == Scheme::Https && forward::list(&ctx.paths).iter().any(in_the_way) {
        forward::end(&ctx.paths, &before).await?;
    }
    let start = Start {
        paths: &ctx.paths,
        name: &ctx.settings.name,
        service: Service::ingress_of(ctx.settings.network, scheme),
        port: Some(port),
        first: port,
    };
    forward::start(start).await.map(|_| ())
}
