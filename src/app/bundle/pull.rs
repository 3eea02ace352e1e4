//! Images out of registries: found first, all of them, then their blobs side by side, each once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};

use crate::app::App;
use crate::bundle::{OciArchive, OciBlob, OciImage, Origin, Saved, SavedImages, Sources, Spec};
use crate::catalog::embedded;
use crate::docker::normalize_reference;
use crate::error::Failure;
use crate::fetch::Cache;
use crate::registry::{Blob, Place, Platform, Registry, RegistryError, Resolved};
use crate::report::bytes;
use crate::rules;

/// Images that are looked up at a time.
const LOOKUPS: usize = 6;
/// Blobs on their way at a time: enough for a fast line, few enough that a slow one ends some of them.
pub(super) const BLOBS: usize = 4;
const TELL: Duration = Duration::from_secs(10);

/// An image that is to be read.
pub(super) struct Wanted {
    /// Whose images it goes with; `None` for the node image.
    pub(super) group: Option<String>,
    /// As the bundle names it.
    pub(super) reference: String,
    /// As its registry is asked.
    pub(super) source: String,
    /// Its name in the archive.
    pub(super) local: String,
    /// Pinned beside a tag.
    pub(super) digest: Option<String>,
}

impl Wanted {
    /// The images of a specification, whose `local` names are then those of a registry.
    pub(super) fn of_spec(spec: &Spec) -> Vec<Self> {
        let one = |group: Option<&String>, reference: &str, local: &str| Self {
            group: group.cloned(),
            reference: reference.to_owned(),
            source: local.to_owned(),
            local: local.to_owned(),
            digest: None,
        };
        let images = spec.images.iter().map(|image| one(Some(&image.group), &image.reference, &image.local));
        images.chain(spec.node.iter().map(|node| one(None, &node.reference, &node.local))).collect()
    }
}

/// Reads every image; all of them are found before the first gigabyte is asked for.
pub(super) async fn pull(app: &App, registry: &Registry, wanted: &[Wanted], architecture: &str) -> Result<Sources, Failure> {
    let platform = Platform { architecture: architecture.to_owned() };
    app.printer.talk(&format!("looking for {} images for {platform}", wanted.len()));
    let told = |error: RegistryError| explained(app, error);
    let lookups = wanted.iter().map(|image| registry.resolve(&image.source, image.digest.as_deref(), &platform));
    let mut lookups = stream::iter(lookups).buffered(LOOKUPS);
    let mut found = Vec::new();
    while let Some(resolved) = lookups.next().await {
        found.push(resolved.map_err(told)?);
    }
    drop(lookups);
    let blobs = found.iter().flat_map(|image| std::iter::once(&image.config).chain(&image.layers).map(move |blob| (image, blob)));
    download(app, registry, blobs.map(|(image, blob)| (image.reference.as_str(), &image.place, blob)).collect()).await?;
    assemble(app, wanted, &found, &platform)
}

/// Every blob that is not in the cache yet, once: of whom, where, which.
pub(super) async fn download(app: &App, registry: &Registry, wanted: Vec<(&str, &Place, &Blob)>) -> Result<(), Failure> {
    let mut blobs = BTreeMap::new();
    for (image, place, blob) in wanted {
        blobs.entry(&blob.sha256).or_insert((image, place, blob));
    }
    // The largest first: they bound the time of all.
    let mut blobs: Vec<_> = blobs.into_values().collect();
    blobs.sort_by_key(|(_, _, blob)| std::cmp::Reverse(blob.size));
    let total: u64 = blobs.iter().map(|(_, _, blob)| blob.size).sum();
    app.printer.talk(&format!("reading {} blobs, {}", blobs.len(), bytes(total)));
    let moved: Vec<AtomicU64> = blobs.iter().map(|_| AtomicU64::new(0)).collect();
    let reading = blobs.iter().zip(&moved).map(|((image, place, blob), moved)| async move {
        let on_bytes = |done: u64| moved.store(done, Ordering::Relaxed);
        registry.blob(image, place, blob, &on_bytes).await
    });
    let mut reading = stream::iter(reading).buffer_unordered(BLOBS);
    let mut tick = tokio::time::interval(TELL);
    tick.reset();
    loop {
        tokio::select! {
            read = reading.next() => match read {
                Some(read) => drop(read.map_err(|error| explained(app, error))?),
                None => return Ok(()),
            },
            _ = tick.tick() => {
                let done: u64 = moved.iter().map(|moved| moved.load(Ordering::Relaxed)).sum();
                app.printer.talk(&format!("{} of {}", bytes(done), bytes(total)));
            }
        }
    }
}

/// One archive a group, and one for the node.
fn assemble(app: &App, wanted: &[Wanted], found: &[Resolved], platform: &Platform) -> Result<Sources, Failure> {
    let cache = Cache::new(&app.settings.paths.cache);
    let at = |blob: &Blob| OciBlob { sha256: blob.sha256.clone(), size: blob.size, path: cache.place(&blob.sha256) };
    let mut groups: BTreeMap<Option<&str>, Vec<(&Wanted, OciImage)>> = BTreeMap::new();
    let mut origins = Vec::new();
    for (wanted, image) in wanted.iter().zip(found) {
        origins.push(Origin {
            reference: wanted.reference.clone(),
            platform: platform.to_string(),
            digest: format!("sha256:{}", image.manifest.sha256),
            index: image.index.clone(),
        });
        let image = OciImage {
            name: wanted.local.clone(),
            full_name: normalize_reference(&wanted.local),
            architecture: platform.architecture.clone(),
            media_type: image.media_type.clone(),
            manifest: at(&image.manifest),
            config: at(&image.config),
            layers: image.layers.iter().map(at).collect(),
        };
        let group = groups.entry(wanted.group.as_deref()).or_default();
        // Two references may lead to the same name in the archive.
        if !group.iter().any(|(known, _)| known.local == wanted.local) {
            group.push((wanted, image));
        }
    }
    let mut sources = Sources { catalog: embedded::CATALOG.to_owned(), origins, ..Sources::default() };
    for (group, images) in groups {
        let ids = images.iter().map(|(wanted, image)| (wanted.local.clone(), format!("sha256:{}", image.config.sha256))).collect();
        let archive = OciArchive::new(images.into_iter().map(|(_, image)| image).collect());
        let archive = archive.map_err(|error| Failure::internal(error.to_string()))?;
        let saved = SavedImages { archive: Saved::Oci(archive), ids };
        match group {
            Some(group) => drop(sources.groups.insert(group.to_owned(), saved)),
            None => sources.node = Some(saved),
        }
    }
    tracing::debug!(bytes = again(&sources), "are in more than one group: each group can be loaded alone");
    Ok(sources)
}

/// Bytes of blobs that a group before has too.
fn again(sources: &Sources) -> u64 {
    let archives = sources.groups.values().filter_map(|saved| match &saved.archive {
        Saved::Oci(archive) => Some(archive),
        Saved::File(_) => None,
    });
    let mut seen = BTreeSet::new();
    archives.flat_map(OciArchive::blobs).filter(|blob| !seen.insert(&blob.sha256)).map(|blob| blob.size).sum()
}

/// Behind a proxy an answer that nobody gave is the proxy's failure, and nothing in the transport's words says so.
pub(super) fn explained(app: &App, error: RegistryError) -> Failure {
    let by_proxy = app.settings.environment.proxies.any() && error.is_from_outside();
    let failure = Failure::from(error);
    match rules::rule("PROXY_ENV").filter(|_| failure.id == "DOWNLOAD_FAILED" && by_proxy) {
        Some(rule) => rule.failure("an image cannot be read through the proxy of the environment", failure.cause.unwrap_or(failure.what)),
        None => failure,
    }
}
