//! Files that we read and write: bundles, manifests, kubeconfigs, state.

use super::sign::{Sign, Source};
use super::{Rule, named};
use crate::error::Exit::{Prerequisite, Usage, Verification};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "KUBECONFIG_LOCKED",
        exits: &[Prerequisite],
        meaning: "the kubeconfig's lock is held, or was left behind",
        hint: "when no kubectl or kind runs, a crashed one left it: `quickstart doctor --fix`, or remove the lock file",
        threads: &["k3sup#22", "kind#2045"],
        signs: &[Sign::says(&[Source::Kind], &["failed to lock config file", ".lock: file exists"])],
    },
    named(
        "KUBECONFIG_INVALID",
        &[Prerequisite],
        "a kubeconfig cannot be read or written",
        "correct it or its rights, or name another one with KUBECONFIG",
    ),
    named(
        "BUNDLE_ARCH",
        &[Verification],
        "the bundle is for another processor than the engine's",
        "ask for a bundle made for the engine's architecture",
    ),
    named(
        "BUNDLE_DAMAGED",
        &[Verification],
        "the bundle is cut off, changed, or none",
        "copy it again, then `quickstart bundle verify FILE`",
    ),
    named("BUNDLE_UNREADABLE", &[Usage], "the bundle cannot be opened", "check its path"),
    named("BUNDLE_UNSAFE", &[Verification], "the bundle holds paths or sizes that no bundle of ours has", "do not use it"),
    named("BUNDLE_VERSION", &[Verification], "the bundle was made by a newer quickstart", "use that newer quickstart"),
    named(
        "BUNDLE_WRITE",
        &[Prerequisite],
        "the bundle cannot be written or unpacked",
        "check the folder and its rights, then run the same command again",
    ),
    named("CACHE_IO", &[Prerequisite], "the cache folder cannot be used", "make it yours, or name another one with QUICKSTART_CACHE_DIR"),
    named("CONFIG_INVALID", &[Usage], "the configuration file is wrong", "correct the line that is named"),
    named(
        "JOIN_BUNDLE",
        &[Verification],
        "what is served is not the bundle that the code means",
        "ask for the link that `quickstart serve` prints now; if it is the same one, do not use what is served there",
    ),
    named(
        "JOIN_CODE",
        &[Prerequisite, Usage],
        "the code of the room is not complete, or not the room's",
        "ask for the link that `quickstart serve` prints now: each start makes a new code, unless one is given with --code",
    ),
    named(
        "JOIN_UNREACHABLE",
        &[Prerequisite],
        "the room's `serve` does not answer",
        "is this machine in the same network, and does `quickstart serve --listen ADDRESS` run there? a firewall or a guest network may keep machines apart; else --bundle FILE",
    ),
    named("LOGS_EXISTS", &[Usage], "the archive of `logs` would replace a file", "name another one with --out, or remove that one"),
    named(
        "LOGS_WRITE",
        &[Prerequisite],
        "the archive of `logs` cannot be written",
        "name a file in a folder of yours that has room: `quickstart logs --out FILE`",
    ),
    named(
        "MANIFEST_INVALID",
        &[Verification],
        "a manifest, an overlay or the catalog cannot be read",
        "remove the file from the cache; with a bundle, `quickstart bundle verify FILE`",
    ),
    named(
        "SERVE_PORT",
        &[Prerequisite],
        "`serve` cannot listen at that address",
        "`--listen ADDRESS:PORT` takes another; the address must be one of this machine's (0.0.0.0: all of them), the port a free one",
    ),
    named(
        "STATE_DAMAGED",
        &[Prerequisite],
        "the cluster's state file cannot be read",
        "`quickstart down` takes the cluster away without it",
    ),
    named("STATE_IO", &[Prerequisite], "the state folder cannot be used", "free some space, or name another one with QUICKSTART_STATE_DIR"),
    named("STATE_NEWER", &[Prerequisite], "a file was written by a newer quickstart", "use that newer quickstart"),
];
