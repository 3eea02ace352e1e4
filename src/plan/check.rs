//! A check as data: what is asked, how long it may take, what to do when it stays red.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::Scheme;

/// One check of a stage; `status` and `doctor` use the same.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Check {
    /// Stable within the plan, such as `cert-manager/rollout/cert-manager-webhook`.
    pub id: String,
    /// What is asked of whom.
    pub probe: Probe,
    /// What to do when it stays red.
    pub hint: String,
    /// Seconds.
    pub deadline: u64,
}

/// What is asked of whom.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Probe {
    /// The API server answers.
    ApiAnswers,
    /// Every node has condition Ready.
    NodesReady,
    /// Addresses of Services lead to pods: kube-proxy runs on every node, where the cluster has one.
    ServicesRouted,
    /// Every pod that runs was started again since its node was, and Kubernetes' own are Ready: what the API server says of a node
    /// that has just been started is what it said before.
    StartedAgain {
        /// When the node's container was started, RFC 3339.
        since: String,
    },
    /// Custom resources are served, which is what Established promises and a moment later is true.
    CrdsServed {
        /// The API path of each one's collection.
        collections: Vec<String>,
    },
    /// A Deployment is rolled out as `kubectl rollout status` sees it.
    Rollout {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
    },
    /// A Secret holds a key.
    Secret {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
        /// Key of `data`.
        key: String,
    },
    /// A server-side dry run of an object that must be refused, by the webhook that we wait for and nobody else.
    Denied {
        /// The object.
        object: Value,
        /// A part of the denial's text that only this webhook writes.
        by: String,
    },
    /// Objects exist.
    Present {
        /// API path and name of each, as `apis/…/clusterservingruntimes/NAME`.
        paths: Vec<String>,
    },
    /// An object has this condition.
    Condition {
        /// API path and name.
        path: String,
        /// Type of the condition, such as `Available`.
        condition: String,
    },
    /// An InferenceService has condition Ready.
    InferenceServiceReady {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
    },
    /// istio-ingressgateway accepts HTTP or HTTPS on 127.0.0.1.
    GatewayAnswers {
        /// Local port.
        port: u16,
        /// Which of the two.
        #[serde(default, skip_serializing_if = "Scheme::is_http")]
        scheme: Scheme,
    },
    /// A prediction through the gateway gives the expected answer.
    Prediction {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
        /// Host header.
        host: String,
        /// Local port.
        port: u16,
        /// How it is asked.
        #[serde(default, skip_serializing_if = "Scheme::is_http")]
        scheme: Scheme,
    },
}

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", content = "saw", rename_all = "kebab-case")]
pub enum Verdict {
    /// As it should be.
    Ready,
    /// Not yet; what was seen.
    Pending(String),
    /// Something is wrong that has a name.
    Trouble {
        /// The failure rule's ID.
        id: String,
        /// What was seen.
        saw: String,
        /// What to do.
        hint: String,
        /// Seconds that it must last before waiting is given up; `None`: the check's deadline decides.
        patience: Option<u64>,
    },
}

impl Verdict {
    /// What was seen, where it is not as it should be.
    pub fn saw(&self) -> Option<&str> {
        match self {
            Self::Ready => None,
            Self::Pending(saw) | Self::Trouble { saw, .. } => Some(saw),
        }
    }

    /// The failure rule that fits.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Trouble { id, .. } => Some(id),
            Self::Ready | Self::Pending(_) => None,
        }
    }
}
