//! `--fix`: only what is ours or provably nobody's, each thing said; whatever is in doubt is left, with the reason.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;

use super::check::Fix;
use super::holders::holders;
use super::leftovers::{self, Known, Remnant};
use super::look::{Place, with_containers};
use super::machine::{INOTIFY_FILES, INOTIFY_VALUES, RAISE};
use super::seen::{self, Seen, blocking};
use crate::cluster::Cluster;
use crate::config::Settings;
use crate::error::Failure;
use crate::kind::kubeconfig;
use crate::state::{Lock, State};

/// client-go holds the lock for milliseconds.
const LOCK_IS_OLD: Duration = Duration::from_secs(60);
/// An API server that still answers proves that its cluster is not gone.
const API_WITHIN: Duration = Duration::from_secs(3);

/// What was done, and what was left to somebody else.
#[derive(Clone, Debug, Default)]
pub struct Fixed {
    /// Done.
    pub done: Vec<Fix>,
    /// Left, with the reason or the command that would do it.
    pub left: Vec<Fix>,
}

impl Fixed {
    fn done(&mut self, id: &str, what: impl Into<String>) {
        self.done.push(Fix::new(id, what));
    }
    fn left(&mut self, id: &str, what: impl Into<String>) {
        self.left.push(Fix::new(id, what));
    }
}

/// Does what is safe.
///
/// # Errors
/// A defect of ours only: what cannot be done is left, and said.
pub async fn fix(place: &Place<'_>) -> Result<Fixed, Failure> {
    let mut fixed = Fixed::default();
    kubeconfig_lock(place.settings, &mut fixed).await?;
    files(place.settings, &mut fixed).await?;
    match Box::pin(seen::engine(place.settings)).await {
        Ok(seen) => {
            clusters(place.settings, &seen, &mut fixed).await?;
            inotify(&seen, &mut fixed).await?;
        }
        Err(failure) => fixed.left("engine-reachable", format!("clusters were not looked at: {}", failure.what)),
    }
    Ok(fixed)
}

async fn kubeconfig_lock(settings: &Settings, fixed: &mut Fixed) -> Result<(), Failure> {
    const ID: &str = "kubeconfig-lock";
    let environment = &settings.environment;
    let list = kubeconfig::files(environment.kubeconfig.as_deref(), environment.home.as_deref());
    let Some(file) = kubeconfig::written_file(&list).await.map(Path::to_path_buf) else { return Ok(()) };
    let Some(lock) = kubeconfig::stale_lock(&file).await else { return Ok(()) };
    let Some(age) = age(&lock) else { return Ok(()) };
    if age < LOCK_IS_OLD {
        fixed.left(ID, format!("{} is only {} s old: run this again in a minute", lock.display(), age.as_secs()));
        return Ok(());
    }
    match blocking(move || holders(&file)).await? {
        None => fixed.left(ID, format!("who holds it cannot be known here; when no kubectl or kind runs: rm {}", lock.display())),
        Some(who) if !who.is_empty() => fixed.left(ID, format!("{} may be held by {}", lock.display(), who.join(", "))),
        Some(_) => match fs_err::tokio::remove_file(&lock).await {
            Ok(()) => fixed.done(ID, format!("removed {}, left behind {} min ago", lock.display(), age.as_secs() / 60)),
            Err(error) => fixed.left(ID, error.to_string()),
        },
    }
    Ok(())
}

fn age(path: &Path) -> Option<Duration> {
    fs_err::metadata(path).ok()?.modified().ok()?.elapsed().ok()
}

async fn files(settings: &Settings, fixed: &mut Fixed) -> Result<(), Failure> {
    const ID: &str = "leftover-files";
    let paths = settings.paths.clone();
    let (removed, failed) = blocking(move || {
        let (mut removed, mut failed): (Vec<(PathBuf, u64)>, Vec<String>) = (Vec::new(), Vec::new());
        for file in leftovers::old_files(&paths, SystemTime::now()) {
            match fs_err::remove_file(&file.path) {
                Ok(()) => removed.push((file.path, file.size)),
                Err(error) => failed.push(error.to_string()),
            }
        }
        (removed, failed)
    })
    .await?;
    for (path, size) in removed {
        fixed.done(ID, format!("removed {} ({})", path.display(), leftovers::size(size)));
    }
    for error in failed {
        fixed.left(ID, error);
    }
    Ok(())
}

async fn clusters(settings: &Settings, seen: &Seen, fixed: &mut Fixed) -> Result<(), Failure> {
    let paths = settings.paths.clone();
    let known = with_containers(blocking(move || leftovers::known(&paths)).await?, seen.clusters.as_deref());
    for one in known {
        let Some(remnant) = one.remnant() else { continue };
        let id = format!("leftover-{}", one.name);
        match take_away(&one, remnant, seen).await {
            Ok(what) => fixed.done(&id, what),
            Err(why) => fixed.left(&id, why),
        }
    }
    Ok(())
}

/// Removes a remnant under its cluster's lock; answers what was done, or why it was not.
async fn take_away(known: &Known, remnant: Remnant, seen: &Seen) -> Result<String, String> {
    let Known { name, paths, .. } = known;
    let words = |failure: Failure| failure.cause.unwrap_or(failure.what);
    let lock = Lock::take(&paths.lock, "doctor --fix", Duration::ZERO, &CancellationToken::new(), |_| {}).await;
    let _lock = lock.map_err(|error| format!("cluster {name} is left alone: {error}"))?;
    // Whoever had the lock before may have brought it to its end.
    let state = State::read(&paths.state).ok().flatten();
    let now = Known { state, ..known.clone() };
    if now.remnant() != Some(remnant) {
        return Err(format!("cluster {name} changed in the meantime"));
    }
    let nodes = seen.engine.nodes(name.as_str()).await.map_err(|error| words(error.into()))?;
    let did = match remnant {
        Remnant::HalfMade => {
            for node in &nodes {
                seen.engine.remove(&node.id).await.map_err(|error| words(error.into()))?;
                for volume in &node.volumes {
                    seen.engine.remove_volume(volume).await.map_err(|error| words(error.into()))?;
                }
            }
            let containers: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
            let containers = if containers.is_empty() { String::new() } else { format!(" with container {}", containers.join(", ")) };
            format!("removed half-made cluster {name}{containers}")
        }
        Remnant::Gone if !nodes.is_empty() => return Err(format!("cluster {name} is there again")),
        Remnant::Gone => {
            let engine = now.state.as_ref().and_then(|state| state.engine.as_ref());
            if let Some(other) = engine.filter(|engine| **engine != seen.engine.endpoint().host) {
                return Err(format!("cluster {name} was made on the engine at {other}, which was not asked"));
            }
            if answers(known).await {
                return Err(format!(
                    "the API server of cluster {name} answers, though this engine has no container of it: is it another engine's?"
                ));
            }
            format!("removed {}: the containers of cluster {name} are gone", paths.folder.display())
        }
    };
    fs_err::tokio::remove_dir_all(&paths.folder).await.map_err(|error| error.to_string())?;
    Ok(did)
}

async fn answers(known: &Known) -> bool {
    let asked = async { Cluster::from_file(&known.paths.kubeconfig, None).await.ok()?.version().await.ok() };
    tokio::time::timeout(API_WITHIN, asked).await.is_ok_and(|version| version.is_some())
}

/// Raises the kernel's limits, where this process may and where they are the engine's.
async fn inotify(seen: &Seen, fixed: &mut Fixed) -> Result<(), Failure> {
    const ID: &str = "inotify";
    let limits = seen.inotify(true).await;
    if !limits.is_low() {
        return Ok(());
    }
    if !seen.is_here() {
        fixed.left(ID, format!("in the engine's machine: {RAISE}"));
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() {
        fixed.left(ID, format!("only root may raise the kernel's limits: {RAISE}"));
        return Ok(());
    }
    let written = blocking(|| {
        INOTIFY_FILES.iter().zip(INOTIFY_VALUES).filter(|(file, value)| is_below(file, value)).try_fold(
            Vec::new(),
            |mut done, (file, value)| {
                fs_err::write(file, value)?;
                done.push(format!("{} = {value}", file.trim_start_matches("/proc/sys/").replace('/', ".")));
                Ok::<_, std::io::Error>(done)
            },
        )
    })
    .await?;
    match written {
        Ok(done) if done.is_empty() => {}
        Ok(done) => {
            fixed.done(ID, format!("set {} until the next start of this machine; to keep it: a file in /etc/sysctl.d/", done.join(", ")));
        }
        Err(error) => fixed.left(ID, format!("{error}: {RAISE}")),
    }
    Ok(())
}

fn is_below(file: &str, value: &str) -> bool {
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let now = fs_err::read_to_string(file).ok().and_then(|text| number(&text));
    now.zip(number(value)).is_some_and(|(now, wanted)| now < wanted)
}
