//! `predict`.

use std::path::PathBuf;

use clap::Args;

use super::{Protocol, TextOutput};

/// `quickstart predict`.
#[derive(Args, Clone, Debug)]
pub struct Predict {
    /// The InferenceService
    #[arg(value_name = "INFERENCESERVICE", default_value = "sklearn-iris")]
    pub service: String,
    /// Its namespace
    #[arg(short, long, value_name = "NS", default_value = "kserve-test")]
    pub namespace: String,
    /// The request's body as JSON; `-` reads it from stdin [default: two rows of the iris data]
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Prediction protocol
    #[arg(long, value_enum, default_value_t, value_name = "PROTOCOL")]
    pub protocol: Protocol,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: TextOutput,
}
