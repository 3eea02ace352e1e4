//! `forward.json`, version 1: what a tunnel in the background says of itself. That it lives is said by its lock alone.

use std::path::{Path, PathBuf};

use fs_err as fs;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::counters::{Counted, Health, Told};
use super::{ForwardError, Service};
use crate::config::ClusterPaths;
use crate::state::{StateError, VERSION, persist};

/// A tunnel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Format version.
    pub version: u32,
    /// Where it leads.
    pub service: Service,
    /// Its process.
    pub pid: u32,
    /// Port of 127.0.0.1.
    pub port: u16,
    /// Since when.
    pub started: Timestamp,
    /// Ended by `stop`, to be started again by `start`.
    #[serde(default)]
    pub suspended: bool,
    /// Pod at its other end.
    #[serde(default)]
    pub pod: Option<String>,
    /// The last look through it.
    #[serde(default)]
    pub health: Option<Health>,
    /// What went through.
    #[serde(default)]
    pub counters: Counted,
    /// What went wrong last.
    #[serde(default)]
    pub last_error: Option<Told>,
}

/// Does its process live?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Alive {
    /// It holds its lock.
    Running,
    /// It ended on request, and will be started again.
    Suspended,
    /// It ended by itself, or was killed.
    Crashed,
}

/// A tunnel as `status` shows it.
#[derive(Clone, Debug, Serialize)]
pub struct TunnelStatus {
    /// `namespace/name:port`.
    pub service: String,
    /// `http://127.0.0.1:PORT`, or `https://…`.
    pub url: String,
    /// Does its process live?
    pub state: Alive,
    /// What it says of itself.
    #[serde(flatten)]
    pub record: Shown,
}

/// The rest of a record.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// Its process.
    pub pid: u32,
    /// Port of 127.0.0.1.
    pub port: u16,
    /// Since when.
    pub started: Timestamp,
    /// Pod at its other end.
    pub pod: Option<String>,
    /// The last look through it.
    pub health: Option<Health>,
    /// What went through.
    pub counters: Counted,
    /// What went wrong last.
    pub last_error: Option<Told>,
}

impl TunnelStatus {
    pub(super) fn new(record: Record, state: Alive) -> Self {
        let Record { service, pid, port, started, pod, health, counters, last_error, .. } = record;
        let url = service.url(port);
        let record = Shown { pid, port, started, pod, health, counters, last_error };
        Self { service: service.to_string(), url, state, record }
    }

    /// What is not as it should be, as a sentence.
    pub fn problem(&self) -> Option<String> {
        let Shown { pid, health, .. } = &self.record;
        match self.state {
            Alive::Crashed => Some(format!(
                "the tunnel to {} is gone (process {pid} ended by itself): `quickstart forward start` starts it again",
                self.service
            )),
            Alive::Running if health.as_ref().is_some_and(|health| !health.ok) => {
                let why = self.record.last_error.as_ref().map(|told| format!(": {}", told.message)).unwrap_or_default();
                Some(format!("the tunnel to {} does not get through{why}", self.service))
            }
            _ => None,
        }
    }
}

/// `forward…json` of a service.
pub(super) fn path(paths: &ClusterPaths, service: &Service) -> PathBuf {
    paths.folder.join(format!("forward{}.json", service.suffix()))
}

/// `forward…lock` of a service.
pub(super) fn lock_path(paths: &ClusterPaths, service: &Service) -> PathBuf {
    paths.folder.join(format!("forward{}.lock", service.suffix()))
}

impl Record {
    /// The record of a service, if there is one.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, ForwardError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StateError::Io(error).into()),
        };
        let place = path.display().to_string();
        let damaged = |error: serde_json::Error| StateError::Damaged { path: place.clone(), message: error.to_string() };
        let value: serde_json::Value = serde_json::from_str(&text).map_err(damaged)?;
        let found = value.get("version").and_then(serde_json::Value::as_u64).unwrap_or(0);
        if found > u64::from(VERSION) {
            return Err(StateError::Newer { path: place, found, known: VERSION }.into());
        }
        Ok(Some(serde_json::from_value(value).map_err(damaged)?))
    }

    /// Replaces the file.
    pub(super) fn write(&self, path: &Path) -> Result<(), ForwardError> {
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|error| StateError::Damaged { path: path.display().to_string(), message: error.to_string() })?;
        text.push(b'\n');
        Ok(persist::write(path, &text, true).map_err(StateError::Io)?)
    }

    /// All records of a cluster, the ingress first.
    pub(super) fn all(paths: &ClusterPaths) -> Vec<Self> {
        let Ok(entries) = fs::read_dir(&paths.folder) else { return Vec::new() };
        let ours = |name: &str| name.strip_suffix(".json").is_some_and(|stem| stem == "forward" || stem.starts_with("forward-"));
        let files = entries.flatten().filter(|entry| ours(&entry.file_name().to_string_lossy()));
        let mut records: Vec<Self> = files.filter_map(|file| Self::read(&file.path()).ok().flatten()).collect();
        records.sort_by_key(|record| record.service.suffix());
        records
    }
}
