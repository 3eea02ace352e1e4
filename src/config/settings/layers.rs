//! Sources over one another (flag, variable, file, default), and how their words are read and shown.

use std::fmt;
use std::path::{Path, PathBuf};

use super::{Origin, Source};
use crate::config::{ConfigError, Environment, Profile, nearest};

/// Puts sources over one another and remembers which one won.
pub(super) struct Layers<'a> {
    pub(super) environment: &'a Environment,
    pub(super) path: Option<&'a Path>,
    pub(super) origins: Vec<Origin>,
}

impl Layers<'_> {
    /// A variable of ours with its value read.
    pub(super) fn read<T>(&self, variable: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Result<Option<(String, T)>, ConfigError> {
        let Some(text) = self.environment.own(variable) else { return Ok(None) };
        let value = read(text).map_err(|reason| ConfigError::Variable { variable: variable.to_owned(), reason })?;
        Ok(Some((variable.to_owned(), value)))
    }

    /// The first source that says something.
    pub(super) fn value<T: fmt::Display>(
        &mut self,
        key: &str,
        flag: Option<T>,
        variable: Option<(String, T)>,
        file: Option<T>,
    ) -> Option<T> {
        let file = || Some((file?, Source::File(self.path?.to_owned())));
        let (value, source) = flag
            .map(|value| (value, Source::Flag))
            .or_else(|| variable.map(|(name, value)| (value, Source::Environment(name))))
            .or_else(file)?;
        self.origins.push(Origin { key: key.to_owned(), value: value.to_string(), source });
        Some(value)
    }

    /// The default where no source says anything.
    pub(super) fn or<T: fmt::Display>(&mut self, key: &str, value: Option<T>, default: T) -> T {
        value.unwrap_or_else(|| {
            self.origins.push(Origin { key: key.to_owned(), value: default.to_string(), source: Source::Default });
            default
        })
    }

    /// In the order of the fields, whatever order they were asked in.
    pub(super) fn sorted(mut self) -> Vec<Origin> {
        const ORDER: [&str; 25] = [
            "name",
            "profile",
            "ingress",
            "gateway",
            "set",
            "with",
            "versions",
            "port",
            "bundle",
            "mirror",
            "prefetch",
            "node",
            "on",
            "demo",
            "forward",
            "keepContext",
            "keepImages",
            "timeout",
            "domain",
            "namespace",
            "ingressClass",
            "storage",
            "kserve",
            "resources",
            "patches",
        ];
        let place = |key: &str| {
            let top = key.split('.').next().unwrap_or_default();
            ORDER.iter().position(|known| *known == top).unwrap_or(ORDER.len())
        };
        self.origins.sort_by(|a, b| (place(&a.key), &a.key).cmp(&(place(&b.key), &b.key)));
        self.origins
    }
}

/// Names, each once, in the order in which they were written.
#[derive(Default)]
pub(super) struct List(pub(super) Vec<String>);

impl List {
    pub(super) fn new(words: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut names: Vec<String> = Vec::new();
        for word in words {
            let name = word.as_ref().trim();
            if !name.is_empty() && !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        Self(names)
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

/// A path that prints.
pub(super) struct Shown(pub(super) PathBuf);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

pub(super) fn profile(text: &str) -> Result<Profile, String> {
    const KNOWN: [Profile; 2] = [Profile::Serverless, Profile::Raw];
    KNOWN.into_iter().find(|profile| profile.as_str() == text).ok_or_else(|| {
        let near = nearest(text, KNOWN.map(Profile::as_str)).map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
        format!("`{text}` is not a profile{near} (serverless, raw)")
    })
}

pub(super) fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err(format!("`{text}` is neither true nor false")),
    }
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    text.trim().parse().ok().filter(|port| *port > 0).ok_or_else(|| format!("`{text}` is not a port from 1 to 65535"))
}

/// `oci://…` in the place of a path.
pub(super) fn is_url(path: &Path) -> bool {
    path.to_str().is_some_and(|text| text.starts_with("oci://"))
}
