//! What an API server, or the way to it, can answer; never kube's own text, whose Display dumps its Debug form.

use kube::core::Status;

use crate::error::{Exit, Explain, innermost};
use crate::rules::{self, Source};

/// A request that did not succeed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ClusterError {
    /// The server said no.
    #[error("{what}: {message}")]
    Api {
        /// The request in a few words.
        what: String,
        /// HTTP code.
        code: u16,
        /// Kubernetes' reason, such as `NotFound`.
        reason: String,
        /// Its message.
        message: String,
    },
    /// No answer: refused, reset, not TLS, unreadable.
    #[error("{what}: {message}")]
    Transport {
        /// The request in a few words.
        what: String,
        /// The innermost cause.
        message: String,
    },
    /// No answer in time.
    #[error("{what}: no answer within {seconds} s")]
    Timeout {
        /// The request in a few words.
        what: String,
        /// The bound.
        seconds: u64,
    },
    /// An object that would be applied is there, and is not ours.
    #[error("{object} is there already, by {by}")]
    Foreign {
        /// `Kind namespace/name`.
        object: String,
        /// Who made it.
        by: String,
    },
    /// The kubeconfig cannot be used.
    #[error("kubeconfig {place}: {message}")]
    Kubeconfig {
        /// File.
        place: String,
        /// What is wrong.
        message: String,
    },
}

impl ClusterError {
    /// From kube's error, in our words.
    pub fn from_kube(what: &str, error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::from_status(what, status),
            other => Self::Transport { what: what.to_owned(), message: innermost(other) },
        }
    }

    fn from_status(what: &str, status: &Status) -> Self {
        Self::Api { what: what.to_owned(), code: status.code, reason: status.reason.clone(), message: status.message.clone() }
    }

    /// An object that is on its way out; it passes.
    pub fn being_deleted(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path);
        Self::Api { what: format!("apply {name}"), code: 409, reason: "Conflict".into(), message: "it is being deleted".into() }
    }

    /// From an answer that was read by hand: a `Status` object, or whatever a proxy wrote.
    pub fn from_answer(what: &str, code: u16, body: &str) -> Self {
        if let Ok(status) = serde_json::from_str::<Status>(body) {
            return Self::Api { what: what.to_owned(), code, reason: status.reason, message: status.message };
        }
        let message: String = body.trim().chars().take(200).collect();
        let message = if message.is_empty() { format!("HTTP {code}") } else { message };
        Self::Api { what: what.to_owned(), code, reason: String::new(), message }
    }

    /// The object or kind is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Api { code: 404, .. })
    }

    /// An object of that name is there.
    pub fn is_there_already(&self) -> bool {
        matches!(self, Self::Api { code: 409, reason, .. } if reason == "AlreadyExists")
    }

    /// A webhook that should have been asked did not answer.
    pub fn is_deaf_webhook(&self) -> bool {
        matches!(self, Self::Api { message, .. } if message.contains("failed calling webhook"))
    }

    /// Somebody else owns a field.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Api { code: 409, .. })
    }

    /// Refused by an admission webhook whose text holds `by`.
    pub fn is_denied_by(&self, by: &str) -> bool {
        matches!(self, Self::Api { message, .. } if message.contains("denied the request") && message.contains(by))
    }

    /// The rule for a certificate that this machine's clock says no to: no waiting makes it valid.
    fn certificate(&self) -> Option<&'static str> {
        let Self::Transport { message, .. } = self else { return None };
        let message = message.to_lowercase();
        let says = |words: [&str; 2]| message.contains("certificate") && words.iter().any(|word| message.contains(word));
        match () {
            () if says(["not valid yet", "notvalidyet"]) => Some("CLOCK_SKEW"),
            () if says(["expired", "has expired"]) => Some("CERT_EXPIRED"),
            () => None,
        }
    }

    /// A name that is taken.
    pub fn already_exists(&self) -> bool {
        matches!(self, Self::Api { code: 409, reason, .. } if reason == "AlreadyExists")
    }

    /// A node port that is taken: by another Service, by a request of a killed run that is still under way, or by nobody (kubernetes#73140).
    pub fn is_port_held(&self) -> bool {
        matches!(self, Self::Api { code: 422, message, .. } if message.contains("provided port is already allocated"))
    }

    /// Worth another try: the one list of answers that pass by themselves while a cluster comes up.
    ///
    /// 404 on an apply means that the namespace or the kind is not served yet ("it usually takes extra time for discovery to
    /// notice the custom resource", kube-rs#951).
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Transport { .. } => self.certificate().is_none(),
            Self::Timeout { .. } => true,
            Self::Kubeconfig { .. } | Self::Foreign { .. } => false,
            Self::Api { code, message, .. } => {
                matches!(code, 404 | 408 | 409 | 429 | 502 | 503 | 504)
                    || (*code == 500 && TRANSIENT_TEXTS.iter().any(|text| message.contains(text)))
                    || (*code == 403 && message.contains("unable to create new content in namespace") && message.contains("terminated"))
                    || (*code == 400 && message.contains("no matches for kind"))
            }
        }
    }
}

/// Texts of a 500 that mean "a webhook is not up yet" (cert-manager#2908, kserve#1635, knative/serving#13045), or that etcd is busy.
const TRANSIENT_TEXTS: &[&str] = &[
    "failed calling webhook",
    "no endpoints available for service",
    "connection refused",
    "x509: certificate signed by unknown authority",
    "context deadline exceeded",
    "i/o timeout",
    "etcdserver:",
    "EOF",
];

impl Explain for ClusterError {
    fn id(&self) -> &'static str {
        match self {
            Self::Api { code, message, .. } => {
                rules::find(Source::Api, &code.to_string(), message).map_or("API_REFUSED", |found| found.rule.id)
            }
            Self::Transport { .. } => self.certificate().unwrap_or("API_UNREACHABLE"),
            Self::Timeout { .. } => "API_UNREACHABLE",
            Self::Foreign { .. } => "OBJECT_FOREIGN",
            Self::Kubeconfig { .. } => "KUBECONFIG_INVALID",
        }
    }
    fn exit(&self) -> Exit {
        match self {
            Self::Transport { .. } if self.certificate().is_some() => Exit::Prerequisite,
            Self::Api { .. } => Exit::StageFailed,
            Self::Transport { .. } => Exit::NotRunning,
            Self::Timeout { .. } => Exit::Deadline,
            Self::Kubeconfig { .. } | Self::Foreign { .. } => Exit::Prerequisite,
        }
    }
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Kubeconfig { .. } => "correct the file, or name another one with KUBECONFIG".into(),
            _ => rules::rule(self.id())?.hint.into(),
        })
    }

    fn meaning(&self) -> Option<&'static str> {
        Some(rules::rule(self.id())?.meaning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(code: u16, message: &str) -> ClusterError {
        ClusterError::Api { what: "apply".into(), code, reason: String::new(), message: message.into() }
    }

    /// A clock that is two days behind makes every certificate "not valid yet": `up` waited three minutes for an API server that was there.
    #[test]
    fn a_certificate_that_the_clock_does_not_accept_is_no_server_that_is_away() {
        let transport = |message: &str| ClusterError::Transport { what: "get version".into(), message: message.into() };
        let early = transport("invalid peer certificate: certificate not valid yet: verification time 1795082400 (UNIX)");
        assert_eq!((early.id(), early.is_transient()), ("CLOCK_SKEW", false));
        let late = transport("invalid peer certificate: certificate expired: verification time 1895082400 (UNIX)");
        assert_eq!((late.id(), late.is_transient()), ("CERT_EXPIRED", false));
        assert_eq!((transport("connection refused").id(), transport("connection refused").is_transient()), ("API_UNREACHABLE", true));
    }

    #[test]
    fn a_webhook_that_is_not_up_yet_is_transient_and_a_denial_is_not() {
        let starting = "Internal error occurred: failed calling webhook \"webhook.cert-manager.io\": connect: connection refused";
        assert!(api(500, starting).is_transient());
        let denial = "admission webhook \"webhook.cert-manager.io\" denied the request: spec: Required value";
        assert!(!api(403, denial).is_transient());
        assert!(api(403, denial).is_denied_by("webhook.cert-manager.io"));
        assert!(!api(403, denial).is_denied_by("validation.webhook.serving.knative.dev"));
        assert!(!api(422, "spec.ports: Invalid value").is_transient());
        // After SIGKILL in the middle of a create the next `up` found the node port taken by the Service that was not there yet (kill-knative
        // of the campaign on the real cluster).
        assert!(api(422, "spec.ports[0].nodePort: Invalid value: 31021: provided port is already allocated").is_port_held());
        assert!(!api(500, "some defect").is_transient());
    }
}
