//! Effects: what each stage does.

mod apply;
mod checks;
mod cluster;
mod component;
mod context;
mod engine_check;
mod fetch;
mod images;
mod ports;
mod unpack;
mod waiting;

pub use cluster::proxies;
pub use context::Context;
pub use engine_check::{connect, large_enough};
pub use fetch::{goarch, manifests};
pub use ports::{free_port, owner, taken};

use tokio_util::sync::CancellationToken;

use crate::error::Failure;
use crate::plan::{Stage, StageId};

/// How a stage ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It did its work.
    Done,
    /// There was nothing to do.
    Skipped(String),
}

/// Carries out one stage.
pub async fn run(ctx: &Context, stage: &Stage, cancel: &CancellationToken) -> Result<Ended, Failure> {
    match &stage.id {
        StageId::EngineCheck => engine_check::run(ctx, &stage.id).await,
        StageId::Fetch => fetch::run(ctx, cancel).await,
        StageId::Cluster => cluster::run(ctx, stage, cancel).await,
        StageId::Images(group) => images::group(ctx, &stage.id, group, cancel).await,
        StageId::Crds => component::crds(ctx, stage, cancel).await,
        StageId::Component(name) => component::component(ctx, stage, name, cancel).await,
        StageId::Runtimes => component::runtimes(ctx, stage, cancel).await,
        StageId::Demo => component::demo(ctx, stage, cancel).await,
        StageId::Nodes | StageId::Ingress | StageId::Predict => {
            checks::all_green(ctx, &stage.id, &stage.checks, cancel).await?;
            Ok(Ended::Done)
        }
    }
}
