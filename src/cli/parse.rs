//! From arguments to [`Cli`], and clap's refusals to ours.

use std::ffi::OsString;

use clap::{CommandFactory, Parser, error::ErrorKind};

use super::Cli;
use crate::error::{Exit, Failure};

/// There is nothing to run.
#[derive(Clone, Debug)]
pub enum Halt {
    /// `--help`, `--version` (exit code 0: it is data, for stdout), or no verb at all (exit code 2: it is talk, for stderr).
    Show {
        /// Without escape sequences.
        plain: String,
        /// The same with them.
        styled: String,
        /// `Ok` or `Usage`.
        exit: Exit,
    },
    /// A wrong flag or value: ID `USAGE`, exit code 2.
    Refuse(Failure),
}

/// Reads a command line, the program's name included.
///
/// # Errors
/// [`Halt`]: what to print instead, and the exit code.
pub fn parse<I, T>(arguments: I) -> Result<Cli, Halt>
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    Cli::try_parse_from(&arguments).map_err(|error| halt(&error, &arguments))
}

fn halt(error: &clap::Error, arguments: &[OsString]) -> Halt {
    let exit = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Ok,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Exit::Usage,
        _ => return Halt::Refuse(refusal(error, arguments)),
    };
    let rendered = error.render();
    Halt::Show { plain: rendered.to_string(), styled: rendered.ansi().to_string(), exit }
}

/// clap's own text is `error: what`, lines about it, `Usage: …` and where to find help; ours keeps the first two.
fn refusal(error: &clap::Error, arguments: &[OsString]) -> Failure {
    let text = error.to_string();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).take_while(|line| !line.starts_with("Usage:"));
    let what = lines.next().unwrap_or_default().trim_start_matches("error: ").trim_end_matches(':').to_owned();
    let about: Vec<&str> = lines.filter(|line| !line.starts_with("For more information")).collect();
    let mut failure = Failure::new("USAGE", Exit::Usage, what);
    if !about.is_empty() {
        failure = failure.cause(about.join("\n"));
    }
    failure.hint(format!("`{} --help` lists what it takes", verb_path(arguments)))
}

/// `quickstart bundle create` out of the arguments, as far as they are verbs.
fn verb_path(arguments: &[OsString]) -> String {
    let mut path = "quickstart".to_owned();
    let root = Cli::command();
    let mut here = &root;
    for word in arguments.iter().skip(1).filter_map(|word| word.to_str()) {
        if let Some(next) = here.find_subcommand(word) {
            path.push(' ');
            path.push_str(word);
            here = next;
        }
    }
    path
}
