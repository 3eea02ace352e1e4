//! What every module's error becomes before a person or a script sees it: an ID, a cause, a hint and an exit code.
//!
//! Modules have their own `thiserror` enums and say through [`Explain`] what kind of failure each variant is;
//! [`Failure`] is the one shape that the renderer in `report` knows.

use serde::{Deserialize, Serialize};

/// Every exit code of the program; scripts depend on them, `--help` and docs/cluster.md list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// All that was asked for was done.
    Ok,
    /// A defect of ours.
    Internal,
    /// A flag, a value or the configuration file is wrong.
    Usage,
    /// This machine or the cluster lacks something that must be there first.
    Prerequisite,
    /// A stage of the installation failed for a reason that waiting does not cure.
    StageFailed,
    /// A deadline passed while something was still on its way.
    Deadline,
    /// There is no such cluster, or it does not run.
    NotRunning,
    /// The cluster runs, but something in it does not.
    Degraded,
    /// A checksum or a bundle is not what it claims to be.
    Verification,
    /// Ctrl-C or SIGTERM.
    Interrupted,
}

impl Exit {
    /// All codes, in the order in which they are documented.
    pub const ALL: [Self; 10] = [
        Self::Ok,
        Self::Internal,
        Self::Usage,
        Self::Prerequisite,
        Self::StageFailed,
        Self::Deadline,
        Self::NotRunning,
        Self::Degraded,
        Self::Verification,
        Self::Interrupted,
    ];

    /// The number that the process ends with.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Prerequisite => 3,
            Self::StageFailed => 4,
            Self::Deadline => 5,
            Self::NotRunning => 6,
            Self::Degraded => 7,
            Self::Verification => 8,
            Self::Interrupted => 130,
        }
    }

    /// The few words that `--help` gives it.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Internal => "internal error",
            Self::Usage => "usage: a flag, a value or the configuration file is wrong",
            Self::Prerequisite => "a prerequisite is unmet",
            Self::StageFailed => "a stage failed",
            Self::Deadline => "a deadline passed",
            Self::NotRunning => "not running",
            Self::Degraded => "degraded",
            Self::Verification => "verification failed (checksum, bundle)",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A failure as people and scripts see it: `error[ID]: what`, `cause: …`, `hint: …`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A stable name in capitals, such as `PORT_BUSY`.
    pub id: String,
    /// What could not be done: a lowercase fragment.
    pub what: String,
    /// The last thing seen, where there is one.
    pub cause: Option<String>,
    /// What to do now.
    pub hint: Option<String>,
    /// The exit code this failure leads to.
    pub exit: Exit,
}

impl Failure {
    /// A failure with neither cause nor hint yet.
    pub fn new(id: &str, exit: Exit, what: impl Into<String>) -> Self {
        Self { id: id.to_owned(), what: what.into(), cause: None, hint: None, exit }
    }

    /// A defect of ours.
    pub fn internal(what: impl Into<String>) -> Self {
        Self::new("INTERNAL", Exit::Internal, what)
            .hint("this is a defect of quickstart: please report it with the events.jsonl of its state folder")
    }

    /// The same failure with the last thing seen.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The same failure with the next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// What a module's error type knows about itself beyond its message.
pub trait Explain: std::error::Error {
    /// The stable ID.
    fn id(&self) -> &'static str;
    /// The exit code.
    fn exit(&self) -> Exit;
    /// What to do now.
    fn hint(&self) -> Option<String> {
        None
    }
    /// What a failure of this ID means, in the words of its rule. An error without a source is told as that meaning with its own
    /// message as the cause.
    fn meaning(&self) -> Option<&'static str> {
        None
    }
}

impl<E: Explain> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut causes = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if causes.last() != Some(&text) {
                causes.push(text);
            }
            source = cause.source();
        }
        let (mut what, mut cause) = (error.to_string(), (!causes.is_empty()).then(|| causes.join(": ")));
        // What the user typed, and Ctrl-C, need no explanation.
        let meaning = error.meaning().filter(|_| cause.is_none() && !matches!(error.exit(), Exit::Usage | Exit::Interrupted));
        if let Some(meaning) = meaning {
            cause = Some(std::mem::replace(&mut what, meaning.to_owned()));
        }
        Self { id: error.id().to_owned(), what, cause, hint: error.hint(), exit: error.exit() }
    }
}

/// The last of an error's causes, which is the one that tells: those around it repeat that something failed.
pub fn innermost(error: &dyn std::error::Error) -> String {
    let mut current = error;
    while let Some(source) = current.source() {
        current = source;
    }
    current.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_documented_ones() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 130]);
    }

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::io::Error);
    impl Explain for Outer {
        fn id(&self) -> &'static str {
            "OUTER"
        }
        fn exit(&self) -> Exit {
            Exit::Prerequisite
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("x:1 is not at its registry")]
    struct Known(Exit);
    impl Explain for Known {
        fn id(&self) -> &'static str {
            "KNOWN"
        }
        fn exit(&self) -> Exit {
            self.0
        }
        fn meaning(&self) -> Option<&'static str> {
            Some("an image is not there")
        }
    }

    #[test]
    fn an_error_without_a_source_is_told_as_what_it_means() {
        let failure = Failure::from(Known(Exit::StageFailed));
        assert_eq!((failure.what.as_str(), failure.cause.as_deref()), ("an image is not there", Some("x:1 is not at its registry")));
        let typed = Failure::from(Known(Exit::Usage));
        assert_eq!((typed.what.as_str(), typed.cause), ("x:1 is not at its registry", None));
    }

    #[test]
    fn the_chain_of_sources_becomes_the_cause() {
        let failure = Failure::from(Outer(std::io::Error::other("inner")));
        assert_eq!(failure.what, "outer");
        assert_eq!(failure.cause.as_deref(), Some("inner"));
    }
}
