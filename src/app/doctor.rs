//! `doctor`.

use serde_json::json;

use crate::app::App;
use crate::bundle::{Bundle, Index};
use crate::catalog::embedded;
use crate::cli::{Doctor, DoctorOutput};
use crate::doctor::{Place, look};
use crate::error::{Exit, Failure};
use crate::report::{doctor_short, doctor_table, document, error_list};
use crate::rules;
use crate::state::State;

pub(super) async fn run(app: &App, arguments: &Doctor) -> Result<Exit, Failure> {
    let palette = app.printer.data_palette();
    if arguments.list {
        match arguments.output {
            DoctorOutput::Json => app.data(&document(&json!({"version": 1, "errors": rules::all()}))?)?,
            DoctorOutput::Table | DoctorOutput::Short => app.data(error_list(&rules::all(), palette).trim_end())?,
        }
        return Ok(Exit::Ok);
    }
    let catalog = embedded::catalog()?;
    let index = tokio::select! {
        () = app.cancel.cancelled() => return Err(interrupted()),
        index = bundle(app) => index,
    };
    let place =
        Place { settings: &app.settings, catalog: &catalog, bundle: index.as_ref().map(|index| index.as_ref().map_err(Clone::clone)) };
    let diagnosis = tokio::select! {
        () = app.cancel.cancelled() => return Err(interrupted()),
        diagnosis = Box::pin(look(&place)) => diagnosis?,
    };
    match arguments.output {
        DoctorOutput::Json => app.data(&document(&diagnosis)?)?,
        DoctorOutput::Table => app.data(doctor_table(&diagnosis, palette).trim_end())?,
        DoctorOutput::Short => app.data(doctor_short(&diagnosis, palette).trim_end())?,
    }
    Ok(diagnosis.exit())
}

/// The index of the named bundle, else the one that was kept beside the state of a cluster made from a bundle.
pub(super) async fn bundle(app: &App) -> Option<Result<Index, Failure>> {
    let paths = app.settings.paths.cluster(&app.settings.name);
    let named = app.settings.bundle.clone();
    let read = tokio::task::spawn_blocking(move || {
        if let Some(path) = named {
            return Some(Bundle::open(&path).map(|bundle| bundle.index().clone()).map_err(Failure::from));
        }
        let made = State::read(&paths.state).ok().flatten().is_some_and(|state| state.created);
        let kept = paths.folder.join("bundle.json");
        let text = made.then(|| fs_err::read(&kept).ok()).flatten()?;
        Some(serde_json::from_slice(&text).map_err(|error| {
            Failure::new("STATE_DAMAGED", Exit::Prerequisite, format!("{} cannot be read", kept.display()))
                .cause(error.to_string())
                .hint("name the bundle again with `quickstart up --bundle FILE`")
        }))
    });
    read.await.unwrap_or_else(|error| Some(Err(Failure::internal(error.to_string()))))
}

fn interrupted() -> Failure {
    Failure::new("INTERRUPTED", Exit::Interrupted, "interrupted").hint("`quickstart doctor` changes nothing: run it again at any time")
}
