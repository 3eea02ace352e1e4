//! `doctor -o json`, version 1: categories of checks, each with what was seen and what to do about it.

use serde::Serialize;

use crate::error::{Exit, Failure};

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// `up` works, but somebody may be surprised; the exit code stays 0.
    Warning,
    /// `up` would fail, or what it made does not work.
    Error,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckResult {
    /// A stable name, such as `engine-memory`.
    pub id: String,
    /// What is asked, as a statement that should be true.
    pub title: String,
    /// How it ended.
    pub result: Outcome,
    /// What was seen.
    pub saw: String,
    /// What to do now, where something is to be done.
    pub hint: Option<String>,
    /// The ID that `up` would fail with, where there is one.
    pub error_id: Option<String>,
    /// It may become ok by itself, as a pod that starts does: `--wait` asks it again.
    pub settles: bool,
}

impl CheckResult {
    /// As it should be.
    pub fn ok(id: &str, title: &str, saw: impl Into<String>) -> Self {
        let saw = saw.into();
        Self { id: id.to_owned(), title: title.to_owned(), result: Outcome::Ok, saw, hint: None, error_id: None, settles: false }
    }

    /// Worth knowing.
    pub fn warning(id: &str, title: &str, saw: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { result: Outcome::Warning, hint: Some(hint.into()), ..Self::ok(id, title, saw) }
    }

    /// In the way.
    pub fn error(id: &str, title: &str, saw: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { result: Outcome::Error, hint: Some(hint.into()), ..Self::ok(id, title, saw) }
    }

    /// In the way, as the failure that `up` would end with says it.
    pub fn failed(id: &str, title: &str, failure: &Failure) -> Self {
        let saw = match &failure.cause {
            Some(cause) => format!("{}: {cause}", failure.what),
            None => failure.what.clone(),
        };
        let result = Self { result: Outcome::Error, hint: failure.hint.clone(), ..Self::ok(id, title, saw) };
        result.named(&failure.id)
    }

    /// The same with the error's ID.
    #[must_use]
    pub fn named(mut self, error_id: &str) -> Self {
        self.error_id = Some(error_id.to_owned());
        self
    }

    /// The same, of a thing that may become ok by itself.
    #[must_use]
    pub fn settling(mut self) -> Self {
        self.settles = true;
        self
    }

    /// The same, but not in the way.
    #[must_use]
    pub fn as_warning(mut self) -> Self {
        self.result = Outcome::Warning;
        self
    }
}

/// Checks that belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Category {
    /// For people.
    pub name: String,
    /// In the order in which they are read.
    pub checks: Vec<CheckResult>,
}

impl Category {
    /// A category with these checks.
    pub fn new(name: &str, checks: Vec<CheckResult>) -> Self {
        Self { name: name.to_owned(), checks }
    }
}

/// Something that `--fix` did, or left to somebody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// Which check it is about.
    pub id: String,
    /// What was done; or why it was not, and what would do it.
    pub what: String,
}

impl Fix {
    pub(super) fn new(id: &str, what: impl Into<String>) -> Self {
        Self { id: id.to_owned(), what: what.into() }
    }
}

/// Everything that `doctor` found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// Format version; 1.
    pub version: u32,
    /// No check is an error.
    pub success: bool,
    /// The exit code that it means.
    pub exit: u8,
    /// Categories in the order in which things are needed.
    pub categories: Vec<Category>,
    /// With `--fix`: what was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed: Option<Vec<Fix>>,
    /// With `--fix`: what was left, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<Vec<Fix>>,
}

impl Diagnosis {
    /// The diagnosis of these categories; one without checks is left out. `there`: a cluster of ours is, and its engine answers.
    ///
    /// Warnings do not change the exit code; an error is an unmet prerequisite, or a degraded cluster once there is one.
    pub fn new(categories: Vec<Category>, there: bool) -> Self {
        let categories: Vec<Category> = categories.into_iter().filter(|category| !category.checks.is_empty()).collect();
        let mut diagnosis = Self { version: 1, success: true, exit: 0, categories, fixed: None, left: None };
        diagnosis.success = diagnosis.count(Outcome::Error) == 0;
        diagnosis.exit = match (diagnosis.success, there) {
            (true, _) => Exit::Ok,
            (false, false) => Exit::Prerequisite,
            (false, true) => Exit::Degraded,
        }
        .code();
        diagnosis
    }

    /// Every check.
    pub fn checks(&self) -> impl Iterator<Item = &CheckResult> {
        self.categories.iter().flat_map(|category| &category.checks)
    }

    /// How many checks ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.checks().filter(|check| check.result == outcome).count()
    }

    /// Is an error among them that may pass by itself?
    pub fn may_settle(&self) -> bool {
        self.checks().any(|check| check.result == Outcome::Error && check.settles)
    }

    /// The checks of a category.
    pub(super) fn category(&self, name: &str) -> Option<&Category> {
        self.categories.iter().find(|category| category.name == name)
    }

    /// The exit code.
    pub fn code(&self) -> Exit {
        Exit::ALL.into_iter().find(|exit| exit.code() == self.exit).unwrap_or(Exit::Internal)
    }
}

/// `23.5 GiB`: engines and kernels count in powers of two.
pub(super) fn gib(bytes: u64) -> String {
    let tenths = u128::from(bytes) * 10 / u128::from(GIB);
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

/// Bytes of a GiB.
pub(super) const GIB: u64 = 1024 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_changes_no_exit_code_and_an_error_does() {
        let ok = CheckResult::ok("a", "a is there", "yes");
        let warning = CheckResult::warning("b", "b is there", "hardly", "look");
        let error = CheckResult::failed("c", "c is there", &Failure::new("PORT_BUSY", Exit::StageFailed, "no").cause("really").hint("go"));
        assert_eq!((error.saw.as_str(), error.error_id.as_deref()), ("no: really", Some("PORT_BUSY")));
        let diagnosis = Diagnosis::new(vec![Category::new("x", vec![ok, warning]), Category::new("y", Vec::new())], true);
        assert_eq!((diagnosis.code(), diagnosis.success, diagnosis.categories.len()), (Exit::Ok, true, 1));
        for (there, exit) in [(false, Exit::Prerequisite), (true, Exit::Degraded)] {
            let diagnosis = Diagnosis::new(vec![Category::new("x", vec![error.clone()])], there);
            assert_eq!((diagnosis.code(), diagnosis.success, diagnosis.may_settle()), (exit, false, false));
        }
        assert!(Diagnosis::new(vec![Category::new("x", vec![error.settling()])], true).may_settle());
    }

    #[test]
    fn sizes_have_one_decimal() {
        assert_eq!((gib(0), gib(GIB * 3 / 2), gib(25_276_145_664)), ("0.0 GiB".into(), "1.5 GiB".into(), "23.5 GiB".into()));
    }
}
