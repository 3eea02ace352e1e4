//! `sample`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{TableOutput, TextOutput, parse_duration};

/// `quickstart sample …`.
#[derive(Clone, Debug, Subcommand)]
pub enum SampleCommand {
    /// Say which samples there are, and which of them were proven
    List(SampleList),
    /// Print a sample's manifest
    Show(SampleShow),
    /// Apply a sample and wait until it is ready
    Apply(SampleApply),
    /// Delete what a sample consists of
    Delete(SampleDelete),
    /// Apply a sample in a namespace of its own, prove what it shows, and take it away
    Test(SampleTest),
    /// Give all requests to an InferenceService's new revision
    Promote(SampleDecide),
    /// Give all requests back to the revision before
    Rollback(SampleDecide),
    /// Write a folder with a small predictor of your own, its Dockerfile and its InferenceService
    Init(SampleInit),
    /// Name fields of old APIs that tutorials still show, and today's form of them
    Lint(SampleLint),
}

/// `quickstart sample list`.
#[derive(Args, Clone, Debug)]
pub struct SampleList {
    /// How to show it
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: TableOutput,
}

/// `quickstart sample show`.
#[derive(Args, Clone, Debug)]
pub struct SampleShow {
    /// Which sample
    #[arg(value_name = "NAME")]
    pub sample: String,
    /// `text`: the manifest; `json`: what is known of it, too
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: TextOutput,
}

/// `quickstart sample apply`.
#[derive(Args, Clone, Debug)]
pub struct SampleApply {
    /// Which sample
    #[arg(value_name = "NAME")]
    pub sample: String,
    /// Where to; it is made if it is not there
    #[arg(short, long, value_name = "NS", default_value = "samples", value_parser = namespace)]
    pub namespace: String,
    /// How long each of its objects may take to get ready
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_duration)]
    pub timeout: Duration,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: TextOutput,
}

/// `quickstart sample delete`.
#[derive(Args, Clone, Debug)]
pub struct SampleDelete {
    /// Which sample
    #[arg(value_name = "NAME")]
    pub sample: String,
    /// Its namespace; one that was made for samples goes with the last of them
    #[arg(short, long, value_name = "NS", default_value = "samples", value_parser = namespace)]
    pub namespace: String,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: TextOutput,
}

/// `quickstart sample test`.
#[derive(Args, Clone, Debug)]
pub struct SampleTest {
    /// Which sample
    #[arg(value_name = "NAME")]
    pub sample: String,
    /// Where to [default: sample-test-NAME]
    #[arg(short, long, value_name = "NS", value_parser = namespace)]
    pub namespace: Option<String>,
    /// How long each of its objects may take to get ready
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_duration)]
    pub timeout: Duration,
    /// Leave it there afterwards
    #[arg(long)]
    pub keep: bool,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: TextOutput,
}

/// `quickstart sample promote` and `rollback`.
#[derive(Args, Clone, Debug)]
pub struct SampleDecide {
    /// The InferenceService
    #[arg(value_name = "INFERENCESERVICE", default_value = "canary")]
    pub service: String,
    /// Its namespace
    #[arg(short, long, value_name = "NS", default_value = "samples", value_parser = namespace)]
    pub namespace: String,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: TextOutput,
}

/// `quickstart sample init`.
#[derive(Args, Clone, Debug)]
pub struct SampleInit {
    /// The folder to make; its name becomes the model's
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
}

/// `quickstart sample lint`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Exit code 0: nothing of an old API was found; 2: something was, or the file is not YAML.")]
pub struct SampleLint {
    /// A manifest; `-` reads standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: TextOutput,
}

/// A namespace becomes a part of API paths.
fn namespace(text: &str) -> Result<String, String> {
    if super::forward::is_label(text) { Ok(text.to_owned()) } else { Err("lower case letters, digits and dashes, at most 63".to_owned()) }
}
