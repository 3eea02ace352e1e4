//! One seed: the run with its faults, the run that heals, the run that finds nothing to do.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use tokio::process::Child;

use super::{
    act,
    script::Script,
    verdict,
    wrong::{Clock, Wrong},
};
use crate::{
    small::{Machine, files, signal},
    support::sandbox::{Output, eventually},
};

/// Between a signal and the end of the run, on a busy machine: a tenth of a second to two, and never the 15 s of a run's last patience.
const PROMPT: Duration = Duration::from_secs(10);

/// A run that takes longer hangs; a machine with much else to do is not that slow.
const GUARD: Duration = Duration::from_mins(4);

/// What a clean run applies: the paths of its objects.
#[derive(Clone, Debug)]
pub(super) struct Reference(pub(super) Vec<String>);

impl Reference {
    pub(super) async fn take() -> Self {
        let machine = Machine::new().await;
        machine.up(&[]).await.expect(0);
        let applied = machine.server.writes().into_iter().filter(|one| one.content_type.contains("apply-patch"));
        Self(applied.map(|one| one.path).collect::<BTreeSet<_>>().into_iter().collect())
    }
}

/// How a case went.
#[derive(Clone, Debug)]
pub(super) struct Done {
    pub(super) names: Vec<String>,
    /// `ok`, `killed`, `ID (exit)`.
    pub(super) outcome: String,
    /// Of the run with the faults, and of the one after it.
    pub(super) took: (Duration, Duration),
}

/// The machine of a case, and what must be put back when it heals.
pub(super) struct Case<'a> {
    pub(super) machine: Machine,
    pub(super) script: &'a Script,
    pub(super) reference: &'a Reference,
    pub(super) bundle: String,
    /// More flags of the run with the faults.
    pub(super) flags: Vec<String>,
    /// Listens where the cluster wants to.
    pub(super) listener: Option<std::net::TcpListener>,
    /// The state before it was made newer.
    pub(super) state: Option<Vec<u8>>,
    /// The user's kubeconfig as it must stay.
    pub(super) untouched: Option<(PathBuf, Vec<u8>)>,
    pub(super) tasks: tokio::task::JoinSet<()>,
}

/// Runs a seed; `Err` says what was not as it must be.
pub(super) async fn run(script: &Script, reference: &Reference) -> Result<Done, String> {
    let machine = Machine::new().await;
    let bundle = machine.bundle.clone();
    let mut case = Case {
        machine,
        script,
        reference,
        bundle,
        flags: Vec::new(),
        listener: None,
        state: None,
        untouched: None,
        tasks: tokio::task::JoinSet::new(),
    };
    if script.wrongs.iter().any(Wrong::needs_cluster) {
        let output = case.up(&[]).await;
        verdict::success(&output, "the run before")?;
    }
    let before = case.temporaries();
    act::prepare(&mut case).await;
    let started = Instant::now();
    let output = case.faulty().await?;
    let first = started.elapsed();
    let outcome = verdict::judge(script, &output)?;
    if outcome != "killed" {
        let left: Vec<_> = case.temporaries().difference(&before).cloned().collect();
        verdict::that(left.is_empty(), || format!("a run that ended by itself left {left:?}"))?;
    }
    if let Some((file, bytes)) = &case.untouched {
        let now = fs_err::read(file).unwrap_or_default();
        verdict::that(now == *bytes, || format!("{} was changed", file.display()))?;
    }
    act::heal(&mut case).await?;
    let started = Instant::now();
    let healed = if script.wrongs.contains(&Wrong::OrphanedKind) { case.beside_an_orphan().await } else { case.up(&["-o", "json"]).await };
    let second = started.elapsed();
    verdict::success(&healed, "the next up")?;
    verdict::prediction(&healed)?;
    case.machine.server.forget_requests();
    let third = case.up(&["-o", "json"]).await;
    verdict::success(&third, "the third up")?;
    let changed: Vec<String> = case.machine.server.changes().iter().map(crate::support::faults::Logged::line).collect();
    verdict::that(changed.is_empty(), || format!("the third up changed {changed:#?}"))?;
    let missing: Vec<&String> = reference.0.iter().filter(|path| case.machine.server.get(path).is_none()).collect();
    verdict::that(missing.is_empty(), || format!("not put back: {missing:#?}"))?;
    let unknown = case.machine.engine.state().unknown.clone();
    verdict::that(unknown.is_empty(), || format!("the fake engine does not know {unknown:?}"))?;
    Ok(Done { names: script.wrongs.iter().map(Wrong::name).collect(), outcome, took: (first, second) })
}

impl Case<'_> {
    fn arguments(&self, bundle: &str, more: &[&str]) -> Vec<String> {
        let port = self.machine.port.to_string();
        ["up", "--bundle", bundle, "--port", &port].iter().chain(more).map(|word| (*word).to_owned()).collect()
    }

    /// `up` with the good bundle, to its end.
    pub(super) async fn up(&self, more: &[&str]) -> Output {
        let arguments = self.arguments(&self.machine.bundle, more);
        self.end(self.machine.spawn(&crate::small::texts(&arguments))).await
    }

    /// `up` with the bundle and the flags of the script.
    fn start(&self) -> Child {
        let mut flags: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        if self.script.json {
            flags.extend(["-o", "json"]);
        }
        let arguments = self.arguments(&self.bundle, &flags);
        self.machine.spawn(&crate::small::texts(&arguments))
    }

    async fn end(&self, child: Child) -> Output {
        self.machine.finish_within(GUARD, child, &["up"]).await
    }

    fn requests(&self, clock: Clock) -> usize {
        match clock {
            Clock::Api => self.machine.server.world().log.len(),
            Clock::Engine => self.machine.engine.state().log.len(),
        }
    }

    /// Waits for a moment of the run; false when the run was over before.
    async fn moment(&self, child: &mut Child, mut is_now: impl FnMut() -> bool) -> bool {
        loop {
            if is_now() {
                return true;
            }
            if child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// A signal, and a prompt end.
    async fn stop(&self, mut child: Child, with: Signal) -> Result<Output, String> {
        if child.try_wait().is_ok_and(|ended| ended.is_none()) {
            signal(&child, with);
        }
        let asked = Instant::now();
        let output = self.end(child).await;
        let took = asked.elapsed();
        verdict::that(took < PROMPT, || format!("{took:?} between the signal and the end\n{}", output.text()))?;
        Ok(output)
    }

    /// The run with the faults.
    async fn faulty(&self) -> Result<Output, String> {
        let first = &self.script.wrongs[0];
        let mut child = self.start();
        let asked = Instant::now();
        match first {
            Wrong::Killed { signal, clock, after } => {
                let (start, after) = (self.requests(*clock), usize::try_from(*after).unwrap());
                self.moment(&mut child, || self.requests(*clock) >= start + after).await;
                self.stop(child, *signal).await
            }
            Wrong::KindHangs(signal) => {
                self.moment(&mut child, || self.creates() > 0).await;
                self.stop(child, *signal).await
            }
            Wrong::OrphanedKind => {
                self.moment(&mut child, || self.creates() > 0).await;
                self.stop(child, Signal::KILL).await
            }
            Wrong::ApiHangs { interrupt: true, .. } => {
                self.moment(&mut child, || self.machine.server.world().faults.iter().any(|one| one.times > 900 && one.times < 1000)).await;
                self.stop(child, Signal::INT).await
            }
            Wrong::EngineHangs { on } if *on != "_ping" => {
                self.moment(&mut child, || self.machine.engine.state().faults.iter().any(|one| one.times > 900 && one.times < 1000)).await;
                self.stop(child, Signal::INT).await
            }
            Wrong::ApiHangs { .. } | Wrong::EngineHangs { .. } => {
                let output = self.end(child).await;
                let took = asked.elapsed();
                verdict::that(took < Duration::from_secs(25), || format!("it took {took:?}\n{}", output.text()))?;
                Ok(output)
            }
            Wrong::TwoAtOnce => {
                let second = self.start();
                let (one, two) = tokio::join!(self.end(child), self.end(second));
                verdict::success(&one, "one of the two")?;
                verdict::that(self.creates() == 1, || format!("{} clusters were made", self.creates()))?;
                Ok(two)
            }
            Wrong::WaitInterrupted => {
                self.moment(&mut child, || self.creates() > 0).await;
                let second = self.waiting().await;
                let output = self.stop(second, Signal::INT).await;
                self.stop(child, Signal::INT).await?;
                output
            }
            Wrong::DownWhileUp(after) => {
                self.moment(&mut child, || self.requests(Clock::Api) >= usize::try_from(*after).unwrap()).await;
                let down = self.machine.spawn(&["down"]);
                let (up, down) = tokio::join!(self.end(child), self.end(down));
                verdict::that(down.code == Some(0), || format!("down: {}", down.text()))?;
                let left = self.machine.kind.state.clusters().len();
                verdict::that(left == 0, || format!("{left} clusters after down:\n{}", down.text()))?;
                Ok(up)
            }
            _ => Ok(self.end(child).await),
        }
    }

    /// An `up` that waits for the lock, and has said so.
    async fn waiting(&self) -> Child {
        let mut second = self.start();
        let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(second.stderr.take().unwrap()));
        while let Ok(Some(line)) = lines.next_line().await {
            if line.contains("waiting") {
                break;
            }
        }
        // What else it says on standard error is for nobody: the end of the run is read from its exit code.
        tokio::spawn(async move { while lines.next_line().await.is_ok_and(|line| line.is_some()) {} });
        second
    }

    pub(super) fn creates(&self) -> usize {
        self.machine.kind.calls().iter().filter(|call| call.starts_with("create")).count()
    }

    /// `up` while a kind that was left alone still creates; that one goes on once both are at it.
    async fn beside_an_orphan(&self) -> Output {
        let arguments = self.arguments(&self.machine.bundle, &["-o", "json"]);
        let mut child = self.machine.spawn(&crate::small::texts(&arguments));
        self.moment(&mut child, || self.creates() > 1).await;
        self.machine.kind.release();
        self.end(child).await
    }

    fn temporaries(&self) -> BTreeSet<PathBuf> {
        let named = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".quickstart-"));
        files(&self.machine.home()).into_iter().filter(named).collect()
    }

    /// `down`, killed after so many requests to the engine.
    pub(super) async fn kill_down(&self, after: u32) {
        let start = self.requests(Clock::Engine);
        let mut child = self.machine.command(&["down"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        self.moment(&mut child, || self.requests(Clock::Engine) >= start + usize::try_from(after).unwrap()).await;
        if child.try_wait().is_ok_and(|ended| ended.is_none()) {
            signal(&child, Signal::KILL);
        }
        child.wait().await.unwrap();
        self.port_is_free_or_ours().await;
    }

    /// The port of a cluster that is gone closes a moment later.
    pub(super) async fn port_is_free_or_ours(&self) {
        if self.machine.kind.state.clusters().is_empty() {
            eventually("the old port closes", || std::net::TcpListener::bind(("127.0.0.1", self.machine.port)).is_ok()).await;
        }
    }
}
