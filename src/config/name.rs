//! The name of a cluster: it becomes a container's, a node's, a kubectl context's and a folder's name.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ConfigError;

/// A valid cluster name: kind's `^[a-z0-9.-]+$`, at most 50 characters, and every part between dots begins and ends with a letter or digit.
///
/// The last rule is Kubernetes' (RFC 1123, for the node `NAME-control-plane`): without it a name such as `..` would pass and fail minutes later.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClusterName(String);

impl ClusterName {
    /// Taken when none is given.
    pub const DEFAULT: &str = "quickstart";
    /// kind's limit: the longest host name less its own suffixes.
    pub const LONGEST: usize = 50;

    /// Checks a name.
    ///
    /// # Errors
    /// [`ConfigError::Name`], which says the rule that is broken.
    pub fn new(text: &str) -> Result<Self, ConfigError> {
        let refuse = |reason| Err(ConfigError::Name { name: text.to_owned(), reason });
        if text.is_empty() {
            return refuse("it is empty");
        }
        if text.len() > Self::LONGEST {
            return refuse("it is longer than 50 characters");
        }
        if !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.') {
            return refuse("only a-z, 0-9, `-` and `.` are allowed");
        }
        let edge = |part: &str| part.is_empty() || part.starts_with('-') || part.ends_with('-');
        if text.split('.').any(edge) {
            return refuse("it must begin and end with a letter or a digit, and so must every part between dots");
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The kubectl context kind makes for it.
    pub fn context(&self) -> String {
        format!("kind-{}", self.0)
    }

    /// Was no other name asked for?
    pub fn is_default(&self) -> bool {
        self.0 == Self::DEFAULT
    }
}

impl Default for ClusterName {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for ClusterName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClusterName {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        Self::new(text)
    }
}

impl Serialize for ClusterName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ClusterName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names() {
        for name in ["quickstart", "a", "demo-2", "1.2", "a.b-c", &"a".repeat(50)] {
            assert_eq!(ClusterName::new(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn bad_names_say_why() {
        let reason = |name: &str| ClusterName::new(name).unwrap_err().to_string();
        assert!(reason("").contains("empty"));
        assert!(reason(&"a".repeat(51)).contains("longer than 50"));
        for name in ["Demo", "a b", "a_b", "a/b", "é", "a\n"] {
            assert!(reason(name).contains("only a-z"), "{name}");
        }
    }

    /// kind's own pattern lets `..` through, and the state folder of that name would be our parent folder.
    #[test]
    fn a_name_is_never_a_way_out_of_the_state_folder() {
        for name in [".", "..", "-a", "a-", ".a", "a.", "a..b", "a.-b"] {
            assert!(ClusterName::new(name).unwrap_err().to_string().contains("begin and end"), "{name}");
        }
    }
}
