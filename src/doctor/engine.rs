//! What the container engine says about itself, and whether that will do.

use super::check::{CheckResult, GIB, gib};
use crate::docker::{Endpoint, Facts};
use crate::error::Failure;
use crate::stages::large_enough;

const COMFORTABLE_CPUS: u64 = 4;
const COMFORTABLE_MEMORY: u64 = 6 * GIB;
/// Drivers that share layers between containers.
const SHARING_DRIVERS: [&str; 6] = ["overlay2", "overlayfs", "overlay", "fuse-overlayfs", "btrfs", "zfs"];
const BUILT_FOR: [&str; 2] = ["amd64", "arm64"];

/// What programs and images are made for; all GOARCH.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Made<'a> {
    /// This program.
    pub(super) program: &'a str,
    /// The bundle in use.
    pub(super) bundle: Option<&'a str>,
    /// Images of the plan that are not made for the engine's.
    pub(super) without: &'a [String],
}

/// All checks of an engine that answered. `cgroup_driver` is empty where it does not say.
pub(super) fn engine(endpoint: &Endpoint, facts: &Facts, made: Made<'_>, cgroup_driver: &str) -> Vec<CheckResult> {
    vec![
        reachable(endpoint, facts),
        cpus(facts),
        memory(facts),
        architecture(&facts.architecture, made),
        cgroups(facts, cgroup_driver),
        storage(&facts.storage_driver),
    ]
}

/// The one check of an engine that did not.
pub(super) fn unreachable(failure: &Failure) -> CheckResult {
    let mut check = CheckResult::failed("engine-reachable", "a container engine answers", failure);
    // The driver's hint may send people here.
    check.hint = check.hint.map(|hint| hint.replace("; `quickstart doctor` tells what is seen", ""));
    check
}

fn reachable(endpoint: &Endpoint, facts: &Facts) -> CheckResult {
    let (id, title) = ("engine-reachable", "a container engine answers");
    let kind = if facts.rootless { ", rootless" } else { "" };
    let saw = format!(
        "version {}, API {}, {}{kind} at {} (from {})",
        facts.version, facts.api, facts.operating_system, endpoint.host, endpoint.source
    );
    if is_elsewhere(&endpoint.host) {
        let hint = "the ingress will listen on 127.0.0.1 of that machine, not of this one: `quickstart forward start` brings it here";
        return CheckResult::warning(id, title, saw, hint);
    }
    CheckResult::ok(id, title, saw)
}

/// Does the address name another machine?
pub(super) fn is_elsewhere(host: &str) -> bool {
    let Some((scheme, rest)) = host.split_once("://") else { return false };
    let name = rest.split('/').next().unwrap_or_default();
    let name = name.rsplit_once(':').map_or(name, |(name, _)| name);
    scheme != "unix" && !(name == "localhost" || name.starts_with("127.") || name == "[::1]")
}

fn cpus(facts: &Facts) -> CheckResult {
    let (id, title) = ("engine-cpus", "the engine has at least 2 CPUs, better 4");
    let saw = format!("{} CPUs", facts.cpus);
    // Only the CPUs are asked about: the same rule as in `up`, with its hint.
    if let Err(failure) = large_enough(&Facts { memory: u64::MAX, ..facts.clone() }) {
        return CheckResult::failed(id, title, &failure);
    }
    if facts.cpus < COMFORTABLE_CPUS {
        return CheckResult::warning(id, title, saw, "the demo fits; give the engine 4 CPUs for a faster start and for more models");
    }
    CheckResult::ok(id, title, saw)
}

fn memory(facts: &Facts) -> CheckResult {
    let (id, title) = ("engine-memory", "the engine has at least 4 GiB of memory, better 6");
    if let Err(failure) = large_enough(&Facts { cpus: u64::MAX, ..facts.clone() }) {
        return CheckResult::failed(id, title, &failure);
    }
    if facts.memory < COMFORTABLE_MEMORY {
        return CheckResult::warning(id, title, gib(facts.memory), "the demo fits; give the engine 6 GiB or more for several models");
    }
    CheckResult::ok(id, title, gib(facts.memory))
}

fn architecture(engine: &str, made: Made<'_>) -> CheckResult {
    let (id, title) = ("engine-architecture", "programs and images fit the engine's processor");
    if let Some(bundle) = made.bundle.filter(|bundle| *bundle != engine) {
        let saw = format!("the bundle is for {bundle}, the engine runs {engine}");
        return CheckResult::error(id, title, saw, format!("ask for a bundle made for {engine}")).named("BUNDLE_ARCH");
    }
    if !BUILT_FOR.contains(&engine) {
        let hint = "the images of the catalog are made for amd64 and arm64: use an engine on one of these";
        return CheckResult::error(id, title, engine, hint).named("IMAGE_ARCH");
    }
    if made.bundle.is_none() && !made.without.is_empty() {
        let saw =
            format!("{} of the images that `up` would pull are not made for {engine}: {}", made.without.len(), made.without.join(", "));
        let hint = format!(
            "take versions whose images are made for {engine} (`quickstart plan --set COMPONENT=VERSION` shows them), or an engine of another processor"
        );
        return CheckResult::error(id, title, saw, hint).named("IMAGE_ARCH");
    }
    if engine != made.program {
        let saw = format!("the engine runs {engine}, this program {}", made.program);
        let hint = format!("bundles must be made for {engine}; on a Mac with Apple silicon use an arm64 engine, emulation is slow");
        return CheckResult::warning(id, title, saw, hint);
    }
    CheckResult::ok(id, title, engine)
}

fn cgroups(facts: &Facts, driver: &str) -> CheckResult {
    let (id, title) = ("engine-cgroups", "the engine uses control groups version 2");
    match facts.cgroup_version.as_str() {
        // kind, "Rootless": without a driver no limit of a pod can be set.
        "2" if facts.rootless && driver == "none" => {
            let hint = "let systemd delegate them: `Delegate=yes` for user@.service, then log in again (kind, \"Rootless\")";
            CheckResult::error(id, title, "version 2, but a rootless engine without delegated controllers", hint)
                .named("CGROUP_UNSUPPORTED")
        }
        "2" if driver.is_empty() => CheckResult::ok(id, title, "version 2"),
        "2" => CheckResult::ok(id, title, format!("version 2, driver {driver}")),
        "" => CheckResult::ok(id, title, "the engine does not say"),
        old if facts.rootless => {
            let hint = "a rootless engine cannot carry a node on version 1: boot the host with systemd.unified_cgroup_hierarchy=1";
            CheckResult::error(id, title, format!("version {old}, rootless"), hint).named("CGROUP_UNSUPPORTED")
        }
        old => {
            let hint = "works with the node images of the catalog; newer Kubernetes versions refuse it: plan to move the host to version 2";
            CheckResult::warning(id, title, format!("version {old}"), hint)
        }
    }
}

fn storage(driver: &str) -> CheckResult {
    let (id, title) = ("engine-storage", "the engine's storage driver shares layers");
    let said = if driver.is_empty() { "the engine does not say" } else { driver };
    if driver.is_empty() || SHARING_DRIVERS.contains(&driver) {
        return CheckResult::ok(id, title, said);
    }
    let hint = "this driver copies every layer: starts are slow and take several times the space; overlay2 does not";
    CheckResult::warning(id, title, said, hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    fn facts() -> Facts {
        Facts {
            version: "28.2.2".into(),
            api: "1.50".into(),
            cpus: 8,
            memory: 16 * GIB,
            root_dir: "/var/lib/docker".into(),
            storage_driver: "overlay2".into(),
            cgroup_version: "2".into(),
            architecture: "amd64".into(),
            rootless: false,
            operating_system: "Debian".into(),
        }
    }

    fn local() -> Endpoint {
        Endpoint { host: "unix:///var/run/docker.sock".into(), source: "the default socket".into(), tls: None }
    }

    #[test]
    fn a_good_engine_is_all_ok_and_says_where_it_was_found() {
        let checks = engine(&local(), &facts(), Made { program: "amd64", bundle: Some("amd64"), without: &[] }, "systemd");
        assert!(checks.iter().all(|check| check.result == Outcome::Ok), "{checks:?}");
        assert!(checks[0].saw.contains("28.2.2") && checks[0].saw.contains("(from the default socket)"), "{}", checks[0].saw);
    }

    /// The hint once told people who had just run `doctor` to run `doctor`.
    #[test]
    fn an_engine_that_does_not_answer_sends_nobody_here_again() {
        let failure = Failure::new("ENGINE_UNREACHABLE", crate::error::Exit::Prerequisite, "no container engine answers");
        let check = unreachable(&failure.hint("start it; `quickstart doctor` tells what is seen"));
        assert_eq!((check.result, check.hint.as_deref()), (Outcome::Error, Some("start it")));
    }

    #[test]
    fn cpus_and_memory_have_a_floor_and_a_comfortable_size() {
        let of = |cpus, memory| {
            let facts = Facts { cpus, memory: memory * GIB, ..facts() };
            (super::cpus(&facts).result, super::memory(&facts).result)
        };
        assert_eq!(of(1, 3), (Outcome::Error, Outcome::Error));
        assert_eq!(of(2, 4), (Outcome::Warning, Outcome::Warning));
        assert_eq!(of(4, 6), (Outcome::Ok, Outcome::Ok));
        assert_eq!(of(1, 8), (Outcome::Error, Outcome::Ok));
        let small = Facts { cpus: 1, memory: GIB, ..facts() };
        assert_eq!(super::cpus(&small).error_id.as_deref(), Some("INSUFFICIENT_CPU"));
        assert_eq!(super::memory(&small).error_id.as_deref(), Some("INSUFFICIENT_MEMORY"));
    }

    #[test]
    fn architectures_are_compared_with_the_bundle_first() {
        let of = |engine, program, bundle| architecture(engine, Made { program, bundle, without: &[] });
        assert_eq!(of("amd64", "amd64", Some("arm64")).error_id.as_deref(), Some("BUNDLE_ARCH"));
        assert_eq!(of("arm64", "amd64", Some("arm64")).result, Outcome::Warning);
        assert_eq!(of("riscv64", "riscv64", None).result, Outcome::Error);
        assert_eq!(of("arm64", "arm64", None).result, Outcome::Ok);
    }

    #[test]
    fn an_image_that_is_not_made_for_the_engine_is_named_unless_a_bundle_brings_it() {
        let without = ["kserve/x:1".to_owned()];
        let check = architecture("arm64", Made { program: "arm64", bundle: None, without: &without });
        assert_eq!((check.result, check.error_id.as_deref()), (Outcome::Error, Some("IMAGE_ARCH")));
        assert!(check.saw.contains("kserve/x:1"), "{check:?}");
        assert_eq!(architecture("arm64", Made { program: "arm64", bundle: Some("arm64"), without: &without }).result, Outcome::Ok);
    }

    #[test]
    fn old_control_groups_are_a_warning_and_without_root_an_error() {
        let of = |version: &str, rootless| cgroups(&Facts { cgroup_version: version.into(), rootless, ..facts() }, "systemd").result;
        assert_eq!(
            [of("2", true), of("1", false), of("1", true), of("", false)],
            [Outcome::Ok, Outcome::Warning, Outcome::Error, Outcome::Ok]
        );
        let undelegated = cgroups(&Facts { rootless: true, ..facts() }, "none");
        assert_eq!((undelegated.result, undelegated.error_id.as_deref()), (Outcome::Error, Some("CGROUP_UNSUPPORTED")));
        assert!(cgroups(&facts(), "cgroupfs").saw.ends_with("driver cgroupfs"));
    }

    #[test]
    fn a_driver_that_copies_layers_is_a_warning() {
        assert_eq!((storage("vfs").result, storage("overlayfs").result, storage("").result), (Outcome::Warning, Outcome::Ok, Outcome::Ok));
    }

    #[test]
    fn an_engine_on_another_machine_is_told_apart() {
        for (host, elsewhere) in [
            ("unix:///x", false),
            ("tcp://127.0.0.1:2375", false),
            ("tcp://localhost:2375", false),
            ("tcp://[::1]:2375", false),
            ("tcp://10.0.0.7:2376", true),
            ("https://build.example", true),
        ] {
            assert_eq!(is_elsewhere(host), elsewhere, "{host}");
        }
    }
}
