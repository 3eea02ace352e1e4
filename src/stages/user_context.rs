//! The cluster's entries in the user's kubeconfig, and the switch of the current context.

use std::path::{Path, PathBuf};

use super::Context;
use crate::config::ClusterName;
use crate::error::Failure;
use crate::kind::kubeconfig;
use crate::state::State;

/// Puts the cluster into the user's kubeconfig. The cluster works without it, so trouble there is told and does not end the run.
pub(super) async fn switch_context(ctx: &Context) {
    let environment = &ctx.settings.environment;
    let files = kubeconfig::files(environment.kubeconfig.as_deref(), environment.home.as_deref());
    let Some(file) = kubeconfig::written_file(&files).await.map(Path::to_path_buf) else { return };
    let ours = format!("kind-{}", ctx.plan.cluster);
    if let Err(failure) = enter(ctx, &files, &file, &ours).await {
        let why = failure.cause.map_or(failure.what.clone(), |cause| format!("{}: {cause}", failure.what));
        ctx.events.note(format!(
            "{} was not changed: {why}; `kubectl --kubeconfig {}` works",
            file.display(),
            ctx.paths.kubeconfig.display()
        ));
    }
}

async fn enter(ctx: &Context, files: &[PathBuf], file: &Path, ours: &str) -> Result<(), Failure> {
    let private = fs_err::tokio::read_to_string(&ctx.paths.kubeconfig).await.map_err(|error| Failure::internal(error.to_string()))?;
    let entries = kubeconfig::Entries::of(&private, ours).map_err(|error| Failure::internal(format!("kind's kubeconfig: {error}")))?;
    let before = kubeconfig::current_context(files).await?;
    kubeconfig::put(file, &entries).await?;
    // Remembered before the switch: what `down` does not know of, it does not put back.
    let place = before.as_ref().map_or(file, |(_, place)| place);
    let older = before.as_ref().map(|(context, _)| older(ctx, context)).unwrap_or_default();
    ctx.change(|state| {
        state.context_file = Some(file.display().to_string());
        // A second `up` must not take our own context for the one before.
        if before.as_ref().is_none_or(|(context, _)| context != ours) {
            state.context_before = before.as_ref().map(|(context, _)| context.clone());
            state.contexts_older = older;
            state.context_switched_in = (!ctx.settings.keep_context).then(|| place.display().to_string());
        }
    })?;
    if !ctx.settings.keep_context {
        kubeconfig::set_current_context(place, Some(ours)).await?;
    }
    Ok(())
}

/// What another cluster of ours, whose context this is, would put back.
fn older(ctx: &Context, context: &str) -> Vec<String> {
    let Some(name) = context.strip_prefix("kind-").and_then(|name| ClusterName::new(name).ok()) else { return Vec::new() };
    let Ok(Some(other)) = State::read(&ctx.settings.paths.cluster(&name).state) else { return Vec::new() };
    std::iter::once(other.context_before.unwrap_or_default()).chain(other.contexts_older).collect()
}
