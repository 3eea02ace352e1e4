//! The images of a specification out of the local engine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::blocking;
use crate::app::App;
use crate::bundle::{Saved, SavedImages, Sources, Spec, repair};
use crate::catalog::embedded;
use crate::docker::Engine;
use crate::error::{Exit, Failure};
use crate::fetch::quiet;
use crate::stages::connect;

/// Saves every image of `spec` into `folder`.
pub(super) async fn images(app: &App, spec: &Spec, folder: &Path) -> Result<Sources, Failure> {
    let engine = connect(&app.settings.environment).await?;
    let mut groups: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for image in &spec.images {
        groups.entry(image.group.clone()).or_default().insert(&image.local);
    }
    let mut saved = BTreeMap::new();
    for (group, names) in groups {
        app.printer.talk(&format!("saving the images of {group}"));
        let archive = folder.join(format!("{group}.tar"));
        saved.insert(group, save(&engine, &names.into_iter().collect::<Vec<_>>(), &archive, &spec.architecture).await?);
    }
    let node = match &spec.node {
        None => None,
        Some(node) => {
            app.printer.talk("saving the node image");
            Some(save(&engine, &[&node.local], &folder.join("node.tar"), &spec.architecture).await?)
        }
    };
    Ok(Sources { catalog: embedded::CATALOG.to_owned(), node, groups: saved, origins: Vec::new() })
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
    Ok(SavedImages { archive: Saved::File(archive.to_owned()), ids })
}
