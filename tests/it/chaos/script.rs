//! From a seed to a script: one to four things that go wrong, in a run of their own or on a cluster that is there.

use rustix::process::Signal;

use super::{
    seed::Seed,
    wrong::{Clock, Spoil, Wrong},
};

/// What a seed says.
#[derive(Clone, Debug)]
pub(super) struct Script {
    /// `-o json` instead of lines.
    pub(super) json: bool,
    /// At most one of them ends the run or belongs to a cluster that is there; the rest passes by itself.
    pub(super) wrongs: Vec<Wrong>,
}

const PATHS: &[&str] = &[
    "/",
    "/customresourcedefinitions",
    "/deployments/",
    "/configmaps/",
    "/services/",
    "/secrets/",
    "/namespaces/",
    "/clusterroles",
    "/webhookconfigurations",
    "/api/v1/nodes",
    "/version",
    "dryRun=All",
    "/inferenceservices",
    "/persistentvolume",
];
const ENGINE_PATHS: &[&str] = &["_ping", "/version", "/info", "/containers/json", "-control-plane/", "/exec/", "/images/", "/"];
const WEBHOOKS: &[&str] = &[
    "cert-manager/cert-manager-webhook",
    "knative-serving/webhook",
    "knative-serving/net-istio-webhook",
    "kserve/kserve-controller-manager",
    "istio-system/istiod",
];
const KIND_SAYS: &[(&str, &str, i32)] = &[
    ("could not find a log line that matches \"Reached target .*Multi-User System.*\"", "KIND_FAILED", 4),
    ("command \"docker run\" failed with error: exit status 125: too many open files", "INOTIFY_LIMIT", 3),
    ("Bind for 127.0.0.1:8080 failed: port is already allocated", "PORT_BUSY", 3),
    ("write /var/lib/docker/x: no space left on device", "NO_SPACE", 3),
    ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?", "ENGINE_UNREACHABLE", 3),
    ("running kind with rootless provider requires setting systemd property \"Delegate=yes\"", "CGROUP_UNSUPPORTED", 3),
];
const PODS_SAY: &[(&str, &str)] = &[
    ("toomanyrequests: You have reached your unauthenticated pull rate limit.", "IMAGE_RATE_LIMIT"),
    ("failed to resolve reference \"quay.io/x:1\": quay.io/x:1: not found", "IMAGE_NOT_FOUND"),
];

impl Script {
    pub(super) fn of(seed: u64) -> Self {
        let mut dice = Seed::new(seed);
        let mut wrongs = Vec::new();
        // One in four: nothing but what passes by itself.
        match dice.number(0, 7) {
            0 | 1 => wrongs.push(passing(&mut dice)),
            2..=4 => wrongs.push(ending(&mut dice)),
            _ => wrongs.push(between(&mut dice)),
        }
        for _ in 0..dice.number(0, 3) {
            let more = passing(&mut dice);
            let same = wrongs.iter().any(|one| one.name() == more.name());
            if !same && fits(&wrongs[0], &more) {
                wrongs.push(more);
            }
        }
        Self { json: dice.chance(2), wrongs }
    }
}

/// What would hide the first one, or make its outcome a matter of luck, stays out.
fn fits(first: &Wrong, more: &Wrong) -> bool {
    match more {
        Wrong::TwoAtOnce => false,
        Wrong::NoKind => !matches!(first, Wrong::BundleCut(_) | Wrong::BundleFlipped(..)),
        // Requests that wait for an answer are what these count or need.
        Wrong::Api { .. } | Wrong::Webhook { .. } => !matches!(first, Wrong::ApiHangs { .. } | Wrong::Refused { .. } | Wrong::Pods { .. }),
        Wrong::EngineSlow { .. } => !matches!(first, Wrong::EngineHangs { .. } | Wrong::Engine { .. }),
        _ => true,
    }
}

fn spoil(dice: &mut Seed) -> Spoil {
    match dice.number(0, 9) {
        0..=5 => Spoil::Code(dice.one(&[503, 500, 504, 502, 429, 409])),
        6 | 7 => Spoil::Reset,
        8 => Spoil::Half,
        _ => Spoil::Slow(dice.small(20, 400)),
    }
}

/// Ridden out, or of no consequence.
fn passing(dice: &mut Seed) -> Wrong {
    match dice.number(0, 15) {
        0..=7 => {
            let method = dice.one(&[None, Some("GET"), Some("PATCH")]);
            Wrong::Api { spoil: spoil(dice), on: dice.one(PATHS), method, times: dice.small(1, 12), after: dice.small(0, 120) }
        }
        8 => Wrong::EngineSlow { on: dice.one(ENGINE_PATHS), ms: dice.small(20, 300) },
        9 => Wrong::Gateway { code: dice.one(&[404, 500, 503]), times: dice.small(1, 4) },
        10 => Wrong::Webhook { deployment: dice.one(WEBHOOKS), ms: dice.small(100, 1500) },
        11 => Wrong::LockFile,
        12 => Wrong::Proxy,
        13 => Wrong::Kubeconfig(dice.one(&["folder", "garbage", "locked", "empty", "dangling"])),
        14 => Wrong::NoKind,
        _ => Wrong::TwoAtOnce,
    }
}

/// The run ends with it, or may.
fn ending(dice: &mut Seed) -> Wrong {
    match dice.number(0, 27) {
        0..=8 => {
            let signal = dice.one(&[Signal::KILL, Signal::KILL, Signal::INT, Signal::TERM]);
            let (clock, most) = dice.one(&[(Clock::Api, 320), (Clock::Engine, 60)]);
            Wrong::Killed { signal, clock, after: dice.small(1, most) }
        }
        9 | 10 => Wrong::Refused {
            code: dice.one(&[500, 403, 422]),
            on: dice.one(&["/deployments/", "/configmaps/", "/services/", "/clusterroles"]),
        },
        11 | 12 => Wrong::ApiHangs {
            on: dice.one(&["/version", "/customresourcedefinitions", "/deployments/", "dryRun=All"]),
            interrupt: dice.chance(2),
        },
        13 | 14 => {
            let spoil = dice.one(&[Spoil::Code(500), Spoil::Code(500), Spoil::Reset, Spoil::Half]);
            Wrong::Engine { spoil, on: dice.one(ENGINE_PATHS), times: dice.small(1, 3) }
        }
        15 => Wrong::EngineHangs { on: dice.one(&["_ping", "/info", "/containers/json", "/exec/", "/images/"]) },
        16 | 17 => {
            let (said, id, exit) = dice.one(KIND_SAYS);
            Wrong::KindFails { said, id, exit, keeps_node: dice.chance(2) }
        }
        18 => Wrong::KindHangs(dice.one(&[Signal::INT, Signal::TERM, Signal::KILL])),
        19 => Wrong::OrphanedKind,
        20 => Wrong::BundleCut(dice.small(0, 999)),
        21 | 22 => Wrong::BundleFlipped(dice.small(0, 999), dice.small(1, 8)),
        23 => Wrong::PortTaken,
        24 => {
            let (said, id) = dice.one(PODS_SAY);
            Wrong::Pods { deployment: dice.one(WEBHOOKS), said, id }
        }
        25 => Wrong::EngineIs(dice.one(&["one CPU", "2 GiB", "arm64"])),
        26 => Wrong::ImportFails,
        _ if dice.chance(2) => Wrong::WaitInterrupted,
        _ => Wrong::DownWhileUp(dice.small(1, 200)),
    }
}

/// Somebody or something was at a cluster that is there.
fn between(dice: &mut Seed) -> Wrong {
    match dice.number(0, 15) {
        0..=6 => Wrong::ObjectGone(dice.small(0, 100_000)),
        7 | 8 => {
            Wrong::KindGone(dice.one(&["deployments", "customresourcedefinitions", "secrets", "namespaces", "services", "configmaps"]))
        }
        9 => Wrong::State(dice.one(&["truncated", "garbage", "empty", "newer", "gone"])),
        10 | 11 => Wrong::PrivateKubeconfig(dice.one(&["garbage", "empty", "gone"])),
        12 => Wrong::Node(dice.one(&["exited", "paused"])),
        13 => Wrong::ClusterGone,
        14 => Wrong::CacheFlipped(dice.small(0, 100_000)),
        _ => Wrong::DownKilled(dice.small(1, 12)),
    }
}
