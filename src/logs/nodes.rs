//! What kind gathers from the nodes: bounded in time and, as a node's journal has no end, in size.

use std::path::Path;
use std::time::Duration;

use fs_err as fs;

use super::archive::files;
use super::staging::Staging;
use crate::config::Settings;
use crate::docker::Engine;
use crate::error::{Exit, Failure};
use crate::kind::{Kind, Program};
use crate::stages::proxies;

/// Bytes of one file: its end.
const FILE: u64 = 2 << 20;
/// Bytes of all files together.
const ALL: u64 = 48 << 20;
/// Bytes that kind may write to the disk before it is stopped.
const DISK: u64 = 1 << 30;
const LOOK: Duration = Duration::from_millis(500);

/// The nodes' logs, below `kind/`.
pub(super) async fn export(staging: &Staging, settings: &Settings, engine: &Engine, program: Option<&Program>, limit: Duration) {
    if let Err(failure) = run(staging, settings, engine, program, limit).await {
        staging.failed("kind", &failure);
    }
    collect(staging).await;
}

async fn run(staging: &Staging, settings: &Settings, engine: &Engine, program: Option<&Program>, limit: Duration) -> Result<(), Failure> {
    let name = settings.name.as_str();
    if engine.nodes(name).await?.is_empty() {
        return Err(Failure::new("NOT_RUNNING", Exit::NotRunning, format!("there is no container of cluster {name}")));
    }
    let missing = || Failure::new("KIND_MISSING", Exit::Prerequisite, "there is no kind program to export the nodes' logs with");
    let program = program.ok_or_else(missing)?;
    let endpoint = engine.endpoint();
    let kind = Kind::new(program.clone(), &endpoint.docker_host(), &proxies(&settings.environment), &endpoint.tls_variables());
    let raw = staging.raw();
    let late = |what: String| Failure::new("KIND_TIMEOUT", Exit::Deadline, what);
    tokio::select! {
        ended = kind.export_logs(name, &raw) => Ok(ended?),
        () = tokio::time::sleep(limit) => Err(late(format!("`kind export logs` did not end within {} s; its files so far are in the archive", limit.as_secs()))),
        () = grown(&raw) => Err(late("`kind export logs` wrote more than 1 GiB and was stopped; its files so far are in the archive".into())),
    }
}

/// Ends when there is too much in a folder.
async fn grown(folder: &Path) {
    loop {
        tokio::time::sleep(LOOK).await;
        let folder = folder.to_owned();
        let size = tokio::task::spawn_blocking(move || {
            files(&folder).iter().filter_map(|path| fs::metadata(path).ok()).map(|file| file.len()).sum()
        });
        let size: u64 = size.await.unwrap_or_default();
        if size > DISK {
            return;
        }
    }
}

/// Small files first: the most of them fit.
async fn collect(staging: &Staging) {
    let raw = staging.raw();
    let folder = raw.clone();
    let listed = tokio::task::spawn_blocking(move || {
        let mut sized: Vec<_> = files(&folder).into_iter().filter_map(|path| Some((fs::metadata(&path).ok()?.len(), path))).collect();
        sized.sort();
        sized
    });
    let (mut left, mut out) = (ALL, 0_usize);
    for (size, path) in listed.await.unwrap_or_default() {
        let Ok(name) = path.strip_prefix(&raw) else { continue };
        let takes = size.min(FILE);
        if takes > left {
            out += 1;
            continue;
        }
        left -= takes;
        staging.file(&format!("kind/{}", name.display()), path.clone(), FILE).await;
    }
    if out > 0 {
        staging.missing(
            "kind (the largest files)",
            &format!("{out} files left out: no more than {} MiB of kind's files are packed", ALL >> 20),
        );
    }
}
