//! What was kept goes back into the cluster. The file stays until all of it is there.

use std::time::Duration;

use futures_util::future::try_join_all;
use serde_json::Value;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::keep::{KEPT, Kept, WAS_READY, annotations, text};
use crate::catalog::Object;
use crate::cluster::Cluster;
use crate::error::Failure;
use crate::health::{World, interrupted, until_ready};
use crate::plan::{Check, Probe};
use crate::stages::Context;

/// The user's objects are the user's: kubectl's next apply must not meet ours.
const MANAGER: &str = "quickstart-keep";
/// How long one object is tried while the cluster settles.
const PATIENCE: Duration = Duration::from_secs(120);
/// Seconds that a model gets that was Ready before.
const READY_WITHIN: u64 = 5 * 60;

/// Puts kept objects back and waits for the models that were Ready; answers their names. Nothing kept is nothing done.
pub async fn restore(ctx: &Context, cancel: &CancellationToken) -> Result<Vec<String>, Failure> {
    let file = ctx.paths.folder.join(KEPT);
    let Some(mut kept) = Kept::read(&file)? else { return Ok(Vec::new()) };
    let models = kept.models();
    ctx.events.note(format!("putting back {} InferenceServices of yours: {}", models.len(), models.join(", ")));
    let cluster = ctx.cluster()?;
    let mut waited = Vec::new();
    for body in &mut kept.objects {
        let was_ready = annotations(body).remove(WAS_READY).is_some();
        if annotations(body).is_empty()
            && let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut)
        {
            metadata.remove("annotations");
        }
        let object = Object::new(body.clone(), KEPT)?;
        let path = ctx.rest().path(&object)?;
        let collection = path.rsplit_once('/').map_or(path.as_str(), |(collection, _)| collection);
        create(cluster, collection, body, cancel).await.map_err(|failure| kept_still(failure, &object, &file.display().to_string()))?;
        if was_ready {
            waited.push((text(body, "/metadata/namespace").to_owned(), text(body, "/metadata/name").to_owned()));
        }
    }
    // All of it is in the cluster: from here on `status` tells, and nothing can be lost any more.
    fs_err::tokio::remove_file(&file).await.map_err(|error| Failure::internal(error.to_string()))?;
    try_join_all(waited.iter().map(|(namespace, name)| ready(ctx, cluster, namespace, name, cancel))).await?;
    ctx.events.note(format!("your InferenceServices are back: {}", models.join(", ")));
    Ok(models)
}

/// One object; one that is there already was put back by an earlier run.
async fn create(cluster: &Cluster, collection: &str, body: &Value, cancel: &CancellationToken) -> Result<(), Failure> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(200);
    loop {
        let error = tokio::select! {
            () = cancel.cancelled() => return Err(interrupted()),
            tried = cluster.create(collection, body, MANAGER) => match tried {
                Ok(()) => return Ok(()),
                Err(error) if error.is_there_already() => return Ok(()),
                Err(error) => error,
            },
        };
        if !error.is_transient() || started.elapsed() >= PATIENCE {
            return Err(error.into());
        }
        tokio::select! {
            () = cancel.cancelled() => return Err(interrupted()),
            () = sleep(pause) => {}
        }
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

fn kept_still(mut failure: Failure, object: &Object, file: &str) -> Failure {
    failure.cause = Some(failure.what);
    failure.what = format!("cannot put {object} back");
    failure.hint = Some(format!("it is kept in {file}: `quickstart up` tries again"));
    failure
}

async fn ready(ctx: &Context, cluster: &Cluster, namespace: &str, name: &str, cancel: &CancellationToken) -> Result<(), Failure> {
    let check = Check {
        id: format!("kept/{namespace}/{name}"),
        probe: Probe::InferenceServiceReady { namespace: namespace.to_owned(), name: name.to_owned() },
        hint: format!("it is in the cluster again: kubectl -n {namespace} describe inferenceservice {name}"),
        deadline: READY_WITHIN,
    };
    let world = World { cluster, rest: ctx.rest(), demo: None, waited: Duration::ZERO, closely: true };
    let mut said = String::new();
    let mut told = |saw: &str| {
        if said != saw {
            saw.clone_into(&mut said);
            ctx.events.note(format!("{namespace}/{name}: {saw}"));
        }
    };
    until_ready(world, &check, cancel, &mut told).await.map(drop)
}
