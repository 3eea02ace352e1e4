//! What crashed or killed runs left: half-made clusters, states without containers, unfinished files; and clusters of somebody else.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::check::{CheckResult, gib};
use crate::config::{ClusterName, ClusterPaths, Paths};
use crate::state::State;

/// A living run writes to its files all the time.
const OLD: Duration = Duration::from_secs(3600);
/// Folders below the cache are never deeper.
const DEPTH: usize = 6;

/// A file of ours that no run will finish or, as a part, could go on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unfinished {
    /// Where.
    pub(super) path: PathBuf,
    /// Bytes.
    pub(super) size: u64,
}

/// A folder of the state folder.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// The cluster's name.
    pub(super) name: ClusterName,
    /// Its files.
    pub(super) paths: ClusterPaths,
    /// `None`: the folder has no state that this program reads.
    pub(super) state: Option<State>,
    /// Names of the engine's containers; `None`: the engine could not be asked.
    pub(super) containers: Option<Vec<String>>,
}

/// What is the matter with a state folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remnant {
    /// `up` was stopped while it made the node.
    HalfMade,
    /// Its containers are gone.
    Gone,
}

impl Known {
    /// `None`: a cluster as it should be, or one that nothing is known about.
    pub(super) fn remnant(&self) -> Option<Remnant> {
        let (state, containers) = (self.state.as_ref()?, self.containers.as_ref()?);
        if state.target != "kind" {
            return None;
        }
        if state.creating && !state.created {
            return Some(Remnant::HalfMade);
        }
        containers.is_empty().then_some(Remnant::Gone)
    }
}

/// Everything that was left.
#[derive(Clone, Debug, Default)]
pub(super) struct Leftovers {
    /// Folders of the state folder.
    pub(super) known: Vec<Known>,
    /// kind's clusters in the engine.
    pub(super) clusters: Vec<String>,
    /// Files.
    pub(super) unfinished: Vec<Unfinished>,
}

/// `current`: the cluster that is asked about, which has checks of its own.
pub(super) fn leftovers(found: &Leftovers, current: &str) -> Vec<CheckResult> {
    let mut checks = vec![unfinished(&found.unfinished)];
    checks.extend(found.known.iter().filter(|known| known.name.as_str() != current).filter_map(|known| {
        let name = &known.name;
        let (saw, way) = match known.remnant()? {
            Remnant::HalfMade => {
                (format!("`up` was stopped while it made cluster {name}"), format!("`quickstart up --name {name}` starts over"))
            }
            Remnant::Gone => (
                format!("{} is there, the containers of cluster {name} are not", known.paths.folder.display()),
                format!("`quickstart up --name {name}` makes it again"),
            ),
        };
        let hint = format!("{way}; `quickstart doctor --fix` or `quickstart down --name {name}` takes it away");
        Some(CheckResult::warning(&format!("leftover-{name}"), "no cluster of ours is a torso", saw, hint).named("LEFTOVERS"))
    }));
    let others: Vec<&str> = found
        .clusters
        .iter()
        .map(String::as_str)
        .filter(|cluster| *cluster != current && !found.known.iter().any(|known| known.name.as_str() == *cluster))
        .collect();
    if !others.is_empty() {
        let saw = format!("kind clusters that quickstart knows nothing about: {}", others.join(", "));
        let hint = format!(
            "they take memory and inotify watches, and are never touched; if nobody needs them: `kind delete cluster --name {}`",
            others[0]
        );
        checks.push(CheckResult::warning("other-clusters", "the engine carries only clusters of ours", saw, hint));
    }
    checks
}

fn unfinished(files: &[Unfinished]) -> CheckResult {
    let (id, title) = ("leftover-files", "no unfinished file lies about");
    let Some(first) = files.first() else { return CheckResult::ok(id, title, "none") };
    let total: u64 = files.iter().map(|file| file.size).sum();
    let saw = format!("{} unfinished, {} in all, such as {}", files.len(), size(total), first.path.display());
    CheckResult::warning(id, title, saw, "`quickstart doctor --fix` removes them").named("LEFTOVERS")
}

pub(super) fn size(bytes: u64) -> String {
    const MIB: u64 = 1024 * 1024;
    match bytes {
        _ if bytes >= 1024 * MIB => gib(bytes),
        _ if bytes >= MIB => format!("{} MiB", bytes / MIB),
        _ => format!("{} KiB", bytes.div_ceil(1024)),
    }
}

/// The state folders; blocks. Containers are not asked for here.
pub(super) fn known(paths: &Paths) -> Vec<Known> {
    let Ok(entries) = fs_err::read_dir(&paths.state) else { return Vec::new() };
    let names = entries.flatten().filter(|entry| entry.path().is_dir()).filter_map(|entry| entry.file_name().into_string().ok());
    let mut all: Vec<Known> = names
        .filter_map(|name| {
            let name = ClusterName::new(&name).ok()?;
            let paths = paths.cluster(&name);
            let state = State::read(&paths.state).ok().flatten();
            Some(Known { name, paths, state, containers: None })
        })
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// Old unfinished files of ours below both folders; blocks.
pub(super) fn old_files(paths: &Paths, now: SystemTime) -> Vec<Unfinished> {
    let mut found = Vec::new();
    for folder in [&paths.cache, &paths.state] {
        collect(folder, now, DEPTH, &mut found);
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(folder: &Path, now: SystemTime, depth: usize, found: &mut Vec<Unfinished>) {
    let Ok(entries) = fs_err::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let Ok(data) = entry.metadata() else { continue };
        if data.is_dir() {
            if depth > 0 {
                collect(&entry.path(), now, depth - 1, found);
            }
            continue;
        }
        let ours = entry.file_name().to_str().is_some_and(is_temporary);
        let old = data.modified().is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age > OLD));
        if data.is_file() && ours && old && !held(&entry.path()) {
            found.push(Unfinished { path: entry.path(), size: data.len() });
        }
    }
}

/// Names that only our own writers give: `.quickstart-XXXXXX`, with `.part` where a state is written; a download's `.part`.
fn is_temporary(name: &str) -> bool {
    let sum = name.strip_suffix(".part").map(|name| name.trim_start_matches('.'));
    let of_download = sum.is_some_and(|name| {
        let sum = name.split('-').next().unwrap_or_default();
        sum == "unpinned" || (sum.len() == 64 && sum.bytes().all(|b| b.is_ascii_hexdigit()))
    });
    name.starts_with(".quickstart-") || of_download
}

/// A download locks the part that it writes.
fn held(path: &Path) -> bool {
    fs_err::File::open(path).is_ok_and(|file| matches!(file.into_parts().0.try_lock(), Err(std::fs::TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::Outcome;

    fn cluster(name: &str, creating: bool, containers: Option<&[&str]>) -> Known {
        let paths = Paths { cache: "/c".into(), state: "/s".into() };
        let name = ClusterName::new(name).unwrap();
        let state = json!({"version": 1, "name": name, "created_by": "", "target": "kind", "profile": "", "set": "", "components": {},
            "port": null, "node_image": null, "creating": creating, "created": !creating});
        Known {
            paths: paths.cluster(&name),
            name,
            state: serde_json::from_value(state).unwrap(),
            containers: containers.map(|all| all.iter().map(|one| (*one).to_owned()).collect()),
        }
    }

    #[test]
    fn a_torso_is_told_from_a_cluster_and_an_engine_that_was_not_asked_proves_nothing() {
        assert_eq!(cluster("a", false, Some(&["a-control-plane"])).remnant(), None);
        assert_eq!(cluster("a", false, Some(&[])).remnant(), Some(Remnant::Gone));
        assert_eq!(cluster("a", true, Some(&["a-control-plane"])).remnant(), Some(Remnant::HalfMade));
        assert_eq!(cluster("a", true, None).remnant(), None);
        let mut elsewhere = cluster("a", false, Some(&[]));
        elsewhere.state.as_mut().unwrap().target = "eks".into();
        assert_eq!(elsewhere.remnant(), None);
    }

    #[test]
    fn the_cluster_that_is_asked_about_is_left_to_its_own_checks_and_a_strangers_is_named() {
        let known = vec![cluster("gone", false, Some(&[])), cluster("quickstart", false, Some(&[]))];
        let found = Leftovers { known, clusters: vec!["gone".into(), "mine".into()], unfinished: Vec::new() };
        let checks = leftovers(&found, "quickstart");
        let seen: Vec<(&str, Outcome)> = checks.iter().map(|check| (check.id.as_str(), check.result)).collect();
        assert_eq!(seen, [("leftover-files", Outcome::Ok), ("leftover-gone", Outcome::Warning), ("other-clusters", Outcome::Warning)]);
        assert!(checks[2].saw.ends_with("mine"), "{checks:?}");
    }

    #[test]
    fn only_old_files_with_names_of_ours_are_leftovers() {
        let home = tempfile::tempdir().unwrap();
        let paths = Paths { cache: home.path().join("cache"), state: home.path().join("state") };
        let sum = "ab".repeat(32);
        let names = [
            ".quickstart-a1b2c3".to_owned(),
            format!("sha256/downloads/{sum}.part"),
            format!("sha256/downloads/{sum}"),
            "notes.part".into(),
        ];
        for name in &names {
            let path = paths.cache.join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(&path, "12345").unwrap();
        }
        let now = SystemTime::now();
        assert!(old_files(&paths, now).is_empty(), "what is new may be in use");
        let later = now + Duration::from_secs(4000);
        let found = old_files(&paths, later);
        assert_eq!(found.len(), 2, "{found:?}");
        let part = fs_err::File::open(paths.cache.join(&names[1])).unwrap().into_parts().0;
        part.lock().unwrap();
        assert_eq!(old_files(&paths, later).len(), 1, "a download holds its part");
        let check = unfinished(&found);
        assert!(check.result == Outcome::Warning && check.saw.contains("1 KiB in all"), "{check:?}");
    }
}
