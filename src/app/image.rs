//! `image load`.

use serde_json::json;

use super::session;
use crate::app::App;
use crate::cli::{ImageCommand, ImageLoad, TextOutput};
use crate::error::{Exit, Failure};
use crate::health::interrupted;
use crate::report::document;
use crate::sample::load::{self, From};
use crate::stages::connect;

pub(super) async fn run(app: &App, command: &ImageCommand) -> Result<Exit, Failure> {
    let ImageCommand::Load(arguments) = command;
    tokio::select! {
        () = app.cancel.cancelled() => Err(interrupted()),
        done = load(app, arguments) => done,
    }
}

async fn load(app: &App, arguments: &ImageLoad) -> Result<Exit, Failure> {
    let (state, paths) = session::existing(app)?;
    session::ours(&state, "given images")?;
    let engine = connect(&app.settings.environment).await?;
    let nodes = engine.nodes(&state.name).await?;
    if nodes.is_empty() {
        return Err(session::gone(&state.name));
    }
    if let Some(asleep) = nodes.iter().find(|node| !node.is_running()) {
        return Err(Failure::new("NOT_RUNNING", Exit::NotRunning, format!("{} does not run", asleep.name))
            .hint(format!("`quickstart start{}` wakes the cluster", session::named(&state.name))));
    }
    let nodes: Vec<String> = nodes.into_iter().map(|node| node.name).collect();
    let from = match &arguments.archive {
        Some(path) => From::Archive(app.settings.environment.directory.join(path)),
        None => From::Engine(arguments.images.clone()),
    };
    let cluster = session::cluster(&paths).await?;
    let loaded = load::load(&engine, &nodes, Some(&cluster), &from, &paths.folder).await?;
    match arguments.output {
        TextOutput::Json => app.data(&document(&json!({"version": 1, "nodes": nodes, "images": loaded}))?)?,
        TextOutput::Text => {
            for image in &loaded {
                app.data(&image.write)?;
                if image.name != image.write {
                    app.printer
                        .talk(&format!("{}: Knative would ask its registry for a digest; write {} instead", image.name, image.write));
                }
                if image.always_pulled {
                    app.printer
                        .talk(&format!("{}: `latest` is pulled always unless imagePullPolicy: IfNotPresent stands beside it", image.write));
                }
            }
            if loaded.is_empty() {
                app.printer.talk("the archive brought no new name: what it holds was there, or has no name");
            }
        }
    }
    Ok(Exit::Ok)
}
