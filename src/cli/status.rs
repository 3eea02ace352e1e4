//! `status`.

use clap::Args;

use super::TableOutput;

/// `quickstart status`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Exit code 0: all is well; 6: not running; 7: something in it does not work.")]
pub struct Status {
    /// Also make a real prediction
    #[arg(long)]
    pub probe: bool,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: TableOutput,
}
