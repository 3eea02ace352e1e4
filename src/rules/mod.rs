//! Failure rules: one table of data says what a failure is called, what it looks like, what it means and what to do.
//!
//! Whoever reads somebody else's words (a pod's state, an event, an API answer, kind's standard error, the engine's stream) asks
//! [`find`]; whoever knows what went wrong by its own hand names the rule's ID. `doctor --list` prints the table, and the
//! troubleshooting page is made from it.

mod command;
mod files;
mod images;
mod machine;
mod serving;
mod sign;
mod workloads;

use serde::Serialize;

use crate::error::{Exit, Failure};

pub use sign::{Patience, Sign, Source};

/// A failure with a name that stays the same from version to version.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Rule {
    /// Such as `PORT_BUSY`.
    pub id: &'static str,
    /// The exit codes it comes with: the usual one first.
    #[serde(serialize_with = "codes")]
    pub exits: &'static [Exit],
    /// What it means, in one line: a lowercase fragment.
    pub meaning: &'static str,
    /// What to do.
    pub hint: &'static str,
    /// Where people met it: upstream threads as `project#number`, or nothing.
    pub threads: &'static [&'static str],
    /// What it looks like; empty where our own code names it.
    #[serde(skip)]
    pub signs: &'static [Sign],
}

fn codes<S: serde::Serializer>(exits: &&'static [Exit], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(exits.iter().map(|exit| exit.code()))
}

/// A rule without threads and signs: one that our own code names.
const fn named(id: &'static str, exits: &'static [Exit], meaning: &'static str, hint: &'static str) -> Rule {
    Rule { id, exits, meaning, hint, threads: &[], signs: &[] }
}

/// Rules about one thing.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// As the troubleshooting page heads it.
    pub title: &'static str,
    /// What belongs to it.
    pub rules: &'static [Rule],
}

/// In the order in which signs are compared: what says more comes first.
pub const GROUPS: &[Group] = &[
    Group { title: "The machine and its container engine", rules: machine::RULES },
    Group { title: "Images and downloads", rules: images::RULES },
    Group { title: "The way to a prediction", rules: serving::RULES },
    Group { title: "Pods and what guards them", rules: workloads::RULES },
    Group { title: "Files and bundles", rules: files::RULES },
    Group { title: "The command itself", rules: command::RULES },
];

/// A rule that fits, and how long what it saw must last before waiting is given up.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Which.
    pub rule: &'static Rule,
    /// How long.
    pub patience: Patience,
}

/// The rule that fits what somebody said. `reason` is the machine's word (a pod's waiting reason, an event's reason, an HTTP code),
/// `message` the text.
pub fn find(source: Source, reason: &str, message: &str) -> Option<Found> {
    let lower = message.to_lowercase();
    all_unsorted().find_map(|rule| {
        let sign = rule.signs.iter().find(|sign| sign.fits(source, reason, &lower))?;
        Some(Found { rule, patience: sign.patience })
    })
}

/// A rule by its ID.
pub fn rule(id: &str) -> Option<&'static Rule> {
    all_unsorted().find(|rule| rule.id == id)
}

/// Every rule, by ID.
pub fn all() -> Vec<Rule> {
    let mut rules: Vec<Rule> = all_unsorted().copied().collect();
    rules.sort_unstable_by_key(|rule| rule.id);
    rules
}

fn all_unsorted() -> impl Iterator<Item = &'static Rule> {
    GROUPS.iter().flat_map(|group| group.rules)
}

impl Rule {
    /// The usual exit code.
    pub const fn exit(&self) -> Exit {
        match self.exits {
            [first, ..] => *first,
            [] => Exit::Internal,
        }
    }

    /// The failure that this rule is, with what was seen as its cause.
    pub fn failure(&self, what: impl Into<String>, saw: impl Into<String>) -> Failure {
        Failure::new(self.id, self.exit(), what).cause(saw).hint(self.hint)
    }
}

#[cfg(test)]
mod sources_tests;
#[cfg(test)]
mod tests;
