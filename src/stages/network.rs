//! kube-proxy, sooner than kubeadm brings it, and the proof that it routes.
//!
//! kubeadm makes kube-proxy's DaemonSet as its last step but one, seconds after its API server takes objects, and every pod waits for the
//! routes. The same step of kubeadm, run as soon as the server answers, finds nothing in its way; kubeadm's own, later, finds it done.

use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::component::patiently;
use super::waiting::told;
use super::{Context, Ended, checks, unless_stopped};
use crate::error::Failure;
use crate::plan::{Stage, StageId};

/// kubeadm's step, with the configuration that kind has written for this node.
const STEP: [&str; 7] = ["kubeadm", "init", "phase", "addon", "kube-proxy", "--config", "/kind/kubeadm.conf"];
/// Bound on its silence.
const WITHIN: Duration = Duration::from_secs(30);
/// The API server's Service, which every pod dials.
const SERVICE: &str = "/api/v1/namespaces/default/services/kubernetes";
/// Asks `$1:$2` until this cluster's API server answers. Not every answer is one: before the rules are there the dial leaves the machine, and
/// in some networks somebody takes it (seen: pods ended with "cannot validate certificate for 10.96.0.1").
const ASK: &str = "command -v curl >/dev/null || exit 127
for try in $(seq 300); do
  curl -sf --noproxy '*' --max-time 1 --cacert /etc/kubernetes/pki/ca.crt https://$1:$2/livez >/dev/null && exit
  sleep 0.1
done
exit 1";
/// Bound on the whole; it says nothing meanwhile.
const ROUTED_WITHIN: Duration = Duration::from_secs(360);

/// The node is Ready, and what runs on it reaches the API server.
pub(super) async fn nodes(ctx: &Context, stage: &Stage, cancel: &CancellationToken) -> Result<Ended, Failure> {
    if ctx.is_fresh() {
        // Where that does not work kubeadm does as ever, later.
        if let Err(why) = ctx.engine()?.exec_ok(ctx.node()?, &STEP, WITHIN).await {
            tracing::warn!("kube-proxy is left to kubeadm: {why}");
        }
    }
    checks::all_green(ctx, &stage.id, &stage.checks, cancel).await?;
    if ctx.is_fresh() {
        routed(ctx, cancel).await?;
    }
    Ok(Ended::Done)
}

/// Waits until the node reaches the API server by its Service's address. kube-proxy counts as ready as soon as it runs, on a busy machine
/// seconds before its rules are there: pods that began in between ended, or asked again after 5 and 10 s only (cert-manager).
async fn routed(ctx: &Context, cancel: &CancellationToken) -> Result<(), Failure> {
    let cluster = ctx.cluster()?;
    let service = patiently(|| cluster.find(SERVICE)).await?.unwrap_or_default();
    let address = service.pointer("/spec/clusterIP").and_then(Value::as_str);
    let port = service.pointer("/spec/ports/0/port").and_then(Value::as_u64);
    let (Some(address), Some(port)) = (address, port) else { return Ok(()) };
    let port = port.to_string();
    let argv = ["bash", "-c", ASK, "ask", address, &port];
    let asking = Box::pin(unless_stopped(cancel, ctx.engine()?.exec(ctx.node()?, &argv, ROUTED_WITHIN)));
    let asked = told(&ctx.events, &StageId::Nodes, "routes", "kube-proxy writes its rules", asking).await?;
    if asked.code != 0 {
        tracing::warn!("whether {address}:{port} leads to the API server is not known: exit code {}", asked.code);
    }
    Ok(())
}
