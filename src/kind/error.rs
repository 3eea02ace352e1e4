//! What kind, or the way to it, can answer.

use std::path::PathBuf;

use super::CommandError;
use super::reason::{busy_port, lock_file, reason};
use crate::error::{Exit, Explain};
use crate::rules::{self, Rule, Source};

/// Something that kind was asked for and did not do.
#[derive(Debug, thiserror::Error)]
pub enum KindError {
    /// There is none.
    #[error("there is no kind program on the PATH")]
    Missing,
    /// Too old for the node image.
    #[error("{} is kind {found}, at least {needed} is needed", path.display())]
    TooOld {
        /// Where.
        path: PathBuf,
        /// Its version.
        found: semver::Version,
        /// Ours.
        needed: semver::Version,
    },
    /// A program of that name that does not tell its version.
    #[error("{} does not tell its version: {message}", path.display())]
    Unusable {
        /// Where.
        path: PathBuf,
        /// What it did instead.
        message: String,
    },
    /// A cluster of that name is there.
    #[error("a kind cluster named {name} is there already")]
    Exists {
        /// Name.
        name: String,
    },
    /// A port of the host is taken.
    #[error("port {} on this machine is taken", port.map_or_else(|| "of the cluster".to_owned(), |port| port.to_string()))]
    PortBusy {
        /// Which, where kind says so.
        port: Option<u16>,
    },
    /// kind's words fit a failure rule.
    #[error("{message}")]
    Known {
        /// Which.
        rule: &'static Rule,
        /// kind's text.
        message: String,
    },
    /// Somebody holds, or has left, the lock of a kubeconfig.
    #[error("{} is locked by {}", file.display(), lock.display())]
    KubeconfigLocked {
        /// The kubeconfig.
        file: PathBuf,
        /// The lock.
        lock: PathBuf,
    },
    /// A kubeconfig that cannot be read or written.
    #[error("kubeconfig {}", file.display())]
    Kubeconfig {
        /// The file.
        file: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It took too long.
    #[error("{command} did not end within {seconds} s: {message}")]
    Deadline {
        /// What was run.
        command: String,
        /// The bound.
        seconds: u64,
        /// kind's last line.
        message: String,
    },
    /// Ctrl-C.
    #[error("{command} was interrupted")]
    Cancelled {
        /// What was run.
        command: String,
    },
    /// Anything else.
    #[error("{command} failed: {message}")]
    Failed {
        /// What was run.
        command: String,
        /// kind's reason.
        message: String,
    },
}

impl KindError {
    /// From how the child ended, by what it said. `name` is the cluster it was about.
    pub fn from_command(name: &str, error: CommandError) -> Self {
        let said = error.stderr().to_owned();
        let message = reason(&said);
        match error {
            CommandError::Start { program, source } if source.kind() == std::io::ErrorKind::NotFound => {
                Self::Failed { command: program, message: "it is gone".into() }
            }
            CommandError::Start { program, source } => Self::Failed { command: program, message: source.to_string() },
            CommandError::Cancelled { command } => Self::Cancelled { command },
            CommandError::Deadline { command, seconds, .. } => Self::Deadline { command, seconds, message },
            CommandError::Failed { command, .. } => match rules::find(Source::Kind, "", &said).map(|found| found.rule) {
                Some(rule) if rule.id == "CLUSTER_EXISTS" => Self::Exists { name: name.to_owned() },
                Some(rule) if rule.id == "PORT_BUSY" => Self::PortBusy { port: busy_port(&said) },
                Some(rule) if rule.id == "KUBECONFIG_LOCKED" => {
                    let lock = lock_file(&said).unwrap_or_default();
                    Self::KubeconfigLocked { file: lock.with_extension(""), lock }
                }
                Some(rule) => Self::Known { rule, message },
                None => Self::Failed { command, message },
            },
        }
    }
}

impl Explain for KindError {
    fn id(&self) -> &'static str {
        match self {
            Self::Missing | Self::Unusable { .. } => "KIND_MISSING",
            Self::TooOld { .. } => "KIND_TOO_OLD",
            Self::Exists { .. } => "CLUSTER_EXISTS",
            Self::PortBusy { .. } => "PORT_BUSY",
            Self::Known { rule, .. } => rule.id,
            Self::KubeconfigLocked { .. } => "KUBECONFIG_LOCKED",
            Self::Kubeconfig { .. } => "KUBECONFIG_INVALID",
            Self::Deadline { .. } => "KIND_TIMEOUT",
            Self::Cancelled { .. } => "INTERRUPTED",
            Self::Failed { .. } => "KIND_FAILED",
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Failed { .. } => Exit::StageFailed,
            Self::Deadline { .. } => Exit::Deadline,
            Self::Cancelled { .. } => Exit::Interrupted,
            _ => Exit::Prerequisite,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing | Self::Unusable { .. } => {
                "install kind (https://kind.sigs.k8s.io/docs/user/quick-start/#installation), or use --bundle FILE, which holds it".into()
            }
            Self::TooOld { needed, .. } => format!("install kind {needed} or newer, or use --bundle FILE, which holds it"),
            Self::Exists { name } => format!("choose another --name, or take it away with `kind delete cluster --name {name}`"),
            Self::PortBusy { .. } => "choose another with --port, or stop what listens there (`ss -ltnp` tells)".into(),
            Self::Known { rule, .. } => rule.hint.into(),
            Self::KubeconfigLocked { lock, .. } => {
                format!(
                    "when no kubectl or kind is running, a crashed one left it: remove {} and run the same command again",
                    lock.display()
                )
            }
            Self::Kubeconfig { .. } => "correct the file or its rights, or name another one with KUBECONFIG".into(),
            Self::Failed { message, .. } if message.contains("could not find a log line") => {
                "the node did not boot; too few inotify instances are the usual reason: sudo sysctl fs.inotify.max_user_instances=512"
                    .into()
            }
            Self::Deadline { .. } | Self::Failed { .. } => "`quickstart up` tries again".into(),
            Self::Cancelled { .. } => "`quickstart up` goes on, `quickstart down` takes away what is there".into(),
        })
    }

    fn meaning(&self) -> Option<&'static str> {
        Some(rules::rule(self.id())?.meaning)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn failed(stderr: &str) -> KindError {
        let status = std::process::ExitStatus::from_raw(256);
        KindError::from_command("quickstart", CommandError::Failed { command: "kind create cluster".into(), status, stderr: stderr.into() })
    }

    #[test]
    fn what_kind_says_gets_its_id_and_exit_code() {
        let driver = "ERROR: failed to create cluster: command \"docker run\" failed with error: exit status 125\nCommand Output: docker: Error response from daemon: ";
        for (said, id, exit) in [
            ("ERROR: node(s) already exist for a cluster with the name \"quickstart\"", "CLUSTER_EXISTS", Exit::Prerequisite),
            (&format!("{driver}Bind for 127.0.0.1:8080 failed: port is already allocated."), "PORT_BUSY", Exit::Prerequisite),
            (&format!("{driver}listen tcp4 127.0.0.1:8080: bind: address already in use."), "PORT_BUSY", Exit::Prerequisite),
            (&format!("{driver}toomanyrequests: You have reached your pull rate limit"), "IMAGE_RATE_LIMIT", Exit::Prerequisite),
            (&format!("{driver}write /var/lib/docker/x: no space left on device"), "NO_SPACE", Exit::Prerequisite),
            ("Failed to create inotify object: Too many open files", "INOTIFY_LIMIT", Exit::Prerequisite),
            ("ERROR: running kind with rootless provider requires cgroup v2", "CGROUP_UNSUPPORTED", Exit::Prerequisite),
            ("ERROR: failed to lock config file: open /home/me/.kube/config.lock: file exists", "KUBECONFIG_LOCKED", Exit::Prerequisite),
            ("ERROR: failed to create cluster: failed to pull image \"kindest/node:v1\"", "IMAGE_NOT_FOUND", Exit::Prerequisite),
            ("ERROR: failed to create cluster: something new", "KIND_FAILED", Exit::StageFailed),
        ] {
            let error = failed(said);
            assert_eq!((error.id(), error.exit()), (id, exit), "{said}");
            assert!(error.hint().is_some());
        }
    }

    #[test]
    fn the_busy_port_and_the_lock_are_named() {
        let said = "ERROR: failed\nCommand Output: docker: Error response from daemon: driver failed programming external connectivity on endpoint q: Bind for 127.0.0.1:8080 failed: port is already allocated.";
        assert_eq!(failed(said).to_string(), "port 8080 on this machine is taken");
        let said = "ERROR: failed to lock config file: open /home/me/.kube/config.lock: file exists";
        assert_eq!(failed(said).to_string(), "/home/me/.kube/config is locked by /home/me/.kube/config.lock");
    }

    #[test]
    fn the_reason_is_the_error_line_not_the_stack_trace() {
        let error = failed("Creating cluster ...\n • Writing configuration\nERROR: failed to create cluster: boom");
        assert_eq!(error.to_string(), "kind create cluster failed: failed to create cluster: boom");
        let id = "0f".repeat(32);
        let arguments = "--volume /var ".repeat(90);
        let error = failed(&format!(
            "ERROR: failed to create cluster: command \"docker run --name x {arguments}\" failed with error: exit status 125\nCommand Output: {id}\ndocker: Error response from daemon: boom"
        ));
        assert_eq!(
            error.to_string(),
            "kind create cluster failed: failed to create cluster: command \"docker run …\" failed with error: exit status 125 docker: Error response from daemon: boom"
        );
    }

    /// Any failure of kubeadm was taken for one of control groups: its checks print CGROUPS_CPU.
    #[test]
    fn a_log_that_mentions_control_groups_is_not_about_them() {
        let error = failed(
            "CGROUPS_CPU: enabled\nERROR: failed to create cluster: could not find a log line that matches \"Multi-User System|detected cgroup v1\"",
        );
        assert_eq!(error.id(), "KIND_FAILED");
        assert!(error.hint().unwrap().contains("max_user_instances"));
    }
}
