//! `doctor`.

use clap::Args;

use super::DoctorOutput;

/// `quickstart doctor`.
#[derive(Args, Clone, Debug)]
pub struct Doctor {
    /// List every error ID and what to do about it; checks nothing
    #[arg(long)]
    pub list: bool,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: DoctorOutput,
}
