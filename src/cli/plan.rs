//! `plan`.

use clap::Args;

use super::{PlanOutput, Selection};

/// `quickstart plan`.
#[derive(Args, Clone, Debug)]
pub struct Plan {
    /// What would be installed, and where.
    #[command(flatten)]
    pub selection: Selection,
    /// Form of the answer; only `manifests` needs the downloaded files
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: PlanOutput,
}
