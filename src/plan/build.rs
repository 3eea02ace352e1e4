//! Settings + catalog + bundle index → plan. Pure: no file is read, no clock is asked, nobody is called.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::caution::Beyond;
use super::pulls::pulls;
use super::stage::{Demo, Plan, PlannedBundle, PlannedComponent, PlannedFile, PlannedImage, Target};
use super::stages::{own, stages};
use super::{Names, existing, graph, host};
use crate::bundle::Index;
use crate::catalog::{Catalog, CatalogError, Choice, KubernetesRange, Set, embedded};
use crate::config::{Change, Ingress, Network, Profile, Resources, Scheme, Serving, Settings};

/// The node port that kind's mapping and the overlay of istio-ingressgateway agree on.
pub const GATEWAY_NODE_PORT: u16 = 31080;
/// Registries whose tags Knative must not resolve: its own defaults (the key replaces them: KServe's own script loses the first three) and Docker Hub.
const SKIP_DEFAULT: &[&str] = &["kind.local", "ko.local", "dev.local", "index.docker.io", "docker.io"];
/// Namespace and name of the demo, where the configuration file names no other namespace.
pub const DEMO: (&str, &str) = (Serving::NAMESPACE, "sklearn-iris");

/// Makes the plan.
pub fn build(settings: &Settings, catalog: &Catalog, bundle: Option<&Index>) -> Result<Plan, CatalogError> {
    let set_name = settings.set.as_deref().or(bundle.map(|index| index.set.as_str()));
    let set = catalog.set(set_name)?;
    let settings = &able(settings, set)?;
    let profile = settings.profile.to_string();
    let mut choices = catalog.choose(set, &settings.versions, &profile, settings.network.as_str())?;
    choices.extend(catalog.addons(&wanted(settings)?, &settings.versions, &profile)?);
    ways(settings, set, &choices)?;
    let target = target(settings, catalog, &choices, bundle, set)?;
    let components: Vec<PlannedComponent> = choices.iter().map(|choice| component(choice, bundle)).collect();
    let changes = changes(settings, &components)?;
    let resources = resources(settings, &components)?;
    let demo = settings.demo.then(|| demo(settings, bundle));
    let ingress_port = match (&target, settings.forward) {
        (Target::Existing { .. }, Ingress::Mapped) => {
            let message = "--forward mapped needs a cluster that quickstart makes: with --on it is tunnel".into();
            return Err(CatalogError::Own { place: "--forward".into(), message });
        }
        (Target::Existing { .. }, Ingress::None) => None,
        _ => Some(settings.port),
    };
    let local_port = ingress_port.filter(|_| settings.forward != Ingress::None);
    let is_local = matches!(target, Target::Kind { .. });
    let pulls = if settings.prefetch && is_local { pulls(&choices, bundle, demo.is_some()) } else { Vec::new() };
    let mut stages = stages(&choices, &components, bundle, &pulls, &target, demo.as_ref(), local_port);
    stages.extend(own(settings, &components));
    let stages = graph::order(stages).map_err(|message| CatalogError::Object { place: "plan".into(), message })?;
    Ok(Plan {
        version: 1,
        cluster: settings.name.to_string(),
        profile,
        set: set.name.clone(),
        untested: set.untested.then(|| set.tried.clone()),
        beyond: Beyond::of(&target, set),
        target,
        manifest_bytes: components.iter().flat_map(|component| &component.files).map(|file| file.size).sum(),
        components,
        stages,
        patches: bundle.map(|index| index.patches.clone()).unwrap_or_default(),
        serving: settings.serving.clone(),
        resources,
        changes,
        manifests: settings.manifests.clone(),
        kind_settings: bundle.map(|index| index.kind_settings.clone()).unwrap_or_default(),
        bundle: bundle.map(|index| PlannedBundle {
            path: settings.bundle.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
            name: index.name.clone(),
            architecture: index.architecture.clone(),
            node_substitute: index.node.as_ref().and_then(|node| node.substitute.clone()),
        }),
        skip_tag_resolution: skip_tag_resolution(bundle),
        prefetch: settings.prefetch,
        mirror: settings.mirror.clone(),
        pulls,
        demo,
        timeout: settings.timeout.as_secs(),
        ingress: settings.forward,
        ingress_port,
        settings: settings.origins.clone(),
    })
}

/// The add-ons that were chosen, `gateway.protocol` being another word for one of them.
fn wanted(settings: &Settings) -> Result<Vec<String>, CatalogError> {
    let mut names = settings.with.clone();
    let chosen = names.iter().any(|name| name == Scheme::ADDON);
    match settings.gateway {
        Some(Scheme::Https) if !chosen => names.push(Scheme::ADDON.to_owned()),
        Some(Scheme::Http) if chosen => {
            let message = format!("add-on {} is chosen, or the cluster has it: `down` and a new `up` take it away", Scheme::ADDON);
            return Err(CatalogError::Own { place: "`gateway.protocol: http`".into(), message });
        }
        _ => {}
    }
    Ok(names)
}

/// A set that cannot do every profile takes its own where nobody asked for one.
fn able(settings: &Settings, set: &Set) -> Result<Settings, CatalogError> {
    let mut settings = settings.clone();
    let able = |profile: Profile| set.profiles.is_empty() || set.profiles.iter().any(|known| known == profile.as_str());
    if !able(settings.profile)
        && let Some(own) = [Profile::Serverless, Profile::Raw].into_iter().find(|profile| able(*profile))
    {
        settings.follow(own, &format!("set {}", set.name));
    }
    if able(settings.profile) {
        return Ok(settings);
    }
    let message = format!("it has no profile {} (it has {})", settings.profile, set.profiles.join(", "));
    Err(CatalogError::Own { place: format!("version set {}", set.name), message })
}

/// Kourier knows Knative's Ingresses and no others, and is not in every set.
fn ways(settings: &Settings, set: &Set, choices: &[Choice<'_>]) -> Result<(), CatalogError> {
    let refused = |message: String| Err(CatalogError::Own { place: format!("--ingress {}", settings.network), message });
    let has = |name: &str| choices.iter().any(|choice| choice.component.name == name);
    match (settings.network, settings.profile) {
        (Network::Kourier, _) if has(Scheme::ADDON) => refused("HTTPS at the gateway needs istio".into()),
        (Network::Kourier, Profile::Raw) => refused("it serves Knative only: profile raw needs istio".into()),
        (Network::Kourier, Profile::Serverless) if !has("net-kourier") => refused(format!("version set {} has none", set.name)),
        _ => Ok(()),
    }
}

/// The configuration file's patches; one for a component that is not there is refused.
fn changes(settings: &Settings, components: &[PlannedComponent]) -> Result<Vec<Change>, CatalogError> {
    settings
        .patches
        .iter()
        .map(|change| {
            if !components.iter().any(|component| component.name == change.component) {
                let known: Vec<&str> = components.iter().map(|component| component.name.as_str()).collect();
                return Err(CatalogError::Change {
                    what: format!("{} {}", change.kind, change.name),
                    message: format!("there is no component `{}` (there are {})", change.component, known.join(", ")),
                });
            }
            Ok(change.clone())
        })
        .collect()
}

/// The configuration file's resources; those of a component that is not there are refused.
fn resources(settings: &Settings, components: &[PlannedComponent]) -> Result<Vec<Resources>, CatalogError> {
    let known: Vec<&str> = components.iter().map(|component| component.name.as_str()).collect();
    if let Some(wanted) = settings.resources.iter().find(|wanted| !known.contains(&wanted.component.as_str())) {
        let message = format!("there is no component `{}` (there are {})", wanted.component, known.join(", "));
        let what = format!("container {}", wanted.container);
        return Err(CatalogError::Resources { place: wanted.place.clone(), what, message });
    }
    Ok(settings.resources.clone())
}

fn target(
    settings: &Settings,
    catalog: &Catalog,
    choices: &[Choice<'_>],
    bundle: Option<&Index>,
    set: &Set,
) -> Result<Target, CatalogError> {
    if let Some(context) = &settings.on {
        return Ok(Target::Existing { context: context.clone(), kubernetes: existing::range(choices), adopted: Vec::new() });
    }
    let pinned = || {
        let kind = catalog.kind.versions.iter().find(|version| version.version == catalog.kind.default)?;
        let node = kind.nodes.iter().find(|node| Some(&node.kubernetes) == set.kubernetes.default.as_ref())?;
        Some((node.image.clone(), Some(node.kubernetes.clone())))
    };
    let bundled = || bundle.and_then(|index| index.node.as_ref()).map(|node| (node.reference.clone(), Some(node.kubernetes.clone())));
    let (node_image, kubernetes) =
        settings.node_image.clone().map(|image| (image, None)).or_else(bundled).or_else(pinned).ok_or_else(|| {
            let KubernetesRange { min, max, .. } = &set.kubernetes;
            let range = existing::span(min, max);
            let message = format!("it needs Kubernetes {range}, and no node image of that is known: name one with --node-image");
            CatalogError::Own { place: format!("version set {}", set.name), message }
        })?;
    Ok(Target::Kind { node_image, kubernetes, port: settings.port })
}

fn component(choice: &Choice<'_>, bundle: Option<&Index>) -> PlannedComponent {
    let name = choice.component.name.clone();
    let files = choice
        .version
        .files
        .iter()
        .map(|file| {
            let bundled = bundle.and_then(|index| index.manifests.iter().find(|m| m.component == name && m.file == file.name));
            let entry = bundled.and_then(|manifest| bundle?.files.iter().find(|entry| entry.path == manifest.path));
            PlannedFile {
                name: file.name.clone(),
                sha256: entry.map_or_else(|| file.sha256.clone(), |entry| entry.sha256.clone()),
                size: entry.map_or(file.size, |entry| entry.size),
                urls: if bundled.is_some() { Vec::new() } else { file.urls.clone() },
                bundled: bundled.map(|manifest| manifest.path.clone()),
                substitute: bundled.and_then(|manifest| manifest.substitute.clone()),
                include: file.include.clone(),
                exclude: file.exclude.clone(),
            }
        })
        .collect();
    let images: Vec<PlannedImage> = choice
        .version
        .images
        .iter()
        .map(|image| PlannedImage {
            reference: image.reference.clone(),
            group: image.group.clone(),
            substitute: bundle
                .and_then(|index| index.images.iter().find(|bundled| bundled.reference == image.reference))
                .and_then(|bundled| bundled.substitute.clone()),
        })
        .collect();
    let deployments: BTreeSet<String> = choice
        .version
        .images
        .iter()
        .flat_map(|image| image.used_by.split([',', ' ']))
        .filter_map(|user| user.trim().strip_prefix("Deployment/"))
        .map(str::to_owned)
        .collect();
    PlannedComponent {
        name,
        title: choice.component.title.clone(),
        version: choice.version.version.clone(),
        addon: choice.component.addon,
        beside: choice.component.beside.clone(),
        namespace: choice.component.namespace.clone(),
        deployments: deployments.into_iter().collect(),
        files,
        images,
    }
}

fn demo(settings: &Settings, bundle: Option<&Index>) -> Demo {
    let (namespace, name) = (settings.serving.namespace(), DEMO.1);
    let names = Names {
        profile: settings.profile.as_str(),
        domain: settings.serving.domain(),
        entry: Names::entry_of(settings.network == Network::Kourier),
    };
    let input = serde_json::from_str(embedded::SAMPLE_INPUT).unwrap_or(Value::Null);
    Demo {
        namespace: namespace.into(),
        name: name.into(),
        host: host(None, names, namespace, name),
        offline: bundle.is_some_and(|index| index.model.is_some()),
        input,
        expected: json!({"predictions": [1, 1]}),
    }
}

fn skip_tag_resolution(bundle: Option<&Index>) -> Vec<String> {
    let mut registries: Vec<String> = SKIP_DEFAULT.iter().map(|registry| (*registry).to_owned()).collect();
    for image in bundle.map(|index| index.images.as_slice()).unwrap_or_default() {
        let first = image.reference.split('/').next().unwrap_or_default();
        if image.reference.contains('/') && (first.contains('.') || first.contains(':')) && !registries.iter().any(|known| known == first) {
            registries.push(first.to_owned());
        }
    }
    registries
}
