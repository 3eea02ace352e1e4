//! `stop`, `start`, `reset`.

use std::time::Duration;

use clap::Args;

use super::{EventsOutput, duration::parse_duration};

/// `quickstart stop`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Nothing is lost: `quickstart start` goes on, also after a restart of the engine or the machine.")]
pub struct Stop {
    /// How to tell the story
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: EventsOutput,
}

/// `quickstart start`.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Certificates that end within 30 days are renewed on the way. Nothing is installed: `quickstart up` mends what is missing."
)]
pub struct Start {
    /// How to tell the story
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: EventsOutput,
}

/// `quickstart reset`.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Profile, versions, port and bundle stay as they were. InferenceServices of your own are listed before they are lost."
)]
pub struct Reset {
    /// Keep the node and its images, install only the stack anew
    #[arg(long)]
    pub stack: bool,
    /// Give up InferenceServices of your own without being asked
    #[arg(long, conflicts_with = "keep_user")]
    pub yes: bool,
    /// Carry InferenceServices of your own over, with the namespaces, Secrets and ServiceAccounts they need (volumes are not)
    #[arg(long)]
    pub keep_user: bool,
    /// With --stack: how long a finalizer may hang before it is taken off
    #[arg(long, value_name = "TIME", default_value = "45s", value_parser = parse_duration, requires = "stack")]
    pub patience: Duration,
    /// How to tell the story
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: EventsOutput,
}
