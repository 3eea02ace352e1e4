//! Starting a node that was stopped.

use bollard::query_parameters::StartContainerOptionsBuilder;

use super::{DockerError, Engine};

impl Engine {
    /// Starts a container; one that runs is fine.
    pub async fn start(&self, container: &str) -> Result<(), DockerError> {
        let options = StartContainerOptionsBuilder::default().build();
        self.call(&format!("start container {container}"), self.api.start_container(container, Some(options))).await
    }
}
