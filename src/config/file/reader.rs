//! What is wrong with a configuration file, in our words and with its place.

use std::path::Path;

use serde_saphyr::{Error as YamlError, Location};

use crate::config::{ConfigError, nearest};

/// Turns the parser's complaints into ours.
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) path: &'a Path,
}

impl Reader<'_> {
    pub(super) fn place(&self, location: Location) -> String {
        format!("{}:{}:{}", self.path.display(), location.line().max(1), location.column().max(1))
    }

    pub(super) fn at(&self, location: Location, message: String, hint: Option<String>) -> ConfigError {
        // A place that the parser does not know is reported as the first one.
        let (line, column) = (location.line().max(1), location.column().max(1));
        ConfigError::Invalid { path: self.path.to_owned(), line, column, message, hint }
    }

    pub(super) fn yaml(&self, error: &YamlError) -> ConfigError {
        let error = error.without_snippet();
        let location = error.location().unwrap_or(Location::UNKNOWN);
        let (message, hint) = match error {
            YamlError::SerdeUnknownField { field, expected, .. } => {
                (format!("unknown key `{field}`"), Some(instead(field, expected, "known keys")))
            }
            YamlError::SerdeUnknownVariant { variant, expected, .. } => {
                (format!("{}`{variant}` is not one of the values", self.key(location)), Some(instead(variant, expected, "values")))
            }
            YamlError::SerdeInvalidType { unexpected, expected, .. } | YamlError::SerdeInvalidValue { unexpected, expected, .. } => {
                (format!("{}{unexpected} where {expected} is expected", self.key(location)), None)
            }
            YamlError::InvalidScalar { ty, .. } => (format!("{}{} is expected", self.key(location), in_words(ty)), None),
            YamlError::Unexpected { expected, .. } => (format!("{}{} is expected", self.key(location), in_words(expected)), None),
            YamlError::DuplicateMappingKey { key: Some(key), .. } => (format!("key `{key}` is there twice"), Some("keep one".to_owned())),
            other => (first_line(&other.to_string()), Some("check the indentation and the quotes around this place".to_owned())),
        };
        self.at(location, message, hint)
    }

    /// The key on the line of a place, as a beginning of a sentence.
    fn key(&self, location: Location) -> String {
        let line = usize::try_from(location.line()).ok().and_then(|line| self.text.lines().nth(line.checked_sub(1)?));
        match line.and_then(|line| line.split_once(':')) {
            Some((key, _)) if !key.trim().is_empty() => format!("`{}`: ", key.trim().trim_matches(['"', '\'', '{', ' '])),
            _ => String::new(),
        }
    }
}

fn instead(word: &str, expected: &[&'static str], what: &str) -> String {
    let near = nearest(word, expected.iter().copied()).map(|near| format!("did you mean `{near}`? "));
    format!("{}{what}: {}", near.unwrap_or_default(), expected.join(", "))
}

/// The parser speaks of scalars and mapping starts.
fn in_words(expected: &str) -> &str {
    match expected {
        "u16" => "a number from 1 to 65535",
        "boolean" | "bool" => "true or false",
        "string scalar" => "one value",
        "mapping start" => "a block of `key: value` lines",
        other => other,
    }
}

/// The parser's message without the place, which we say ourselves.
fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    line.split(" at line ").next().unwrap_or(line).to_owned()
}
