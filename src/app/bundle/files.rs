//! What of a bundle is no image: manifests, kind, the demo model.

use std::path::{Path, PathBuf};

use futures_util::{StreamExt as _, stream};

use super::planned::Planned;
use crate::app::App;
use crate::bundle::{Kind, Model, Spec};
use crate::catalog::Catalog;
use crate::cli::BundleCreate;
use crate::error::{Exit, Failure};
use crate::fetch::{Cache, Download, client, quiet};
use crate::kind::{Program, Search};
use crate::plan::Target;
use crate::stages::goarch;

const IN_FLIGHT: usize = 4;

/// A file that is here, or that can be had.
enum Source {
    Here(PathBuf),
    There(Download),
}

/// Where everything comes from: known before anything is downloaded.
pub(super) struct Needed {
    manifests: Vec<Download>,
    kind: (Source, String),
    /// Sample, file name, source.
    model: Option<(String, String, Source)>,
}

impl Needed {
    /// Looks for kind and the model; what cannot be had is said now.
    pub(super) async fn look(app: &App, arguments: &BundleCreate, catalog: &Catalog, planned: &Planned) -> Result<Self, Failure> {
        let manifest = |component: &str, file: &crate::plan::PlannedFile| Download {
            what: format!("{component}/{}", file.name),
            urls: file.urls.clone(),
            sha256: Some(file.sha256.clone()),
            size: Some(file.size),
            authorization: None,
        };
        let components = &planned.plan.components;
        let manifests =
            components.iter().flat_map(|component| component.files.iter().map(|file| manifest(&component.name, file))).collect();
        let kind = kind(app, catalog, planned).await?;
        let model = model(app, arguments, catalog, planned)?;
        Ok(Self { manifests, kind, model })
    }

    /// Downloads all of it, and fills in the paths of `spec`.
    pub(super) async fn fetch(self, app: &App, mut spec: Spec, folder: &Path) -> Result<Spec, Failure> {
        app.printer.talk(&format!("reading {} manifests", self.manifests.len()));
        let (cache, client) = (Cache::new(&app.settings.paths.cache), client()?);
        let get = async |source: Source| match source {
            Source::Here(path) => Ok(path),
            Source::There(download) => Ok::<_, Failure>(cache.fetch(&client, &download, &quiet, &app.cancel).await?.path),
        };
        let mut fetched = stream::iter(self.manifests.into_iter().map(|download| get(Source::There(download)))).buffered(IN_FLIGHT);
        let mut paths = Vec::new();
        while let Some(path) = fetched.next().await {
            paths.push(text(&path?));
        }
        drop(fetched);
        for (manifest, path) in spec.manifests.iter_mut().zip(paths) {
            manifest.path = path;
        }
        let (source, version) = self.kind;
        spec.kind = Some(Kind { path: text(&get(source).await?), version });
        if let Some((name, file, source)) = self.model {
            // Its file keeps its name in the bundle: the server chooses its reader by the ending.
            let named = folder.join(file);
            let copied = fs_err::tokio::copy(get(source).await?, &named).await;
            copied.map_err(|error| {
                Failure::new("BUNDLE_WRITE", Exit::Prerequisite, "the demo model cannot be copied").cause(error.to_string())
            })?;
            spec.model = Some(Model { name, path: text(&named) });
        }
        Ok(spec)
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The pinned program; else that of PATH, if it belongs to the node image and runs where the bundle is for.
async fn kind(app: &App, catalog: &Catalog, planned: &Planned) -> Result<(Source, String), Failure> {
    let (pins, architecture) = (&catalog.kind, planned.spec.architecture.as_str());
    let version = pins.versions.iter().find(|version| version.version == pins.default);
    let platform = format!("linux-{architecture}");
    let binary = version.and_then(|version| version.binaries.iter().find(|binary| binary.platform == platform));
    let download = |sha256: Option<String>, url: &str| Download {
        what: format!("kind {}", pins.default),
        urls: vec![url.to_owned()],
        sha256,
        size: None,
        authorization: None,
    };
    if let Some(binary) = binary.filter(|binary| binary.sha256.is_some()) {
        return Ok((Source::There(download(binary.sha256.clone(), &binary.url)), pins.default.clone()));
    }
    if std::env::consts::OS == "linux" && architecture == goarch() {
        let minimum = semver::Version::parse(&pins.minimum).map_err(|error| Failure::internal(error.to_string()))?;
        let Target::Kind { node_image, .. } = &planned.plan.target else { return Err(Failure::internal("the plan has no node image")) };
        if let Search::Found(program) = Program::search(app.settings.environment.path.as_deref(), &minimum).await {
            let found = program.version.to_string();
            if pins.versions.iter().any(|known| known.version == found && known.nodes.iter().any(|node| node.image == *node_image)) {
                return Ok((Source::Here(program.path), found));
            }
        }
    }
    match binary {
        Some(binary) if app.settings.accept_unpinned => Ok((Source::There(download(None, &binary.url)), pins.default.clone())),
        _ => Err(Failure::new(
            "UNPINNED",
            Exit::Prerequisite,
            format!("kind {} for {platform} has no checksum in the catalog", pins.default),
        )
        .cause(binary.and_then(|binary| binary.reason.clone()).unwrap_or_else(|| "there is no such program".to_owned()))
        .hint(format!(
            "on a machine of that kind put kind {} into PATH, or accept the unverified program with --accept-unpinned",
            pins.default
        ))),
    }
}

fn model(app: &App, arguments: &BundleCreate, catalog: &Catalog, planned: &Planned) -> Result<Option<(String, String, Source)>, Failure> {
    let Some(demo) = &planned.plan.demo else { return Ok(None) };
    let Some(pin) = catalog.models.iter().find(|model| model.name == demo.name) else {
        return Err(Failure::internal(format!("the catalog has no model {}", demo.name)));
    };
    let source = match &arguments.model {
        Some(path) => Source::Here(app.settings.environment.directory.join(path)),
        None if pin.sha256.is_some() || app.settings.accept_unpinned => Source::There(Download {
            what: format!("model {}", pin.name),
            urls: pin.urls.clone(),
            sha256: pin.sha256.clone(),
            size: None,
            authorization: None,
        }),
        None => {
            return Err(Failure::new(
                "UNPINNED",
                Exit::Prerequisite,
                format!("the demo model {} has no checksum in the catalog", pin.name),
            )
            .cause(pin.reason.clone().unwrap_or_default())
            .hint(
                "name a file with --model, leave the demo out with --without-demo, or accept the unverified file with --accept-unpinned",
            ));
        }
    };
    Ok(Some((pin.name.clone(), pin.file.clone(), source)))
}
