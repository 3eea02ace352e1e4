//! The stages of `start`: nothing is installed, everything is asked.

use tokio_util::sync::CancellationToken;

use super::{Context, Ended, checks, cluster, engine_check};
use crate::error::Failure;
use crate::plan::{Stage, StageId};

pub(super) async fn run(ctx: &Context, stage: &Stage, cancel: &CancellationToken) -> Result<Ended, Failure> {
    match &stage.id {
        StageId::EngineCheck => engine_check::run(ctx, &stage.id).await,
        StageId::Cluster => cluster::run(ctx, stage, cancel).await,
        StageId::Demo | StageId::Predict if !demo_is_there(ctx).await? => Ok(Ended::Skipped("the demo is not there any more".into())),
        _ => {
            checks::all_green(ctx, &stage.id, &stage.checks, cancel).await?;
            Ok(Ended::Done)
        }
    }
}

/// A demo that the user has deleted is not missed.
async fn demo_is_there(ctx: &Context) -> Result<bool, Failure> {
    let Some(demo) = &ctx.plan.demo else { return Ok(false) };
    let path = format!("/apis/serving.kserve.io/v1beta1/namespaces/{}/inferenceservices/{}", demo.namespace, demo.name);
    Ok(ctx.cluster()?.find(&path).await?.is_some())
}
