//! The answers of a run, kept in its store: so that a run which is cut off sees
//! the same world when it goes on.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use tokio::runtime::{Handle, RuntimeFlavor};

use super::shared::SharedStore;
use crate::{
    egress::{AnswerCache, KeptAnswer, RequestKey},
    store::{StoreError, StoredAnswer},
};

/// The answers of one run.
#[derive(Debug)]
pub(super) struct RunCache {
    store: SharedStore,
    state: Mutex<State>,
    requests: AtomicU64,
    cached: AtomicU64,
    /// Those that the store does not count yet.
    uncounted: AtomicU64,
    uncounted_cached: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// None until it is known which one it is.
    run: Option<i64>,
    /// What came before that.
    early: Vec<StoredAnswer>,
    failure: Option<StoreError>,
    /// What the page that is being read was told.
    touched: Vec<RequestKey>,
}

impl RunCache {
    pub(super) fn new(store: SharedStore) -> Self {
        Self {
            store,
            state: Mutex::default(),
            requests: AtomicU64::new(0),
            cached: AtomicU64::new(0),
            uncounted: AtomicU64::new(0),
            uncounted_cached: AtomicU64::new(0),
        }
    }

    /// From here on answers belong to that run. What came before is kept where
    /// the run has nothing else: who goes on with a run asks anew whose the
    /// credential is.
    pub(super) fn begin(&self, run: i64) -> Result<(), StoreError> {
        let mut state = self.state();
        state.run = Some(run);
        let early = std::mem::take(&mut state.early);
        drop(state);
        let (requests, cached) = self.take_uncounted();
        self.store.now().keep_answers(run, &early, requests, cached)
    }

    /// Why answers could not be kept, if they could not: nothing that comes after
    /// is sure to be of the same world.
    pub(super) fn failure(&self) -> Option<StoreError> {
        self.state().failure.take()
    }

    /// Requests that left since this process began, and those that did not.
    pub(super) fn counted(&self) -> (u64, u64) {
        (
            self.requests.load(Ordering::Relaxed),
            self.cached.load(Ordering::Relaxed),
        )
    }

    /// Of these, what the store does not know. It is up to the caller to tell it.
    pub(super) fn take_uncounted(&self) -> (u64, u64) {
        (
            self.uncounted.swap(0, Ordering::Relaxed),
            self.uncounted_cached.swap(0, Ordering::Relaxed),
        )
    }

    /// A page has come to its end: what it was told is right.
    pub(super) fn believe(&self) {
        self.state().touched.clear();
    }

    /// A page was told what it can't use: whatever that was, it is asked for once
    /// more. Else a run would never get by an answer that was bad.
    pub(super) fn disbelieve(&self) -> Result<(), StoreError> {
        let (run, touched) = {
            let mut state = self.state();
            (state.run, std::mem::take(&mut state.touched))
        };
        match run {
            Some(run) if !touched.is_empty() => self.store.now().forget_answers(run, &touched),
            _ => Ok(()),
        }
    }

    /// Tells the store of requests that led to nothing, if it can be told.
    pub(super) fn count(&self) {
        let Some(run) = self.state().run else {
            return;
        };
        let (requests, cached) = self.take_uncounted();
        let counted = self.store.now().keep_answers(run, &[], requests, cached);
        if let Err(error) = counted {
            tracing::warn!(target: "harness::sync", "requests are not counted: {error}");
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, error: StoreError) {
        self.state().failure.get_or_insert(error);
    }
}

impl AnswerCache for RunCache {
    fn find(&self, request: &RequestKey) -> Option<KeptAnswer> {
        let run = self.state().run?;
        let found = waiting(|| self.store.now().answer(run, request));
        let found = found.unwrap_or_else(|error| {
            self.fail(error);
            None
        });
        if found.is_some() {
            self.state().touched.push(*request);
            self.cached.fetch_add(1, Ordering::Relaxed);
            self.uncounted_cached.fetch_add(1, Ordering::Relaxed);
        }
        found
    }

    fn keep(&self, request: &RequestKey, answer: &KeptAnswer) {
        let answer = StoredAnswer::new(request, answer);
        let run = {
            let mut state = self.state();
            match state.run {
                Some(run) => {
                    state.touched.push(*request);
                    run
                }
                None => {
                    state.early.push(answer);
                    return;
                }
            }
        };
        let (requests, cached) = self.take_uncounted();
        let kept = waiting(|| {
            let mut store = self.store.now();
            store.keep_answers(run, &[answer], requests, cached)
        });
        if let Err(error) = kept {
            self.fail(error);
        }
    }

    fn passed_on(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.uncounted.fetch_add(1, Ordering::Relaxed);
    }
}

/// For what may have to wait for another tenant's write to the same store: it must
/// not keep this thread from the work of others meanwhile, where there are others.
fn waiting<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}
