//! What stages share: the plan, the connections that earlier stages opened, and the journal.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::create::Making;
use super::prefetch::Prefetch;
use crate::bundle::Index;
use crate::catalog::{Object, RestMap};
use crate::cluster::Cluster;
use crate::config::{ClusterPaths, Settings};
use crate::docker::Engine;
use crate::error::Failure;
use crate::event::Emitter;
use crate::kind::Program;
use crate::plan::{Assembled, Plan, StageId};
use crate::state::{Done, State};

/// Shared by all stages of a run.
#[derive(Debug)]
pub struct Context {
    /// What is carried out.
    pub plan: Plan,
    /// What was meant.
    pub settings: Settings,
    /// The bundle's index, where one is used.
    pub bundle: Option<Index>,
    /// Where it lies.
    pub bundle_path: Option<PathBuf>,
    /// Files of this cluster.
    pub paths: ClusterPaths,
    /// Who hears of it.
    pub events: Emitter,
    pub(super) engine: OnceLock<Engine>,
    pub(super) kind: OnceLock<Program>,
    pub(super) cluster: OnceLock<Cluster>,
    pub(super) assembled: OnceLock<Assembled>,
    /// The node's container.
    pub(super) node: OnceLock<String>,
    pub(super) prefetch: Prefetch,
    fresh: AtomicBool,
    /// Objects that this run has sent before their own stage.
    ahead: OnceLock<BTreeSet<String>>,
    making: Mutex<Option<Making>>,
    resuming: bool,
    rest: RestMap,
    state: Mutex<State>,
}

impl Context {
    /// A context at the start of a run.
    pub fn new(
        plan: Plan,
        settings: Settings,
        bundle: Option<(Index, Option<PathBuf>)>,
        paths: ClusterPaths,
        events: Emitter,
        state: State,
    ) -> Self {
        let (bundle, bundle_path) = bundle.map_or((None, None), |(index, path)| (Some(index), path));
        Self {
            plan,
            settings,
            bundle,
            bundle_path,
            paths,
            events,
            engine: OnceLock::new(),
            kind: OnceLock::new(),
            cluster: OnceLock::new(),
            assembled: OnceLock::new(),
            node: OnceLock::new(),
            prefetch: Prefetch::default(),
            fresh: AtomicBool::new(false),
            ahead: OnceLock::new(),
            making: Mutex::new(None),
            resuming: false,
            rest: RestMap::default(),
            state: Mutex::new(state),
        }
    }

    /// The same for `start`, which installs nothing: what is not there is an error.
    #[must_use]
    pub fn resuming(mut self) -> Self {
        self.resuming = true;
        self
    }

    /// Is this `start`?
    pub fn is_resuming(&self) -> bool {
        self.resuming
    }

    /// The engine, once the engine check is done.
    pub fn engine(&self) -> Result<&Engine, Failure> {
        self.engine.get().ok_or_else(|| Failure::internal("a stage asked for the engine before it was checked"))
    }

    /// kind, once fetched.
    pub fn kind(&self) -> Result<&Program, Failure> {
        self.kind.get().ok_or_else(|| Failure::internal("a stage asked for kind before it was found"))
    }

    /// The cluster, once it is there.
    pub fn cluster(&self) -> Result<&Cluster, Failure> {
        self.cluster.get().ok_or_else(|| Failure::internal("a stage asked for the cluster before it was there"))
    }

    /// The objects, once manifests are at hand.
    pub fn assembled(&self) -> Result<&Assembled, Failure> {
        self.assembled.get().ok_or_else(|| Failure::internal("a stage asked for the objects before they were read"))
    }

    /// The node's container, on a cluster of ours.
    pub fn node(&self) -> Result<&str, Failure> {
        self.node.get().map(String::as_str).ok_or_else(|| Failure::internal("a stage asked for the node before it was there"))
    }

    /// Kind → URL; built-in kinds only until manifests are at hand.
    pub fn rest(&self) -> &RestMap {
        self.assembled.get().map_or(&self.rest, |assembled| &assembled.rest)
    }

    /// True when this run made the cluster, so that no object of ours can be there yet.
    pub fn is_fresh(&self) -> bool {
        self.fresh.load(Ordering::Relaxed)
    }

    pub(super) fn mark_fresh(&self) {
        self.fresh.store(true, Ordering::Relaxed);
    }

    /// These are sent already: their own stage does not send them again.
    pub(super) fn sent_ahead<'a>(&self, objects: impl IntoIterator<Item = &'a Object>) {
        drop(self.ahead.set(objects.into_iter().map(ToString::to_string).collect()));
    }

    pub(super) fn was_sent_ahead(&self, object: &Object) -> bool {
        self.ahead.get().is_some_and(|ahead| ahead.contains(&object.to_string()))
    }

    /// kind goes on beside the next stages.
    pub(super) fn hand_over(&self, making: Making) {
        *self.making.lock().unwrap_or_else(PoisonError::into_inner) = Some(making);
    }

    pub(super) fn take_making(&self) -> Option<Making> {
        self.making.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// kind has not ended yet.
    pub(super) fn is_making(&self) -> bool {
        self.making.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// A look at the state.
    pub fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes the state and writes it.
    pub fn change(&self, change: impl FnOnce(&mut State)) -> Result<(), Failure> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        state.write(&self.paths.state)?;
        Ok(())
    }

    /// What the journal says of a stage.
    pub fn journaled(&self, id: &StageId) -> Option<Done> {
        self.state().stages.get(id).cloned()
    }

    /// Puts the bundle's manifests, kind and model into the cache where they are not there yet.
    pub async fn unpack_small(&self, cache: &crate::fetch::Cache, cancel: &tokio_util::sync::CancellationToken) -> Result<(), Failure> {
        super::unpack::missing(self, cache, cancel).await
    }

    pub(super) fn forget(&self, id: &StageId) -> Result<(), Failure> {
        if self.journaled(id).is_none() {
            return Ok(());
        }
        self.change(|state| {
            state.stages.remove(id);
        })
    }

    pub(super) fn journal(&self, id: &StageId, digest: String) -> Result<(), Failure> {
        let at = jiff::Timestamp::now().to_string();
        self.change(|state| {
            state.stages.insert(id.clone(), Done { digest, at, took_ms: 0 });
        })
    }
}
