//! Room where the engine keeps its data.

use std::path::Path;

use super::check::{CheckResult, GIB, gib};

/// Below: the images, the node and what it unpacks do not fit.
const TOO_LITTLE: u64 = 6 * GIB;
/// Below: they fit, and little else does.
const COMFORTABLE: u64 = 15 * GIB;
/// The same for a cluster that is there already: its images are too.
const TOO_LITTLE_LATER: u64 = GIB;
const COMFORTABLE_LATER: u64 = 5 * GIB;

/// `free` in bytes; `None`: the folder is inside a virtual machine or on another host.
pub(super) fn disk(root: &str, free: Option<u64>, installed: bool) -> CheckResult {
    let (id, title) = ("engine-disk", "there is room where the engine keeps its data");
    let (too_little, comfortable) = if installed { (TOO_LITTLE_LATER, COMFORTABLE_LATER) } else { (TOO_LITTLE, COMFORTABLE) };
    let Some(free) = free else {
        let hint =
            format!("10 GiB should be free where the engine keeps its data; `docker system df` tells what is used{}", desktop_hint());
        return CheckResult::warning(id, title, format!("{} cannot be seen from here", named(root)), hint);
    };
    let saw = format!("{} free in {root}", gib(free));
    let hint = "`docker system df` tells what takes the space; `docker system prune` frees what nothing uses";
    if free < too_little {
        return CheckResult::error(id, title, saw, format!("{} are needed: {hint}", gib(too_little))).named("NO_SPACE");
    }
    if free < comfortable {
        return CheckResult::warning(
            id,
            title,
            saw,
            format!("the demo fits, much more does not ({} would be better): {hint}", gib(comfortable)),
        );
    }
    CheckResult::ok(id, title, saw)
}

fn named(root: &str) -> &str {
    if root.is_empty() { "the engine's folder" } else { root }
}

fn desktop_hint() -> &'static str {
    if cfg!(target_os = "macos") { ", and its virtual machine has a disk size of its own" } else { "" }
}

/// Bytes that may be written below a folder of this machine; blocks on a slow disk.
pub(super) fn free(folder: &Path) -> Option<u64> {
    let told = rustix::fs::statvfs(folder).ok()?;
    told.f_bavail.checked_mul(told.f_frsize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn room_is_judged_by_what_is_still_to_come() {
        let of = |free, installed| disk("/var/lib/docker", Some(free * GIB), installed).result;
        assert_eq!(
            [of(5, false), of(6, false), of(14, false), of(15, false)],
            [Outcome::Error, Outcome::Warning, Outcome::Warning, Outcome::Ok]
        );
        assert_eq!([of(0, true), of(1, true), of(5, true)], [Outcome::Error, Outcome::Warning, Outcome::Ok]);
        assert_eq!(disk("/x", Some(0), false).error_id.as_deref(), Some("NO_SPACE"));
    }

    #[test]
    fn what_cannot_be_seen_is_no_error() {
        let check = disk("/var/lib/docker", None, false);
        assert_eq!(check.result, Outcome::Warning);
        assert!(check.saw.contains("cannot be seen from here"), "{check:?}");
    }

    #[test]
    fn a_folder_of_this_machine_has_an_answer_and_none_that_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free(folder.path()).is_some());
        assert_eq!(free(&folder.path().join("nothing")), None);
    }
}
