//! Starting a node that was stopped or paused.

use bollard::query_parameters::StartContainerOptionsBuilder;

use super::{DockerError, Engine};

impl Engine {
    /// Makes a container run again, whether it was stopped or paused; one that runs is fine.
    pub async fn start(&self, container: &str) -> Result<(), DockerError> {
        let options = StartContainerOptionsBuilder::default().build();
        match self.call(&format!("start container {container}"), self.api.start_container(container, Some(options))).await {
            // The engine has a verb of its own for that, and says so.
            Err(error) if error.to_string().contains("paused") => {
                self.call(&format!("unpause container {container}"), self.api.unpause_container(container)).await
            }
            answer => answer,
        }
    }
}
