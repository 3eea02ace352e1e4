//! `bundle create|inspect|verify`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::app::App;
use crate::bundle::{Bundle, SavedImages, Sources, Spec, describe, repair, write};
use crate::catalog::embedded;
use crate::cli::{BundleCommand, BundleCreate, BundleInspect, BundleVerify, TableOutput};
use crate::docker::Engine;
use crate::error::{Exit, Failure};
use crate::fetch::quiet;
use crate::report::{bundle_summary, bytes, document};
use crate::stages::connect;

pub(super) async fn run(app: &App, command: &BundleCommand) -> Result<Exit, Failure> {
    match command {
        BundleCommand::Create(arguments) => create(app, arguments).await,
        BundleCommand::Inspect(arguments) => inspect(app, arguments).await,
        BundleCommand::Verify(arguments) => verify(app, arguments).await,
    }
}

/// Runs the reader or writer, which are synchronous, off the runtime.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Failure::internal(error.to_string()))?
}

async fn create(app: &App, arguments: &BundleCreate) -> Result<Exit, Failure> {
    let from = arguments.from.clone();
    let spec = blocking(move || {
        let spec = Spec::read(&from)?;
        spec.check()?;
        Ok(spec)
    })
    .await?;
    let folder = arguments.out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
    let unwritable = |error: std::io::Error| {
        Failure::new("BUNDLE_UNREADABLE", Exit::Usage, format!("cannot write beside {}", arguments.out.display())).cause(error.to_string())
    };
    fs_err::create_dir_all(&folder).map_err(unwritable)?;
    let temporary = tempfile::Builder::new().prefix(".quickstart-").tempdir_in(&folder).map_err(unwritable)?;
    let engine = connect(&app.settings.environment).await?;
    let mut groups: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for image in &spec.images {
        groups.entry(image.group.clone()).or_default().insert(&image.local);
    }
    let mut saved = BTreeMap::new();
    for (group, names) in groups {
        app.printer.talk(&format!("saving the images of {group}"));
        let archive = temporary.path().join(format!("{group}.tar"));
        saved.insert(group, save(&engine, &names.into_iter().collect::<Vec<_>>(), &archive, &spec.architecture).await?);
    }
    let node = match &spec.node {
        None => None,
        Some(node) => {
            app.printer.talk("saving the node image");
            Some(save(&engine, &[&node.local], &temporary.path().join("node.tar"), &spec.architecture).await?)
        }
    };
    app.printer.talk(&format!("writing {}", arguments.out.display()));
    let sources = Sources { catalog: embedded::CATALOG.to_owned(), node, groups: saved };
    let out = arguments.out.clone();
    let index = blocking(move || Ok(write(&spec, &sources, &out, &mut |_| {})?)).await?;
    let size: u64 = index.files.iter().map(|entry| entry.size).sum();
    app.data(&format!("{}: {} files, {}", arguments.out.display(), index.files.len(), bytes(size)))?;
    Ok(Exit::Ok)
}

/// Images of the engine as an archive, with their IDs. An image that is not there is named.
async fn save(engine: &Engine, names: &[&str], archive: &Path, architecture: &str) -> Result<SavedImages, Failure> {
    let mut ids = BTreeMap::new();
    for name in names {
        let id = engine.image_id(name).await?.ok_or_else(|| {
            Failure::new("IMAGE_NOT_FOUND", Exit::Prerequisite, format!("the engine has no image {name}")).hint("build or pull it first")
        })?;
        ids.insert((*name).to_owned(), id);
    }
    engine.export(names, archive, &quiet).await?;
    let (raw, architecture) = (archive.to_owned(), architecture.to_owned());
    // An engine with a containerd store names platforms in the archive that are not in it (kind#3795).
    blocking(move || Ok(repair(&raw, &architecture)?)).await?;
    Ok(SavedImages { archive: archive.to_owned(), ids })
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
