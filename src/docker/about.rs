//! What `doctor` asks an engine beside its size: its clock, and who manages its control groups.

use super::{DockerError, Engine};

/// An engine's answer about itself, beside [`super::Facts`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// `systemd`, `cgroupfs`, `none`; empty when it does not say.
    pub cgroup_driver: String,
    /// Its clock, RFC 3339.
    pub system_time: Option<String>,
}

impl Engine {
    /// The clock is read while the question is answered: compare it with one's own before and after.
    pub async fn about(&self) -> Result<About, DockerError> {
        let info = self.call("ask the engine about itself", self.api.info()).await?;
        let cgroup_driver = info.cgroup_driver.map(|driver| driver.to_string()).unwrap_or_default();
        Ok(About { cgroup_driver, system_time: info.system_time.filter(|time| !time.is_empty()) })
    }
}
