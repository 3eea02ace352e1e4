//! A node is made: kind at work, and what is there before kind has ended.
//!
//! kubeadm goes on for some seconds after its API server answers. Definitions and images need no more than that, so the stage `cluster`
//! is over then. The stage `nodes`, which whatever makes pods waits for, waits for the node; the stage `kubeconfig` sees kind to its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::user_context::switch_context;
use super::waiting::{Waiting, told};
use super::{Context, Ended, image_store};
use crate::catalog::{embedded, yaml};
use crate::cluster::Cluster;
use crate::config::Ingress;
use crate::docker::ImageStore;
use crate::error::{Exit, Failure};
use crate::event::EventKind;
use crate::kind::{self, Configuration, Create, Kind, KindError, step};
use crate::plan::{GATEWAY_NODE_PORT, StageId};

/// How often the node of a kind that goes on alone is taken away.
const TAKE_OVERS: u32 = 3;
/// Bound on `kind create`, a pull of the node image included.
const CREATE: Duration = Duration::from_secs(9 * 60);
/// kind's step in which the API server comes up.
const CONTROL_PLANE: &str = "Starting control-plane";
/// Between two looks for it, and the bound on one.
const LOOK: Duration = Duration::from_millis(250);
const LOOK_WITHIN: Duration = Duration::from_secs(5);
/// The API server's port in a node of kind's.
const API_PORT: u16 = 6443;

/// kind, still at work on a node whose API server answers already.
#[derive(Debug)]
pub(super) struct Making {
    task: JoinHandle<Result<(), KindError>>,
    kind: Kind,
    node_image: String,
    store: Option<ImageStore>,
}

/// How a try went.
enum Made {
    Ended(Result<(), KindError>),
    Early(Box<Cluster>, JoinHandle<Result<(), KindError>>),
}

/// Makes the node. When this returns, its API server answers; kind may have more to do ([`settled`]).
pub(super) async fn create(ctx: &Context, kind: Kind, node_image: &str, port: u16, cancel: &CancellationToken) -> Result<(), Failure> {
    let name = ctx.plan.cluster.as_str();
    let engine = ctx.engine()?.endpoint().host.clone();
    // A new cluster has none of what the journal of an old one says.
    ctx.change(|state| {
        state.creating = true;
        state.engine = Some(engine);
        state.created = false;
        state.stages.clear();
    })?;
    let template = embedded::kind_template()?;
    let configuration = |store: Option<&ImageStore>| {
        let wanted = Configuration {
            name: name.to_owned(),
            node_image: Some(store.and_then(|store| store.node_image.as_deref()).unwrap_or(node_image).to_owned()),
            host_port: (ctx.plan.ingress != Ingress::Tunnel).then_some(port),
            node_port: GATEWAY_NODE_PORT,
            image_store: store.map(|store| store.folder.clone()),
            feature_gates: ctx.plan.kind_settings.feature_gates.clone(),
        };
        kind::configuration(&template, &wanted)
    };
    let preparing = Box::pin(image_store::prepare(ctx, node_image));
    let mut store = told(&ctx.events, &StageId::Cluster, "images", "the node's image store is made", preparing).await?;
    let mut waiting = Waiting::new(&ctx.events, &StageId::Cluster, "kind");
    waiting.saw("kind starts");
    let mut made = attempt(ctx, &kind, configuration(store.as_ref()), cancel).await?;
    for _ in 0..TAKE_OVERS {
        let Made::Ended(Err(KindError::Exists { .. })) = &made else { break };
        // There was no node a moment ago, and nobody else holds our lock: the kind of a run that was killed has gone on alone. It may
        // be on its way still, and make the node once more after this.
        ctx.events.note(format!("the kind of an earlier run was still making {name}: starting over"));
        kind.delete(name, &ctx.paths.kubeconfig).await?;
        store = Box::pin(image_store::prepare(ctx, node_image)).await?;
        made = attempt(ctx, &kind, configuration(store.as_ref()), cancel).await?;
    }
    match made {
        Made::Ended(result) => settle(ctx, waiting, result, &kind, node_image, store.as_ref()).await,
        Made::Early(cluster, task) => {
            waiting.over();
            drop(ctx.cluster.set(*cluster));
            ctx.mark_fresh();
            ctx.hand_over(Making { task, kind, node_image: node_image.to_owned(), store });
            Ok(())
        }
    }
}

/// Sees a kind that is still at work to its end; nothing where there is none.
pub(super) async fn settled(ctx: &Context) -> Result<Ended, Failure> {
    let Some(making) = ctx.take_making() else {
        return Ok(if ctx.is_fresh() { Ended::Done } else { Ended::Skipped("it was there before".into()) });
    };
    let Making { task, kind, node_image, store } = making;
    let mut waiting = Waiting::new(&ctx.events, &StageId::Kubeconfig, "kind");
    let result =
        waiting.during("kind finishes its node", task).await.map_err(|defect| Failure::internal(format!("kind's task: {defect}")))?;
    settle(ctx, waiting, result, &kind, &node_image, store.as_ref()).await?;
    told(&ctx.events, &StageId::Kubeconfig, "kubeconfig", "your kubeconfig is written", switch_context(ctx)).await;
    Ok(Ended::Done)
}

/// Runs kind to its end or to an API server that answers, whichever comes first.
async fn attempt(ctx: &Context, kind: &Kind, configuration: Value, cancel: &CancellationToken) -> Result<Made, Failure> {
    let begun = Arc::new(Notify::new());
    let early = Arc::new(AtomicBool::new(false));
    let said = {
        let (events, begun, early) = (ctx.events.clone(), Arc::clone(&begun), Arc::clone(&early));
        move |line: &str| {
            tracing::info!(target: "kind", "{line}");
            let Some(step) = step(line) else { return };
            if step == CONTROL_PLANE {
                begun.notify_one();
            }
            let stage = if early.load(Ordering::Relaxed) { StageId::Kubeconfig } else { StageId::Cluster };
            let check = format!("{stage}/kind");
            events.tell(EventKind::CheckPending { stage, check, saw: step.to_owned() });
        }
    };
    let mut task = {
        let (kind, cancel) = (kind.clone(), cancel.clone());
        let (name, kubeconfig) = (ctx.plan.cluster.clone(), ctx.paths.kubeconfig.clone());
        tokio::spawn(async move {
            let create = Create { name: &name, configuration: &configuration, kubeconfig: &kubeconfig, deadline: CREATE };
            kind.create(&create, &cancel, &said).await
        })
    };
    tokio::select! {
        biased;
        ended = &mut task => match ended {
            Ok(result) => Ok(Made::Ended(result)),
            Err(defect) => Err(Failure::internal(format!("kind's task: {defect}"))),
        },
        cluster = api(ctx, &begun) => {
            early.store(true, Ordering::Relaxed);
            Ok(Made::Early(Box::new(cluster), task))
        }
    }
}

/// The API server of the node that kind is making, once it takes our objects.
async fn api(ctx: &Context, begun: &Notify) -> Cluster {
    begun.notified().await;
    let mut known = None;
    loop {
        if known.is_none() {
            known = timeout(LOOK_WITHIN, administrator(ctx)).await.unwrap_or_default();
        }
        if let Some(cluster) = &known
            && timeout(LOOK_WITHIN, takes_objects(cluster)).await.unwrap_or_default()
            && let Some(cluster) = known.take()
        {
            return cluster;
        }
        sleep(LOOK).await;
    }
}

/// kubeadm's own kubeconfig out of the node, with the address that the engine maps: what kind itself writes at its end.
async fn administrator(ctx: &Context) -> Option<Cluster> {
    let engine = ctx.engine().ok()?;
    let node = engine.nodes(ctx.plan.cluster.as_str()).await.ok()?.into_iter().find(|node| node.role == "control-plane")?;
    let port = node.host_port(API_PORT)?;
    let text = engine.exec_ok(&node.name, &["cat", "/etc/kubernetes/admin.conf"], LOOK_WITHIN).await.ok()?;
    let mut config: Value = yaml::parse(&text, "admin.conf").ok()?;
    let server = config.pointer_mut("/clusters/0/cluster/server")?;
    let scheme = server.as_str()?.split_once("://")?.0;
    *server = format!("{scheme}://127.0.0.1:{port}").into();
    Cluster::from_texts(&[("admin.conf".into(), config.to_string())], None).await.ok()
}

/// It is ready, kubeadm has given its administrator the rights, and the namespaces that every cluster has are there.
async fn takes_objects(cluster: &Cluster) -> bool {
    cluster.text("/readyz").await.is_ok() && cluster.find("/api/v1/namespaces/default").await.is_ok_and(|found| found.is_some())
}

/// What kind's end means.
async fn settle(
    ctx: &Context,
    mut waiting: Waiting<'_>,
    result: Result<(), KindError>,
    kind: &Kind,
    node_image: &str,
    store: Option<&ImageStore>,
) -> Result<(), Failure> {
    let name = ctx.plan.cluster.as_str();
    if let Err(error) = result {
        let mut failure = Failure::from(error);
        if failure.exit != Exit::Interrupted {
            let logs = ctx.paths.folder.join("kind-logs");
            waiting.saw("it failed, and its node's logs are saved");
            if kind.export_logs(name, &logs).await.is_ok() {
                failure.hint = Some(
                    format!("{}; the node's logs are in {}", failure.hint.unwrap_or_default(), logs.display())
                        .trim_start_matches("; ")
                        .to_owned(),
                );
            }
        }
        waiting.saw("the half-made node is deleted");
        // Never a half-made node in the way of the next try.
        kind.delete(name, &ctx.paths.kubeconfig).await.ok();
        if failure.exit != Exit::Interrupted && store.is_some_and(|store| store.kept.is_some()) {
            image_store::distrust(ctx, node_image).await;
        }
        return Err(failure);
    }
    waiting.over();
    ctx.change(|state| {
        state.creating = false;
        state.created = true;
    })?;
    ctx.mark_fresh();
    Ok(())
}
