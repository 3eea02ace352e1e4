//! `resources:` of the configuration file: what single containers ask for and may take.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_saphyr::{Location, Spanned};

/// Requests and limits of the containers of one name in one component; what is not named stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resources {
    /// Component of the catalog.
    pub component: String,
    /// Container, in whichever Deployment of the component.
    pub container: String,
    /// `cpu`, `memory`, … → quantity.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, String>,
    /// The same.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, String>,
    /// `quickstart.yaml:3:5`.
    #[serde(skip)]
    pub place: String,
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.container)?;
        for (what, quantities) in [("requests", &self.requests), ("limits", &self.limits)] {
            for (name, quantity) in quantities {
                write!(f, " {what}.{name}={quantity}")?;
            }
        }
        Ok(())
    }
}

/// As written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    #[serde(default)]
    requests: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    limits: BTreeMap<String, Spanned<String>>,
}

/// Component → container → what is written.
pub(super) type All = BTreeMap<String, BTreeMap<String, Spanned<Written>>>;

/// Takes it apart, each with its place; a quantity that Kubernetes would refuse is an error with its place.
pub(super) fn read(all: All, place: impl Fn(Location) -> String) -> Result<Vec<Resources>, (Location, String)> {
    let mut found = Vec::new();
    for (component, containers) in all {
        for (container, written) in containers {
            let quantities = |what: &str, from: BTreeMap<String, Spanned<String>>| {
                from.into_iter()
                    .map(|(name, quantity)| {
                        if is_quantity(&quantity.value) {
                            return Ok((name, quantity.value));
                        }
                        let value = &quantity.value;
                        let key = format!("`resources.{component}.{container}.{what}.{name}`");
                        Err((quantity.referenced, format!("{key}: `{value}` is not a quantity such as 500m, 2 or 256Mi")))
                    })
                    .collect::<Result<BTreeMap<_, _>, _>>()
            };
            let Written { requests, limits } = written.value;
            let (requests, limits) = (quantities("requests", requests)?, quantities("limits", limits)?);
            let place = place(written.referenced);
            found.push(Resources { component: component.clone(), container, requests, limits, place });
        }
    }
    Ok(found)
}

/// Kubernetes' quantities without signs and exponents: a decimal number and a suffix.
fn is_quantity(text: &str) -> bool {
    const SUFFIXES: [&str; 15] = ["", "n", "u", "m", "k", "M", "G", "T", "P", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && digits.bytes().any(|byte| byte.is_ascii_digit());
    number && digits.matches('.').count() <= 1 && SUFFIXES.contains(&&text[digits.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities() {
        for good in ["1", "0.5", "500m", "256Mi", "2G", "1.5Gi", ".5"] {
            assert!(is_quantity(good), "{good}");
        }
        for bad in ["", "m", "-1", "1 GB", "1GB", "256mi", "1.2.3", "much", "1e3", "."] {
            assert!(!is_quantity(bad), "{bad}");
        }
    }
}
