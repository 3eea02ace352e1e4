//! `down`.

use clap::Args;

use super::EventsOutput;

/// `quickstart down`.
#[derive(Args, Clone, Debug)]
pub struct Down {
    /// Every cluster that quickstart made
    #[arg(long)]
    pub all: bool,
    /// Also remove what is kept for the next time: downloads and programs of ours in the cache folder
    #[arg(long)]
    pub purge: bool,
    /// Take only what quickstart installed off the cluster of this kubectl context
    #[arg(long, value_name = "CONTEXT", conflicts_with = "all")]
    pub on: Option<String>,
    /// On an existing cluster: also give up what others have put into the kinds and namespaces that go
    #[arg(long)]
    pub yes: bool,
    /// How to tell the story
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: EventsOutput,
}
