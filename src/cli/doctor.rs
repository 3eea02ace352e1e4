//! `doctor`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{DoctorOutput, TableOutput, parse_duration};

/// `quickstart doctor`.
#[derive(Args, Clone, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_help_heading = "Instead of checking everything",
    subcommand_value_name = "WAY"
)]
pub struct Doctor {
    /// Another question than "what is wrong?"
    #[command(subcommand)]
    pub way: Option<DoctorWay>,
    /// List every error ID and what to do about it; checks nothing
    #[arg(long, conflicts_with_all = ["fix", "wait"])]
    pub list: bool,
    /// Do what is safe: stale locks, unfinished files and half-made clusters of ours, kernel limits; says each thing
    #[arg(long)]
    pub fix: bool,
    /// Ask again for so long while something that may settle by itself is wrong [default: ask once]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub wait: Option<Duration>,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: DoctorOutput,
}

/// `quickstart doctor …`.
#[derive(Clone, Debug, Subcommand)]
pub enum DoctorWay {
    /// Go the way of a request to an InferenceService, hop by hop, up to the first that fails
    Route(DoctorRoute),
}

/// `quickstart doctor route`.
#[derive(Args, Clone, Debug)]
pub struct DoctorRoute {
    /// The InferenceService
    #[arg(value_name = "INFERENCESERVICE")]
    pub service: String,
    /// Its namespace [default: the demo's, kserve-test]
    #[arg(short, long, value_name = "NS")]
    pub namespace: Option<String>,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: TableOutput,
}
