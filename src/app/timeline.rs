//! `timeline`.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::budget;
use crate::app::App;
use crate::cli::{Timeline, TimelineOutput};
use crate::config::ClusterPaths;
use crate::error::{Exit, Failure};
use crate::report::{document, timeline_html, timeline_text, timeline_trace};
use crate::timeline::{self, last_run};

/// In the cluster's state folder.
const FILE: &str = "timeline.html";
/// An opener only tells a browser that is there, or starts one and goes.
const OPENING: Duration = Duration::from_secs(10);

pub(super) async fn run(app: &App, arguments: &Timeline) -> Result<Exit, Failure> {
    let paths = app.settings.paths.cluster(&app.settings.name);
    let run = read(&paths)?.ok_or_else(|| none(app))?;
    if arguments.open {
        let place = write(&paths, &run)?;
        if !opened(&place).await {
            app.printer.talk("no program opened it: show the file in a browser yourself");
        }
        app.data(&place.display().to_string())?;
        return Ok(Exit::Ok);
    }
    match arguments.output {
        TimelineOutput::Text => app.data(timeline_text(&run, app.printer.data_palette()).trim_end())?,
        TimelineOutput::Html => app.data(timeline_html(&run).trim_end())?,
        TimelineOutput::Json => app.data(&document(&json!(run))?)?,
        TimelineOutput::Trace => app.data(&document(&timeline_trace(&run))?)?,
    }
    Ok(Exit::Ok)
}

/// Leaves the page of the run that has just ended; a picture that cannot be drawn is no reason to fail.
pub(super) fn leave(app: &App, paths: &ClusterPaths) {
    let run = read(paths);
    if let Ok(Some(told)) = &run {
        budget::remember(&app.settings.paths, told);
    }
    let written = run.and_then(|run| run.map(|run| write(paths, &run)).transpose());
    if let Err(failure) = written {
        tracing::warn!(cause = failure.cause, "no timeline was written");
    }
}

fn read(paths: &ClusterPaths) -> Result<Option<timeline::Timeline>, Failure> {
    let events = last_run(&paths.events).map_err(|error| unreadable(&error))?;
    Ok(timeline::timeline(&events))
}

fn write(paths: &ClusterPaths, run: &timeline::Timeline) -> Result<std::path::PathBuf, Failure> {
    let place = paths.folder.join(FILE);
    fs_err::write(&place, timeline_html(run)).map_err(|error| unreadable(&error))?;
    Ok(place)
}

fn unreadable(error: &std::io::Error) -> Failure {
    Failure::new("STATE_IO", Exit::Prerequisite, "the timeline cannot be read or written").cause(error.to_string())
}

fn none(app: &App) -> Failure {
    let name = &app.settings.name;
    Failure::new("NOT_RUNNING", Exit::NotRunning, format!("cluster {name} has no run to show"))
        .hint("`quickstart up` makes one; `quickstart down` takes its events with it")
}

async fn opened(place: &Path) -> bool {
    for program in ["xdg-open", "open", "wslview"] {
        let mut command = tokio::process::Command::new(program);
        command.arg(place).stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        if let Ok(Ok(status)) = tokio::time::timeout(OPENING, command.status()).await
            && status.success()
        {
            return true;
        }
    }
    false
}
