//! Large definitions that are new, in two steps: first their names, then their schemas.
//!
//! The API server writes a new definition three times: as it was sent, with its names accepted, and as established. Each time all of its
//! schemas are read, compared, copied and written again, and so is each of their fields in `managedFields`; of InferenceService that is
//! 0.7 MB. Without schemas the three cost next to nothing, and the schemas are then written once: 2.5 s of the API server instead of 6.

use tokio_util::sync::CancellationToken;

use super::{Context, apply, checks};
use crate::catalog::{Object, served_collections};
use crate::error::Failure;
use crate::plan::{Check, Probe, StageId, Wave};

/// Bytes of JSON. Smaller ones gain nothing: what serves a definition is built at its first request and again when its schemas come.
const LARGE: usize = 100_000;

/// Makes the large definitions of these waves without their schemas, and waits until they are established. On a cluster that this run has
/// made only: elsewhere there may be objects that the schemas guard.
pub(super) async fn names(ctx: &Context, stage: &StageId, waves: &[Wave], cancel: &CancellationToken) -> Result<(), Failure> {
    if !ctx.is_fresh() {
        return Ok(());
    }
    let large = waves.iter().flat_map(|wave| &wave.objects).filter(|object| object.is_definition_of(LARGE));
    let outlines: Vec<Object> = large.filter_map(Object::outline).collect();
    apply::outlines(ctx, stage, &outlines, &ctx.assembled()?.rest, cancel).await?;
    let established = Check {
        id: "crds/served".into(),
        probe: Probe::CrdsServed { collections: outlines.iter().flat_map(|object| served_collections(&object.body)).collect() },
        hint: "kubectl get crd shows which one is not Established, and why".into(),
        deadline: 120,
    };
    checks::all_green(ctx, stage, &[established], cancel).await
}
