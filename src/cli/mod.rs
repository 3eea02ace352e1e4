//! What was typed. The clap tree and nothing else: no environment, no files, no defaults that depend on the machine.
//!
//! Environment fall-backs (`QUICKSTART_*`) are named in the help but read in `config`, so that every value knows where it came from.

mod bundle;
mod complete;
mod config;
mod doctor;
mod down;
mod duration;
mod forward;
mod help;
mod image;
mod lifecycle;
mod logs;
mod output;
mod pages;
mod parse;
mod plan;
mod predict;
mod sample;
mod serve;
mod status;
mod timeline;
mod up;

use std::borrow::Cow;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};
use clap_complete::Shell;

pub use bundle::{BundleCommand, BundleCreate, BundleDiff, BundleInspect, BundlePull, BundlePush, BundleVerify};
pub use complete::{Names, VARIABLE as COMPLETE, complete, completions};
pub use config::{ConfigCommand, ConfigShow};
pub use doctor::{Doctor, DoctorRoute, DoctorWay};
pub use down::Down;
pub use duration::{Span, parse_duration};
pub use forward::{Detached, ForwardCommand, ForwardRun, ForwardStart, ForwardStatus, ForwardStop, ServicePort};
pub use image::{ImageCommand, ImageLoad};
pub use lifecycle::{Reset, Start, Stop};
pub use logs::Logs;
pub use output::{DoctorOutput, EventsOutput, Forward, Network, PlanOutput, PredictOutput, Profile, Protocol, TableOutput, TextOutput};
pub use pages::man;
pub use parse::{Halt, parse};
pub use plan::Plan;
pub use predict::Predict;
pub use sample::{SampleApply, SampleCommand, SampleDecide, SampleDelete, SampleInit, SampleLint, SampleList, SampleShow, SampleTest};
pub use serve::{Listen, Serve};
pub use status::Status;
pub use timeline::{Timeline, TimelineOutput};
pub use up::{Selection, SetVersion, Up};

/// The whole command line.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "quickstart",
    version,
    about = "From a laptop to a working KServe cluster and a real prediction, with one command",
    after_help = help::short(),
    after_long_help = help::long(),
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 110
)]
pub struct Cli {
    /// Flags that every verb takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Flags that every verb takes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Which cluster [env: QUICKSTART_NAME] [default: quickstart]
    #[arg(long, global = true, value_name = "NAME")]
    pub name: Option<String>,
    /// Configuration file [default: quickstart.yaml in this folder, where there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Say more; twice for even more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// No progress, only results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Verb {
    /// Create the cluster, install everything and make a real prediction
    Up(Box<Up>),
    /// Let the cluster sleep: its containers stop, everything in them stays
    Stop(Stop),
    /// Wake the cluster, repair what has aged meanwhile, and prove that it works
    Start(Start),
    /// Go back to a fresh cluster, from cache
    Reset(Reset),
    /// Take the cluster away, completely
    Down(Down),
    /// Say what runs, what does not, and why
    Status(Status),
    /// Ask a model for a prediction through the gateway
    Predict(Predict),
    /// Ready-made InferenceServices, each with a proof
    #[command(subcommand, arg_required_else_help = true)]
    Sample(SampleCommand),
    /// Images for the cluster's nodes
    #[command(subcommand, arg_required_else_help = true)]
    Image(ImageCommand),
    /// Show how the last run went: when each stage was at work, what it waited for, what bounded it
    Timeline(Timeline),
    /// Show what `up` would do, in what order; touches nothing
    Plan(Box<Plan>),
    /// Reach a service of the cluster on localhost by a tunnel
    #[command(subcommand, arg_required_else_help = true)]
    Forward(ForwardCommand),
    /// Everything `up` needs, in one file
    #[command(subcommand, arg_required_else_help = true)]
    Bundle(BundleCommand),
    /// Hand a bundle to a whole room
    Serve(Serve),
    /// Check whether this machine can do it
    Doctor(Doctor),
    /// Settings: what they are, where they came from, what can be written into quickstart.yaml
    #[command(subcommand, arg_required_else_help = true)]
    Config(ConfigCommand),
    /// Pack everything that helps to find out what is wrong into one file, without secrets
    Logs(Logs),
    /// Print the version
    Version,
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print the manual page (roff)
    Man,
}

impl Cli {
    /// What a verb was told about the installation; most were told nothing.
    pub fn selection(&self) -> Option<Cow<'_, Selection>> {
        match &self.verb {
            Verb::Up(up) => Some(Cow::Borrowed(&up.selection)),
            Verb::Plan(plan) => Some(Cow::Borrowed(&plan.selection)),
            Verb::Config(ConfigCommand::Show(show)) => Some(Cow::Borrowed(&show.selection)),
            Verb::Bundle(BundleCommand::Create(create)) => Some(Cow::Owned(create.selection())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
