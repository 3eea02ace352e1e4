//! `predict`.

use std::path::PathBuf;

use clap::Args;

use super::{PredictOutput, Protocol};

/// `quickstart predict`.
#[derive(Args, Clone, Debug)]
pub struct Predict {
    /// The InferenceService
    #[arg(value_name = "INFERENCESERVICE", default_value = "sklearn-iris")]
    pub service: String,
    /// Its namespace [default: the demo's, kserve-test]
    #[arg(short, long, value_name = "NS")]
    pub namespace: Option<String>,
    /// The request's body as JSON, that of v2 for gRPC too; `-` reads it from stdin [default: two rows of the iris data]
    #[arg(long, visible_alias = "file", value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Prediction protocol
    #[arg(long, value_enum, default_value_t, value_name = "PROTOCOL")]
    pub protocol: Protocol,
    /// Ask so many times, and sum up: latencies, errors, which answer came how often
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub repeat: Option<u32>,
    /// With --repeat: so many requests at once
    #[arg(long, value_name = "N", requires = "repeat", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub parallel: u16,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: PredictOutput,
}
