//! Volumes of the engine.

use std::collections::HashMap;

use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::RemoveVolumeOptionsBuilder;

use super::{DockerError, Engine};

impl Engine {
    /// Makes sure that there is a volume of that name; answers where the engine has it, on the engine's own machine.
    pub async fn volume(&self, name: &str, labels: HashMap<String, String>) -> Result<String, DockerError> {
        let wanted = VolumeCreateRequest { name: Some(name.to_owned()), labels: Some(labels), ..VolumeCreateRequest::default() };
        Ok(self.call(&format!("make volume {name}"), self.api.create_volume(wanted)).await?.mountpoint)
    }

    /// There is a volume of that name.
    pub async fn volume_exists(&self, name: &str) -> Result<bool, DockerError> {
        match self.call("inspect a volume", self.api.inspect_volume(name)).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes a volume; one that is gone is fine.
    pub async fn remove_volume(&self, name: &str) -> Result<(), DockerError> {
        let options = RemoveVolumeOptionsBuilder::default().force(true).build();
        match self.call(&format!("remove volume {name}"), self.api.remove_volume(name, Some(options))).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}
