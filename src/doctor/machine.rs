//! Limits and settings of this machine that a node trips over.

use super::check::CheckResult;
use crate::config::Proxies;

/// kind's own advice is 512 instances and 524288 watches (kind, "Known Issues: pod errors due to too many open files"); one node gets
/// along with less.
const ENOUGH_INSTANCES: u64 = 256;
/// Kernels before 5.11 gave 8192 to everybody.
const ENOUGH_WATCHES: u64 = 65_536;
const RAISE: &str = "sudo sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288 (in /etc/sysctl.d/ to keep it)";

/// The kernel's limits per user.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Inotify {
    /// `fs.inotify.max_user_instances`.
    pub(super) instances: Option<u64>,
    /// `fs.inotify.max_user_watches`.
    pub(super) watches: Option<u64>,
}

pub(super) fn inotify(limits: Inotify) -> Vec<CheckResult> {
    let one = |id, title, seen: Option<u64>, enough: u64| {
        let seen = seen?;
        if seen >= enough {
            return Some(CheckResult::ok(id, title, seen.to_string()));
        }
        let hint = format!("one node may get along with it, several do not: {RAISE}");
        Some(CheckResult::warning(id, title, format!("{seen}, {enough} are better"), hint).named("INOTIFY_LIMIT"))
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
    CheckResult::warning(id, title, format!("{set} set, NO_PROXY lacks {missing}"), hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn small_limits_are_named_and_unknown_ones_are_not_asked() {
        let checks = inotify(Inotify { instances: Some(128), watches: Some(192_536) });
        assert_eq!([checks[0].result, checks[1].result], [Outcome::Warning, Outcome::Ok]);
        assert_eq!(checks[0].error_id.as_deref(), Some("INOTIFY_LIMIT"));
        assert_eq!(inotify(Inotify { instances: Some(512), watches: Some(8192) })[1].result, Outcome::Warning);
        assert!(inotify(Inotify::default()).is_empty());
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
