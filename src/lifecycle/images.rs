//! What becomes of a node's images when the node is gone.

use crate::config::ClusterName;
use crate::docker::{DockerError, Engine, KeptImages};
use crate::state::State;

/// Keeps images that are new for the next cluster, and takes the rest of the node's store away. With `wait` the next cluster can be made
/// at once; else the engine does it by itself. Answers a sentence where that went wrong: nothing else depends on it.
pub async fn keep_images(engine: &Engine, name: &ClusterName, state: Option<&State>, wait: bool) -> Option<String> {
    match kept(engine, name, state, wait).await {
        Ok(()) => None,
        Err(error) => Some(format!("its images are not kept for the next cluster: {error}")),
    }
}

async fn kept(engine: &Engine, name: &ClusterName, state: Option<&State>, wait: bool) -> Result<(), DockerError> {
    let Some((images, node_image)) = state.and_then(|state| Some((state.images.as_ref()?, state.node_image.as_deref()?))) else {
        return Ok(());
    };
    let Some(store) = KeptImages::of(engine, node_image).await? else { return Ok(()) };
    if images.new { store.keep(name.as_str(), &images.names, wait).await } else { store.drop_of(name.as_str()).await }
}
