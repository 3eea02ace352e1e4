//! Which kind to use.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use semver::Version;
use tokio_util::sync::CancellationToken;

use super::{Command, KindError};

const VERSION_DEADLINE: Duration = Duration::from_secs(20);

/// A kind program that told its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Where.
    pub path: PathBuf,
    /// What it says it is.
    pub version: Version,
}

/// What a look along the PATH found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// One that will do: the first such.
    Found(Program),
    /// None that will do, but one that is too old.
    TooOld(Program),
    /// None that will do, but one that does not tell its version.
    Unusable {
        /// Where.
        path: PathBuf,
        /// What it did instead.
        message: String,
    },
    /// None.
    Missing,
}

impl Program {
    /// Looks along `path_var` (the value of PATH) for a kind of at least `minimum`.
    pub async fn search(path_var: Option<&OsStr>, minimum: &Version) -> Search {
        let mut second_best = Search::Missing;
        for path in candidates(path_var.map(OsStr::to_owned)).await {
            match Self::at(&path).await {
                Ok(program) if program.version >= *minimum => return Search::Found(program),
                Ok(program) if !matches!(second_best, Search::TooOld(_)) => second_best = Search::TooOld(program),
                Err(error) if second_best == Search::Missing => second_best = Search::Unusable { path, message: error.to_string() },
                Ok(_) | Err(_) => {}
            }
        }
        second_best
    }

    /// As [`Program::search`], where one that is too old is an error and none at all is `None`.
    pub async fn find(path_var: Option<&OsStr>, minimum: &Version) -> Result<Option<Self>, KindError> {
        match Self::search(path_var, minimum).await {
            Search::Found(program) => Ok(Some(program)),
            Search::TooOld(Self { path, version }) => Err(KindError::TooOld { path, found: version, needed: minimum.clone() }),
            Search::Unusable { path, message } => Err(KindError::Unusable { path, message }),
            Search::Missing => Ok(None),
        }
    }

    /// The program at `path`, asked for its version.
    pub async fn at(path: &Path) -> Result<Self, KindError> {
        let unusable = |message: String| KindError::Unusable { path: path.to_owned(), message };
        let asked = Command::new(path, VERSION_DEADLINE).args(["version"]).run(&CancellationToken::new(), &|_| {}).await;
        let finished = asked.map_err(|error| unusable(format!("{error} {}", error.stderr()).trim().to_owned()))?;
        let said = String::from_utf8_lossy(&finished.stdout).into_owned();
        let version = parse(&said).ok_or_else(|| unusable(format!("it says `{}`", said.trim())))?;
        Ok(Self { path: path.to_owned(), version })
    }
}

/// `kind v0.30.0 go1.24.6 linux/amd64` → 0.30.0
fn parse(said: &str) -> Option<Version> {
    said.split_whitespace().find_map(|word| Version::parse(word.strip_prefix('v')?).ok())
}

async fn candidates(path_var: Option<OsString>) -> Vec<PathBuf> {
    let Some(path_var) = path_var else { return Vec::new() };
    let look = move || which::which_in_global("kind", Some(path_var)).map(Iterator::collect).unwrap_or_default();
    tokio::task::spawn_blocking(look).await.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::error::Explain;

    fn fake(folder: &Path, name: &str, script: &str) -> PathBuf {
        let folder = folder.join(name);
        fs_err::create_dir_all(&folder).unwrap();
        let path = folder.join("kind");
        fs_err::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        folder
    }

    #[test]
    fn versions_are_read_from_what_kind_prints() {
        assert_eq!(parse("kind v0.30.0 go1.24.6 linux/amd64\n"), Some(Version::new(0, 30, 0)));
        assert_eq!(parse("kind v0.33.0-alpha+1b2c go1.25 darwin/arm64").unwrap().pre.as_str(), "alpha");
        assert_eq!(parse("No preset version installed for command kind"), None);
    }

    #[tokio::test]
    async fn a_newer_kind_further_along_the_path_is_taken() {
        let home = tempfile::tempdir().unwrap();
        let shim = fake(home.path(), "shim", "echo no preset version >&2; exit 126");
        let old = fake(home.path(), "old", "echo kind v0.20.0 go1.20 linux/amd64");
        let new = fake(home.path(), "new", "echo kind v0.30.0 go1.24 linux/amd64");
        let minimum = Version::new(0, 30, 0);
        let path = |folders: &[&PathBuf]| std::env::join_paths(folders).unwrap();
        let found = Program::find(Some(&path(&[&shim, &old, &new])), &minimum).await.unwrap().unwrap();
        assert_eq!((found.path, found.version), (new.join("kind"), Version::new(0, 30, 0)));
        let error = Program::find(Some(&path(&[&shim, &old])), &minimum).await.unwrap_err();
        assert_eq!((error.id(), error.to_string().contains("kind 0.20.0")), ("KIND_TOO_OLD", true));
        let unusable = Program::search(Some(&path(&[&shim])), &minimum).await;
        assert!(matches!(&unusable, Search::Unusable { message, .. } if message.contains("no preset version")), "{unusable:?}");
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(Program::find(Some(empty.path().as_os_str()), &minimum).await.unwrap(), None);
        assert_eq!(Program::find(None, &minimum).await.unwrap(), None);
    }
}
