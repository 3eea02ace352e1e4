//! A container that does one thing and goes.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{ContainerConfig, ContainerCreateBody, HostConfig};
use bollard::query_parameters::{CommitContainerOptionsBuilder, CreateContainerOptions, LogsOptionsBuilder, WaitContainerOptions};
use futures_util::StreamExt;
use tokio::time::timeout;

use super::images::split_tag;
use super::{DockerError, Engine, ExecOutput};

/// What it is to do.
#[derive(Clone, Debug)]
pub struct Once {
    /// An image that the engine has.
    pub image: String,
    /// Program and arguments, in the place of the image's own.
    pub argv: Vec<String>,
    /// `SOURCE:FOLDER`.
    pub binds: Vec<String>,
    /// Labels.
    pub labels: HashMap<String, String>,
    /// With all rights of the engine.
    pub privileged: bool,
}

impl Once {
    fn body(&self, remove: bool) -> ContainerCreateBody {
        let (first, rest) = self.argv.split_at(1.min(self.argv.len()));
        ContainerCreateBody {
            image: Some(self.image.clone()),
            entrypoint: Some(first.to_vec()),
            cmd: Some(rest.to_vec()),
            labels: Some(self.labels.clone()),
            host_config: Some(HostConfig {
                binds: Some(self.binds.clone()),
                auto_remove: Some(remove),
                privileged: Some(self.privileged),
                network_mode: Some("none".into()),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        }
    }
}

impl Engine {
    /// Runs it to its end and removes it; answers how it ended.
    pub async fn once(&self, wanted: &Once, within: Duration) -> Result<ExecOutput, DockerError> {
        let what = format!("run {} in {}", wanted.argv.first().map_or("", String::as_str), wanted.image);
        let (id, ended) = self.ran(wanted, within, &what).await?;
        self.remove(&id).await?;
        ended
    }

    /// Starts it; the engine removes it at its end, which nobody waits for.
    pub async fn once_alone(&self, wanted: &Once) -> Result<(), DockerError> {
        let what = format!("start {} in {}", wanted.argv.first().map_or("", String::as_str), wanted.image);
        let id = self.made(wanted, true, &what).await?;
        self.call(&what, self.api.start_container(&id, None)).await
    }

    /// Runs it to its end, makes an image of what it leaves behind, and removes it.
    pub(super) async fn once_into(&self, wanted: &Once, within: Duration, name: &str, config: ContainerConfig) -> Result<(), DockerError> {
        let what = format!("make image {name}");
        let (id, ended) = self.ran(wanted, within, &what).await?;
        let argv: Vec<&str> = wanted.argv.iter().map(String::as_str).collect();
        let (repository, tag) = split_tag(name);
        let options = CommitContainerOptionsBuilder::default().container(&id).repo(repository).tag(tag).build();
        let made = match ended.and_then(|ended| ended.ok(&wanted.image, &argv)) {
            Ok(_) => self.call(&what, self.api.commit_container(options, config)).await,
            Err(error) => Err(error),
        };
        self.remove(&id).await?;
        made.map(drop)
    }

    /// Its ID, and how it ended; it is still there.
    async fn ran(&self, wanted: &Once, within: Duration, what: &str) -> Result<(String, Result<ExecOutput, DockerError>), DockerError> {
        let id = self.made(wanted, false, what).await?;
        let late = DockerError::Timeout { what: what.to_owned(), seconds: within.as_secs() };
        let ended = timeout(within, self.ended(&id, what)).await.unwrap_or(Err(late));
        Ok((id, ended))
    }

    async fn made(&self, wanted: &Once, remove: bool, what: &str) -> Result<String, DockerError> {
        Ok(self.call(what, self.api.create_container(None::<CreateContainerOptions>, wanted.body(remove))).await?.id)
    }

    async fn ended(&self, id: &str, what: &str) -> Result<ExecOutput, DockerError> {
        self.call(what, self.api.start_container(id, None)).await?;
        let code = match self.api.wait_container(id, None::<WaitContainerOptions>).next().await {
            Some(Ok(answer)) => answer.status_code,
            // bollard's way to say that the code is not 0
            Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => code,
            Some(Err(error)) => return Err(self.error(what, &error)),
            None => {
                return Err(DockerError::Refused {
                    what: what.to_owned(),
                    code: None,
                    message: "the engine does not say how it ended".into(),
                });
            }
        };
        let options = LogsOptionsBuilder::default().stdout(true).stderr(true).tail("50").build();
        let mut logs = self.api.logs(id, Some(options));
        let (mut stdout, mut stderr) = (String::new(), String::new());
        while let Some(line) = logs.next().await {
            match line.map_err(|error| self.error(what, &error))? {
                bollard::container::LogOutput::StdErr { message } => stderr.push_str(&String::from_utf8_lossy(&message)),
                other => stdout.push_str(&String::from_utf8_lossy(&other.into_bytes())),
            }
        }
        Ok(ExecOutput { code, stdout, stderr })
    }
}
