//! `status`.

use tokio::time::sleep;

use super::session;
use crate::app::App;
use crate::catalog::embedded;
use crate::cli::{Status, TableOutput};
use crate::cluster::Cluster;
use crate::config::ClusterPaths;
use crate::dashboard::{Seen, Server};
use crate::error::{Exit, Failure};
use crate::forward;
use crate::report::{Redraw, document, document_line, status_board};
use crate::state::State;
use crate::status::{Models, Report, gather, models};

pub(super) async fn run(app: &App, arguments: &Status) -> Result<Exit, Failure> {
    if arguments.web {
        return web(app, arguments.port).await;
    }
    let Some(every) = arguments.watch else {
        let report = look(app, arguments).await?;
        match arguments.output {
            TableOutput::Json => app.data(&document(&report)?)?,
            TableOutput::Table => app.data(status_board(&report, app.printer.data_palette()).trim_end())?,
        }
        return Ok(report.exit());
    };
    let mut redraw = Redraw::of_stdout();
    let mut last = Exit::NotRunning;
    loop {
        let report = tokio::select! {
            () = app.cancel.cancelled() => return Ok(last),
            report = look(app, arguments) => report?,
        };
        last = report.exit();
        match arguments.output {
            TableOutput::Json => app.data(&document_line(&report)?)?,
            TableOutput::Table => app.data(&redraw.over(&status_board(&report, app.printer.data_palette())))?,
        }
        if app.printer.is_closed() {
            return Ok(last);
        }
        tokio::select! {
            () = app.cancel.cancelled() => return Ok(last),
            () = sleep(every) => {}
        }
    }
}

/// A page instead of a table.
async fn web(app: &App, port: Option<u16>) -> Result<Exit, Failure> {
    session::existing(app)?;
    let server = Server::open(port).await?;
    app.data(&server.url())?;
    app.printer.talk("only this machine can reach it; Ctrl-C ends it");
    let paths = app.settings.paths.cluster(&app.settings.name);
    let name = app.settings.name.to_string();
    server.run(move || seen(paths.clone(), name.clone()), app.cancel.clone()).await;
    Ok(Exit::Ok)
}

async fn seen(paths: ClusterPaths, name: String) -> Result<Seen, Failure> {
    let Some(state) = State::read(&paths.state)? else {
        return Err(
            Failure::new("NOT_RUNNING", Exit::NotRunning, format!("there is no cluster {name} any more")).hint("`quickstart up` makes one")
        );
    };
    let catalog = embedded::catalog()?;
    let cluster: Option<Cluster> = session::cluster(&paths).await.ok();
    let models = async {
        let Some(cluster) = &cluster else { return Models::default() };
        models(cluster, state.names(), state.components.contains_key("prometheus")).await
    };
    let (report, models) = tokio::join!(gather(cluster.as_ref(), &state, forward::list(&paths), &catalog, false), models);
    Ok(Seen { report, models })
}

/// State and cluster are read anew each time: either may have been made, changed or taken away meanwhile.
async fn look(app: &App, arguments: &Status) -> Result<Report, Failure> {
    let (state, paths) = session::existing(app)?;
    let catalog = embedded::catalog()?;
    let cluster: Option<Cluster> = session::access(app, &state, &paths).await.ok().map(|(cluster, _)| cluster);
    Ok(gather(cluster.as_ref(), &state, forward::list(&paths), &catalog, arguments.probe).await)
}
