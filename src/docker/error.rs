//! What an engine, or the way to it, can answer; never bollard's Debug form.

use bollard::errors::Error as Bollard;

use crate::error::{Exit, Explain, innermost};
use crate::fetch::Idle;
use crate::rules::{self, Rule, Source};

/// A request to the engine that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// Nobody answers there.
    #[error("no container engine answers at {host} (from {from}): {message}")]
    Unreachable {
        /// Address.
        host: String,
        /// Which setting named it.
        from: String,
        /// The innermost cause.
        message: String,
    },
    /// An address that this program cannot use.
    #[error("the engine address {host} (from {from}) cannot be used: {message}")]
    Address {
        /// Address.
        host: String,
        /// Which setting named it.
        from: String,
        /// Why not.
        message: String,
    },
    /// A docker context or configuration file that cannot be read.
    #[error("docker's {what} cannot be used: {message}")]
    Context {
        /// The context or file.
        what: String,
        /// Why not.
        message: String,
    },
    /// Older than what kind's nodes need.
    #[error("the engine's API is {found} (version {version}), at least {needed} is needed")]
    TooOld {
        /// Its API version.
        found: String,
        /// Its own version.
        version: String,
        /// Ours.
        needed: String,
    },
    /// The engine's words fit a failure rule.
    #[error("{what}: {message}")]
    Known {
        /// The request in a few words.
        what: String,
        /// Which.
        rule: &'static Rule,
        /// The engine's text.
        message: String,
    },
    /// The engine says no.
    #[error("{what}: {message}")]
    Refused {
        /// The request in a few words.
        what: String,
        /// HTTP code; `None` inside a stream.
        code: Option<u16>,
        /// The engine's text.
        message: String,
    },
    /// No answer in time.
    #[error("{what}: no answer from the engine within {seconds} s")]
    Timeout {
        /// The request in a few words.
        what: String,
        /// The bound.
        seconds: u64,
    },
    /// A transfer stood still.
    #[error("{what}: nothing moved for {} s, after {} bytes", idle.seconds, idle.moved)]
    Idle {
        /// The request in a few words.
        what: String,
        /// The bound and how far it came.
        idle: Idle,
    },
    /// A command in a container ended badly.
    #[error("`{command}` in {container} ended with {code}: {stderr}")]
    Command {
        /// Container.
        container: String,
        /// The command's first words.
        command: String,
        /// Exit code.
        code: i64,
        /// The end of what it said.
        stderr: String,
    },
    /// A file on this side.
    #[error("{what}")]
    Io {
        /// What was being done.
        what: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

impl DockerError {
    /// From bollard's error, in our words; `host` and `from` name the engine.
    pub(super) fn from_bollard(what: &str, error: &Bollard, host: &str, from: &str) -> Self {
        let what = what.to_owned();
        match error {
            Bollard::DockerResponseServerError { status_code, message } => Self::classify(what, Some(*status_code), message),
            Bollard::DockerStreamError { error } => Self::classify(what, None, error),
            Bollard::RequestTimeoutError => Self::Timeout { what, seconds: super::engine::CALL_TIMEOUT.as_secs() },
            Bollard::SocketNotFoundError(path) => {
                Self::Unreachable { host: host.to_owned(), from: from.to_owned(), message: format!("there is no socket {path}") }
            }
            Bollard::UnsupportedURISchemeError { .. } => {
                Self::Address { host: host.to_owned(), from: from.to_owned(), message: "unknown scheme".into() }
            }
            Bollard::HyperLegacyError { err } if err.is_connect() => {
                Self::Unreachable { host: host.to_owned(), from: from.to_owned(), message: innermost(err) }
            }
            other => Self::Refused { what, code: None, message: innermost(other) },
        }
    }

    fn classify(what: String, code: Option<u16>, message: &str) -> Self {
        let message = message.trim().to_owned();
        match rules::find(Source::Engine, "", &message) {
            Some(found) => Self::Known { what, rule: found.rule, message },
            None => Self::Refused { what, code, message },
        }
    }

    /// The container, image or volume is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { code: Some(404), .. }) || self.id() == "IMAGE_NOT_FOUND"
    }

    /// The engine is at something that excludes this (a removal in progress, a volume in use).
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { code: Some(409), .. })
    }

    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

fn start_an_engine() -> String {
    if cfg!(target_os = "macos") {
        "start Docker Desktop, OrbStack, or `colima start`; `quickstart doctor` tells what is seen".into()
    } else {
        "start it (`sudo systemctl start docker`) or install one; another address is taken from DOCKER_HOST; `quickstart doctor` tells what is seen".into()
    }
}

impl Explain for DockerError {
    fn id(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } => "ENGINE_UNREACHABLE",
            Self::Address { .. } | Self::Context { .. } => "ENGINE_ADDRESS",
            Self::TooOld { .. } => "ENGINE_TOO_OLD",
            Self::Known { rule, .. } => rule.id,
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => "NO_SPACE",
            Self::Command { stderr, .. } => rules::find(Source::Engine, "", stderr).map_or("ENGINE_ERROR", |found| found.rule.id),
            Self::Refused { .. } | Self::Idle { .. } | Self::Io { .. } => "ENGINE_ERROR",
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Refused { .. } | Self::Command { .. } => Exit::StageFailed,
            Self::Io { source, .. } if source.kind() != std::io::ErrorKind::StorageFull => Exit::StageFailed,
            Self::Idle { .. } => Exit::Deadline,
            _ => Exit::Prerequisite,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreachable { message, .. } if message.contains("ermission denied") => {
                "you may not use this socket: `sudo usermod -aG docker $USER` and log in again, or run as root".into()
            }
            Self::Unreachable { .. } => start_an_engine(),
            Self::Address { host, .. } if host.starts_with("ssh://") => {
                "open a tunnel (`ssh -NL /tmp/engine.sock:/var/run/docker.sock HOST`) and set DOCKER_HOST=unix:///tmp/engine.sock".into()
            }
            Self::Address { .. } => "addresses are unix:///PATH or tcp://HOST:PORT: correct DOCKER_HOST or the docker context".into(),
            Self::Context { .. } => {
                "`docker context ls` lists what there is; `docker context use default` goes back; DOCKER_HOST overrides it".into()
            }
            Self::TooOld { .. } => "install Docker 20.10 or newer".into(),
            Self::Known { rule, .. } => rule.hint.into(),
            Self::Timeout { .. } | Self::Idle { .. } => {
                "the engine is overloaded or hangs: look at `docker ps`, restart it, and run the same command again".into()
            }
            Self::Command { stderr, .. } => {
                rules::find(Source::Engine, "", stderr).map(|found| found.rule).or_else(|| rules::rule("ENGINE_ERROR"))?.hint.into()
            }
            Self::Refused { .. } | Self::Io { .. } => rules::rule("ENGINE_ERROR")?.hint.into(),
        })
    }

    fn meaning(&self) -> Option<&'static str> {
        Some(rules::rule(self.id())?.meaning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Failure;

    fn of(code: u16, message: &str) -> DockerError {
        let error = Bollard::DockerResponseServerError { status_code: code, message: message.into() };
        DockerError::from_bollard("pull kindest/node", &error, "unix:///var/run/docker.sock", "the default")
    }

    #[test]
    fn what_the_engine_says_gets_its_id() {
        // The daemon reports a registry's 429 with a 500.
        let limit = of(500, "toomanyrequests: You have reached your unauthenticated pull rate limit.");
        assert_eq!(limit.id(), "IMAGE_RATE_LIMIT");
        assert_eq!(of(404, "No such image: x:1").id(), "IMAGE_NOT_FOUND");
        assert_eq!(of(500, "write /var/lib/docker/tmp/x: no space left on device").id(), "NO_SPACE");
        assert_eq!(of(500, "some defect").id(), "ENGINE_ERROR");
        assert!(of(404, "No such container: x").is_not_found());
        let stream = Bollard::DockerStreamError { error: "toomanyrequests: slow down".into() };
        assert_eq!(DockerError::from_bollard("pull", &stream, "", "").id(), "IMAGE_RATE_LIMIT");
    }

    #[test]
    fn an_engine_that_is_not_there_names_its_address_its_source_and_the_next_step() {
        let error = Bollard::SocketNotFoundError("/nowhere.sock".into());
        let failure = Failure::from(DockerError::from_bollard("ping", &error, "unix:///nowhere.sock", "DOCKER_HOST"));
        assert_eq!(failure.exit, Exit::Prerequisite);
        assert!(failure.cause.is_some_and(|cause| cause.contains("unix:///nowhere.sock (from DOCKER_HOST)")));
        assert!(failure.hint.is_some());
    }
}
