//! `status`.

use super::session;
use crate::app::App;
use crate::catalog::embedded;
use crate::cli::{Status, TableOutput};
use crate::cluster::Cluster;
use crate::error::{Exit, Failure};
use crate::forward;
use crate::report::{document, status_board};
use crate::status::gather;

pub(super) async fn run(app: &App, arguments: &Status) -> Result<Exit, Failure> {
    let (state, paths) = session::existing(app)?;
    let catalog = embedded::catalog()?;
    let cluster: Option<Cluster> = session::cluster(&paths).await.ok();
    let report = gather(cluster.as_ref(), &state, forward::list(&paths), &catalog, arguments.probe).await;
    match arguments.output {
        TableOutput::Json => app.data(&document(&report)?)?,
        TableOutput::Table => app.data(status_board(&report, app.printer.data_palette()).trim_end())?,
    }
    Ok(report.exit())
}
