//! `status`.

use std::time::Duration;

use clap::Args;

use super::{TableOutput, parse_duration};

/// `quickstart status`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Exit code 0: all is well; 6: not running; 7: something in it does not work. With --watch that of the last look.")]
pub struct Status {
    /// Also make a real prediction
    #[arg(long)]
    pub probe: bool,
    /// Look again and again, until Ctrl-C; with `-o json` one document a line
    #[arg(long, value_name = "EVERY", num_args = 0..=1, require_equals = true, default_missing_value = "2s", value_parser = every)]
    pub watch: Option<Duration>,
    /// Serve the same as a page on 127.0.0.1 that follows by itself, with models and, where Prometheus is there, their figures; Ctrl-C ends it
    #[arg(long, conflicts_with_all = ["watch", "probe", "output"])]
    pub web: bool,
    /// Port of that page [default: 7480, or the next free one]
    #[arg(long, value_name = "PORT", requires = "web", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: TableOutput,
}

/// A second is the least: a look is some twenty questions.
fn every(text: &str) -> Result<Duration, String> {
    let every = parse_duration(text)?;
    if every < Duration::from_secs(1) { Err("1s is the least".into()) } else { Ok(every) }
}
