//! `timeline`.

use clap::{Args, ValueEnum};

/// `quickstart timeline`.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Every run of `up`, `start` and `reset` also leaves timeline.html in the cluster's state folder; `--open` shows that file."
)]
pub struct Timeline {
    /// Show timeline.html in the browser
    #[arg(long, conflicts_with = "output")]
    pub open: bool,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: TimelineOutput,
}

/// Forms of `timeline`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TimelineOutput {
    /// A bar per stage and the critical path
    #[default]
    Text,
    /// One HTML file with everything in it
    Html,
    /// One document
    Json,
    /// Chrome's trace format, for chrome://tracing and Perfetto
    Trace,
}
