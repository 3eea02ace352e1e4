//! The closed lists of values: output forms, profiles, protocols.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// How KServe deploys models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Knative and Istio: scale to zero, revisions
    #[default]
    Serverless,
    /// Plain Deployments, without Knative
    Raw,
}

impl Profile {
    /// As the catalog and the command line write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Serverless => "serverless",
            Self::Raw => "raw",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What carries requests to Knative's routes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Istio with net-istio
    #[default]
    Istio,
    /// Kourier, which is lighter and serves Knative only
    Kourier,
}

impl Network {
    /// As the catalog and the command line write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Istio => "istio",
            Self::Kourier => "kourier",
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The prediction protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// `/v1/models/NAME:predict`
    #[default]
    V1,
    /// Open Inference Protocol, `/v2/models/NAME/infer`
    V2,
    /// The same over gRPC, `ModelInfer`
    Grpc,
}

/// For `predict`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PredictOutput {
    /// For people
    #[default]
    Text,
    /// One JSON document
    Json,
    /// Nothing is asked: the request as a line for a shell, with curl, or with grpcurl for gRPC
    Curl,
}

/// For verbs that tell a story: `up`, `down`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum EventsOutput {
    /// What suits the terminal
    #[default]
    Auto,
    /// One line a fact
    Plain,
    /// One JSON event a line
    Json,
}

/// How the ingress gets to localhost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Forward {
    /// kind maps a port of 127.0.0.1 to the gateway's node port: no process, nothing to die
    Mapped,
    /// A process in the background carries connections through the API server
    Tunnel,
}

/// For verbs that answer with rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TableOutput {
    /// For people
    #[default]
    Table,
    /// One JSON document
    Json,
}

/// For `doctor`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DoctorOutput {
    /// Every check
    #[default]
    Table,
    /// Only what is wrong
    Short,
    /// One JSON document
    Json,
}

/// For `plan`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PlanOutput {
    /// For people
    #[default]
    Tree,
    /// One JSON document
    Json,
    /// The stages as a Mermaid flowchart
    Mermaid,
    /// The stages as a Graphviz graph
    Dot,
    /// The stages as a picture
    Svg,
    /// The objects as they would be applied, what differs from upstream marked in comments
    Manifests,
}

/// For verbs that answer with a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TextOutput {
    /// For people
    #[default]
    Text,
    /// One JSON document
    Json,
}
