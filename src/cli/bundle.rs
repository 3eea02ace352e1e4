//! `bundle`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::TableOutput;

/// `quickstart bundle …`.
#[derive(Clone, Debug, Subcommand)]
pub enum BundleCommand {
    /// Write a bundle
    Create(BundleCreate),
    /// Say what a bundle holds
    Inspect(BundleInspect),
    /// Check every file of a bundle against its checksum
    Verify(BundleVerify),
}

/// `quickstart bundle create`.
#[derive(Args, Clone, Debug)]
pub struct BundleCreate {
    /// What goes in: a JSON specification
    #[arg(long, value_name = "SPEC")]
    pub from: PathBuf,
    /// The bundle to write
    #[arg(value_name = "OUT")]
    pub out: PathBuf,
}

/// `quickstart bundle inspect`.
#[derive(Args, Clone, Debug)]
pub struct BundleInspect {
    /// The bundle
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: TableOutput,
}

/// `quickstart bundle verify`.
#[derive(Args, Clone, Debug)]
pub struct BundleVerify {
    /// The bundle
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}
