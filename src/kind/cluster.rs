//! What kind is asked for.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Command, Finished, KindError, OnLine, Program, Proxies};

/// A delete stops a node's processes first.
const DELETE_DEADLINE: Duration = Duration::from_mins(3);
const LOGS_DEADLINE: Duration = Duration::from_mins(5);
const SHORT_DEADLINE: Duration = Duration::from_mins(1);

/// A kind program together with the engine it must use.
#[derive(Clone, Debug)]
pub struct Kind {
    program: Program,
    environment: Vec<(String, String)>,
}

/// A cluster to create.
#[derive(Clone, Debug)]
pub struct Create<'a> {
    /// Name.
    pub name: &'a str,
    /// From [`super::configuration`].
    pub configuration: &'a Value,
    /// The file that kind writes the access to: ours, not the user's.
    pub kubeconfig: &'a Path,
    /// Bound on the whole, a pull of the node image included.
    pub deadline: Duration,
}

impl Kind {
    /// `docker_host` is the resolved endpoint: kind's docker commands then talk to the engine that we talk to. `extra` is added to
    /// each child's environment, last.
    pub fn new(program: Program, docker_host: &str, proxies: &Proxies, extra: &[(String, String)]) -> Self {
        let mut environment = vec![("DOCKER_HOST".to_owned(), docker_host.to_owned())];
        environment.extend(proxies.variables());
        environment.extend_from_slice(extra);
        Self { program, environment }
    }

    /// Which program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Creates a cluster and keeps its nodes when that fails, so that [`Kind::export_logs`] has something to gather.
    ///
    /// Readiness is not waited for: kind's own wait ends with 0 on its time-out.
    pub async fn create(&self, create: &Create<'_>, cancel: &CancellationToken, on_line: OnLine<'_>) -> Result<(), KindError> {
        let command = self
            .command(create.deadline)
            .args(["create", "cluster", "--name", create.name, "--retain", "--config", "-", "--kubeconfig"])
            .args([create.kubeconfig])
            .stdin(create.configuration.to_string().into_bytes());
        self.run(create.name, command, cancel, on_line).await.map(drop)
    }

    /// Deletes a cluster and its entries in a kubeconfig; one that is gone is fine.
    pub async fn delete(&self, name: &str, kubeconfig: &Path) -> Result<(), KindError> {
        let command = self.command(DELETE_DEADLINE).args(["delete", "cluster", "--name", name, "--kubeconfig"]).args([kubeconfig]);
        self.run(name, command, &CancellationToken::new(), &|_| {}).await.map(drop)
    }

    /// Gathers the nodes' logs in a folder.
    pub async fn export_logs(&self, name: &str, folder: &Path) -> Result<(), KindError> {
        let command = self.command(LOGS_DEADLINE).args(["export", "logs", "--name", name]).args([folder]);
        self.run(name, command, &CancellationToken::new(), &|_| {}).await.map(drop)
    }

    /// The access to a cluster, as text.
    pub async fn kubeconfig(&self, name: &str) -> Result<String, KindError> {
        let command = self.command(SHORT_DEADLINE).args(["get", "kubeconfig", "--name", name]);
        let finished = self.run(name, command, &CancellationToken::new(), &|_| {}).await?;
        Ok(String::from_utf8_lossy(&finished.stdout).into_owned())
    }

    /// Names of the clusters that kind sees.
    pub async fn clusters(&self) -> Result<Vec<String>, KindError> {
        let command = self.command(SHORT_DEADLINE).args(["get", "clusters", "-q"]);
        let finished = self.run("", command, &CancellationToken::new(), &|_| {}).await?;
        Ok(String::from_utf8_lossy(&finished.stdout).lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }

    fn command(&self, deadline: Duration) -> Command {
        Command::new(&self.program.path, deadline).envs(self.environment.iter().cloned())
    }

    async fn run(&self, name: &str, command: Command, cancel: &CancellationToken, on_line: OnLine<'_>) -> Result<Finished, KindError> {
        command.run(cancel, on_line).await.map_err(|error| KindError::from_command(name, error))
    }
}

#[cfg(test)]
#[path = "cluster_tests.rs"]
mod tests;
