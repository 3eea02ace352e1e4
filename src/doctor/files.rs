//! Files of ours and of kubectl's.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::check::{CheckResult, gib};
use super::disk;
use crate::config::{ClusterPaths, Paths};
use crate::error::Failure;
use crate::kind::KindError;
use crate::state::State;

/// Below: not even manifests and kind fit.
const TOO_LITTLE: u64 = 512 * 1024 * 1024;
/// Below: not worth a word.
const WORTH_A_WORD: u64 = 100 * 1024 * 1024;
/// Our folders are never deeper.
const DEPTH: usize = 3;

/// A folder that we write to, or will make.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    /// The folder.
    pub(super) path: PathBuf,
    /// Why we could not write there.
    pub(super) trouble: Option<String>,
    /// Free bytes.
    pub(super) free: Option<u64>,
    /// Bytes of what lies in it.
    pub(super) holds: u64,
}

impl Folder {
    /// Looks at the folder, or at the nearest one above it that is there. Nothing is written.
    pub(super) fn look(path: &Path) -> Self {
        let there = path.ancestors().find(|folder| !matches!(folder.symlink_metadata(), Err(error) if error.kind() == ErrorKind::NotFound));
        let trouble = match there {
            None => Some("no folder above it is there".to_owned()),
            Some(there) if there.metadata().is_ok_and(|found| !found.is_dir()) => Some(format!("{} is not a folder", there.display())),
            Some(there) => access(there, Access::WRITE_OK | Access::EXEC_OK).err().map(|error| format!("{}: {error}", there.display())),
        };
        Self { path: path.to_owned(), trouble, free: there.and_then(disk::free), holds: held(path, DEPTH) }
    }
}

/// Bytes of the files below a folder. Nothing is followed out of it.
fn held(folder: &Path, depth: usize) -> u64 {
    let Ok(entries) = fs_err::read_dir(folder) else { return 0 };
    let size = |entry: fs_err::DirEntry| match entry.metadata() {
        Ok(found) if found.is_file() => found.len(),
        Ok(found) if found.is_dir() && depth > 0 => held(&entry.path(), depth - 1),
        _ => 0,
    };
    entries.flatten().map(size).sum()
}

/// The two folders of [`Paths`].
pub(super) fn folders(cache: &Folder, state: &Folder) -> Vec<CheckResult> {
    vec![
        folder("cache-folder", "the cache folder can be written", cache, "CACHE_IO", "QUICKSTART_CACHE_DIR"),
        folder("state-folder", "the state folder can be written", state, "STATE_IO", "QUICKSTART_STATE_DIR"),
    ]
}

fn folder(id: &str, title: &str, folder: &Folder, error_id: &str, variable: &str) -> CheckResult {
    let path = folder.path.display();
    if let Some(trouble) = &folder.trouble {
        let hint = format!("make it yours, or name another folder with {variable}");
        return CheckResult::error(id, title, format!("{path} cannot be written: {trouble}"), hint).named(error_id);
    }
    match folder.free {
        Some(free) if free < TOO_LITTLE => {
            let hint = format!("free some space there, or name another folder with {variable}");
            CheckResult::error(id, title, format!("{path}, only {} free", gib(free)), hint).named("NO_SPACE")
        }
        Some(free) if folder.holds >= WORTH_A_WORD => {
            let purge = if id == "cache-folder" { " (`quickstart down --purge` empties it)" } else { "" };
            CheckResult::ok(id, title, format!("{path}, {} in it{purge}, {} free", gib(folder.holds), gib(free)))
        }
        Some(free) => CheckResult::ok(id, title, format!("{path}, {} free", gib(free))),
        None => CheckResult::ok(id, title, path.to_string()),
    }
}

/// Can the cluster's `state.json` be read by this program?
pub(super) fn state(paths: &ClusterPaths, read: Result<Option<&State>, &Failure>) -> CheckResult {
    let (id, title) = ("state", "the cluster's state can be read");
    match read {
        Ok(Some(state)) => CheckResult::ok(id, title, format!("{}, written by {}", paths.state.display(), state.created_by)),
        Ok(None) => CheckResult::ok(id, title, format!("no cluster yet ({})", paths.state.display())),
        Err(failure) => CheckResult::failed(id, title, failure),
    }
}

/// The user's kubeconfig. Trouble there does not stop `up`: the cluster has a private one.
pub(super) fn kubeconfig(file: Option<&Path>, context: Result<Option<String>, KindError>, stale_lock: Option<&Path>) -> Vec<CheckResult> {
    let (id, title) = ("kubeconfig", "the kubeconfig can be read");
    let read = match (file, context) {
        (None, _) => CheckResult::warning(id, title, "there is no home folder to look for it in", "set HOME or KUBECONFIG"),
        (Some(_), Err(error)) => CheckResult::failed(id, title, &Failure::from(error)).as_warning(),
        (Some(file), Ok(Some(context))) => CheckResult::ok(id, title, format!("{}, current context {context}", file.display())),
        (Some(file), Ok(None)) => CheckResult::ok(id, title, format!("{}, no current context", file.display())),
    };
    let lock = stale_lock.map(|lock| {
        let hint = format!("when no kubectl or kind is running, a crashed one left it: remove {}", lock.display());
        CheckResult::warning("kubeconfig-lock", "the kubeconfig is not locked", lock.display().to_string(), hint).named("KUBECONFIG_LOCKED")
    });
    std::iter::once(read).chain(lock).collect()
}

/// Both folders, looked at; blocks on a slow disk.
pub(super) fn look(paths: &Paths) -> (Folder, Folder) {
    (Folder::look(&paths.cache), Folder::look(&paths.state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;
    use crate::state::StateError;

    #[test]
    fn a_folder_that_is_not_there_yet_is_judged_by_the_one_above() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::look(&home.path().join("a/b/c"));
        assert_eq!(folder.trouble, None);
        fs_err::write(home.path().join("file"), "").unwrap();
        let folder = Folder::look(&home.path().join("file/b"));
        assert!(folder.trouble.is_some(), "{folder:?}");
        let checks = folders(&folder, &Folder { path: "/s".into(), trouble: None, free: Some(1), holds: 0 });
        assert_eq!((checks[0].error_id.as_deref(), checks[1].error_id.as_deref()), (Some("CACHE_IO"), Some("NO_SPACE")));
        assert_eq!((checks[0].result, checks[1].result), (Outcome::Error, Outcome::Error));
    }

    /// Images that are pulled stay there: nobody should have to search for what fills the disk.
    #[test]
    fn what_the_cache_holds_is_said() {
        let home = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(home.path().join("downloads")).unwrap();
        for name in ["a", "downloads/b"] {
            fs_err::write(home.path().join(name), [0; 700]).unwrap();
        }
        assert_eq!(Folder::look(home.path()).holds, 1400);
        let full = Folder { path: "/c".into(), trouble: None, free: Some(9 << 30), holds: 3 << 29 };
        assert_eq!(folders(&full, &full)[0].saw, "/c, 1.5 GiB in it (`quickstart down --purge` empties it), 9.0 GiB free");
    }

    #[test]
    fn a_state_of_a_newer_program_is_an_error_and_none_is_not() {
        let cluster = Paths { cache: "/c".into(), state: "/s".into() }.cluster(&crate::config::ClusterName::default());
        assert_eq!(state(&cluster, Ok(None)).result, Outcome::Ok);
        let newer = StateError::Newer { path: "/s/state.json".into(), found: 2, known: 1 };
        let newer = state(&cluster, Err(&newer.into()));
        assert_eq!((newer.result, newer.error_id.as_deref()), (Outcome::Error, Some("STATE_NEWER")));
    }

    #[test]
    fn trouble_with_the_kubeconfig_is_a_warning() {
        let file = Path::new("/h/.kube/config");
        let broken = KindError::Kubeconfig { file: file.into(), source: std::io::Error::from(ErrorKind::PermissionDenied) };
        let checks = kubeconfig(Some(file), Err(broken), None);
        assert_eq!((checks.len(), checks[0].result, checks[0].error_id.as_deref()), (1, Outcome::Warning, Some("KUBECONFIG_INVALID")));
        let checks = kubeconfig(Some(file), Ok(Some("kind-x".into())), Some(Path::new("/h/.kube/config.lock")));
        assert_eq!((checks[0].result, checks[1].result), (Outcome::Ok, Outcome::Warning));
        assert!(checks[1].hint.as_deref().unwrap().contains("remove /h/.kube/config.lock"));
        assert_eq!(kubeconfig(None, Ok(None), None)[0].result, Outcome::Warning);
    }
}
