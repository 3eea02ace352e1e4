//! The node's image store: a folder in the engine's volume for kept images, so that they outlive the cluster.

use crate::docker::{DockerError, ImageStore, KeptImages, normalize_reference};
use crate::error::Failure;
use crate::state::StoredImages;

use super::Context;

/// Makes the store; `None`: the node keeps its images to itself, as asked or because there is no other way (which is told).
pub(super) async fn prepare(ctx: &Context, node_image: &str) -> Result<Option<ImageStore>, Failure> {
    ctx.change(|state| state.images = None)?;
    if !ctx.settings.keep_images {
        return Ok(None);
    }
    let store = match made(ctx, node_image).await {
        Ok(Some(store)) => store,
        // kind pulls the node image, and there is nothing kept for one that nobody has had.
        Ok(None) => return Ok(None),
        Err(error) => {
            ctx.events.note(format!("images of this cluster are not kept for the next one: {error}"));
            return Ok(None);
        }
    };
    if let Some(size) = store.kept {
        ctx.events.note(format!("images of an earlier cluster are at hand: {size} MiB in the engine's volume quickstart-images"));
    }
    let stored = StoredImages { names: names(ctx), new: store.kept.is_none() };
    ctx.change(|state| state.images = Some(stored))?;
    Ok(Some(store))
}

async fn made(ctx: &Context, node_image: &str) -> Result<Option<ImageStore>, DockerError> {
    let Ok(engine) = ctx.engine() else { return Ok(None) };
    let Some(kept) = KeptImages::of(engine, node_image).await? else { return Ok(None) };
    let mut store = kept.prepare(ctx.plan.cluster.as_str()).await?;
    match kept.lean().await {
        Ok(image) => store.node_image = Some(image),
        // The node image itself does as well; it only takes longer.
        Err(error) => tracing::warn!("no node image without its images: {error}"),
    }
    Ok(Some(store))
}

/// A node that did not start may have had something in its store that is no good.
pub(super) async fn distrust(ctx: &Context, node_image: &str) {
    let Ok(engine) = ctx.engine() else { return };
    if let Ok(Some(kept)) = KeptImages::of(engine, node_image).await {
        match kept.distrust().await {
            Ok(()) => ctx.events.note("kept images are not used for the next try".to_owned()),
            Err(error) => ctx.events.note(format!("kept images could not be put aside: {error}")),
        }
    }
}

/// Some images came that the kept ones lack.
pub(super) fn grew(ctx: &Context) -> Result<(), Failure> {
    if ctx.state().images.is_none_or(|images| images.new) {
        return Ok(());
    }
    ctx.change(|state| {
        if let Some(images) = &mut state.images {
            images.new = true;
        }
    })
}

/// As containerd has them.
fn names(ctx: &Context) -> Vec<String> {
    let planned = ctx.plan.components.iter().flat_map(|component| &component.images).map(|image| &image.reference);
    let bundled = ctx.bundle.iter().flat_map(|bundle| &bundle.images).map(|image| &image.reference);
    let mut names: Vec<String> = planned.chain(bundled).map(|reference| normalize_reference(reference)).collect();
    names.sort();
    names.dedup();
    names
}
