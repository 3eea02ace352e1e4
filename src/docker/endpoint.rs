//! Where the engine listens: decided once, in the docker command's own order, and handed to kind as DOCKER_HOST.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err::tokio as fs;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::DockerError;

/// What of the environment decides where the engine is; filled by `config`.
#[derive(Clone, Debug, Default)]
pub struct EngineEnvironment {
    /// DOCKER_HOST.
    pub docker_host: Option<String>,
    /// DOCKER_CONTEXT.
    pub docker_context: Option<String>,
    /// DOCKER_CONFIG; `None` is `~/.docker`.
    pub docker_config_dir: Option<PathBuf>,
    /// DOCKER_TLS_VERIFY is set.
    pub tls_verify: bool,
    /// DOCKER_CERT_PATH; `None` is the configuration's folder.
    pub cert_path: Option<PathBuf>,
    /// Home directory.
    pub home: Option<PathBuf>,
    /// XDG_RUNTIME_DIR.
    pub xdg_runtime_dir: Option<PathBuf>,
}

/// The engine's address and why it is that one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `unix:///PATH`, `tcp://HOST:PORT`, `http://…`, `https://…`.
    pub host: String,
    /// For people: `DOCKER_HOST`, ``docker context `colima` ``, `the default socket`.
    pub source: String,
    /// The folder with `ca.pem`, and with `cert.pem` and `key.pem` where the engine wants to know who asks; `None`: it is not spoken to in TLS.
    pub tls: Option<PathBuf>,
}

const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
const KNOCK: Duration = Duration::from_secs(1);

impl Endpoint {
    /// DOCKER_HOST, DOCKER_CONTEXT, the current context of docker's configuration, then the usual sockets.
    ///
    /// Of the usual sockets the first that accepts a connection is taken, else the first that is there. That an engine answers is
    /// not promised: [`super::Engine::connect`] finds out.
    pub async fn resolve(environment: &EngineEnvironment) -> Result<Self, DockerError> {
        Self::resolve_with_default(environment, Path::new(DEFAULT_SOCKET)).await
    }

    async fn resolve_with_default(environment: &EngineEnvironment, default: &Path) -> Result<Self, DockerError> {
        let set = |value: &Option<String>| value.as_deref().map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned);
        let directory = environment.docker_config_dir.clone().or_else(|| environment.home.as_ref().map(|home| home.join(".docker")));
        if let Some(host) = set(&environment.docker_host) {
            let wanted = environment.tls_verify || host.starts_with("https://");
            let tls = environment.cert_path.clone().or(directory).filter(|_| wanted && !host.starts_with("unix://"));
            return Self::usable(&host, "DOCKER_HOST", tls);
        }
        let (context, source) = match (set(&environment.docker_context), &directory) {
            (Some(context), _) => (Some(context), "DOCKER_CONTEXT"),
            (None, Some(directory)) => (current_context(directory).await?, "docker's current context"),
            (None, None) => (None, ""),
        };
        if let Some(context) = context.filter(|context| context != "default") {
            let directory = directory.ok_or_else(|| DockerError::Context {
                what: format!("context `{context}`"),
                message: "there is no home directory to look for it in".into(),
            })?;
            let (host, tls) = context_host(&directory, &context).await?;
            return Self::usable(&host, &format!("{source} `{context}`"), tls);
        }
        Ok(Self::usual(environment, default).await)
    }

    fn usable(host: &str, source: &str, tls: Option<PathBuf>) -> Result<Self, DockerError> {
        let host = if host.contains("://") { host.to_owned() } else { format!("tcp://{host}") };
        let refuse = |message: &str| DockerError::Address { host: host.clone(), from: source.to_owned(), message: message.to_owned() };
        if host.starts_with("ssh://") {
            return Err(refuse("engines behind ssh are not spoken to directly"));
        }
        if !["unix://", "tcp://", "http://", "https://"].iter().any(|scheme| host.starts_with(scheme)) {
            return Err(refuse("unknown scheme"));
        }
        if let Some(missing) = tls.as_ref().map(|folder| folder.join("ca.pem")).filter(|file| !file.exists()) {
            return Err(refuse(&format!("it is to be spoken to in TLS, and there is no {}", missing.display())));
        }
        Ok(Self { host, source: source.to_owned(), tls })
    }

    /// For the docker command, which knows no `https://`.
    pub fn docker_host(&self) -> String {
        self.host.strip_prefix("https://").map_or_else(|| self.host.clone(), |rest| format!("tcp://{rest}"))
    }

    /// What the docker command needs beside DOCKER_HOST: a context's certificates, which it does not look for once DOCKER_HOST is set.
    pub fn tls_variables(&self) -> Vec<(String, String)> {
        let Some(folder) = &self.tls else { return Vec::new() };
        vec![("DOCKER_TLS_VERIFY".into(), "1".into()), ("DOCKER_CERT_PATH".into(), folder.display().to_string())]
    }

    async fn usual(environment: &EngineEnvironment, default: &Path) -> Self {
        let mut sockets = vec![(default.to_owned(), "the default socket")];
        if let Some(home) = &environment.home {
            sockets.push((home.join(".docker/run/docker.sock"), "Docker Desktop's socket"));
            sockets.push((home.join(".colima/default/docker.sock"), "Colima's socket"));
            sockets.push((home.join(".rd/docker.sock"), "Rancher Desktop's socket"));
            sockets.push((home.join(".config/colima/default/docker.sock"), "Colima's socket"));
            sockets.push((home.join(".orbstack/run/docker.sock"), "OrbStack's socket"));
            sockets.push((home.join(".local/share/containers/podman/machine/podman.sock"), "Podman's socket"));
        }
        if let Some(runtime) = &environment.xdg_runtime_dir {
            sockets.push((runtime.join("docker.sock"), "rootless Docker's socket"));
            sockets.push((runtime.join("podman/podman.sock"), "Podman's socket"));
        }
        sockets.push((PathBuf::from("/run/podman/podman.sock"), "Podman's socket"));
        let mut there = None;
        for (path, source) in &sockets {
            if !fs::try_exists(path).await.unwrap_or(false) {
                continue;
            }
            let knock = tokio::time::timeout(KNOCK, tokio::net::UnixStream::connect(path)).await;
            if matches!(knock, Ok(Ok(_))) {
                return Self::at(path, source);
            }
            there.get_or_insert((path, *source));
        }
        let (path, source) = there.unwrap_or((&sockets[0].0, sockets[0].1));
        Self::at(path, source)
    }

    fn at(path: &Path, source: &str) -> Self {
        Self { host: format!("unix://{}", path.display()), source: source.to_owned(), tls: None }
    }
}

async fn current_context(directory: &Path) -> Result<Option<String>, DockerError> {
    let Some(configuration) = json(&directory.join("config.json")).await? else { return Ok(None) };
    Ok(configuration.get("currentContext").and_then(Value::as_str).filter(|name| !name.is_empty()).map(str::to_owned))
}

/// A context's address and its certificates: both lie in folders named by the sum of its name.
async fn context_host(directory: &Path, context: &str) -> Result<(String, Option<PathBuf>), DockerError> {
    let folder = hex::encode(Sha256::digest(context.as_bytes()));
    let meta = directory.join("contexts/meta").join(&folder).join("meta.json");
    let refuse = |message: String| DockerError::Context { what: format!("context `{context}`"), message };
    let value = json(&meta).await?.ok_or_else(|| refuse(format!("there is no {}", meta.display())))?;
    let host = value.pointer("/Endpoints/docker/Host").and_then(Value::as_str).filter(|host| !host.is_empty());
    let host = host.map(str::to_owned).ok_or_else(|| refuse("it has no docker endpoint".into()))?;
    if host.starts_with("unix://") {
        return Ok((host, None));
    }
    if value.pointer("/Endpoints/docker/SkipTLSVerify").and_then(Value::as_bool) == Some(true) {
        return Err(refuse(
            "it says that the engine's certificate is not to be checked (SkipTLSVerify); make it again with the engine's ca.pem".into(),
        ));
    }
    let certificates = directory.join("contexts/tls").join(folder).join("docker");
    let there = fs::try_exists(&certificates).await.unwrap_or(false);
    Ok((host, Some(certificates).filter(|_| there)))
}

async fn json(path: &Path) -> Result<Option<Value>, DockerError> {
    let refuse = |message: String| DockerError::Context { what: format!("file {}", path.display()), message };
    match fs::read(path).await {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| refuse(error.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refuse(error.to_string())),
    }
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
