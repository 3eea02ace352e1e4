//! Completion: the script that a shell loads, and the answer when the user presses Tab.
//!
//! The script asks the program itself each time, so that verbs, flags and names are those of now.

use std::ffi::OsString;
use std::path::Path;

use clap::{Arg, Command, CommandFactory};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::Shells;

use super::Cli;

/// Set by the script when it asks; its value is the shell's name.
pub const VARIABLE: &str = "QUICKSTART_COMPLETE";
const PROGRAM: &str = "quickstart";

/// Names that only this machine knows.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Clusters.
    pub clusters: Vec<String>,
    /// InferenceServices that come with the program.
    pub samples: Vec<String>,
    /// Samples that `sample` knows.
    pub ready_made: Vec<String>,
    /// Namespaces of models.
    pub namespaces: Vec<String>,
}

/// The completion script for a shell; empty for one that is not known.
pub fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut script = Vec::new();
    if let Some(completer) = Shells::builtins().completer(&shell.to_string()) {
        drop(completer.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script));
    }
    script
}

/// What can stand at the place of the cursor, in the shell's own form. `words` are what the script hands over: the program, `--`, and
/// the line's words. Nothing where anything is wrong: a shell would print an error into the line that is being typed.
pub fn complete(shell: &str, words: Vec<OsString>, directory: &Path, names: Names) -> Vec<u8> {
    let shells = Shells::builtins();
    let mut answer = Vec::new();
    let line: Vec<OsString> = words.into_iter().skip_while(|word| word != "--").skip(1).collect();
    let Some(completer) = shells.completer(shell).filter(|_| !line.is_empty()) else { return answer };
    let mut command = with(names);
    command.build();
    match completer.write_complete(&mut command, line, Some(directory), &mut answer) {
        Ok(()) => answer,
        Err(_) => Vec::new(),
    }
}

fn with(names: Names) -> Command {
    let Names { clusters, samples, ready_made, namespaces } = names;
    let among = |arg: Arg, values: &[String]| {
        let values = values.to_vec();
        arg.add(ArgValueCandidates::new(move || values.iter().map(CompletionCandidate::new).collect()))
    };
    let model = |verb: Command| verb.mut_arg("service", |arg| among(arg, &samples)).mut_arg("namespace", |arg| among(arg, &namespaces));
    let of_sample = |verb: Command| verb.mut_arg("sample", |arg| among(arg, &ready_made));
    Cli::command()
        .mut_arg("name", |arg| among(arg, &clusters))
        .mut_subcommand("predict", model)
        .mut_subcommand("sample", |sample| {
            ["show", "apply", "delete", "test"].iter().fold(sample, |sample, verb| sample.mut_subcommand(verb, of_sample))
        })
        .mut_subcommand("doctor", |doctor| doctor.mut_subcommand("route", model))
}
