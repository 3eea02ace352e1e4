//! Settings as a cluster's state says them: what it was made with, and the shapes it had.

use crate::config::{Network, Profile, Serving, Settings};
use crate::state::{Shape, State};

pub(super) fn profile_of(text: &str) -> Profile {
    if text == Profile::Raw.as_str() { Profile::Raw } else { Profile::Serverless }
}

/// The settings of another profile of the same cluster, for the names of its objects: nobody's changes give those other ones.
pub(super) fn shaped(settings: &Settings, shape: &Shape) -> Settings {
    let mut settings = settings.clone();
    settings.profile = profile_of(&shape.profile);
    settings.network = if shape.components.contains_key("kourier") { Network::Kourier } else { Network::Istio };
    settings.versions.clone_from(&shape.components);
    settings.serving = Serving { domain: settings.serving.domain, ingress_class: settings.serving.ingress_class, ..Serving::default() };
    settings.resources.clear();
    settings.patches.clear();
    settings.manifests.clear();
    settings
}

/// What the cluster was made with, whatever today's flags and files would say.
pub(super) fn remembered(mut settings: Settings, state: &State) -> Settings {
    settings.profile = profile_of(&state.profile);
    settings.network = state.network();
    settings.set = Some(state.set.clone());
    settings.versions.clone_from(&state.components);
    settings.node_image.clone_from(&state.node_image);
    settings.on = state.context().map(str::to_owned);
    settings.demo = state.demo_host.is_some();
    settings.serving.domain.clone_from(&state.domain);
    settings.serving.namespace.clone_from(&state.namespace);
    settings.forward = state.ingress;
    settings.prefetch &= !state.no_prefetch;
    if state.mirror.is_some() {
        settings.mirror.clone_from(&state.mirror);
    }
    if let Some(port) = state.port {
        (settings.port, settings.port_explicit) = (port, false);
    }
    settings
}
