//! `status`.

use tokio::time::sleep;

use super::session;
use crate::app::App;
use crate::catalog::embedded;
use crate::cli::{Status, TableOutput};
use crate::cluster::Cluster;
use crate::error::{Exit, Failure};
use crate::forward;
use crate::report::{Redraw, document, document_line, status_board};
use crate::status::{Report, gather};

pub(super) async fn run(app: &App, arguments: &Status) -> Result<Exit, Failure> {
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

/// State and cluster are read anew each time: either may have been made, changed or taken away meanwhile.
async fn look(app: &App, arguments: &Status) -> Result<Report, Failure> {
    let (state, paths) = session::existing(app)?;
    let catalog = embedded::catalog()?;
    let cluster: Option<Cluster> = session::access(app, &state, &paths).await.ok().map(|(cluster, _)| cluster);
    Ok(gather(cluster.as_ref(), &state, forward::list(&paths), &catalog, arguments.probe).await)
}
