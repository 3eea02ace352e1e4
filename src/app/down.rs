//! `down`: containers, volumes, kubeconfig entries and state of a cluster, and nothing of anybody else's.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use crate::app::App;
use crate::cli::{Down, EventsOutput};
use crate::config::ClusterName;
use crate::docker::{Engine, Node};
use crate::error::{Exit, Failure};
use crate::health::interrupted;
use crate::kind::kubeconfig;
use crate::stages::connect;
use crate::state::{Lock, State};

const LOCK_PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn run(app: &App, arguments: &Down) -> Result<Exit, Failure> {
    if arguments.on.is_some() {
        return Err(Failure::new("USAGE", Exit::Usage, "`down --on` is not there yet")
            .hint("`quickstart plan --on CONTEXT -o manifests | kubectl delete -f -` takes away what `up --on` applied"));
    }
    let names = if arguments.all { known(app) } else { vec![app.settings.name.clone()] };
    for name in &names {
        // What is half taken away is taken away by the next `down`.
        tokio::select! {
            biased;
            () = app.cancel.cancelled() => return Err(interrupted()),
            gone = one(app, name, arguments.output) => gone?,
        }
    }
    if arguments.purge {
        fs_err::tokio::remove_dir_all(&app.settings.paths.cache).await.ok();
        say(app, arguments.output, "cache", &format!("{} is gone", app.settings.paths.cache.display()))?;
    }
    Ok(Exit::Ok)
}

/// Every cluster that has a state folder.
fn known(app: &App) -> Vec<ClusterName> {
    let Ok(entries) = fs_err::read_dir(&app.settings.paths.state) else { return Vec::new() };
    entries.flatten().filter_map(|entry| ClusterName::new(&entry.file_name().to_string_lossy()).ok()).collect()
}

async fn one(app: &App, name: &ClusterName, output: EventsOutput) -> Result<(), Failure> {
    let paths = app.settings.paths.cluster(name);
    if !paths.folder.exists() {
        refuse_foreign(app, name).await?;
        return say(app, output, name.as_str(), "there is no such cluster: nothing to do");
    }
    let told = |holder: &str| app.printer.talk(&format!("{holder} is at work on this cluster: waiting for it"));
    let lock = Lock::take(&paths.lock, "down", LOCK_PATIENCE, &app.cancel, told).await?;
    // A state that cannot be read must not keep its cluster alive.
    let state = State::read(&paths.state).ok().flatten();
    if state.as_ref().is_none_or(|state| state.target == "kind") {
        take_away(app, name, state.as_ref()).await?;
    }
    fs_err::tokio::remove_dir_all(&paths.folder).await.map_err(|error| {
        Failure::new("STATE_IO", Exit::Prerequisite, "the cluster is gone, its state folder is not")
            .cause(error.to_string())
            .hint("remove that folder by hand")
    })?;
    drop(lock);
    say(
        app,
        output,
        name.as_str(),
        "gone: containers, volumes, kubeconfig entries and state; what stays: the network `kind`, images of the engine, the cache",
    )
}

async fn take_away(app: &App, name: &ClusterName, state: Option<&State>) -> Result<(), Failure> {
    let engine = connect(&app.settings.environment).await?;
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
    still_there(&engine, name, &nodes).await?;
    forget_context(app, name, state).await;
    Ok(())
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
async fn forget_context(app: &App, name: &ClusterName, state: Option<&State>) {
    let environment = &app.settings.environment;
    let files = kubeconfig::files(environment.kubeconfig.as_deref(), environment.home.as_deref());
    let remembered = state.and_then(|state| state.context_file.clone()).map(PathBuf::from);
    let Some(file) = remembered.or(kubeconfig::written_file(&files).await.map(std::path::Path::to_path_buf)) else { return };
    let ours = name.context();
    let switched = state.and_then(|state| state.context_switched_in.clone()).map_or_else(|| file.clone(), PathBuf::from);
    let of_switched = kubeconfig::current_context(std::slice::from_ref(&switched)).await.ok().flatten();
    if of_switched.is_some_and(|(context, _)| context == ours) {
        let before = state.and_then(|state| state.context_before.as_deref());
        if let Err(error) = kubeconfig::set_current_context(&switched, before).await {
            app.printer.talk(&format!("the current context could not be put back: {error}"));
        }
    }
    if file.exists()
        && let Err(error) = kubeconfig::take(&file, &ours).await
    {
        let failure = Failure::from(error);
        let why = failure.cause.map_or(failure.what.clone(), |cause| format!("{}: {cause}", failure.what));
        app.printer.talk(&format!("{} still holds context {ours}: {why}", file.display()));
    }
}

/// A cluster of that name without a state of ours is somebody else's.
async fn refuse_foreign(app: &App, name: &ClusterName) -> Result<(), Failure> {
    let Ok(engine) = connect(&app.settings.environment).await else { return Ok(()) };
    if engine.nodes(name.as_str()).await.is_ok_and(|nodes| !nodes.is_empty()) {
        return Err(foreign(name));
    }
    Ok(())
}

fn foreign(name: &ClusterName) -> Failure {
    Failure::new("CLUSTER_FOREIGN", Exit::Prerequisite, format!("quickstart did not make cluster {name}: it is left alone"))
        .hint(format!("`kind delete cluster --name {name}` takes it away"))
}

fn say(app: &App, output: EventsOutput, what: &str, message: &str) -> Result<(), Failure> {
    if output == EventsOutput::Json {
        let at = jiff::Timestamp::now().to_string();
        return app.data(&json!({"at": at, "event": "noted", "message": format!("{what}: {message}")}).to_string());
    }
    app.printer.talk(&format!("{what}: {message}"));
    Ok(())
}
