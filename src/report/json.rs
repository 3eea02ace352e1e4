//! Output for programs.

use serde::Serialize;

use crate::{error::Failure, event::Event};

/// One event on one line, without the line break.
pub fn line(event: &Event) -> String {
    // Every field is a string, a number or a tree of them, so there is nothing that could not be written.
    serde_json::to_string(event).unwrap_or_default()
}

/// One document for `-o json`: indented, without the line break.
///
/// # Errors
/// A defect of ours: a value with keys that are not strings.
pub fn document<T: Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(|error| Failure::internal("cannot write the answer as JSON").cause(error.to_string()))
}

/// The same on one line, where one document follows another.
///
/// # Errors
/// As for [`document`].
pub fn document_line<T: Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::internal("cannot write the answer as JSON").cause(error.to_string()))
}
