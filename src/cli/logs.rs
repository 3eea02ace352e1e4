//! `logs`.

use std::path::PathBuf;

use clap::Args;

/// `quickstart logs`.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Secrets, tokens, keys and passwords are replaced by [redacted]. Nothing is sent anywhere; parts that cannot be had are named in the archive."
)]
pub struct Logs {
    /// The archive to write, which must not be there yet [default: quickstart-logs-CLUSTER-TIME.tar.gz in this folder]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}
