//! Stopping the containers of a cluster: workers first, so that the control plane hears of it.

use std::time::Duration;

use crate::docker::{Engine, Node};
use crate::error::Failure;
use crate::stages::start_order;

/// systemd in a node waits for its pods until the engine kills all of it (137 after any patience, seen on the real cluster: Knative's pods
/// drain for minutes). So the kubelet, the API server and last etcd are asked to end first: nothing else has anything to lose.
const QUIET: &str = r#"
systemctl stop kubelet
for name in kube-apiserver etcd; do
  for process in /proc/[0-9]*; do
    read -r found 2>/dev/null <"$process/comm" || continue
    [ "$found" = "$name" ] && kill "${process#/proc/}" || continue
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do [ -d "$process" ] && sleep 0.5; done
  done
done
exit 0
"#;
const QUIET_WITHIN: Duration = Duration::from_secs(30);

/// Stops the nodes that run; answers their names in the order in which they were stopped.
pub async fn stop(engine: &Engine, mut nodes: Vec<Node>) -> Result<Vec<String>, Failure> {
    nodes.sort_by_key(|node| std::cmp::Reverse(start_order(&node.role)));
    let mut stopped = Vec::new();
    for node in nodes.into_iter().filter(|node| !matches!(node.state.as_str(), "exited" | "created" | "dead")) {
        if node.state == "paused" {
            engine.unpause(&node.id).await?;
        }
        if node.role == "control-plane"
            && let Err(error) = engine.exec_ok(&node.name, &["sh", "-c", QUIET], QUIET_WITHIN).await
        {
            tracing::warn!(%error, node = node.name, "etcd could not be asked to end: it will go on from its log");
        }
        engine.stop(&node.id).await?;
        stopped.push(node.name);
    }
    Ok(stopped)
}
