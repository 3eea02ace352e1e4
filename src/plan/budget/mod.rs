//! What a plan costs: bytes, pulls, CPU, memory, time. Pure: what only this machine knows comes in as [`Found`].

mod pulls;
mod quantity;
mod requests;
mod warn;

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Assembled, Plan, Target};
use crate::bundle::{Entry, Index};
use crate::catalog::{Catalog, Image};

pub use pulls::{Limit, Pulls};
pub use quantity::Amount;
pub use requests::Requests;

/// What was found on this machine; whatever could not be asked is `None`.
#[derive(Debug, Default)]
pub struct Found<'a> {
    /// Sums of files that the cache has.
    pub cached: BTreeSet<String>,
    /// The engine, where it answered soon.
    pub engine: Option<EngineSize>,
    /// The cluster is there already, and with it its images.
    pub made: bool,
    /// Objects of the plan, where the manifests are at hand.
    pub objects: Option<&'a Assembled>,
    /// Milliseconds of earlier runs of the same kind, newest last.
    pub earlier: Vec<u64>,
}

/// An engine's size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EngineSize {
    /// CPUs.
    pub cpus: u64,
    /// Bytes.
    pub memory: u64,
    /// GOARCH; empty when it does not say.
    pub architecture: String,
    /// Whether it has the node image.
    pub has_node_image: Option<bool>,
}

/// `budget` of `plan -o json`.
#[derive(Clone, Debug, Serialize)]
pub struct Budget {
    /// What has to be on this machine.
    pub parts: Vec<Part>,
    /// Bytes still to come over the network; none where a part's size is known to its registry only.
    pub bytes_to_pull: Option<u64>,
    /// By registry, most first.
    pub pulls: Vec<Pulls>,
    /// Part by part; none where the manifests are not at hand.
    pub requests: Option<Vec<Requests>>,
    /// Their sum.
    pub requested: Option<Amount>,
    /// The engine; none where it did not answer, or where the cluster is not ours.
    pub engine: Option<EngineSize>,
    /// Which processors it can be installed on.
    pub architectures: Vec<Coverage>,
    /// Earlier runs of the same kind on this machine.
    pub expected: Option<Expected>,
    /// What does not fit.
    pub warnings: Vec<String>,
}

/// Some of the files or images that a run needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// `manifests`, `node image`, `images`.
    pub what: &'static str,
    /// How many.
    pub count: u64,
    /// How many are here; none where that is not known.
    pub here: Option<u64>,
    /// Of all of them; none where only registries know.
    pub bytes: Option<u64>,
    /// Of those that are not here.
    pub to_pull: Option<u64>,
}

/// An architecture and the images of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// GOARCH.
    pub architecture: String,
    /// Images that a run needs and that do not exist for it.
    pub lacking: Vec<String>,
    /// Images of model servers that only other models need and that do not exist for it.
    pub optional_lacking: u64,
}

/// How long it took before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Expected {
    /// Milliseconds of the middle one.
    pub median_ms: u64,
    /// Of the quickest.
    pub least_ms: u64,
    /// Of the slowest.
    pub most_ms: u64,
    /// Of how many runs, at most five.
    pub runs: usize,
}

/// Earlier runs that count: older ones were another version's, or another machine's neighbours.
const RUNS: usize = 5;
/// What the pinned images exist for, as far as the catalog knows.
const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];
/// Group of images that are pulled only when somebody uses their runtime.
const OPTIONAL: &str = "runtimes";

/// What `plan` costs.
pub fn budget(plan: &Plan, catalog: &Catalog, bundle: Option<&Index>, found: &Found<'_>) -> Budget {
    let needed: Vec<&Image> = images(plan, catalog).filter(|image| is_needed(plan, image)).collect();
    let in_bundle = |image: &&&Image| bundle.is_some_and(|index| index.images.iter().any(|one| one.reference == image.reference));
    let to_pull: Vec<&str> = needed.iter().filter(|image| !in_bundle(image) && !found.made).map(|image| image.reference.as_str()).collect();
    let mut parts = vec![manifests(plan, found)];
    let mut references = to_pull.clone();
    if let Target::Kind { node_image, .. } = &plan.target {
        let node = node(bundle, found);
        if node.here == Some(0) || node.here.is_none() {
            references.push(node_image);
        }
        parts.push(node);
    }
    parts.push(image_part(&needed, &to_pull, bundle));
    let requests = found.objects.map(|objects| requests::requests(plan, objects));
    let mut budget = Budget {
        bytes_to_pull: parts.iter().map(|part| part.to_pull).sum(),
        parts,
        pulls: pulls::pulls(references),
        requested: requests.as_ref().map(|all| all.iter().map(|one| one.amount).sum()),
        requests,
        engine: found.engine.clone().filter(|_| plan.is_local()),
        architectures: coverage(plan, catalog, bundle, &needed),
        expected: expected(&found.earlier),
        warnings: Vec::new(),
    };
    budget.warnings = warn::warnings(&budget);
    budget
}

/// Images of the plan's components, as the catalog knows them.
fn images<'a>(plan: &'a Plan, catalog: &'a Catalog) -> impl Iterator<Item = &'a Image> {
    plan.components.iter().flat_map(|planned| {
        let component = catalog.components.iter().find(|component| component.name == planned.name);
        let version = component.and_then(|component| component.versions.iter().find(|version| version.version == planned.version));
        version.into_iter().flat_map(|version| &version.images)
    })
}

/// Whether a run's own pods need it. An image that only a configuration names is pulled by whoever uses what it configures.
fn is_needed(plan: &Plan, image: &Image) -> bool {
    let demo = plan.demo.as_ref();
    match image.group.as_str() {
        OPTIONAL => false,
        // A model that lies in the node needs no download.
        "demo" => demo.is_some_and(|demo| !demo.offline || !image.used_by.contains("ClusterStorageContainer")),
        _ => {
            let by = |user: &str| image.used_by.split([',', ' ']).any(|one| one.trim().starts_with(user));
            by("Deployment/") || (demo.is_some() && by("Image/queue-proxy"))
        }
    }
}

fn manifests(plan: &Plan, found: &Found<'_>) -> Part {
    let files = || plan.components.iter().flat_map(|component| &component.files);
    let here = |file: &&super::PlannedFile| file.bundled.is_some() || found.cached.contains(&file.sha256);
    Part {
        what: "manifests",
        count: count(files()),
        here: Some(count(files().filter(here))),
        bytes: Some(plan.manifest_bytes),
        to_pull: Some(files().filter(|file| !here(file)).map(|file| file.size).sum()),
    }
}

fn node(bundle: Option<&Index>, found: &Found<'_>) -> Part {
    let archive = bundle.and_then(|index| entry(index, &index.node.as_ref()?.archive));
    let engine = found.engine.as_ref().and_then(|engine| engine.has_node_image);
    let here = if archive.is_some() || found.made { Some(1) } else { engine.map(u64::from) };
    let to_pull = if here == Some(1) { Some(0) } else { None };
    Part { what: "node image", count: 1, here, bytes: archive.map(|entry| entry.size), to_pull }
}

fn image_part(needed: &[&Image], to_pull: &[&str], bundle: Option<&Index>) -> Part {
    let bytes = bundle.map(|index| {
        let used = |archive: &str| {
            let mut images = index.images.iter().filter(|image| image.archive == archive);
            images.any(|image| needed.iter().any(|one| one.reference == image.reference))
        };
        index.files.iter().filter(|entry| used(&entry.path)).map(|entry| entry.size).sum()
    });
    Part {
        what: "images",
        count: count(needed),
        here: Some(count(needed) - count(to_pull)),
        bytes: bytes.filter(|_| to_pull.is_empty()),
        to_pull: to_pull.is_empty().then_some(0),
    }
}

fn entry<'a>(index: &'a Index, path: &str) -> Option<&'a Entry> {
    index.files.iter().find(|entry| entry.path == path)
}

fn count<T>(items: impl IntoIterator<Item = T>) -> u64 {
    items.into_iter().fold(0, |count, _| count + 1)
}

/// A bundle is for one architecture; without one every image has its own list.
fn coverage(plan: &Plan, catalog: &Catalog, bundle: Option<&Index>, needed: &[&Image]) -> Vec<Coverage> {
    if let Some(index) = bundle {
        return vec![Coverage { architecture: index.architecture.clone(), lacking: Vec::new(), optional_lacking: 0 }];
    }
    let lacks = |image: &&Image, architecture: &str| !image.architectures.iter().any(|one| one == architecture);
    let of = |architecture: &str| Coverage {
        architecture: architecture.to_owned(),
        lacking: needed.iter().copied().filter(|image| lacks(image, architecture)).map(|image| image.reference.clone()).collect(),
        optional_lacking: count(images(plan, catalog).filter(|image| image.group == OPTIONAL && lacks(image, architecture))),
    };
    ARCHITECTURES.map(of).into()
}

fn expected(earlier: &[u64]) -> Option<Expected> {
    let mut last = earlier[earlier.len().saturating_sub(RUNS)..].to_vec();
    last.sort_unstable();
    let middle = last.get(last.len() / 2)?;
    // Of an even number the mean of the two in the middle.
    let median_ms = if last.len().is_multiple_of(2) { u64::midpoint(*middle, last[last.len() / 2 - 1]) } else { *middle };
    Some(Expected { median_ms, least_ms: *last.first()?, most_ms: *last.last()?, runs: last.len() })
}

#[cfg(test)]
mod tests;
