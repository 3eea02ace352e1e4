//! Containers, volumes, kubeconfig entries, caches: gone, and looked for afterwards.

use std::path::{Path, PathBuf};

use crate::config::{ClusterName, Settings};
use crate::docker::{Engine, Node};
use crate::error::{Exit, Failure};
use crate::kind::kubeconfig;
use crate::state::State;

/// What we put into the cache folder.
const CACHE: &[&str] = &["bin", "downloads", "images", "runs", "sha256"];

/// Removes the nodes of a cluster with their volumes. Nodes that `state` knows nothing of are somebody else's.
pub async fn nodes(engine: &Engine, name: &ClusterName, state: Option<&State>) -> Result<(), Failure> {
    let nodes = engine.nodes(name.as_str()).await?;
    if !nodes.is_empty() && state.is_some_and(|state| !state.created && !state.creating) {
        return Err(foreign(name));
    }
    for node in &nodes {
        engine.remove(&node.id).await?;
        for volume in &node.volumes {
            engine.remove_volume(volume).await?;
        }
    }
    still_there(engine, name, &nodes).await
}

/// What was said to be gone is looked for.
async fn still_there(engine: &Engine, name: &ClusterName, nodes: &[Node]) -> Result<(), Failure> {
    let left = engine.nodes(name.as_str()).await?;
    let mut what: Vec<String> = left.iter().map(|node| format!("container {}", node.name)).collect();
    for volume in nodes.iter().flat_map(|node| &node.volumes) {
        if engine.volume_exists(volume).await? {
            what.push(format!("volume {volume}"));
        }
    }
    if what.is_empty() {
        return Ok(());
    }
    Err(Failure::new("LEFTOVERS", Exit::StageFailed, "not everything could be removed")
        .cause(what.join(", "))
        .hint("run `quickstart down` again"))
}

/// The cluster's entries leave the user's kubeconfig, and the current context goes back to what it was before `up`.
/// The cluster is gone already, so trouble here is only told: one sentence for each thing that stays.
pub async fn forget_context(settings: &Settings, name: &ClusterName, state: Option<&State>) -> Vec<String> {
    let environment = &settings.environment;
    let files = kubeconfig::files(environment.kubeconfig.as_deref(), environment.home.as_deref());
    let remembered = state.and_then(|state| state.context_file.clone()).map(PathBuf::from);
    let Some(file) = remembered.or(kubeconfig::written_file(&files).await.map(Path::to_path_buf)) else { return Vec::new() };
    let mut stays = Vec::new();
    let ours = name.context();
    let switched = state.and_then(|state| state.context_switched_in.clone()).map_or_else(|| file.clone(), PathBuf::from);
    let of_switched = kubeconfig::current_context(std::slice::from_ref(&switched)).await.ok().flatten();
    if of_switched.is_some_and(|(context, _)| context == ours) {
        let before = match state {
            Some(state) => before(state, &files, &ours).await,
            None => "",
        };
        if let Err(error) = kubeconfig::set_current_context(&switched, Some(before).filter(|before| !before.is_empty())).await {
            stays.push(format!("the current context could not be put back: {error}"));
        }
    }
    if file.exists()
        && let Err(error) = kubeconfig::take(&file, &ours).await
    {
        let failure = Failure::from(error);
        let why = failure.cause.map_or(failure.what.clone(), |cause| format!("{}: {cause}", failure.what));
        stays.push(format!(
            "{} still holds context {ours}: {why}; `kubectl config delete-context {ours}` removes it once the file can be written",
            file.display()
        ));
    }
    stays
}

/// The newest context before `up` that is still there, else the oldest, which was never ours.
async fn before<'a>(state: &'a State, files: &[PathBuf], ours: &str) -> &'a str {
    let first = state.context_before.as_deref().unwrap_or_default();
    let all = std::iter::once(first).chain(state.contexts_older.iter().map(String::as_str)).filter(|context| *context != ours);
    let mut oldest = "";
    for context in all {
        if context.is_empty() || kubeconfig::has_context(files, context).await {
            return context;
        }
        oldest = context;
    }
    oldest
}

/// A cluster of that name without a state of ours is somebody else's.
pub fn foreign(name: &ClusterName) -> Failure {
    Failure::new("CLUSTER_FOREIGN", Exit::Prerequisite, format!("quickstart did not make cluster {name}: it is left alone"))
        .hint(format!("`kind delete cluster --name {name}` takes it away"))
}

/// Removes what we put into the cache folder, and the folder itself unless somebody keeps other things in it; answers their names.
pub async fn purge(cache: &Path) -> Result<Vec<String>, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new("CACHE_IO", Exit::Prerequisite, "the cache could not be removed")
            .cause(error.to_string())
            .hint("remove that folder by hand")
    };
    let mut entries = match fs_err::tokio::read_dir(cache).await {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut kept = Vec::new();
    while let Some(entry) = entries.next_entry().await.map_err(failed)? {
        let name = entry.file_name().to_string_lossy().into_owned();
        if CACHE.contains(&name.as_str()) && entry.file_type().await.map_err(failed)?.is_dir() {
            fs_err::tokio::remove_dir_all(entry.path()).await.map_err(failed)?;
        } else if name.starts_with(".quickstart-") {
            fs_err::tokio::remove_file(entry.path()).await.map_err(failed)?;
        } else {
            kept.push(name);
        }
    }
    kept.sort();
    if kept.is_empty() {
        fs_err::tokio::remove_dir(cache).await.map_err(failed)?;
    }
    Ok(kept)
}
