//! `down`: containers, volumes, kubeconfig entries and state of a cluster, and nothing of anybody else's.

use std::time::Duration;

use serde_json::json;

use super::off;
use crate::app::App;
use crate::cli::{Down, EventsOutput};
use crate::config::ClusterName;
use crate::docker::IMAGES_VOLUME;
use crate::error::{Exit, Failure};
use crate::forward;
use crate::health::interrupted;
use crate::lifecycle::{self, KEPT};
use crate::stages::connect;
use crate::state::{Lock, State};

/// A command that was asked to stop takes a few seconds; one that may not be asked takes its time.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn run(app: &App, arguments: &Down) -> Result<Exit, Failure> {
    if let Some(context) = &arguments.on {
        return off::context(app, context, arguments).await;
    }
    let names = if arguments.all { app.settings.paths.clusters() } else { vec![app.settings.name.clone()] };
    let mut first = None;
    for name in &names {
        // What is half taken away is taken away by the next `down`.
        let gone = tokio::select! {
            biased;
            () = app.cancel.cancelled() => return Err(interrupted()),
            gone = one(app, name, arguments) => gone,
        };
        // One that cannot be taken away keeps no other one alive.
        if let Err(failure) = gone {
            match &first {
                None => first = Some(failure),
                Some(_) => app.printer.failure(&failure),
            }
        }
    }
    if let Some(failure) = first {
        return Err(failure);
    }
    if arguments.purge {
        purge_images(app, arguments.output).await?;
        let cache = &app.settings.paths.cache;
        let kept = lifecycle::purge(cache).await?;
        let sentence = match kept.as_slice() {
            [] => format!("{} is gone", cache.display()),
            kept => format!("{} is empty of ours; what stays is not: {}", cache.display(), kept.join(", ")),
        };
        say(app, arguments.output, "cache", &sentence)?;
        // Empty, or it holds another cluster.
        fs_err::tokio::remove_dir(&app.settings.paths.state).await.ok();
    }
    Ok(Exit::Ok)
}

/// Kept images go with the cache, unless another cluster's node has its own beside them.
async fn purge_images(app: &App, output: EventsOutput) -> Result<(), Failure> {
    let Ok(engine) = connect(&app.settings.environment).await else { return Ok(()) };
    let others = app.settings.paths.clusters();
    if let Some(other) = others.first() {
        if engine.volume_exists(IMAGES_VOLUME).await? {
            say(app, output, IMAGES_VOLUME, &format!("the engine's volume stays: cluster {other} has its images there"))?;
        }
        return Ok(());
    }
    if engine.remove_kept_images().await? {
        say(app, output, IMAGES_VOLUME, "the engine's volume with kept images is gone")?;
    }
    Ok(())
}

async fn one(app: &App, name: &ClusterName, arguments: &Down) -> Result<(), Failure> {
    let output = arguments.output;
    let paths = app.settings.paths.cluster(name);
    if !paths.folder.exists() {
        refuse_foreign(app, name).await?;
        return say(app, output, name.as_str(), "there is no such cluster: nothing to do");
    }
    let told = |holder: &str| {
        let how = if lifecycle::ask_to_stop(holder) { "asked it to stop" } else { "waiting for it" };
        app.printer.talk(&format!("{holder} is at work on this cluster: {how}"));
    };
    let lock = Lock::take(&paths.lock, "down", LOCK_PATIENCE, &app.cancel, told).await?;
    forward::end_all(&paths).await?;
    // A state that cannot be read must not keep its cluster alive.
    let state = State::read(&paths.state).ok().flatten();
    if let Some(state) = state.as_ref().filter(|state| state.context().is_some()) {
        return off::of_state(app, &state.target, name, lock, arguments).await;
    }
    if state.as_ref().is_none_or(|state| state.target == "kind") {
        let engine = connect(&app.settings.environment).await.map_err(|failure| kept(failure, name))?;
        lifecycle::remove_nodes(&engine, name, state.as_ref()).await?;
        if !arguments.purge
            && let Some(sentence) = lifecycle::keep_images(&engine, name, state.as_ref(), false).await
        {
            say(app, output, name.as_str(), &sentence)?;
        }
        for sentence in lifecycle::forget_context(&app.settings, name, state.as_ref()).await {
            say(app, output, name.as_str(), &sentence)?;
        }
    }
    rescue(app, name, arguments).await?;
    fs_err::tokio::remove_dir_all(&paths.folder).await.map_err(|error| {
        Failure::new("STATE_IO", Exit::Prerequisite, "the cluster is gone, its state folder is not")
            .cause(error.to_string())
            .hint("remove that folder by hand")
    })?;
    drop(lock);
    let kept = if state.is_some_and(|state| state.images.is_some()) { ", its images in the volume quickstart-images" } else { "" };
    let cache = if arguments.purge { String::new() } else { format!(", the cache{kept} (--purge takes that away)") };
    say(
        app,
        output,
        name.as_str(),
        &format!("gone: containers, volumes, kubeconfig entries and state; what stays: the network `kind`, images of the engine{cache}"),
    )
}

/// What an interrupted `reset --keep-user` wrote down is the user's: it is put beside the folder that goes.
async fn rescue(app: &App, name: &ClusterName, arguments: &Down) -> Result<(), Failure> {
    let file = app.settings.paths.cluster(name).folder.join(KEPT);
    if arguments.purge || !file.exists() {
        return Ok(());
    }
    let place = app.settings.paths.state.join(format!("{name}.{KEPT}"));
    fs_err::tokio::rename(&file, &place).await.map_err(|error| {
        Failure::new("STATE_IO", Exit::Prerequisite, "InferenceServices that a reset kept cannot be put aside").cause(error.to_string())
    })?;
    let sentence =
        format!("InferenceServices that an interrupted reset kept are in {}: `kubectl apply -f` puts them back", place.display());
    say(app, arguments.output, name.as_str(), &sentence)
}

/// Without an engine nobody knows whether the containers are there: nothing is forgotten.
fn kept(mut failure: Failure, name: &ClusterName) -> Failure {
    let again = format!("then `quickstart down --name {name}` again: what is remembered of {name} stays until then");
    failure.hint = Some(failure.hint.map_or_else(|| again.clone(), |hint| format!("{hint}; {again}")));
    failure
}

/// A cluster of that name without a state of ours is somebody else's.
async fn refuse_foreign(app: &App, name: &ClusterName) -> Result<(), Failure> {
    let Ok(engine) = connect(&app.settings.environment).await else { return Ok(()) };
    if engine.nodes(name.as_str()).await.is_ok_and(|nodes| !nodes.is_empty()) {
        return Err(lifecycle::foreign(name));
    }
    Ok(())
}

pub(super) fn say(app: &App, output: EventsOutput, what: &str, message: &str) -> Result<(), Failure> {
    if output == EventsOutput::Json {
        let at = jiff::Timestamp::now().to_string();
        return app.data(&json!({"at": at, "event": "noted", "message": format!("{what}: {message}")}).to_string());
    }
    app.printer.talk(&format!("{what}: {message}"));
    Ok(())
}
