//! Starting and stopping nodes.

use std::time::Duration;

use bollard::query_parameters::{StartContainerOptionsBuilder, StopContainerOptionsBuilder};

use super::{DockerError, Engine};

/// How long a node's processes get to end by themselves, in seconds; docker's own default.
const STOP_GRACE: i32 = 10;
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

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

    /// Lets a paused container go on.
    pub async fn unpause(&self, container: &str) -> Result<(), DockerError> {
        self.call(&format!("unpause container {container}"), self.api.unpause_container(container)).await
    }

    /// Stops a container as `docker stop` does; one that is stopped or gone is fine.
    pub async fn stop(&self, container: &str) -> Result<(), DockerError> {
        let options = StopContainerOptionsBuilder::default().t(STOP_GRACE).build();
        let api = self.api.clone().with_timeout(STOP_TIMEOUT);
        let what = format!("stop container {container}");
        match tokio::time::timeout(STOP_TIMEOUT, api.stop_container(container, Some(options))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => match self.error(&what, &error) {
                gone if gone.is_not_found() => Ok(()),
                error => Err(error),
            },
            Err(_) => Err(DockerError::Timeout { what, seconds: STOP_TIMEOUT.as_secs() }),
        }
    }
}
