//! Images out of registries into the cache, from the first moment on, beside `kind create`; [`super::images`] brings them into the node.
//!
//! What cannot be had is left to the node, which pulls it when a pod wants it: that is told, and is no failure yet. Bytes that are not
//! what their digest says are one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::lane::{Lane, Turn};
use super::waiting::told;
use super::{Context, Ended, goarch, unless_stopped};
use crate::bundle::{OciBlob, OciImage};
use crate::docker::{ContainerStore, normalize_reference};
use crate::error::{Exit, Explain as _, Failure};
use crate::event::EventKind;
use crate::fetch::Cache;
use crate::plan::{PulledGroup, PulledImage, StageId, archive_name};
use crate::registry::{Blob, Mirror, Platform, Registry, RegistryError, Resolved};
use crate::rules;

/// How often bytes are told at most.
const TELL: Duration = Duration::from_millis(250);

/// What the stages of all groups share.
#[derive(Default)]
pub(super) struct Prefetch {
    registry: OnceCell<Registry>,
    /// Names in the node of an earlier run; `None`: there is no node yet, or it sleeps.
    present: OnceCell<Option<BTreeSet<String>>>,
    lane: Lane,
    pulled: Mutex<BTreeMap<String, Vec<Pulled>>>,
}

impl fmt::Debug for Prefetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prefetch").finish_non_exhaustive()
    }
}

/// An image whose blobs are all in the cache.
#[derive(Clone, Debug)]
pub(super) struct Pulled {
    /// As manifests write it.
    pub(super) reference: String,
    pub(super) image: OciImage,
}

impl Prefetch {
    /// The images of a group that are at hand.
    pub(super) fn of(&self, group: &str) -> Vec<Pulled> {
        self.pulled.lock().unwrap_or_else(PoisonError::into_inner).get(group).cloned().unwrap_or_default()
    }

    async fn registry(&self, ctx: &Context) -> Result<&Registry, Failure> {
        let make = || async {
            let mirror = ctx.plan.mirror.as_deref().map(Mirror::parse).transpose()?;
            let paths = &ctx.settings.paths;
            // Whoever stops drops the work: nothing here needs to be told.
            let registry = Registry::new(&ctx.settings.environment, Cache::new(&paths.cache), mirror, &CancellationToken::new())?;
            Ok::<_, Failure>(registry.remembering(paths.images().join("found")))
        };
        self.registry.get_or_try_init(make).await
    }
}

/// Pulls one group: every image that no node has yet.
pub(super) async fn group(ctx: &Context, id: &StageId, group: &str, cancel: &CancellationToken) -> Result<Ended, Failure> {
    let Some(at) = ctx.plan.pulls.iter().position(|pulled| pulled.group == group) else {
        return Ok(Ended::Skipped("there is nothing to pull".into()));
    };
    // Whatever comes of it, the groups behind it need not wait any more when this ends.
    let turn = ctx.prefetch.lane.enter(at);
    unless_stopped(cancel, Box::pin(pull(ctx, id, &ctx.plan.pulls[at], turn))).await
}

async fn pull(ctx: &Context, id: &StageId, group: &PulledGroup, turn: Turn<'_>) -> Result<Ended, Failure> {
    let Some(wanted) = Box::pin(lacking(ctx, id, group)).await? else {
        return Ok(Ended::Skipped("the node is there, and pulls what it lacks itself".into()));
    };
    if wanted.is_empty() {
        return Ok(Ended::Skipped("the node has these images".into()));
    }
    let engine = ctx.engine()?.architecture();
    let platform = Platform { architecture: if engine.is_empty() { goarch().to_owned() } else { engine.to_owned() } };
    let registry = ctx.prefetch.registry(ctx).await?;
    let mut pull = Pull { ctx, id, registry, platform, left: BTreeMap::new() };
    let found = pull.look_up(&wanted).await?;
    let missing = pull.blobs(&found, turn).await?;
    let mut pulled = Vec::new();
    for image in found {
        let lost = parts(&image).find_map(|blob| missing.get(&blob.sha256)).cloned();
        match lost {
            None => pulled.push(Pulled { image: pull.archived(&image), reference: image.reference }),
            Some(failure) => drop(pull.left.insert(image.reference, failure)),
        }
    }
    pull.tell_left(&group.group);
    if pulled.is_empty() {
        return Ok(Ended::Skipped("the node pulls these images itself".into()));
    }
    ctx.prefetch.pulled.lock().unwrap_or_else(PoisonError::into_inner).insert(group.group.clone(), pulled);
    Ok(Ended::Done)
}

/// The images of the group that are not in the node of an earlier run; `None` where that node sleeps.
async fn lacking(ctx: &Context, id: &StageId, group: &PulledGroup) -> Result<Option<Vec<PulledImage>>, Failure> {
    if !ctx.state().created {
        return Ok(Some(group.images.clone()));
    }
    let look = async {
        let engine = ctx.engine()?;
        let nodes = engine.nodes(&ctx.plan.cluster).await?;
        let Some(node) = nodes.into_iter().find(|node| node.role == "control-plane") else { return Ok(Some(BTreeSet::new())) };
        if !node.is_running() {
            return Ok(None);
        }
        let store = ContainerStore::open(engine, &node.name).await?;
        Ok::<_, Failure>(Some(store.references().await?))
    };
    let look = told(&ctx.events, id, "node", "the node lists its images", look);
    let Some(present) = Box::pin(ctx.prefetch.present.get_or_try_init(|| look)).await? else { return Ok(None) };
    let lacks = |image: &&PulledImage| !present.contains(&normalize_reference(&image.reference));
    Ok(Some(group.images.iter().filter(lacks).cloned().collect()))
}

/// A group on its way.
struct Pull<'a> {
    ctx: &'a Context,
    id: &'a StageId,
    registry: &'a Registry,
    /// The engine's, which is the node's.
    platform: Platform,
    /// Images that the node has to pull, each with the reason.
    left: BTreeMap<String, Failure>,
}

impl Pull<'_> {
    /// The manifests, side by side.
    async fn look_up(&mut self, wanted: &[PulledImage]) -> Result<Vec<Resolved>, Failure> {
        let lane = &self.ctx.prefetch.lane;
        let this = &*self;
        let look_up = |image: &PulledImage| {
            let (reference, digest) = (image.reference.clone(), image.digest.clone());
            async move {
                let _permit = lane.lookup().await;
                let found = this.once(&reference, this.registry.resolve(&reference, digest.as_deref(), &this.platform)).await;
                (reference, found)
            }
        };
        let all = futures_util::future::join_all(wanted.iter().map(look_up).collect::<Vec<_>>()).await;
        let mut found = Vec::new();
        for (reference, looked) in all {
            match looked? {
                Ok(resolved) => found.push(resolved),
                Err(failure) => drop(self.left.insert(reference, failure)),
            }
        }
        Ok(found)
    }

    /// Every blob, each once, the largest first; answers with those that could not be had. `turn` comes when all groups before have
    /// theirs on the way, and goes on when the last one of these is.
    async fn blobs(&self, found: &[Resolved], turn: Turn<'_>) -> Result<BTreeMap<String, Failure>, Failure> {
        let mut blobs: Vec<(&Resolved, &Blob)> = found.iter().flat_map(|image| parts(image).map(move |blob| (image, blob))).collect();
        blobs.sort_by(|(_, a), (_, b)| (b.size, &a.sha256).cmp(&(a.size, &b.sha256)));
        blobs.dedup_by(|(_, a), (_, b)| a.sha256 == b.sha256);
        let total: u64 = blobs.iter().map(|(_, blob)| blob.size).sum();
        let progress = Progress::new(self, blobs.len(), total);
        let turn = Mutex::new(Some(turn.come().await));
        let waiting = AtomicUsize::new(blobs.len());
        let lane = &self.ctx.prefetch.lane;
        let mut reading = FuturesUnordered::new();
        for (at, (image, blob)) in blobs.iter().enumerate() {
            let (progress, turn, waiting) = (&progress, &turn, &waiting);
            reading.push(async move {
                let _one = lane.only(&blob.sha256).await;
                let _permit = lane.blob().await;
                if waiting.fetch_sub(1, Ordering::Relaxed) == 1 {
                    drop(turn.lock().unwrap_or_else(PoisonError::into_inner).take());
                }
                let on_bytes = |done: u64| progress.moved(at, done);
                let read = self.registry.blob(&image.reference, &image.place, blob, &on_bytes);
                (blob.sha256.clone(), self.once(&image.reference, read).await)
            });
        }
        let mut missing = BTreeMap::new();
        while let Some((sha256, read)) = reading.next().await {
            if let Err(failure) = read? {
                missing.insert(sha256, failure);
            }
        }
        progress.tell();
        Ok(missing)
    }

    /// A question, unless its registry is known not to answer. The outer failure ends the run, the inner one leaves an image to the node.
    async fn once<T>(&self, image: &str, question: impl Future<Output = Result<T, RegistryError>>) -> Result<Result<T, Failure>, Failure> {
        let lane = &self.ctx.prefetch.lane;
        let asked = self.registry.asked(image).unwrap_or_default();
        if let Some(failure) = lane.silent(&asked) {
            return Ok(Err(failure));
        }
        let error = match question.await {
            Ok(answer) => return Ok(Ok(answer)),
            Err(error) => error,
        };
        let (speaks_for_all, exit) = (error.is_of_registry(), error.exit());
        let failure = self.explained(error);
        if matches!(exit, Exit::Verification | Exit::Interrupted) {
            return Err(failure);
        }
        if speaks_for_all {
            lane.silence(&asked, &failure);
        }
        Ok(Err(failure))
    }

    /// Behind a proxy an answer that nobody gave is the proxy's failure, and nothing in the transport's words says so.
    fn explained(&self, error: RegistryError) -> Failure {
        let by_proxy = self.ctx.settings.environment.proxies.any() && error.is_from_outside();
        let failure = Failure::from(error);
        match rules::rule("PROXY_ENV").filter(|_| failure.id == "DOWNLOAD_FAILED" && by_proxy) {
            Some(rule) => {
                rule.failure("an image cannot be read through the proxy of the environment", failure.cause.unwrap_or(failure.what))
            }
            None => failure,
        }
    }

    fn archived(&self, image: &Resolved) -> OciImage {
        let cache = Cache::new(&self.ctx.settings.paths.cache);
        let at = |blob: &Blob| OciBlob { sha256: blob.sha256.clone(), size: blob.size, path: cache.place(&blob.sha256) };
        let name = archive_name(&image.reference);
        OciImage {
            full_name: normalize_reference(&name),
            name,
            architecture: self.platform.architecture.clone(),
            media_type: image.media_type.clone(),
            manifest: at(&image.manifest),
            config: at(&image.config),
            layers: image.layers.iter().map(at).collect(),
        }
    }

    /// One line for all of them.
    fn tell_left(&self, group: &str) {
        let Some((image, failure)) = self.left.first_key_value() else { return };
        let which = match self.left.len() {
            1 => format!("{image} cannot be pulled from here and is"),
            count => format!("{count} images of {group} cannot be pulled from here and are"),
        };
        let cause = failure.cause.as_ref().unwrap_or(&failure.what);
        let hint = failure.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
        self.ctx.events.note(format!("{which} left to the node: {}: {cause}{hint}", failure.id));
        for (image, failure) in &self.left {
            tracing::info!(image, id = %failure.id, cause = ?failure.cause, "left to the node");
        }
    }
}

/// Configuration and layers.
fn parts(image: &Resolved) -> impl Iterator<Item = &Blob> {
    std::iter::once(&image.config).chain(&image.layers)
}

/// The bytes of a group, told as one number.
struct Progress<'a> {
    pull: &'a Pull<'a>,
    moved: Vec<AtomicU64>,
    total: u64,
    told: Mutex<Instant>,
}

impl<'a> Progress<'a> {
    fn new(pull: &'a Pull<'a>, count: usize, total: u64) -> Self {
        Self { pull, moved: (0..count).map(|_| AtomicU64::new(0)).collect(), total, told: Mutex::new(Instant::now()) }
    }

    fn moved(&self, at: usize, done: u64) {
        self.moved[at].store(done, Ordering::Relaxed);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.elapsed() >= TELL {
            *told = Instant::now();
            self.tell();
        }
    }

    fn tell(&self) {
        let done = self.moved.iter().map(|moved| moved.load(Ordering::Relaxed)).sum();
        let (stage, what) = (self.pull.id.clone(), "layers".to_owned());
        self.pull.ctx.events.tell(EventKind::BytesMoved { stage, what, done, total: Some(self.total) });
    }
}
