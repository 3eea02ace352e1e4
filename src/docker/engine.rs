//! A connection to the engine, and what it says about itself.

use std::future::Future;
use std::time::Duration;

use bollard::errors::Error as Bollard;
use bollard::models::{SystemInfo, SystemVersion};
use bollard::{API_DEFAULT_VERSION, Docker};

use super::{DockerError, Endpoint};

/// Bound on one request with an answer.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// A laptop that is busy with something else answers late; one without an engine refuses at once.
const PING_TIMEOUT: Duration = Duration::from_secs(15);
/// Transfers are bounded by their idle time instead.
const STREAM_TIMEOUT: Duration = Duration::from_hours(24);
/// Docker 20.10: the first with private cgroup namespaces, which kind needs on cgroup v2.
const OLDEST_API: (u64, u64) = (1, 41);

/// An engine that answered.
#[derive(Clone)]
pub struct Engine {
    pub(super) api: Docker,
    /// The same without a bound on the time until headers: the daemon answers a load when it has read it all.
    pub(super) streams: Docker,
    endpoint: Endpoint,
    architecture: String,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// What an engine says about itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Facts {
    /// `28.2.2`.
    pub version: String,
    /// `1.50`.
    pub api: String,
    /// Logical CPUs that containers can use.
    pub cpus: u64,
    /// Bytes that containers can use.
    pub memory: u64,
    /// Where it keeps its data; inside the virtual machine where there is one.
    pub root_dir: String,
    /// `overlay2`, `overlayfs`, `vfs`, …
    pub storage_driver: String,
    /// `1` or `2`; empty when it does not say.
    pub cgroup_version: String,
    /// GOARCH.
    pub architecture: String,
    /// Runs without root.
    pub rootless: bool,
    /// `Debian GNU/Linux 12 (bookworm)`, `Docker Desktop`.
    pub operating_system: String,
}

impl Engine {
    /// Pings for at most 15 seconds, agrees on an API version, and refuses an engine that is too old for kind.
    pub async fn connect(endpoint: &Endpoint) -> Result<Self, DockerError> {
        let failed = |error: &Bollard| DockerError::from_bollard("ask the engine", error, &endpoint.host, &endpoint.source);
        let docker = open(endpoint).map_err(|error| failed(&error))?.with_timeout(PING_TIMEOUT);
        let unreachable =
            |message: String| DockerError::Unreachable { host: endpoint.host.clone(), from: endpoint.source.clone(), message };
        let asked = tokio::time::timeout(PING_TIMEOUT, async {
            docker.ping().await?;
            let docker = docker.negotiate_version().await?;
            let version = docker.version().await?;
            Ok::<_, Bollard>((docker, version))
        });
        let (docker, version) = match asked.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(Bollard::RequestTimeoutError)) | Err(_) => {
                return Err(unreachable(format!("no answer within {} s", PING_TIMEOUT.as_secs())));
            }
            Ok(Err(error)) => {
                return Err(match failed(&error) {
                    DockerError::Refused { code: None, message, .. } => unreachable(message),
                    other => other,
                });
            }
        };
        let architecture = goarch(&version.arch.unwrap_or_default());
        let api = version.api_version.unwrap_or_default();
        if parse_api(&api).is_some_and(|found| found < OLDEST_API) {
            let needed = format!("{}.{}", OLDEST_API.0, OLDEST_API.1);
            return Err(DockerError::TooOld { found: api, version: version.version.unwrap_or_default(), needed });
        }
        let streams = docker.clone().with_timeout(STREAM_TIMEOUT);
        Ok(Self { api: docker.with_timeout(CALL_TIMEOUT), streams, endpoint: endpoint.clone(), architecture })
    }

    /// Where it is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// GOARCH of its containers; empty when it does not say.
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// What it says about itself.
    pub async fn facts(&self) -> Result<Facts, DockerError> {
        let (version, info) = tokio::try_join!(
            self.call("ask the engine's version", self.api.version()),
            self.call("ask about the engine", self.api.info())
        )?;
        Ok(facts(version, info))
    }

    /// One request under the common bound, its error in our words.
    pub(super) async fn call<T>(&self, what: &str, request: impl Future<Output = Result<T, Bollard>>) -> Result<T, DockerError> {
        match tokio::time::timeout(CALL_TIMEOUT, request).await {
            Ok(answer) => answer.map_err(|error| self.error(what, &error)),
            Err(_) => Err(DockerError::Timeout { what: what.to_owned(), seconds: CALL_TIMEOUT.as_secs() }),
        }
    }

    pub(super) fn error(&self, what: &str, error: &Bollard) -> DockerError {
        DockerError::from_bollard(what, error, &self.endpoint.host, &self.endpoint.source)
    }
}

/// Without certificates of its own bollard would take those of its process's environment.
fn open(endpoint: &Endpoint) -> Result<Docker, Bollard> {
    match &endpoint.tls {
        None => Docker::connect_with_host(&endpoint.host),
        Some(folder) => {
            let [key, certificate, authority] = ["key.pem", "cert.pem", "ca.pem"].map(|name| folder.join(name));
            Docker::connect_with_ssl(&endpoint.host, &key, &certificate, &authority, PING_TIMEOUT.as_secs(), API_DEFAULT_VERSION)
        }
    }
}

fn facts(version: SystemVersion, info: SystemInfo) -> Facts {
    let positive = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default();
    Facts {
        version: version.version.unwrap_or_default(),
        api: version.api_version.unwrap_or_default(),
        cpus: positive(info.ncpu),
        memory: positive(info.mem_total),
        root_dir: info.docker_root_dir.unwrap_or_default(),
        storage_driver: info.driver.unwrap_or_default(),
        cgroup_version: info.cgroup_version.map(|version| version.to_string()).unwrap_or_default(),
        architecture: goarch(&version.arch.or(info.architecture).unwrap_or_default()),
        rootless: info.security_options.unwrap_or_default().iter().any(|option| option.contains("name=rootless")),
        operating_system: info.operating_system.unwrap_or_default(),
    }
}

/// The kernel's name of a machine in Go's words, which is what image platforms use.
pub(super) fn goarch(machine: &str) -> String {
    match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "armv7l" | "armv6l" => "arm",
        "i386" | "i686" => "386",
        other => other,
    }
    .to_owned()
}

pub(super) fn parse_api(text: &str) -> Option<(u64, u64)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Explain;

    #[test]
    fn facts_speak_go_and_know_rootless() {
        let version = SystemVersion { version: Some("20.10.24".into()), api_version: Some("1.41".into()), ..SystemVersion::default() };
        let info = SystemInfo {
            ncpu: Some(2),
            mem_total: Some(8 << 30),
            architecture: Some("aarch64".into()),
            security_options: Some(vec!["name=seccomp,profile=default".into(), "name=rootless".into()]),
            ..SystemInfo::default()
        };
        let facts = facts(version, info);
        assert_eq!((facts.cpus, facts.memory, facts.architecture.as_str(), facts.rootless), (2, 8 << 30, "arm64", true));
    }

    #[test]
    fn api_versions_compare_as_numbers() {
        assert!(parse_api("1.9").unwrap() < OLDEST_API);
        assert!(parse_api("1.100").unwrap() > OLDEST_API);
    }

    /// An engine that answers every request with `body`; `None` never answers.
    fn fake(folder: &std::path::Path, body: Option<&'static str>) -> Endpoint {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let path = folder.join("engine.sock");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut socket, _)) = listener.accept().await {
                if let Some(body) = body {
                    let _ = socket.read(&mut [0; 4096]).await;
                    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
                    let _ = socket.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await;
                } else {
                    open.push(socket);
                }
            }
        });
        Endpoint { host: format!("unix://{}", path.display()), source: "a test".into(), tls: None }
    }

    #[tokio::test]
    async fn an_engine_older_than_kind_needs_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = fake(folder.path(), Some(r#"{"Version":"19.03.15","ApiVersion":"1.40"}"#));
        let error = Engine::connect(&endpoint).await.unwrap_err();
        assert_eq!(error.id(), "ENGINE_TOO_OLD");
        assert!(error.to_string().contains("1.40 (version 19.03.15), at least 1.41"), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let endpoint = fake(folder.path(), Some(r#"{"Version":"29.0.0","ApiVersion":"1.52"}"#));
        assert_eq!(Engine::connect(&endpoint).await.unwrap().endpoint(), &endpoint);
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_hangs_or_is_not_there_is_unreachable_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = fake(folder.path(), None);
        let error = Engine::connect(&endpoint).await.unwrap_err();
        assert_eq!((error.id(), error.to_string().contains("no answer within 15 s")), ("ENGINE_UNREACHABLE", true), "{error}");
        let missing = Endpoint { host: format!("unix://{}/none.sock", folder.path().display()), source: "DOCKER_HOST".into(), tls: None };
        let error = Engine::connect(&missing).await.unwrap_err();
        assert!(error.to_string().contains("none.sock (from DOCKER_HOST)"), "{error}");
        let refused = Endpoint { host: "tcp://127.0.0.1:1".into(), source: "DOCKER_HOST".into(), tls: None };
        assert_eq!(Engine::connect(&refused).await.unwrap_err().id(), "ENGINE_UNREACHABLE");
    }
}
