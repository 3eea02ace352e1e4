//! Images of the bundle and of the cache into the node, group by group, in the order in which stages need them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio_util::sync::CancellationToken;

use super::unpack::{self, Told};
use super::waiting::told;
use super::{Context, Ended, image_store};
use crate::bundle::{Image, OciArchive};
use crate::docker::{ContainerFile, ContainerStore, DockerError, normalize_reference};
use crate::error::Failure;
use crate::fetch::Cache;
use crate::plan::{Assembled, StageId};

/// The demo's group of images.
const DEMO: &str = "demo";
/// Where the demo's PersistentVolume looks for its model (`manifests/samples/sklearn-iris-offline.yaml`).
const MODEL_FOLDER: &str = "/var/lib/quickstart/models/sklearn-iris";

/// Loads one group, and the demo's model with the demo's images: the last of them, and nobody waits for it yet.
pub(super) async fn group(ctx: &Context, id: &StageId, group: &str, cancel: &CancellationToken) -> Result<Ended, Failure> {
    let ended = loaded(ctx, id, group, cancel).await?;
    if group == DEMO && brings_model(ctx) {
        model(ctx, id, cancel).await?;
    }
    Ok(ended)
}

/// On a node that this run made the model comes with the demo's images, which the demo's stage waits for.
pub(super) fn brings_model(ctx: &Context) -> bool {
    ctx.is_fresh() && ctx.plan.stage(&StageId::Images(DEMO.to_owned())).is_some()
}

/// What the bundle has of a group, and what was pulled. What the node already has is not sent again.
async fn loaded(ctx: &Context, id: &StageId, group: &str, cancel: &CancellationToken) -> Result<Ended, Failure> {
    let bundled: Vec<&Image> = ctx.bundle.iter().flat_map(|bundle| &bundle.images).filter(|image| image.group == group).collect();
    let mut pulled = ctx.prefetch.of(group);
    if bundled.is_empty() && pulled.is_empty() {
        return Ok(Ended::Skipped("nothing was pulled for it".into()));
    }
    let (engine, node) = (ctx.engine()?, ctx.node()?);
    let look = async {
        let store = ContainerStore::open(engine, node).await?;
        let present = store.references().await?;
        Ok::<_, DockerError>((store, present))
    };
    let (store, present) = told(&ctx.events, id, "node", "the node lists its images", look).await?;
    let has = |reference: &str| present.contains(&normalize_reference(reference));
    pulled.retain(|image| !has(&image.reference));
    let bundled = if bundled.iter().all(|image| has(&image.reference)) { Vec::new() } else { bundled };
    if bundled.is_empty() && pulled.is_empty() {
        return Ok(Ended::Skipped("the node has these images".into()));
    }
    image_store::grew(ctx)?;
    let mut archives: Vec<&str> = bundled.iter().map(|image| image.archive.as_str()).collect();
    archives.sort_unstable();
    archives.dedup();
    for archive in archives {
        let store = store.clone();
        let import = |reader, told: Told| async move { store.import(reader, &told).await.map_err(Failure::from) };
        unpack::stream_entry(ctx, id, archive, cancel, import).await?;
    }
    if !pulled.is_empty() {
        let archive = OciArchive::new(pulled.iter().map(|pulled| pulled.image.clone()).collect());
        let archive = archive.map_err(|error| Failure::internal(error.to_string()))?;
        let store = store.clone();
        let import = |reader, told: Told| async move { store.import(reader, &told).await.map_err(Failure::from) };
        unpack::stream_blobs(ctx, id, archive, cancel, import).await?;
    }
    // The names that manifests use come last: a name that is there means an archive that was whole and verified.
    let names = bundled.iter().map(|image| (image.local.clone(), image.reference.clone()));
    let names: Vec<(String, String)> = names.chain(pulled.into_iter().map(|pulled| (pulled.image.name, pulled.reference))).collect();
    told(&ctx.events, id, "names", "images get the names that manifests use", store.tag(&names)).await?;
    Ok(Ended::Done)
}

/// Puts the demo's model into the node, unless the demo brings its own.
pub(super) async fn model(ctx: &Context, stage: &StageId, cancel: &CancellationToken) -> Result<(), Failure> {
    let offline = ctx.plan.demo.as_ref().is_some_and(|demo| demo.offline);
    if !offline || !ctx.plan.is_local() {
        return Ok(());
    }
    let Some((name, contents)) = model_file(ctx, cancel).await? else { return Ok(()) };
    let file = ContainerFile { path: name, contents: contents.into(), executable: false };
    let files = [file];
    let copy = ctx.engine()?.copy_in(ctx.node()?, MODEL_FOLDER, &files);
    told(&ctx.events, stage, "model", "the model is copied into the node", copy).await?;
    Ok(())
}

/// Puts the bundle's model into the demo's objects, for a cluster whose nodes we cannot reach.
///
/// # Errors
/// The model is neither in the cache nor in the bundle.
pub async fn carry_model(ctx: &Context, assembled: &mut Assembled, cancel: &CancellationToken) -> Result<(), Failure> {
    let wanted = !ctx.plan.is_local() && ctx.plan.demo.as_ref().is_some_and(|demo| demo.offline);
    if wanted && let Some((name, contents)) = model_file(ctx, cancel).await? {
        assembled.put_model(&name, &STANDARD.encode(contents))?;
    }
    Ok(())
}

/// Name and bytes of the bundle's model.
async fn model_file(ctx: &Context, cancel: &CancellationToken) -> Result<Option<(String, Vec<u8>)>, Failure> {
    let Some((model, entry)) = ctx.bundle.as_ref().and_then(|bundle| {
        let model = bundle.model.as_ref()?;
        Some((model, unpack::entry(bundle, &model.path)?))
    }) else {
        return Ok(None);
    };
    let cache = Cache::new(&ctx.settings.paths.cache);
    if cache.get(&entry.sha256).await?.is_none() {
        unpack::missing(ctx, &cache, cancel).await?;
    }
    let place = cache.get(&entry.sha256).await?.ok_or_else(|| Failure::internal("the model is not in the cache"))?;
    let contents = fs_err::tokio::read(&place).await.map_err(|error| Failure::internal(error.to_string()))?;
    Ok(Some((model.path.rsplit('/').next().unwrap_or("model.joblib").to_owned(), contents)))
}
