//! Limits and settings of this machine that a node trips over.

use super::check::CheckResult;
use crate::config::Proxies;

/// kind's own advice is 512 instances and 524288 watches (kind, "Known Issues: pod errors due to too many open files"); one node gets
/// along with less.
const ENOUGH_INSTANCES: u64 = 256;
/// Kernels before 5.11 gave 8192 to everybody.
const ENOUGH_WATCHES: u64 = 65_536;
pub(super) const RAISE: &str =
    "sudo sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288 (in /etc/sysctl.d/ to keep it)";

/// The kernel's limits per user, and where they were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Inotify {
    /// `fs.inotify.max_user_instances`.
    pub(super) instances: Option<u64>,
    /// `fs.inotify.max_user_watches`.
    pub(super) watches: Option<u64>,
    /// The node they were read in, where the engine has a kernel of its own.
    pub(super) node: Option<String>,
}

impl Inotify {
    /// Either is too small.
    pub(super) fn is_low(&self) -> bool {
        self.instances.is_some_and(|seen| seen < ENOUGH_INSTANCES) || self.watches.is_some_and(|seen| seen < ENOUGH_WATCHES)
    }

    /// From the two numbers that `cat` printed, instances first.
    pub(super) fn printed(text: &str, node: &str) -> Self {
        let mut numbers = text.split_whitespace().map(|word| word.parse().ok());
        Self { instances: numbers.next().flatten(), watches: numbers.next().flatten(), node: Some(node.to_owned()) }
    }
}

/// The two files, instances first.
pub(super) const INOTIFY_FILES: [&str; 2] = ["/proc/sys/fs/inotify/max_user_instances", "/proc/sys/fs/inotify/max_user_watches"];
/// What kind advises for them.
pub(super) const INOTIFY_VALUES: [&str; 2] = ["512", "524288"];

pub(super) fn inotify(limits: &Inotify) -> Vec<CheckResult> {
    if limits.instances.is_none() && limits.watches.is_none() {
        let saw = "cannot be read: the engine has a kernel of its own, and no node of this cluster runs in it";
        let hint = format!("`quickstart doctor` reads them in the node once there is one; in the engine's machine: {RAISE}");
        return vec![CheckResult::warning("inotify", "the kernel allows enough inotify watches and instances", saw, hint)];
    }
    let place = limits.node.as_ref().map(|node| format!(" (read in {node})")).unwrap_or_default();
    let one = |id, title, seen: Option<u64>, enough: u64| {
        let seen = seen?;
        if seen >= enough {
            return Some(CheckResult::ok(id, title, format!("{seen}{place}")));
        }
        let at = if limits.node.is_some() { ", in the engine's machine" } else { "" };
        let hint = format!("one node may get along with it, several do not: {RAISE}{at}");
        Some(CheckResult::warning(id, title, format!("{seen}{place}, {enough} are better"), hint).named("INOTIFY_LIMIT"))
    };
    [
        one("inotify-instances", "the kernel allows enough inotify instances", limits.instances, ENOUGH_INSTANCES),
        one("inotify-watches", "the kernel allows enough inotify watches", limits.watches, ENOUGH_WATCHES),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Only the names of the variables are shown: an address can hold a password.
pub(super) fn proxies(proxies: &Proxies) -> CheckResult {
    let (id, title) = ("proxies", "no proxy stands before localhost");
    let set: Vec<&str> = [("HTTP_PROXY", &proxies.http), ("HTTPS_PROXY", &proxies.https), ("ALL_PROXY", &proxies.all)]
        .into_iter()
        .filter(|(_, value)| value.is_some())
        .map(|(name, _)| name)
        .collect();
    if set.is_empty() {
        return CheckResult::ok(id, title, "no proxy is set");
    }
    let set = set.join(", ");
    let entries: Vec<&str> = proxies.none.as_deref().unwrap_or_default().split(',').map(str::trim).collect();
    let direct = |names: &[&str]| names.iter().any(|name| entries.contains(name));
    let missing: Vec<&str> = [("localhost", direct(&["*", "localhost"])), ("127.0.0.1", direct(&["*", "127.0.0.1", "127.0.0.0/8"]))]
        .into_iter()
        .filter(|(_, is_there)| !is_there)
        .map(|(name, _)| name)
        .collect();
    if missing.is_empty() {
        return CheckResult::ok(id, title, format!("{set} set, NO_PROXY holds localhost and 127.0.0.1"));
    }
    let missing = missing.join(",");
    let value = match &proxies.none {
        Some(_) => format!("\"$NO_PROXY,{missing}\""),
        None => missing.clone(),
    };
    let hint = format!("quickstart itself goes direct, `curl` does not: export NO_PROXY={value} no_proxy={value}");
    CheckResult::warning(id, title, format!("{set} set, NO_PROXY lacks {missing}"), hint).named("PROXY_ENV")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn small_limits_are_named_with_the_place_where_they_were_read() {
        let checks = inotify(&Inotify { instances: Some(128), watches: Some(192_536), node: None });
        assert_eq!([checks[0].result, checks[1].result], [Outcome::Warning, Outcome::Ok]);
        assert_eq!(checks[0].error_id.as_deref(), Some("INOTIFY_LIMIT"));
        let inside = Inotify::printed("512\n8192\n", "quickstart-control-plane");
        assert!(inside.is_low());
        let checks = inotify(&inside);
        assert_eq!([checks[0].result, checks[1].result], [Outcome::Ok, Outcome::Warning]);
        assert!(checks[1].saw.contains("read in quickstart-control-plane"), "{checks:?}");
    }

    /// A check that could not be made once counted as one that was fine.
    #[test]
    fn limits_that_cannot_be_read_are_said_to_be_so() {
        let checks = inotify(&Inotify::printed("", "n"));
        assert_eq!((checks.len(), checks[0].result), (1, Outcome::Warning));
        assert!(checks[0].saw.starts_with("cannot be read"), "{checks:?}");
    }

    #[test]
    fn a_proxy_must_not_stand_before_localhost_and_is_never_printed() {
        let with = |none: Option<&str>| {
            let set = Proxies { https: Some("http://user:secret@proxy".into()), none: none.map(str::to_owned), ..Proxies::default() };
            proxies(&set)
        };
        assert_eq!(proxies(&Proxies::default()).result, Outcome::Ok);
        assert_eq!(with(None).result, Outcome::Warning);
        assert!(!format!("{:?}", with(None)).contains("secret"));
        let half = with(Some("localhost, .corp"));
        assert!(half.saw.ends_with("lacks 127.0.0.1"), "{half:?}");
        assert_eq!(with(Some("localhost, 127.0.0.0/8")).result, Outcome::Ok);
        assert_eq!(with(Some("*")).result, Outcome::Ok);
    }
}
