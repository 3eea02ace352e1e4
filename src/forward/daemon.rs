//! Tunnels in the background: one process a service. A process lives while it holds its lock, and nothing else is asked.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use fs_err as fs;
use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::record::{self, Alive, Record, TunnelStatus};
use super::{ForwardError, Service, Tunnel};
use crate::config::{ClusterName, ClusterPaths};
use crate::error::Failure;
use crate::state::{Lock, StateError, VERSION};

/// For a starter to look at the lock, or for one that ends.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);
/// From the start of a process to its ready line.
const READY: Duration = Duration::from_secs(45);
/// Politely, then by force.
const END: Duration = Duration::from_secs(8);
const KILL: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(20);
const WRITE: Duration = Duration::from_secs(1);
/// A log of earlier tunnels that is longer is begun anew.
const LOG_LIMIT: u64 = 1 << 20;

/// The one line that a process in the background says to whoever started it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Word {
    /// It listens.
    Ready(Box<Record>),
    /// It does not.
    Failed(Failure),
}

/// What to start.
#[derive(Clone, Debug)]
pub struct Start<'a> {
    /// Files of the cluster.
    pub paths: &'a ClusterPaths,
    /// Its name.
    pub name: &'a ClusterName,
    /// Where the tunnel leads.
    pub service: Service,
    /// This port or none.
    pub port: Option<u16>,
    /// The first port to try where none is asked for and none is remembered.
    pub first: u16,
}

/// Starts a tunnel in the background and returns when it listens; one that is there already is left as it is.
pub async fn start(wanted: Start<'_>) -> Result<Record, Failure> {
    let Start { paths, name, service, port, first } = wanted;
    let before = Record::read(&record::path(paths, &service))?;
    if let Some(running) = before.as_ref().filter(|_| Lock::holder(&record::lock_path(paths, &service)).is_some()) {
        return match port {
            Some(port) if port != running.port => Err(ForwardError::Fixed { service: service.to_string(), port: running.port }.into()),
            _ => Ok(running.clone()),
        };
    }
    let (how, number) = match (port, before) {
        (Some(port), _) => ("exactly", port),
        (None, Some(before)) => ("from", before.port),
        (None, None) => ("from", first),
    };
    let failed = |source: std::io::Error| Failure::from(ForwardError::NotStarted { service: service.to_string(), source });
    let program = std::env::current_exe().map_err(failed)?;
    let mut child = Command::new(program)
        .args(["--name", name.as_str(), "forward", "run", "--detached", how])
        .args(["--port", &number.to_string(), "--service", &service.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log(&paths.folder).map_err(failed)?)
        .spawn()
        .map_err(failed)?;
    let mut line = String::new();
    let heard = match child.stdout.take() {
        Some(stdout) => timeout(READY, BufReader::new(stdout).read_line(&mut line)).await,
        None => Ok(Ok(0)),
    };
    match (heard, serde_json::from_str(&line)) {
        (Ok(Ok(_)), Ok(Word::Ready(record))) => Ok(*record),
        (Ok(Ok(_)), Ok(Word::Failed(failure))) => {
            child.wait().await.ok();
            Err(failure)
        }
        (heard, _) => {
            let why = if heard.is_err() { format!("not ready within {} s", READY.as_secs()) } else { "it ended without a word".into() };
            child.kill().await.ok();
            Err(failed(std::io::Error::other(why)))
        }
    }
}

fn log(folder: &Path) -> std::io::Result<std::fs::File> {
    let path = folder.join("forward.log");
    let long = fs::metadata(&path).is_ok_and(|data| data.len() > LOG_LIMIT);
    let file = fs::OpenOptions::new().create(true).append(!long).write(true).truncate(long).open(&path)?;
    Ok(file.into_parts().0)
}

/// A process in the background that has its lock.
#[derive(Debug)]
pub struct Held {
    lock: Lock,
    paths: ClusterPaths,
    service: Service,
}

/// The first act of a process in the background: a session of its own, and the lock.
pub async fn hold(paths: &ClusterPaths, service: &Service, cancel: &CancellationToken) -> Result<Held, ForwardError> {
    rustix::process::setsid().ok();
    let lock = Lock::take(&record::lock_path(paths, service), "forward run", LOCK_PATIENCE, cancel, |_| {}).await?;
    Ok(Held { lock, paths: paths.clone(), service: service.clone() })
}

impl Held {
    /// Writes down that the tunnel listens.
    pub fn ready(&self, tunnel: &Tunnel) -> Result<Record, ForwardError> {
        let record = Record {
            version: VERSION,
            service: self.service.clone(),
            pid: std::process::id(),
            port: tunnel.port(),
            started: Timestamp::now(),
            suspended: false,
            pod: tunnel.pool.finder.last().map(|target| target.pod),
            health: None,
            counters: tunnel.pool.counters.now(),
            last_error: None,
        };
        record.write(&record::path(&self.paths, &self.service))?;
        Ok(record)
    }

    /// Carries connections until told to stop, or until the cluster's folder has gone; writes the counters down.
    pub async fn serve(self, tunnel: Tunnel, mut record: Record, cancel: CancellationToken) {
        let (path, lock_path) = (record::path(&self.paths, &self.service), record::lock_path(&self.paths, &self.service));
        let pool = std::sync::Arc::clone(&tunnel.pool);
        let written = async {
            loop {
                sleep(WRITE).await;
                // Somebody removed our files: there is no cluster any more, and nothing must be written where it was.
                if !self.lock.is_found(&lock_path) {
                    return;
                }
                let mut now = record.clone();
                now.counters = pool.counters.now();
                now.health = pool.counters.health();
                now.last_error = pool.counters.last_error();
                now.pod = pool.finder.last().map(|target| target.pod);
                if now != record {
                    record = now.clone();
                    let path = path.clone();
                    drop(tokio::task::spawn_blocking(move || now.write(&path)).await);
                }
            }
        };
        let stop = cancel.child_token();
        let running = tunnel.run(stop.clone());
        tokio::pin!(running);
        tokio::select! {
            () = &mut running => {}
            () = written => {
                stop.cancel();
                running.await;
            }
        }
        if self.lock.is_found(&lock_path) {
            fs::remove_file(&path).ok();
            fs::remove_file(&lock_path).ok();
        }
    }
}

/// The tunnels of a cluster, living and dead.
pub fn list(paths: &ClusterPaths) -> Vec<TunnelStatus> {
    let state = |record: &Record| match Lock::holder(&record::lock_path(paths, &record.service)) {
        Some(_) => Alive::Running,
        None if record.suspended => Alive::Suspended,
        None => Alive::Crashed,
    };
    Record::all(paths).into_iter().map(|record| (state(&record), record)).map(|(state, record)| TunnelStatus::new(record, state)).collect()
}

/// Ends the tunnel to a service, and answers what it was; `None`: there was none.
pub async fn end(paths: &ClusterPaths, service: &Service) -> Result<Option<Record>, ForwardError> {
    let (path, lock_path) = (record::path(paths, service), record::lock_path(paths, service));
    let until = Instant::now() + END;
    let mut asked = None;
    let mut record = None;
    while let Some(holder) = Lock::holder(&lock_path) {
        // The lock says who holds it, the record says who wrote it: only where both name one process it is that process.
        record = Record::read(&path).ok().flatten().or(record);
        let pid = Lock::process(&holder).filter(|pid| record.as_ref().is_some_and(|record| record.pid == *pid));
        if let Some(pid) = pid.filter(|pid| asked != Some(*pid) && has_open(*pid, &lock_path)) {
            signal(pid, Signal::TERM);
            asked = Some(pid);
        }
        if Instant::now() >= until {
            return by_force(asked, record, &path, &lock_path, service).await;
        }
        sleep(LOOK).await;
    }
    let record = Record::read(&path).ok().flatten().or(record);
    remove(&path)?;
    remove(&lock_path)?;
    Ok(record)
}

async fn by_force(
    pid: Option<u32>,
    record: Option<Record>,
    path: &Path,
    lock_path: &Path,
    service: &Service,
) -> Result<Option<Record>, ForwardError> {
    let stays = || ForwardError::NotEnded { service: service.to_string(), pid: pid.unwrap_or_default() };
    signal(pid.ok_or_else(stays)?, Signal::KILL);
    let until = Instant::now() + KILL;
    while Lock::holder(lock_path).is_some() {
        if Instant::now() >= until {
            return Err(stays());
        }
        sleep(LOOK).await;
    }
    remove(path)?;
    remove(lock_path)?;
    Ok(record)
}

/// Does that process have the lock's file open? Where the system does not tell, the lock's own word is taken.
fn has_open(pid: u32, file: &Path) -> bool {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return !Path::new("/proc/self/fd").exists() };
    let Ok(file) = fs::canonicalize(file) else { return false };
    entries.flatten().any(|entry| fs::read_link(entry.path()).is_ok_and(|link| link == file))
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        kill_process(pid, signal).ok();
    }
}

fn remove(path: &Path) -> Result<(), ForwardError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StateError::Io(error).into()),
        _ => Ok(()),
    }
}

/// Ends every tunnel of a cluster, and answers where they led: for `down`, and for `forward stop`.
pub async fn end_all(paths: &ClusterPaths) -> Result<Vec<Record>, ForwardError> {
    let mut ended = Vec::new();
    for record in Record::all(paths) {
        ended.extend(end(paths, &record.service).await?);
    }
    Ok(ended)
}

/// Ends every tunnel, to be started again by [`resume_all`] on the same ports: for `stop`.
pub async fn suspend_all(paths: &ClusterPaths) -> Result<Vec<Record>, ForwardError> {
    let mut ended = end_all(paths).await?;
    for record in &mut ended {
        record.suspended = true;
        record.write(&record::path(paths, &record.service))?;
    }
    Ok(ended)
}

/// Starts what was suspended or has died, such as with the machine: for `start`.
pub async fn resume_all(paths: &ClusterPaths, name: &ClusterName) -> Vec<(Service, Result<Record, Failure>)> {
    let mut started = Vec::new();
    for record in Record::all(paths) {
        let wanted = Start { paths, name, service: record.service.clone(), port: None, first: record.port };
        started.push((record.service, start(wanted).await));
    }
    started
}
