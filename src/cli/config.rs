//! `config`.

use clap::{Args, Subcommand};

use super::{Selection, TableOutput};

/// `quickstart config …`.
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print every setting, its value and where it came from
    Show(Box<ConfigShow>),
    /// Print the JSON schema of quickstart.yaml
    Schema,
}

/// `quickstart config show`.
#[derive(Args, Clone, Debug)]
pub struct ConfigShow {
    /// What `up` would be told.
    #[command(flatten)]
    pub selection: Selection,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: TableOutput,
}
