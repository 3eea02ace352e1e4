//! Sending waves of objects: many at a time, transient answers tried again, nothing claimed that a controller owns.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::Context;
use super::waiting::Waiting;
use crate::catalog::{NeverClaimed, Object, RestMap, embedded};
use crate::cluster::{Cluster, ClusterError, installer, is_ours};
use crate::error::{Exit, Failure};
use crate::event::EventKind;
use crate::health::interrupted;
use crate::plan::{StageId, Wave};

/// Requests in flight. An API server on two cores gains nothing from more, and what starts beside them waits longer for its answers: with 24
/// the node was ready half a second later than with 6.
const IN_FLIGHT: usize = 8;
/// How long transient answers to one object are tried again.
const PATIENCE: Duration = Duration::from_secs(150);

/// How long a taken node port is asked for: longer than a killed run's request can be under way, shorter than a person waits for somebody
/// else's port.
const PORT_PATIENCE: Duration = Duration::from_secs(10);

/// Applies waves one after the other; after each its checks must turn green.
pub(super) async fn waves(
    ctx: &Context,
    stage: &StageId,
    waves: &[Wave],
    rest: &RestMap,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    let cluster = ctx.cluster()?;
    let claimed = embedded::never_claimed()?;
    for wave in waves {
        let unsent = wave.objects.iter().filter(|object| !ctx.was_sent_ahead(object));
        let sent = async |object: &Object| {
            let changed = one(ctx, stage, cluster, rest, &claimed, object, cancel).await?;
            ctx.events.tell(EventKind::ObjectApplied { stage: stage.clone(), object: object.to_string(), changed });
            Ok::<_, Failure>(())
        };
        let requests: Vec<_> = unsent.map(sent).collect();
        let mut sending = stream::iter(requests).buffer_unordered(IN_FLIGHT);
        while let Some(result) = sending.next().await {
            result?;
        }
        drop(sending);
        super::checks::all_green(ctx, stage, &wave.checks, cancel).await?;
    }
    Ok(())
}

/// Sends definitions without their schemas. Nothing is told of it: each of them is sent again, whole.
pub(super) async fn outlines(
    ctx: &Context,
    stage: &StageId,
    outlines: &[Object],
    rest: &RestMap,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    let cluster = ctx.cluster()?;
    let claimed = embedded::never_claimed()?;
    let requests: Vec<_> = outlines.iter().map(|object| one(ctx, stage, cluster, rest, &claimed, object, cancel)).collect();
    let mut sending = stream::iter(requests).buffer_unordered(IN_FLIGHT);
    while let Some(result) = sending.next().await {
        result?;
    }
    Ok(())
}

/// Sends one object until the server takes it; answers whether it has another one now.
async fn one(
    ctx: &Context,
    stage: &StageId,
    cluster: &Cluster,
    rest: &RestMap,
    claimed: &NeverClaimed,
    object: &Object,
    cancel: &CancellationToken,
) -> Result<bool, Failure> {
    let path = rest.path(object)?;
    let started = Instant::now();
    let mut pause = Duration::from_millis(150);
    let mut attempt = 0;
    let mut waiting = Waiting::new(&ctx.events, stage, format!("apply {object}"));
    let mut last = None;
    loop {
        let saw = last.as_ref().map_or_else(|| "no answer yet".to_owned(), ToString::to_string);
        let tried = tokio::select! {
            () = cancel.cancelled() => return Err(stopped(object, last.as_ref())),
            tried = waiting.during(&saw, try_once(ctx, cluster, claimed, object, &path)) => tried,
        };
        match tried {
            Ok(changed) => {
                waiting.over();
                return Ok(changed);
            }
            Err(error)
                if (error.is_transient() && started.elapsed() < PATIENCE)
                    || (error.is_port_held() && started.elapsed() < PORT_PATIENCE) =>
            {
                attempt += 1;
                // The first few tries are a cluster's ordinary start; a person hears of it when it lasts.
                if attempt >= 4 {
                    ctx.events.tell(EventKind::Retried {
                        stage: stage.clone(),
                        what: format!("apply {object}"),
                        reason: error.to_string(),
                        attempt,
                    });
                    waiting.saw(&error.to_string());
                }
                last = Some(error);
            }
            Err(error) => return Err(refused(object, &error)),
        }
        tokio::select! {
            () = cancel.cancelled() => return Err(stopped(object, last.as_ref())),
            () = sleep(pause) => {}
        }
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

/// On a cluster that was there before, what is somebody else's stays as it is: a namespace is used, everything else is refused. Looked at
/// again at every try: it was not there when the run began.
async fn is_theirs(ctx: &Context, cluster: &Cluster, object: &Object, path: &str) -> Result<bool, ClusterError> {
    if ctx.plan.is_local() {
        return Ok(false);
    }
    match cluster.find_metadata(path).await? {
        Some(live) if !is_ours(&live) && object.gvk.kind == "Namespace" => Ok(true),
        Some(live) if !is_ours(&live) => Err(ClusterError::Foreign { object: object.to_string(), by: installer(&live) }),
        _ => Ok(false),
    }
}

/// One try; answers whether the server's object is another one now.
async fn try_once(ctx: &Context, cluster: &Cluster, claimed: &NeverClaimed, object: &Object, path: &str) -> Result<bool, ClusterError> {
    if is_theirs(ctx, cluster, object, path).await? {
        return Ok(false);
    }
    let scalable = object.gvk.kind == "Deployment" && !ctx.is_fresh();
    let (live, before) = if scalable || claimed.needs_live(object) {
        let live = cluster.find(path).await?;
        if live.as_ref().is_some_and(|live| live.pointer("/metadata/deletionTimestamp").is_some()) {
            return Err(ClusterError::being_deleted(path));
        }
        let version = live.as_ref().and_then(|live| live.pointer("/metadata/resourceVersion")).and_then(Value::as_str).map(str::to_owned);
        (live, version)
    } else if ctx.is_fresh() && !has_node_ports(object) {
        (None, None)
    } else {
        (None, cluster.find_version(path).await?)
    };
    let body = body(claimed, object, live.as_ref());
    if before.is_none() && has_node_ports(object) {
        cluster.create_ours(path, body.clone()).await?;
    }
    let now = cluster.apply(path, body).await?;
    Ok(before.is_none_or(|before| before != now))
}

/// What is sent, given what the server has now.
pub(super) fn body(claimed: &NeverClaimed, object: &Object, live: Option<&Value>) -> Vec<u8> {
    let mut body = claimed.strip(object, live);
    // No autoscaler of the stack goes to 0, and a field that is left out stays 0 for ever.
    let asleep = live.and_then(|live| live.pointer("/spec/replicas")).and_then(Value::as_i64) == Some(0);
    if asleep && object.gvk.kind == "Deployment" {
        let ours = object.body.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1).max(1);
        body.get_or_insert_with(|| object.whole().into_owned())["spec"]["replicas"] = ours.into();
    }
    body.map_or_else(|| object.json().into_owned(), |body| body.to_string()).into_bytes()
}

/// A Service whose node ports we chose. It is made by a POST: a PATCH that makes it counts its ports as given out before the object is stored
/// (`Store.Update` of the API server finishes `BeginCreate` inside the transaction), so one whose client is killed in that moment leaves
/// them taken by nobody until the server's own repair, minutes later.
fn has_node_ports(object: &Object) -> bool {
    let ports = object.body.pointer("/spec/ports").and_then(Value::as_array);
    object.gvk.kind == "Service" && ports.into_iter().flatten().any(|port| port.get("nodePort").is_some())
}

/// Told to stop between two tries: under the name of what the server said last, should a deadline be the reason.
fn stopped(object: &Object, last: Option<&ClusterError>) -> Failure {
    match last {
        Some(error) => Failure { exit: Exit::Interrupted, ..refused(object, error) },
        None => interrupted().cause(format!("apply {object}: no answer yet")),
    }
}

fn refused(object: &Object, error: &ClusterError) -> Failure {
    let mut failure = Failure::from(error.clone());
    failure.cause = Some(error.to_string());
    failure.what = format!("cannot apply {object}");
    if failure.exit == Exit::NotRunning {
        failure.exit = Exit::StageFailed;
    }
    failure
}
