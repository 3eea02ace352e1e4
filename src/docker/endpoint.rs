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
        if let Some(host) = set(&environment.docker_host) {
            return Self::usable(&host, "DOCKER_HOST");
        }
        let directory = environment.docker_config_dir.clone().or_else(|| environment.home.as_ref().map(|home| home.join(".docker")));
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
            let host = context_host(&directory, &context).await?;
            return Self::usable(&host, &format!("{source} `{context}`"));
        }
        Ok(Self::usual(environment, default).await)
    }

    fn usable(host: &str, source: &str) -> Result<Self, DockerError> {
        let host = if host.contains("://") { host.to_owned() } else { format!("tcp://{host}") };
        let refuse = |message: &str| DockerError::Address { host: host.clone(), from: source.to_owned(), message: message.to_owned() };
        if host.starts_with("ssh://") {
            return Err(refuse("engines behind ssh are not spoken to directly"));
        }
        if !["unix://", "tcp://", "http://", "https://"].iter().any(|scheme| host.starts_with(scheme)) {
            return Err(refuse("unknown scheme"));
        }
        Ok(Self { host, source: source.to_owned() })
    }

    async fn usual(environment: &EngineEnvironment, default: &Path) -> Self {
        let mut sockets = vec![(default.to_owned(), "the default socket")];
        if let Some(home) = &environment.home {
            sockets.push((home.join(".docker/run/docker.sock"), "Docker Desktop's socket"));
            sockets.push((home.join(".colima/default/docker.sock"), "Colima's socket"));
            sockets.push((home.join(".rd/docker.sock"), "Rancher Desktop's socket"));
            sockets.push((home.join(".orbstack/run/docker.sock"), "OrbStack's socket"));
        }
        if let Some(runtime) = &environment.xdg_runtime_dir {
            sockets.push((runtime.join("docker.sock"), "rootless Docker's socket"));
            sockets.push((runtime.join("podman/podman.sock"), "Podman's socket"));
        }
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
        Self { host: format!("unix://{}", path.display()), source: source.to_owned() }
    }
}

async fn current_context(directory: &Path) -> Result<Option<String>, DockerError> {
    let Some(configuration) = json(&directory.join("config.json")).await? else { return Ok(None) };
    Ok(configuration.get("currentContext").and_then(Value::as_str).filter(|name| !name.is_empty()).map(str::to_owned))
}

/// A context lies in a folder named by the sum of its name.
async fn context_host(directory: &Path, context: &str) -> Result<String, DockerError> {
    let folder = hex::encode(Sha256::digest(context.as_bytes()));
    let meta = directory.join("contexts/meta").join(folder).join("meta.json");
    let refuse = |message: String| DockerError::Context { what: format!("context `{context}`"), message };
    let value = json(&meta).await?.ok_or_else(|| refuse(format!("there is no {}", meta.display())))?;
    let host = value.pointer("/Endpoints/docker/Host").and_then(Value::as_str).filter(|host| !host.is_empty());
    host.map(str::to_owned).ok_or_else(|| refuse("it has no docker endpoint".into()))
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
mod tests {
    use super::*;
    use crate::error::Explain;

    struct Home(tempfile::TempDir);

    impl Home {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }
        fn write(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        fn context(&self, name: &str, host: &str) {
            let folder = hex::encode(Sha256::digest(name.as_bytes()));
            let meta = serde_json::json!({"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": false}}});
            self.write(&format!(".docker/contexts/meta/{folder}/meta.json"), &meta.to_string());
        }
        fn environment(&self) -> EngineEnvironment {
            EngineEnvironment { home: Some(self.0.path().to_owned()), ..EngineEnvironment::default() }
        }
        async fn resolve(&self, environment: &EngineEnvironment) -> Result<Endpoint, DockerError> {
            Endpoint::resolve_with_default(environment, &self.0.path().join("default.sock")).await
        }
    }

    #[tokio::test]
    async fn docker_host_wins_over_contexts_and_contexts_over_sockets() {
        let home = Home::new();
        home.context("colima", "unix:///colima.sock");
        home.context("other", "tcp://10.0.0.2:2375");
        home.write(".docker/config.json", r#"{"currentContext":"colima","auths":{}}"#);
        let mut environment = home.environment();
        let endpoint = home.resolve(&environment).await.unwrap();
        assert_eq!((endpoint.host.as_str(), endpoint.source.as_str()), ("unix:///colima.sock", "docker's current context `colima`"));
        environment.docker_context = Some("other".into());
        assert_eq!(home.resolve(&environment).await.unwrap().host, "tcp://10.0.0.2:2375");
        environment.docker_host = Some("unix:///mine.sock".into());
        let endpoint = home.resolve(&environment).await.unwrap();
        assert_eq!(endpoint, Endpoint { host: "unix:///mine.sock".into(), source: "DOCKER_HOST".into() });
        environment.docker_host = Some(String::new());
        environment.docker_context = Some("default".into());
        assert!(home.resolve(&environment).await.unwrap().host.ends_with("/default.sock"));
    }

    #[tokio::test]
    async fn a_dead_default_socket_does_not_hide_a_living_one() {
        let home = Home::new();
        let environment = home.environment();
        assert_eq!(home.resolve(&environment).await.unwrap().source, "the default socket");
        home.write("default.sock", "");
        let colima = home.0.path().join(".colima/default/docker.sock");
        fs_err::create_dir_all(colima.parent().unwrap()).unwrap();
        let _listener = tokio::net::UnixListener::bind(&colima).unwrap();
        let endpoint = home.resolve(&environment).await.unwrap();
        assert_eq!((endpoint.host, endpoint.source.as_str()), (format!("unix://{}", colima.display()), "Colima's socket"));
    }

    #[tokio::test]
    async fn ssh_is_refused_with_a_way_around_and_a_lost_context_is_named() {
        let home = Home::new();
        let mut environment = home.environment();
        environment.docker_host = Some("ssh://me@far".into());
        let error = home.resolve(&environment).await.unwrap_err();
        assert_eq!(error.id(), "ENGINE_ADDRESS");
        assert!(error.hint().unwrap().contains("ssh -NL"));
        environment.docker_host = None;
        environment.docker_context = Some("gone".into());
        let error = home.resolve(&environment).await.unwrap_err();
        assert!(error.to_string().contains("context `gone`"), "{error}");
        home.write(".docker/config.json", "{");
        environment.docker_context = None;
        assert!(home.resolve(&environment).await.unwrap_err().to_string().contains("config.json"));
    }
}
