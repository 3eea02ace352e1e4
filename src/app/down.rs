//! `down`: containers, volumes, kubeconfig entries and state of a cluster, and nothing of anybody else's.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use crate::app::App;
use crate::cli::{Down, EventsOutput};
use crate::config::ClusterName;
use crate::docker::{Engine, Node};
use crate::error::{Exit, Failure};
use crate::kind::{Kind, Program, Search, kubeconfig};
use crate::stages::{connect, proxies};
use crate::state::{Lock, State};

const LOCK_PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn run(app: &App, arguments: &Down) -> Result<Exit, Failure> {
    if arguments.on.is_some() {
        return Err(Failure::new("USAGE", Exit::Usage, "`down --on` is not there yet")
            .hint("`quickstart plan --on CONTEXT -o manifests | kubectl delete -f -` takes away what `up --on` applied"));
    }
    let names = if arguments.all { known(app) } else { vec![app.settings.name.clone()] };
    for name in &names {
        one(app, name, arguments.output).await?;
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
    forget_context(app, name, state, &engine).await;
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

/// kind removes its entries from the user's kubeconfig; the current context goes back to what it was before `up`.
async fn forget_context(app: &App, name: &ClusterName, state: Option<&State>, engine: &Engine) {
    let environment = &app.settings.environment;
    let files = kubeconfig::files(environment.kubeconfig.as_deref(), environment.home.as_deref());
    let remembered = state.and_then(|state| state.context_file.clone()).map(PathBuf::from);
    let Some(file) = remembered.or(kubeconfig::written_file(&files).await.map(std::path::Path::to_path_buf)) else { return };
    if !file.exists() {
        return;
    }
    let current = kubeconfig::current_context(&files).await.ok().flatten().map(|(context, _)| context);
    if let Some(program) = program(app).await {
        let kind = Kind::new(program, &engine.endpoint().host, &proxies(environment), &[]);
        if let Err(error) = kind.delete(name.as_str(), &file).await {
            app.printer.talk(&format!("{} was not changed: {error}", file.display()));
            return;
        }
    } else {
        app.printer.talk(&format!(
            "{} still holds context {}: kind, which would remove it, is not at hand",
            file.display(),
            name.context()
        ));
        return;
    }
    if current.as_deref() == Some(name.context().as_str())
        && let Some(before) = state.and_then(|state| state.context_before.as_deref())
        && let Err(error) = kubeconfig::set_current_context(&file, Some(before)).await
    {
        app.printer.talk(&format!("the current context could not be put back to {before}: {error}"));
    }
}

/// kind of PATH, else the one that `up` put into the cache.
async fn program(app: &App) -> Option<Program> {
    let minimum = semver::Version::new(0, 20, 0);
    if let Search::Found(program) = Program::search(app.settings.environment.path.as_deref(), &minimum).await {
        return Some(program);
    }
    let mut entries = fs_err::tokio::read_dir(app.settings.paths.programs()).await.ok()?;
    while let Ok(Some(entry)) = entries.next_entry().await {
        if entry.file_name().to_string_lossy().starts_with("kind-")
            && let Ok(program) = Program::at(&entry.path()).await
        {
            return Some(program);
        }
    }
    None
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
