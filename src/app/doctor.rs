//! `doctor`.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::bundle::is_artifact;
use super::session;
use crate::app::App;
use crate::bundle::{Bundle, Index};
use crate::catalog::embedded;
use crate::cli::{Doctor, DoctorOutput, DoctorRoute, DoctorWay, TableOutput};
use crate::doctor::{Diagnosis, Place, fix, look, look_again, trace};
use crate::error::{Exit, Failure};
use crate::report::{doctor_short, doctor_table, document, error_list, route_table};
use crate::rules;
use crate::state::State;

/// Between two looks of `--wait`.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn run(app: &App, arguments: &Doctor) -> Result<Exit, Failure> {
    let palette = app.printer.data_palette();
    if let Some(DoctorWay::Route(route)) = &arguments.way {
        return until_cancelled(app, Box::pin(way(app, route))).await;
    }
    if arguments.list {
        match arguments.output {
            DoctorOutput::Json => app.data(&document(&json!({"version": 1, "errors": rules::all()}))?)?,
            DoctorOutput::Table | DoctorOutput::Short => app.data(error_list(&rules::all(), palette).trim_end())?,
        }
        return Ok(Exit::Ok);
    }
    let diagnosis = until_cancelled(app, Box::pin(examine(app, arguments))).await?;
    match arguments.output {
        DoctorOutput::Json => app.data(&document(&diagnosis)?)?,
        DoctorOutput::Table => app.data(doctor_table(&diagnosis, palette).trim_end())?,
        DoctorOutput::Short => app.data(doctor_short(&diagnosis, palette).trim_end())?,
    }
    Ok(diagnosis.code())
}

/// Mends where that was asked for, looks, and looks again while something may settle and there is time.
async fn examine(app: &App, arguments: &Doctor) -> Result<Diagnosis, Failure> {
    let until = arguments.wait.map(|wait| Instant::now() + wait);
    let catalog = embedded::catalog()?;
    let mut index = bundle(app).await;
    let mut fixed = None;
    if arguments.fix {
        fixed = Some(Box::pin(fix(&place(app, &catalog, index.as_ref()))).await?);
        // The bundle's index may have gone with a state.
        index = bundle(app).await;
    }
    let place = place(app, &catalog, index.as_ref());
    let mut diagnosis = look(&place).await?;
    while diagnosis.may_settle() && until.is_some_and(|until| Instant::now() + PAUSE < until) {
        tokio::time::sleep(PAUSE).await;
        diagnosis = look_again(&place, &diagnosis).await?;
    }
    (diagnosis.fixed, diagnosis.left) = fixed.map(|fixed| (fixed.done, fixed.left)).unzip();
    Ok(diagnosis)
}

fn place<'a>(app: &'a App, catalog: &'a crate::catalog::Catalog, index: Option<&'a Result<Index, Failure>>) -> Place<'a> {
    Place { settings: &app.settings, catalog, bundle: index.map(|index| index.as_ref().map_err(Clone::clone)) }
}

async fn way(app: &App, arguments: &DoctorRoute) -> Result<Exit, Failure> {
    let (state, paths) = session::existing(app)?;
    let (cluster, _) = session::access(app, &state, &paths).await?;
    let namespace = arguments.namespace.as_deref().unwrap_or_else(|| state.namespace());
    let route = Box::pin(trace(&cluster, &state, namespace, &arguments.service)).await?;
    match arguments.output {
        TableOutput::Json => app.data(&document(&route)?)?,
        TableOutput::Table => app.data(route_table(&route, app.printer.data_palette()).trim_end())?,
    }
    Ok(route.code())
}

async fn until_cancelled<T>(app: &App, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::select! {
        () = app.cancel.cancelled() => Err(interrupted()),
        answer = work => answer,
    }
}

/// The index of the named bundle, else the one that was kept beside the state of a cluster made from a bundle.
pub(super) async fn bundle(app: &App) -> Option<Result<Index, Failure>> {
    let paths = app.settings.paths.cluster(&app.settings.name);
    // One in a registry is fetched by `up` alone.
    let named = app.settings.bundle.clone().filter(|path| !is_artifact(path));
    let read = tokio::task::spawn_blocking(move || {
        if let Some(path) = named {
            return Some(Bundle::open(&path).map(|bundle| bundle.index().clone()).map_err(Failure::from));
        }
        let made = State::read(&paths.state).ok().flatten().is_some_and(|state| state.created || state.context().is_some());
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
    Failure::new("INTERRUPTED", Exit::Interrupted, "interrupted")
        .hint("run `quickstart doctor` again at any time: what it does it does as a whole")
}
