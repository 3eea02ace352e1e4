//! The order of what is pulled side by side: a few blobs at a time, those of the group that is needed first before the others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedMutexGuard, Semaphore, SemaphorePermit, watch};

use crate::error::Failure;

/// Images that are looked up at a time.
const LOOKUPS: usize = 6;
/// Blobs on their way at a time: enough for a fast line, few enough that a slow one ends some of them.
const BLOBS: usize = 4;

/// Shared by all groups.
#[derive(Debug)]
pub(super) struct Lane {
    lookups: Semaphore,
    blobs: Semaphore,
    /// Groups that have nothing in the queue any more.
    through: watch::Sender<BTreeSet<usize>>,
    single: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
    silent: Mutex<BTreeMap<String, Failure>>,
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            lookups: Semaphore::new(LOOKUPS),
            blobs: Semaphore::new(BLOBS),
            through: watch::Sender::new(BTreeSet::new()),
            single: Mutex::default(),
            silent: Mutex::default(),
        }
    }
}

/// A group's place in the order. Dropped, it lets the next group pass.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    lane: &'a Lane,
    at: usize,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.lane.through.send_if_modified(|through| through.insert(self.at));
    }
}

impl Turn<'_> {
    /// Waits until all groups before have their blobs on the way.
    pub(super) async fn come(self) -> Self {
        let before = |through: &BTreeSet<usize>| (0..self.at).all(|group| through.contains(&group));
        drop(self.lane.through.subscribe().wait_for(before).await);
        self
    }
}

impl Lane {
    /// The place of the group with this number, from 0.
    pub(super) fn enter(&self, at: usize) -> Turn<'_> {
        Turn { lane: self, at }
    }

    /// Leave to ask for a manifest.
    pub(super) async fn lookup(&self) -> Option<SemaphorePermit<'_>> {
        self.lookups.acquire().await.ok()
    }

    /// Leave to ask for a blob.
    pub(super) async fn blob(&self) -> Option<SemaphorePermit<'_>> {
        self.blobs.acquire().await.ok()
    }

    /// Alone with a blob: of two groups that share it the second one finds it in the cache.
    pub(super) async fn only(&self, sha256: &str) -> OwnedMutexGuard<()> {
        let one = Arc::clone(self.single.lock().unwrap_or_else(PoisonError::into_inner).entry(sha256.to_owned()).or_default());
        one.lock_owned().await
    }

    /// From now on nobody waits for this registry again.
    pub(super) fn silence(&self, registry: &str, failure: &Failure) {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner).entry(registry.to_owned()).or_insert_with(|| failure.clone());
    }

    /// Why a registry is not asked any more.
    pub(super) fn silent(&self, registry: &str) -> Option<Failure> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner).get(registry).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_group_waits_for_all_before_it_and_for_none_behind() {
        let lane = Lane::default();
        let (first, second, third) = (lane.enter(0), lane.enter(1), lane.enter(2));
        let first = first.come().await;
        drop(third);
        let mut second = std::pin::pin!(second.come());
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        drop(first);
        let second = second.await;
        drop(second);
        assert_eq!(lane.through.borrow().len(), 3);
    }
}
