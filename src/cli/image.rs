//! `image`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

use super::TextOutput;

/// `quickstart image …`.
#[derive(Clone, Debug, Subcommand)]
pub enum ImageCommand {
    /// Put images of the local engine, or of an archive, into the cluster's nodes; no registry is asked
    Load(ImageLoad),
}

/// `quickstart image load`.
#[derive(Args, Clone, Debug)]
#[command(group = ArgGroup::new("from").required(true))]
pub struct ImageLoad {
    /// Images that the engine has
    #[arg(value_name = "IMAGE", group = "from")]
    pub images: Vec<String>,
    /// An archive as `docker save` writes it
    #[arg(long, value_name = "FILE", group = "from")]
    pub archive: Option<PathBuf>,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: TextOutput,
}
