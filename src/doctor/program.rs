//! Which kind will be used.

use semver::Version;

use super::check::CheckResult;
use crate::catalog::KindPins;
use crate::kind::Search;

/// Where kind comes from when the PATH has none that will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Other {
    /// The bundle holds it, in this version.
    Bundle(String),
    /// A download of this version, whose checksum is known or need not be.
    Download(String),
    /// Nowhere: this is why.
    Nowhere(String),
}

impl Other {
    /// As `up` decides it. `platform` is `linux-amd64`; `accept_unpinned`: a program of unknown checksum may be run.
    pub(super) fn choose(bundled: Option<&str>, pins: &KindPins, platform: &str, accept_unpinned: bool) -> Self {
        if let Some(version) = bundled {
            return Self::Bundle(version.to_owned());
        }
        let pinned = pins.versions.iter().find(|version| version.version == pins.default);
        match pinned.and_then(|version| version.binaries.iter().find(|binary| binary.platform == platform)) {
            Some(binary) if binary.sha256.is_some() || accept_unpinned => Self::Download(pins.default.clone()),
            Some(_) => Self::Nowhere("the checksum of its download is not known".into()),
            None => Self::Nowhere(format!("there is no download for {platform}")),
        }
    }
}

/// The check of the kind program.
pub(super) const ID: &str = "kind";

/// What the search along the PATH means. `pairs`: the node image that will be used suits this kind.
pub(super) fn kind(search: &Search, minimum: &Version, pairs: bool, other: &Other) -> CheckResult {
    let (id, title) = (ID, "a kind program is there");
    let (saw, error_id) = match search {
        Search::Found(program) if pairs => {
            return CheckResult::ok(id, title, format!("kind {} at {}", program.version, program.path.display()));
        }
        Search::Found(program) => {
            (format!("the catalog has no node image for kind {} at {}", program.version, program.path.display()), "KIND_MISSING")
        }
        Search::TooOld(program) => {
            (format!("kind {} at {} is older than {minimum}", program.version, program.path.display()), "KIND_TOO_OLD")
        }
        Search::Unusable { path, message } => (format!("{} cannot be used: {message}", path.display()), "KIND_MISSING"),
        Search::Missing => ("none on the PATH".to_owned(), "KIND_MISSING"),
    };
    match other {
        Other::Bundle(version) => CheckResult::warning(id, title, saw, format!("nothing to do: kind {version} of the bundle will be used")),
        Other::Download(version) => {
            CheckResult::warning(id, title, saw, format!("kind {version} will be downloaded; offline, install it or use --bundle FILE"))
        }
        Other::Nowhere(why) => {
            let hint =
                format!("install kind {minimum} (https://kind.sigs.k8s.io/docs/user/quick-start/#installation), or use --bundle FILE");
            CheckResult::error(id, title, format!("{saw}, and {why}"), hint).named(error_id)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::embedded;
    use crate::doctor::Outcome;
    use crate::kind::Program;

    const MINIMUM: Version = Version::new(0, 30, 0);

    fn nowhere() -> Other {
        Other::Nowhere("the checksum of its download is not known".into())
    }

    #[test]
    fn a_kind_that_suits_is_fine_and_none_at_all_is_not() {
        let found = Search::Found(Program { path: "/bin/kind".into(), version: MINIMUM });
        assert_eq!(kind(&found, &MINIMUM, true, &nowhere()).result, Outcome::Ok);
        assert_eq!(kind(&found, &MINIMUM, false, &nowhere()).result, Outcome::Error);
        let missing = kind(&Search::Missing, &MINIMUM, true, &nowhere());
        assert_eq!((missing.result, missing.error_id.as_deref()), (Outcome::Error, Some("KIND_MISSING")));
        let old = Search::TooOld(Program { path: "/bin/kind".into(), version: Version::new(0, 20, 0) });
        let old = kind(&old, &MINIMUM, true, &nowhere());
        assert_eq!((old.result, old.error_id.as_deref()), (Outcome::Error, Some("KIND_TOO_OLD")));
        assert!(old.saw.contains("0.20.0") && old.saw.contains("older than 0.30.0"), "{old:?}");
    }

    #[test]
    fn another_source_makes_it_a_warning_that_names_it() {
        for (other, word) in [(Other::Bundle("0.30.0".into()), "bundle"), (Other::Download("0.30.0".into()), "downloaded")] {
            let check = kind(&Search::Missing, &MINIMUM, true, &other);
            assert_eq!(check.result, Outcome::Warning);
            assert!(check.hint.as_deref().unwrap().contains(word), "{check:?}");
        }
    }

    #[test]
    fn the_bundle_comes_before_a_download_and_an_unknown_platform_has_none() {
        let mut pins = embedded::catalog().unwrap().kind;
        assert_eq!(Other::choose(Some("0.30.0"), &pins, "linux-amd64", false), Other::Bundle("0.30.0".into()));
        assert_eq!(Other::choose(None, &pins, "linux-amd64", true), Other::Download(pins.default.clone()));
        assert!(matches!(Other::choose(None, &pins, "plan9-mips", true), Other::Nowhere(_)));
        for binary in pins.versions.iter_mut().flat_map(|version| &mut version.binaries) {
            binary.sha256 = None;
        }
        assert!(matches!(Other::choose(None, &pins, "linux-amd64", false), Other::Nowhere(_)));
    }
}
