//! Stopping the containers of a cluster: workers first, so that the control plane hears of it.

use crate::docker::{Engine, Node};
use crate::error::Failure;
use crate::stages::start_order;

/// Stops the nodes that run; answers their names in the order in which they were stopped.
pub async fn stop(engine: &Engine, mut nodes: Vec<Node>) -> Result<Vec<String>, Failure> {
    nodes.sort_by_key(|node| std::cmp::Reverse(start_order(&node.role)));
    let mut stopped = Vec::new();
    for node in nodes.into_iter().filter(|node| !matches!(node.state.as_str(), "exited" | "created" | "dead")) {
        if node.state == "paused" {
            engine.unpause(&node.id).await?;
        }
        engine.stop(&node.id).await?;
        stopped.push(node.name);
    }
    Ok(stopped)
}
