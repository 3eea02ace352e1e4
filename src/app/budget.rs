//! What this machine knows of a plan's cost. Only looks: nothing is written, nobody but the engine is asked.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::session::Session;
use crate::bundle::{Bundle, Index};
use crate::catalog::embedded;
use crate::config::{Paths, Settings};
use crate::error::Failure;
use crate::fetch::Cache;
use crate::plan::{Assembled, Budget, EngineSize, Found, Plan, StageId, Target, Texts, assemble, budget};
use crate::stages::connect;
use crate::timeline::{self, Run, Sort};

/// An engine that is there answers in milliseconds; `plan` does not wait for one that is not.
const ENGINE: Duration = Duration::from_secs(2);
/// No manifest is larger; KServe's are 9 MB.
const MANIFEST: u64 = 64 << 20;

/// The budget of a session's plan.
pub(super) async fn of(session: &Session) -> Result<Budget, Failure> {
    let catalog = embedded::catalog()?;
    let reading = tokio::task::spawn_blocking({
        let (plan, cache, bundle) = (session.plan.clone(), Cache::new(&session.settings.paths.cache), session.bundle.clone());
        move || read(&plan, &cache, bundle)
    });
    let (read, engine) = tokio::join!(reading, engine(&session.settings, &session.plan));
    let (cached, objects, trouble) = read.map_err(|error| Failure::internal(error.to_string()))?;
    let made = session.state.as_ref().is_some_and(|state| state.created);
    let bundle = session.bundle.as_ref().map(|(index, _)| index);
    let earlier = earlier(&session.settings.paths, &sort(&session.plan, made));
    let found = Found { cached, engine, made, objects: objects.as_ref(), earlier };
    let mut budget = budget(&session.plan, &catalog, bundle, &found);
    budget.warnings.extend(trouble);
    Ok(budget)
}

/// Where runs are remembered; the cache outlives clusters and goes with `down --purge`.
fn file(paths: &Paths) -> PathBuf {
    paths.cache.join("runs").join("runs.jsonl")
}

/// Remembers a run; that it cannot be is no reason to fail.
pub(super) fn remember(paths: &Paths, told: &timeline::Timeline) {
    if let Some(run) = Run::of(told)
        && let Err(error) = timeline::remember(&file(paths), &run)
    {
        tracing::warn!(%error, "the run is not remembered");
    }
}

fn earlier(paths: &Paths, sort: &Sort) -> Vec<u64> {
    timeline::runs(&file(paths)).into_iter().filter(|run| run.sort == *sort).map(|run| run.took_ms).collect()
}

/// What the next `up` will be.
fn sort(plan: &Plan, made: bool) -> Sort {
    Sort {
        verb: "up".into(),
        set: plan.set.clone(),
        profile: plan.profile.clone(),
        made: !made && plan.is_local(),
        bundle: plan.stages.iter().any(|stage| matches!(stage.id, StageId::Images(_))),
        demo: plan.stage(&StageId::Predict).is_some(),
    }
}

async fn engine(settings: &Settings, plan: &Plan) -> Option<EngineSize> {
    let Target::Kind { node_image, .. } = &plan.target else { return None };
    let asking = async {
        let engine = connect(&settings.environment).await.ok()?;
        let facts = engine.facts().await.ok()?;
        let has_node_image = engine.image_id(node_image).await.ok().map(|id| id.is_some());
        Some(EngineSize { cpus: facts.cpus, memory: facts.memory, architecture: facts.architecture, has_node_image })
    };
    tokio::time::timeout(ENGINE, asking).await.ok().flatten()
}

/// Sums that the cache has, the objects where every manifest is at hand, and why there are none although they are.
fn read(plan: &Plan, cache: &Cache, bundle: Option<(Index, Option<PathBuf>)>) -> (BTreeSet<String>, Option<Assembled>, Option<String>) {
    let (mut cached, mut texts) = (BTreeSet::new(), Texts::new());
    for (component, file) in plan.components.iter().flat_map(|component| component.files.iter().map(move |file| (component, file))) {
        if let Some(text) = whole(&cache.place(&file.sha256), &file.sha256) {
            cached.insert(file.sha256.clone());
            texts.insert((component.name.clone(), file.name.clone()), text);
        }
    }
    if let Some((index, Some(path))) = bundle {
        unpack(plan, &index, &path, &mut texts);
    }
    if plan
        .components
        .iter()
        .any(|component| component.files.iter().any(|file| !texts.contains_key(&(component.name.clone(), file.name.clone()))))
    {
        return (cached, None, None);
    }
    match assemble(plan, &texts) {
        Ok(objects) => (cached, Some(objects), None),
        Err(error) => (cached, None, Some(format!("`up` would end with: {error}"))),
    }
}

fn whole(place: &Path, sha256: &str) -> Option<String> {
    let mut bytes = Vec::new();
    fs_err::File::open(place).ok()?.take(MANIFEST).read_to_end(&mut bytes).ok()?;
    (hex::encode(Sha256::digest(&bytes)) == sha256).then(|| String::from_utf8(bytes).ok()).flatten()
}

/// The bundle's manifests, into memory only. A damaged bundle is `up`'s to refuse.
fn unpack(plan: &Plan, index: &Index, path: &Path, texts: &mut Texts) {
    let wanted = |entry: &str| {
        let manifest = index.manifests.iter().find(|manifest| manifest.path == entry)?;
        let key = (manifest.component.clone(), manifest.file.clone());
        plan.component(&manifest.component).is_some().then_some(key)
    };
    let missing = |texts: &Texts, entry: &str| wanted(entry).filter(|key| !texts.contains_key(key));
    let select: BTreeSet<String> = index
        .files
        .iter()
        .filter(|entry| entry.size <= MANIFEST && missing(texts, &entry.path).is_some())
        .map(|entry| entry.path.clone())
        .collect();
    let Ok(bundle) = Bundle::open(path) else { return };
    if select.is_empty() {
        return;
    }
    let extracted = bundle.extract(|entry| select.contains(&entry.path), &mut |entry, reader| {
        let mut text = String::new();
        reader.read_to_string(&mut text)?;
        if let Some(key) = wanted(&entry.path) {
            texts.insert(key, text);
        }
        Ok(())
    });
    if let Err(error) = extracted {
        tracing::warn!(%error, "the bundle's manifests cannot be read");
    }
}
