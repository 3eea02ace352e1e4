//! Looking: every fact is asked for once, side by side where it takes time, and nothing is changed.

use std::collections::BTreeSet;
use std::time::SystemTime;

use jiff::Timestamp;
use semver::Version;

use super::certificates::{self, Expiry};
use super::check::{Category, CheckResult, Diagnosis};
use super::engine::{self, Made, is_elsewhere};
use super::leftovers::{self, Leftovers};
use super::live::{Live, live};
use super::program::Other;
use super::seen::{self, Seen, blocking};
use super::{clock, cluster, disk, files, gateway, machine, network, port, program, registry, webhooks};
use crate::bundle::Index;
use crate::catalog::{Catalog, KindPins};
use crate::config::Settings;
use crate::error::Failure;
use crate::kind::{Program, Search};
use crate::plan::{Plan, Target, build};
use crate::stages::goarch;
use crate::state::State;

const NETWORK: &str = "network";

/// What is known before anything is looked at.
#[derive(Debug)]
pub struct Place<'a> {
    /// What is meant.
    pub settings: &'a Settings,
    /// The pins.
    pub catalog: &'a Catalog,
    /// The index of the bundle in use, or why it cannot be read; `None`: no bundle.
    pub bundle: Option<Result<&'a Index, Failure>>,
}

impl Place<'_> {
    fn index(&self) -> Option<&Index> {
        self.bundle.as_ref().and_then(|bundle| bundle.as_ref().ok().copied())
    }
}

/// The whole diagnosis.
///
/// # Errors
/// A defect of ours only: what is wrong with the machine is in the diagnosis.
pub async fn look(place: &Place<'_>) -> Result<Diagnosis, Failure> {
    Box::pin(examine(place, None)).await
}

/// The same once more in the same run: what `before` saw of the network is good enough.
///
/// # Errors
/// As [`look`].
pub async fn look_again(place: &Place<'_>, before: &Diagnosis) -> Result<Diagnosis, Failure> {
    Box::pin(examine(place, Some(before))).await
}

async fn examine(place: &Place<'_>, before: Option<&Diagnosis>) -> Result<Diagnosis, Failure> {
    let Settings { environment, paths, name, .. } = place.settings;
    let cluster_paths = paths.cluster(name);
    let minimum = Version::parse(&place.catalog.kind.minimum).map_err(|error| Failure::internal(error.to_string()))?;
    let plan = build(place.settings, place.catalog, place.index());
    let (read, (cache, state_folder), known, unfinished) = blocking({
        let (paths, state) = (paths.clone(), cluster_paths.state.clone());
        move || {
            let read = State::read(&state).map_err(Failure::from);
            (read, files::look(&paths), leftovers::known(&paths), leftovers::old_files(&paths, SystemTime::now()))
        }
    })
    .await?;
    let state = read.as_ref().ok().and_then(Option::as_ref);
    let elsewhere = state.is_some_and(|state| state.context().is_some());
    let installed = elsewhere || state.is_some_and(|state| state.created);

    let (seen, search, kubeconfig, live, of_network) = tokio::join!(
        in_engine(place.settings, installed && !elsewhere),
        Program::search(environment.path.as_deref(), &minimum),
        seen::users_kubeconfig(place.settings),
        live(environment, state, &cluster_paths, place.catalog),
        in_network(place, plan.as_ref().ok(), installed, before),
    );
    let (engine, inotify, node_certificates) = seen;
    let reached = engine.as_ref().ok();
    let nodes = reached.and_then(|seen| seen.nodes.as_deref());

    let mut of_machine = match reached {
        Some(_) if !elsewhere => machine::inotify(&inotify),
        _ => Vec::new(),
    };
    of_machine.push(machine::proxies(&environment.proxies));
    of_machine.push(port::port(&seen::port(place.settings, state, nodes, reached.map(|seen| &seen.engine)).await?));
    let mut of_files = files::folders(&cache, &state_folder);
    of_files.push(files::state(&cluster_paths, read.as_ref().map(Option::as_ref)));
    of_files.extend(kubeconfig);
    let clusters = reached.and_then(|seen| seen.clusters.clone());
    let left = Leftovers { known: with_containers(known, clusters.as_deref()), clusters: clusters.unwrap_or_default(), unfinished };
    // A state that cannot be read says nothing about whose the containers are.
    let nodes = nodes.filter(|_| read.is_ok());
    let found = cluster::Found { name: name.as_str(), state, nodes, api: live.api.clone(), status: live.status.as_ref() };
    let mut of_cluster = cluster::cluster(&found);
    if let Some(state) = state {
        of_cluster.extend(in_cluster(place.catalog, state, &live, &node_certificates));
    }
    // A cluster that was there before needs neither an engine nor kind here.
    let of_engine = if elsewhere { Vec::new() } else { of_engine(place, &engine, plan.as_ref().ok(), installed).await? };
    let mut of_programs = of_programs(place, plan, &search, &minimum);
    of_programs.retain(|check| !elsewhere || check.id != program::ID);
    let categories = vec![
        Category::new("container engine", of_engine),
        Category::new("this machine", of_machine),
        Category::new(NETWORK, of_network),
        Category::new("programs and bundle", of_programs),
        Category::new("files", of_files),
        Category::new("leftovers", leftovers::leftovers(&left, name.as_str())),
        Category::new(&format!("cluster {name}"), of_cluster),
    ];
    Ok(Diagnosis::new(categories, installed && (elsewhere || engine.is_ok())))
}

/// Which of the state folders have containers.
pub(super) fn with_containers(mut known: Vec<leftovers::Known>, clusters: Option<&[String]>) -> Vec<leftovers::Known> {
    for one in &mut known {
        one.containers = clusters.map(|all| all.iter().filter(|cluster| *cluster == one.name.as_str()).cloned().collect());
    }
    known
}

/// The engine, and what only a command in a node tells.
async fn in_engine(settings: &Settings, installed: bool) -> (Result<Seen, Failure>, machine::Inotify, String) {
    let seen = match Box::pin(seen::engine(settings)).await {
        Ok(seen) => seen,
        Err(failure) => return (Err(failure), machine::Inotify::default(), String::new()),
    };
    let pem = async { if installed { seen.node_certificates().await } else { String::new() } };
    let (inotify, pem) = tokio::join!(seen.inotify(installed), pem);
    (Ok(seen), inotify, pem)
}

/// Registries and names are asked before there is a cluster only: afterwards the images are there.
async fn in_network(place: &Place<'_>, plan: Option<&Plan>, installed: bool, before: Option<&Diagnosis>) -> Vec<CheckResult> {
    if let Some(before) = before {
        return before.category(NETWORK).map(|category| category.checks.clone()).unwrap_or_default();
    }
    let Some(plan) = plan.filter(|_| !installed) else { return Vec::new() };
    let registries = network::registries(plan);
    let Some(first) = registries.keys().next().cloned() else { return Vec::new() };
    let bundled = place.bundle.is_some();
    let asked = async { if bundled { Vec::new() } else { registry::ask_all(registries).await } };
    let ((host, resolved), answers) = tokio::join!(registry::resolve(&first), asked);
    let proxied = place.settings.environment.proxies.any();
    let elsewhere = place.settings.environment.docker_host.as_deref().is_some_and(is_elsewhere);
    let mut checks = vec![network::dns(&host, &resolved, bundled, proxied)];
    if !bundled {
        checks.extend(network::reachable(&answers, elsewhere));
    }
    checks
}

async fn of_engine(
    place: &Place<'_>,
    engine: &Result<Seen, Failure>,
    plan: Option<&Plan>,
    installed: bool,
) -> Result<Vec<CheckResult>, Failure> {
    let seen = match engine {
        Ok(seen) => seen,
        Err(failure) => return Ok(vec![engine::unreachable(failure)]),
    };
    let without = plan.map(|plan| without(plan, place.catalog, &seen.facts.architecture)).unwrap_or_default();
    let made = Made { program: goarch(), bundle: place.index().map(|index| index.architecture.as_str()), without: &without };
    let mut checks = engine::engine(seen.engine.endpoint(), &seen.facts, made, &seen.about.cgroup_driver);
    checks.extend(clock::clock(seen.ahead));
    let (here, root) = (seen.is_here(), seen.facts.root_dir.clone());
    let free = blocking(move || seen::room(here, &root)).await?;
    checks.push(disk::disk(&seen.facts.root_dir, free, installed));
    Ok(checks)
}

/// Images of the plan that the catalog knows not to be made for this processor; one of which it knows nothing counts as fine.
fn without(plan: &Plan, catalog: &Catalog, architecture: &str) -> Vec<String> {
    let planned: BTreeSet<&str> =
        plan.components.iter().flat_map(|component| &component.images).map(|image| image.reference.as_str()).collect();
    let known = catalog.components.iter().flat_map(|component| &component.versions).flat_map(|version| &version.images);
    let lacking = known.filter(|image| {
        let made = &image.architectures;
        planned.contains(image.reference.as_str()) && !made.is_empty() && !made.iter().any(|one| one == architecture)
    });
    let names: BTreeSet<String> = lacking.map(|image| image.reference.clone()).collect();
    names.into_iter().collect()
}

/// What the cluster says beside `status`.
fn in_cluster(catalog: &Catalog, state: &State, live: &Live, node_certificates: &str) -> Vec<CheckResult> {
    let mut checks = Vec::new();
    let ours = state.context().is_none();
    checks.extend(gateway::address(live.gateway.as_ref(), ours, state.port));
    match &live.webhooks {
        Some(Ok(found)) => {
            let installed = catalog.components.iter().filter(|component| state.components.contains_key(&component.name));
            let namespaces: Vec<&str> = installed.map(|component| component.namespace.as_str()).collect();
            checks.extend(webhooks::webhooks(found, &namespaces));
        }
        Some(Err(failure)) => checks.push(CheckResult::failed("webhooks", "webhooks can be asked", failure).settling()),
        None => {}
    }
    let now = Timestamp::now();
    let mut all: Vec<Expiry> = certificates::of_pem(node_certificates, "in the node");
    all.extend(certificates::of_kubeconfig(&live.kubeconfig));
    all.extend(certificates::of_cert_manager(&live.certificates, now));
    checks.extend(certificates::certificates(&all, now));
    checks
}

fn of_programs(
    place: &Place<'_>,
    plan: Result<Plan, crate::catalog::CatalogError>,
    search: &Search,
    minimum: &Version,
) -> Vec<CheckResult> {
    let (settings, index) = (place.settings, place.index());
    let mut checks = Vec::new();
    match &place.bundle {
        Some(Ok(index)) => {
            let saw = format!("{} ({}, {}), {} images", index.name, index.set, index.architecture, index.images.len());
            checks.push(CheckResult::ok("bundle", "the bundle can be read", saw));
        }
        Some(Err(failure)) => checks.push(CheckResult::failed("bundle", "the bundle can be read", failure)),
        None => {}
    }
    let pairs = match plan {
        Ok(plan) => index.is_some() || settings.node_image.is_some() || has_node(&place.catalog.kind, search, &plan.target),
        Err(error) => {
            checks.push(CheckResult::failed("plan", "the settings make a plan", &Failure::from(error)));
            true
        }
    };
    let bundled = index.and_then(|index| index.kind.as_ref()).map(|kind| kind.version.as_str());
    let platform = format!("{}-{}", std::env::consts::OS.replace("macos", "darwin"), goarch());
    let other = Other::choose(bundled, &place.catalog.kind, &platform, settings.accept_unpinned);
    checks.push(program::kind(search, minimum, pairs, &other));
    checks
}

/// Does the catalog pair the kind that was found with the node image of the plan? With a bundle or a named image the pairing is theirs.
fn has_node(pins: &KindPins, search: &Search, target: &Target) -> bool {
    let (Search::Found(program), Target::Kind { node_image, .. }) = (search, target) else { return true };
    let version = program.version.to_string();
    pins.versions.iter().any(|known| known.version == version && known.nodes.iter().any(|node| node.image == *node_image))
}
