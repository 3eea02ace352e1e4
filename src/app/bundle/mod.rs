//! `bundle create|inspect|verify|diff|push|pull`.

mod artifact;
mod create;
mod files;
mod planned;
mod pull;
mod save;

pub(super) use artifact::{is_artifact, localize};

use crate::app::App;
use crate::bundle::{Bundle, describe, diff};
use crate::cli::{BundleCommand, BundleDiff, BundleInspect, BundleVerify, TableOutput};
use crate::error::{Exit, Failure};
use crate::report::{bundle_difference, bundle_summary, document};

pub(super) async fn run(app: &App, command: &BundleCommand) -> Result<Exit, Failure> {
    match command {
        BundleCommand::Create(arguments) => create::run(app, arguments).await,
        BundleCommand::Inspect(arguments) => inspect(app, arguments).await,
        BundleCommand::Verify(arguments) => verify(app, arguments).await,
        BundleCommand::Diff(arguments) => difference(app, arguments).await,
        BundleCommand::Push(arguments) => artifact::push(app, arguments).await,
        BundleCommand::Pull(arguments) => artifact::pull(app, arguments).await,
    }
}

/// Runs the reader or writer, which are synchronous, off the runtime.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Failure::internal(error.to_string()))?
}

async fn inspect(app: &App, arguments: &BundleInspect) -> Result<Exit, Failure> {
    let file = arguments.file.clone();
    let summary = blocking(move || Ok(describe(Bundle::open(&file)?.index()))).await?;
    match arguments.output {
        TableOutput::Json => app.data(&document(&summary)?)?,
        TableOutput::Table => app.data(bundle_summary(&summary, app.printer.data_palette()).trim_end())?,
    }
    Ok(Exit::Ok)
}

async fn verify(app: &App, arguments: &BundleVerify) -> Result<Exit, Failure> {
    let file = arguments.file.clone();
    let files = blocking(move || {
        let bundle = Bundle::open(&file)?;
        bundle.verify(|_, _| {})?;
        Ok(bundle.index().files.len())
    })
    .await?;
    app.data(&format!("{}: {files} files are what the index says", arguments.file.display()))?;
    Ok(Exit::Ok)
}

/// By what the two indexes say: fast, and as true as `verify` found each bundle.
async fn difference(app: &App, arguments: &BundleDiff) -> Result<Exit, Failure> {
    let (a, b) = (arguments.a.clone(), arguments.b.clone());
    let found = blocking(move || Ok(diff(Bundle::open(&a)?.index(), Bundle::open(&b)?.index()))).await?;
    match arguments.output {
        TableOutput::Json => app.data(&document(&found)?)?,
        TableOutput::Table => app.data(bundle_difference(&found, app.printer.data_palette()).trim_end())?,
    }
    Ok(if found.same { Exit::Ok } else { Exit::Verification })
}
