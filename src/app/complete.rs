//! The answer to a shell that asks what could stand here.

use std::ffi::OsString;

use crate::cli::{self, Names};
use crate::config::{Environment, Paths};
use crate::plan::DEMO;
use crate::sample;

/// Candidates in the shell's form; only folder names are read, and whatever cannot be read has none.
pub(super) fn answer(shell: &str, words: Vec<OsString>, environment: &Environment) -> Vec<u8> {
    let clusters = Paths::new(environment).map(|paths| paths.clusters()).unwrap_or_default();
    let names = Names {
        clusters: clusters.iter().map(ToString::to_string).collect(),
        samples: vec![DEMO.1.to_owned()],
        ready_made: sample::index().map(|index| index.samples.into_iter().map(|sample| sample.name).collect()).unwrap_or_default(),
        namespaces: vec![DEMO.0.to_owned(), "default".to_owned()],
    };
    cli::complete(shell, words, &environment.directory, names)
}
