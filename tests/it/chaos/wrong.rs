//! What can go wrong in a case, and what the program may make of each.

use rustix::process::Signal;

/// Who is listened to until it is time for a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// Requests to the API server.
    Api,
    /// Requests to the engine.
    Engine,
}

/// How an answer of the API server is spoiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoil {
    /// An HTTP code that passes by itself; 500 is etcd's, 429 comes with Retry-After.
    Code(u16),
    /// The connection ends.
    Reset,
    /// Half an answer, and the end of the connection.
    Half,
    /// Half an answer, and after so many milliseconds the rest.
    Slow(u32),
}

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    // These pass by themselves, or do not matter.
    /// So many answers of the API server whose path holds `on`, after so many requests.
    Api { spoil: Spoil, on: &'static str, method: Option<&'static str>, times: u32, after: u32 },
    /// Answers of the engine that come in two halves.
    EngineSlow { on: &'static str, ms: u32 },
    /// The gateway says something else so many times.
    Gateway { code: u16, times: u32 },
    /// The pods behind a webhook are away for so many milliseconds.
    Webhook { deployment: &'static str, ms: u32 },
    /// A file called `lock` that a program of long ago left.
    LockFile,
    /// Proxies that lead nowhere.
    Proxy,
    /// The user's kubeconfig: `folder`, `garbage`, `locked`, `empty`, `dangling`.
    Kubeconfig(&'static str),
    /// No kind in PATH: the bundle's is used.
    NoKind,
    /// A second `up` at the same time.
    TwoAtOnce,

    // These end the run.
    /// An answer of the API server that trying again does not cure.
    Refused { code: u16, on: &'static str },
    /// The API server accepts and says nothing; Ctrl-C, or the run's own deadline of three seconds.
    ApiHangs { on: &'static str, interrupt: bool },
    /// The engine fails so many requests.
    Engine { spoil: Spoil, on: &'static str, times: u32 },
    /// The engine accepts and says nothing; Ctrl-C unless it is the ping.
    EngineHangs { on: &'static str },
    /// `kind create` fails with these words.
    KindFails { said: &'static str, id: &'static str, exit: i32, keeps_node: bool },
    /// `kind create` does not end, and this signal comes.
    KindHangs(Signal),
    /// A signal after so many requests.
    Killed { signal: Signal, clock: Clock, after: u32 },
    /// Killed while kind creates; kind goes on by itself.
    OrphanedKind,
    /// The bundle ends too early: permille of its length.
    BundleCut(u32),
    /// Bytes of the bundle are others: permille, and how many.
    BundleFlipped(u32, u32),
    /// Another program listens on the port.
    PortTaken,
    /// Pods of a Deployment do not start.
    Pods { deployment: &'static str, said: &'static str, id: &'static str },
    /// The engine is too small, or of another kind.
    EngineIs(&'static str),
    /// The node's disk is full.
    ImportFails,
    /// A second `up` waits for the first, and Ctrl-C comes.
    WaitInterrupted,

    // These happen to a cluster that is there.
    /// One object of ours, chosen by this number, is deleted.
    ObjectGone(u32),
    /// Every object of one kind.
    KindGone(&'static str),
    /// `state.json`: `truncated`, `garbage`, `empty`, `newer`, `gone`.
    State(&'static str),
    /// Our private kubeconfig: `garbage`, `empty`, `gone`.
    PrivateKubeconfig(&'static str),
    /// The node's container: `exited`, `paused`.
    Node(&'static str),
    /// Somebody ran `kind delete cluster`.
    ClusterGone,
    /// A file of the cache has other bytes.
    CacheFlipped(u32),
    /// `down` is killed after so many requests to the engine.
    DownKilled(u32),
    /// `down` starts while `up` is at work.
    DownWhileUp(u32),
}

/// What may come of a wrong.
#[derive(Clone, Debug, Default)]
pub(super) struct Allowed {
    /// The run may succeed all the same.
    pub(super) success: bool,
    /// It may be ended by SIGKILL.
    pub(super) killed: bool,
    /// It may end with these.
    pub(super) failures: Vec<(&'static str, i32)>,
}

impl Wrong {
    /// Its row in the table.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Api { spoil, .. } => format!("API server: {}", spoil.name()),
            Self::EngineSlow { .. } => "engine: slow answers".into(),
            Self::Gateway { code, .. } => format!("gateway: {code} for a while"),
            Self::Webhook { .. } => "webhook: its pods away for a while".into(),
            Self::LockFile => "lock file left behind".into(),
            Self::Proxy => "HTTPS_PROXY leads nowhere".into(),
            Self::Kubeconfig(how) => format!("user's kubeconfig: {how}"),
            Self::NoKind => "PATH without kind".into(),
            Self::TwoAtOnce => "two `up`s at once".into(),
            Self::Refused { code, .. } => format!("API server: {code} that stays"),
            Self::ApiHangs { interrupt, .. } => {
                format!("API server: hangs, {}", if *interrupt { "Ctrl-C" } else { "--timeout 3s" })
            }
            Self::Engine { spoil, .. } => format!("engine: {}", spoil.name()),
            Self::EngineHangs { on: "_ping" } => "engine: hangs at the ping".into(),
            Self::EngineHangs { .. } => "engine: hangs, Ctrl-C".into(),
            Self::KindFails { id, .. } => format!("kind create fails: {id}"),
            Self::KindHangs(signal) => format!("kind create hangs, {}", name(*signal)),
            Self::Killed { signal, clock, .. } => format!("{} after N requests ({clock:?})", name(*signal)),
            Self::OrphanedKind => "SIGKILL, kind goes on alone".into(),
            Self::BundleCut(_) => "bundle: cut".into(),
            Self::BundleFlipped(..) => "bundle: flipped bytes".into(),
            Self::PortTaken => "port taken".into(),
            Self::Pods { id, .. } => format!("pods do not start: {id}"),
            Self::EngineIs(what) => format!("engine: {what}"),
            Self::ImportFails => "node: disk full at the import".into(),
            Self::WaitInterrupted => "Ctrl-C while waiting for the lock".into(),
            Self::ObjectGone(_) => "between: one object deleted".into(),
            Self::KindGone(kind) => format!("between: every {kind} deleted"),
            Self::State(how) => format!("between: state.json {how}"),
            Self::PrivateKubeconfig(how) => format!("between: private kubeconfig {how}"),
            Self::Node(state) => format!("between: node {state}"),
            Self::ClusterGone => "between: cluster deleted with kind".into(),
            Self::CacheFlipped(_) => "between: cache damaged".into(),
            Self::DownKilled(_) => "between: `down` killed".into(),
            Self::DownWhileUp(_) => "`down` while `up` runs".into(),
        }
    }

    /// It needs a cluster that is there.
    pub(super) fn needs_cluster(&self) -> bool {
        matches!(
            self,
            Self::ObjectGone(_)
                | Self::KindGone(_)
                | Self::State(_)
                | Self::PrivateKubeconfig(_)
                | Self::Node(_)
                | Self::ClusterGone
                | Self::CacheFlipped(_)
                | Self::DownKilled(_)
        )
    }

    /// What the run may end with.
    pub(super) fn allowed(&self) -> Allowed {
        let success = || Allowed { success: true, ..Allowed::default() };
        let fails = |failures: &[(&'static str, i32)]| Allowed { failures: failures.to_vec(), ..Allowed::default() };
        let may_fail = |failures: &[(&'static str, i32)]| Allowed { success: true, ..fails(failures) };
        let signalled = |signal: Signal| {
            if signal == Signal::KILL { Allowed { killed: true, ..success() } } else { may_fail(&[("INTERRUPTED", 130)]) }
        };
        match self {
            // The signal may come when all is over.
            Self::Refused { .. } => may_fail(&[("API_REFUSED", 4)]),
            Self::ApiHangs { interrupt: false, .. } => fails(&[("DEADLINE", 5)]),
            Self::Engine { .. } => may_fail(&[("ENGINE_ERROR", 4), ("ENGINE_UNREACHABLE", 3)]),
            Self::EngineHangs { on: "_ping" } => fails(&[("ENGINE_UNREACHABLE", 3)]),
            Self::ApiHangs { interrupt: true, .. } | Self::EngineHangs { .. } => fails(&[("INTERRUPTED", 130)]),
            Self::KindFails { id, exit, .. } => fails(&[(id, *exit)]),
            Self::KindHangs(signal) => Allowed { success: false, ..signalled(*signal) },
            Self::Killed { signal, .. } => signalled(*signal),
            Self::OrphanedKind => Allowed { killed: true, ..Allowed::default() },
            // Bytes between the members, and zeros after the last one, say nothing.
            Self::BundleCut(_) | Self::BundleFlipped(..) => may_fail(&[("BUNDLE_DAMAGED", 8), ("BUNDLE_UNSAFE", 8), ("CHECKSUM", 8)]),
            Self::DownWhileUp(_) => may_fail(&[("INTERRUPTED", 130)]),
            Self::PortTaken => fails(&[("PORT_BUSY", 3)]),
            Self::Pods { id, .. } => fails(&[(id, 4)]),
            Self::EngineIs("one CPU") => fails(&[("INSUFFICIENT_CPU", 3)]),
            Self::EngineIs("2 GiB") => fails(&[("INSUFFICIENT_MEMORY", 3)]),
            Self::EngineIs(_) => fails(&[("BUNDLE_ARCH", 8)]),
            Self::ImportFails => fails(&[("NO_SPACE", 4)]),
            Self::State("truncated" | "garbage" | "empty") => fails(&[("STATE_DAMAGED", 3)]),
            Self::State("newer") => fails(&[("STATE_NEWER", 3)]),
            _ => success(),
        }
    }
}

impl Spoil {
    fn name(self) -> String {
        match self {
            Self::Code(429) => "429 with Retry-After".into(),
            Self::Code(code) => format!("{code}"),
            Self::Reset => "resets".into(),
            Self::Half => "half answers".into(),
            Self::Slow(_) => "slow answers".into(),
        }
    }
}

fn name(signal: Signal) -> &'static str {
    match signal {
        Signal::INT => "SIGINT",
        Signal::TERM => "SIGTERM",
        _ => "SIGKILL",
    }
}
