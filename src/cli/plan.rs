//! `plan`.

use clap::Args;

use super::{PlanOutput, Selection};

/// `quickstart plan`.
#[derive(Args, Clone, Debug)]
pub struct Plan {
    /// What would be installed, and where.
    #[command(flatten)]
    pub selection: Selection,
    /// Form of the answer; only `manifests` and --diff need the downloaded files
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: PlanOutput,
    /// Compare with the running cluster instead: which objects `up` would change (a dry run on the server, nothing is stored); exit 0
    /// when all are the same, 7 when not; with -o tree or json
    #[arg(long)]
    pub diff: bool,
}
