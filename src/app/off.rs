//! `down` of a cluster that was there before us: just what we put there goes.

use std::time::Duration;

use super::down::say;
use crate::app::App;
use crate::cli::Down;
use crate::config::ClusterName;
use crate::error::{Exit, Failure};
use crate::forward;
use crate::lifecycle::{self, Site};
use crate::stages;
use crate::state::{Lock, State};

/// How long finalizers get before they are taken off, and another command to make way.
const PATIENCE: Duration = Duration::from_secs(60);

/// `down --on CONTEXT`: the state that belongs to it is found by the context; without one the label on the objects is enough.
pub(super) async fn context(app: &App, context: &str, arguments: &Down) -> Result<Exit, Failure> {
    let paths = &app.settings.paths;
    let is_of = |name: &ClusterName| State::read(&paths.cluster(name).state).ok().flatten().is_some_and(|state| state.target == context);
    match paths.clusters().into_iter().find(is_of) {
        Some(name) => {
            let told = |holder: &str| {
                let how = if lifecycle::ask_to_stop(holder) { "asked it to stop" } else { "waiting for it" };
                app.printer.talk(&format!("{holder} is at work on this cluster: {how}"));
            };
            let lock = Lock::take(&paths.cluster(&name).lock, "down", PATIENCE, &app.cancel, told).await?;
            of_state(app, context, &name, lock, arguments).await?;
        }
        None => clear(app, context, context, arguments).await?,
    }
    Ok(Exit::Ok)
}

/// The same for a state of ours, which goes with it.
pub(super) async fn of_state(app: &App, context: &str, name: &ClusterName, lock: Lock, arguments: &Down) -> Result<(), Failure> {
    let paths = app.settings.paths.cluster(name);
    forward::end_all(&paths).await?;
    clear(app, context, name.as_str(), arguments).await?;
    fs_err::tokio::remove_dir_all(&paths.folder).await.map_err(|error| {
        Failure::new("STATE_IO", Exit::Prerequisite, "everything is off the cluster, its state folder is still there")
            .cause(error.to_string())
            .hint("remove that folder by hand")
    })?;
    drop(lock);
    Ok(())
}

async fn clear(app: &App, context: &str, name: &str, arguments: &Down) -> Result<(), Failure> {
    let cluster = stages::of_context(&app.settings.environment, context).await?;
    let told = |sentence: String| drop(say(app, arguments.output, name, &sentence));
    let site = Site { cluster: &cluster, context, yes: arguments.yes, patience: PATIENCE, cancel: &app.cancel, told: &told };
    let done = Box::pin(lifecycle::take_off(&site)).await?;
    say(app, arguments.output, name, &done)
}
