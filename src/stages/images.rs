//! Images of the bundle into the node, group by group, in the order in which stages need them.

use tokio_util::sync::CancellationToken;

use super::waiting::told;
use super::{Context, Ended, image_store, unpack};
use crate::docker::{ContainerFile, ContainerStore, DockerError, normalize_reference};
use crate::error::Failure;
use crate::fetch::Cache;
use crate::plan::StageId;

/// Where the demo's PersistentVolume looks for its model (`manifests/samples/sklearn-iris-offline.yaml`).
const MODEL_FOLDER: &str = "/var/lib/quickstart/models/sklearn-iris";

/// Loads one group. What the node already has is not sent again.
pub(super) async fn group(ctx: &Context, id: &StageId, group: &str, cancel: &CancellationToken) -> Result<Ended, Failure> {
    let Some(bundle) = &ctx.bundle else { return Ok(Ended::Skipped("no bundle".into())) };
    let images: Vec<_> = bundle.images.iter().filter(|image| image.group == group).collect();
    let (engine, node) = (ctx.engine()?, ctx.node()?);
    let look = async {
        let store = ContainerStore::open(engine, node).await?;
        let present = store.references().await?;
        Ok::<_, DockerError>((store, present))
    };
    let (store, present) = told(&ctx.events, id, "node", "the node lists its images", look).await?;
    if images.iter().all(|image| present.contains(&normalize_reference(&image.reference))) {
        return Ok(Ended::Skipped("the node has these images".into()));
    }
    image_store::grew(ctx)?;
    let mut archives: Vec<&str> = images.iter().map(|image| image.archive.as_str()).collect();
    archives.sort_unstable();
    archives.dedup();
    for archive in archives {
        let store = store.clone();
        unpack::stream_entry(
            ctx,
            id,
            archive,
            cancel,
            |reader, told| async move { store.import(reader, &told).await.map_err(Failure::from) },
        )
        .await?;
    }
    // The names that manifests use come last: a name that is there means an archive that was whole and verified.
    let names: Vec<(String, String)> = images.iter().map(|image| (image.local.clone(), image.reference.clone())).collect();
    told(&ctx.events, id, "names", "images get the names that manifests use", store.tag(&names)).await?;
    Ok(Ended::Done)
}

/// Puts the demo's model into the node.
pub(super) async fn model(ctx: &Context, cancel: &CancellationToken) -> Result<(), Failure> {
    let Some((model, entry)) = ctx.bundle.as_ref().and_then(|bundle| {
        let model = bundle.model.as_ref()?;
        Some((model, unpack::entry(bundle, &model.path)?))
    }) else {
        return Ok(());
    };
    let cache = Cache::new(&ctx.settings.paths.cache);
    if cache.get(&entry.sha256).await?.is_none() {
        unpack::missing(ctx, &cache, cancel).await?;
    }
    let place = cache.get(&entry.sha256).await?.ok_or_else(|| Failure::internal("the model is not in the cache"))?;
    let contents = fs_err::tokio::read(&place).await.map_err(|error| Failure::internal(error.to_string()))?;
    let name = model.path.rsplit('/').next().unwrap_or("model.joblib").to_owned();
    let file = ContainerFile { path: name, contents: contents.into(), executable: false };
    let files = [file];
    let copy = ctx.engine()?.copy_in(ctx.node()?, MODEL_FOLDER, &files);
    told(&ctx.events, &StageId::Demo, "model", "the model is copied into the node", copy).await?;
    Ok(())
}
