//! The answers of a run, kept in its store: so that a run which is cut off sees
//! the same world when it goes on.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;

use super::shared::{Asked, SharedStore};
use crate::{
    egress::{AnswerCache, KeptAnswer, RequestKey},
    store::{StagedPage, Store, StoreError, StoredAnswer},
};

/// The answers of one run.
#[derive(Debug)]
pub(super) struct RunCache {
    store: SharedStore,
    /// The same file: who looks up an answer does not wait for what is written.
    reader: SharedStore,
    answers: Arc<Answers>,
    requests: AtomicU64,
    cached: AtomicU64,
}

/// What the store's thread is told of.
#[derive(Debug, Default)]
struct Answers {
    state: Mutex<State>,
    /// Those that the store does not count yet.
    uncounted: AtomicU64,
    uncounted_cached: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// None until it is known which one it is.
    run: Option<i64>,
    /// What the store does not have yet, or is writing. All of it is written at once.
    unwritten: Vec<(RequestKey, Arc<KeptAnswer>)>,
    /// The starts of the keys of all answers that there may be: most requests are
    /// new, and need not wait to hear it from the store.
    known: HashSet<u64>,
    failure: Option<StoreError>,
    /// What the page that is being read was told.
    touched: Vec<RequestKey>,
}

impl RunCache {
    pub(super) fn new(store: SharedStore, reader: SharedStore) -> Self {
        Self {
            store,
            reader,
            answers: Arc::default(),
            requests: AtomicU64::new(0),
            cached: AtomicU64::new(0),
        }
    }

    /// From here on answers belong to that run. What came before is kept where
    /// the run has nothing else: who goes on with a run asks anew whose the
    /// credential is.
    pub(super) async fn begin(&self, run: i64) -> Result<(), StoreError> {
        let answers = Arc::clone(&self.answers);
        let begun = self.store.with(move |store| {
            let known = store.answered(run)?;
            let mut state = answers.state();
            state.run = Some(run);
            state.known.extend(known.iter().map(start));
            drop(state);
            answers.write(store)
        });
        begun.await
    }

    /// Waits until what the page was told is written. Why that can't be, if it
    /// can't: nothing that comes after is sure to be of the same world.
    pub(super) async fn settle(&self) -> Result<(), StoreError> {
        let answers = Arc::clone(&self.answers);
        self.store.with(move |store| answers.settle(store)).await
    }

    /// Requests that left since this process began, and those that did not.
    pub(super) fn counted(&self) -> (u64, u64) {
        (
            self.requests.load(Ordering::Relaxed),
            self.cached.load(Ordering::Relaxed),
        )
    }

    /// Has a page committed, behind all that it was told. What could not be kept,
    /// the next page would see differently: then it is not committed either.
    pub(super) fn commit(&self, run: i64, page: StagedPage) -> Asked<Result<bool, StoreError>> {
        let answers = Arc::clone(&self.answers);
        self.store.ask(move |store| {
            answers.settle(store)?;
            let (requests, cached) = answers.take_uncounted();
            store.commit_page(run, &page, requests, cached)
        })
    }

    /// A page has come to its end: what it was told is right.
    pub(super) fn believe(&self) {
        self.answers.state().touched.clear();
    }

    /// A page was told what it can't use: whatever that was, it is asked for once
    /// more. Else a run would never get by an answer that was bad.
    pub(super) async fn disbelieve(&self) -> Result<(), StoreError> {
        let (run, touched) = {
            let mut state = self.answers.state();
            (state.run, std::mem::take(&mut state.touched))
        };
        match run {
            Some(run) if !touched.is_empty() => {
                let answers = Arc::clone(&self.answers);
                let forgotten = self.store.with(move |store| {
                    answers.write_waiting(store)?;
                    store.forget_answers(run, &touched)
                });
                forgotten.await
            }
            _ => Ok(()),
        }
    }

    /// Tells the store of requests that led to nothing, if it can be told.
    pub(super) async fn count(&self) {
        let answers = Arc::clone(&self.answers);
        let counted = self.store.with(move |store| answers.write(store)).await;
        if let Err(error) = counted {
            tracing::warn!(target: "harness::sync", "requests are not counted: {error}");
        }
    }
}

impl Answers {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_uncounted(&self) -> (u64, u64) {
        (
            self.uncounted.swap(0, Ordering::Relaxed),
            self.uncounted_cached.swap(0, Ordering::Relaxed),
        )
    }

    /// Writes what is not written. An error if that, or an earlier one of this kind,
    /// can't be done.
    fn settle(&self, store: &mut Store) -> Result<(), StoreError> {
        self.write_waiting(store)?;
        match self.state().failure.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Writes what is not written, if anything is: an earlier work may have done it.
    fn write_waiting(&self, store: &mut Store) -> Result<(), StoreError> {
        if self.state().unwritten.is_empty() {
            return Ok(());
        }
        self.write(store)
    }

    /// Writes what is not written, in one transaction, with the count of requests.
    fn write(&self, store: &mut Store) -> Result<(), StoreError> {
        let (run, unwritten) = {
            let state = self.state();
            let Some(run) = state.run else {
                return Ok(());
            };
            (run, state.unwritten.clone())
        };
        let answers = unwritten.iter();
        let answers: Vec<StoredAnswer> = answers
            .map(|(request, answer)| StoredAnswer::new(request, answer))
            .collect();
        let (requests, cached) = self.take_uncounted();
        let written = store.keep_answers(run, &answers, requests, cached);
        // Nobody else takes any away, and what came meanwhile is behind them. They
        // are to be found somewhere at all times.
        self.state().unwritten.drain(..unwritten.len());
        written
    }
}

#[async_trait]
impl AnswerCache for RunCache {
    async fn find(&self, request: &RequestKey) -> Option<KeptAnswer> {
        let (run, unwritten) = {
            let state = self.answers.state();
            if !state.known.contains(&start(request)) {
                return None;
            }
            let mut unwritten = state.unwritten.iter();
            let unwritten = unwritten.find(|(kept, _)| kept == request);
            (state.run?, unwritten.map(|(_, answer)| Arc::clone(answer)))
        };
        let request = *request;
        let written = self.reader.with(move |store| store.answer(run, &request));
        let written = written.await.unwrap_or_else(|error| {
            self.answers.state().failure.get_or_insert(error);
            None
        });
        // What others have seen already goes first.
        let found = written.or_else(|| unwritten.map(|answer| KeptAnswer::clone(&answer)));
        if found.is_some() {
            self.answers.state().touched.push(request);
            self.cached.fetch_add(1, Ordering::Relaxed);
            self.answers
                .uncounted_cached
                .fetch_add(1, Ordering::Relaxed);
        }
        found
    }

    async fn keep(&self, request: &RequestKey, answer: KeptAnswer) {
        let place = self.store.place().await;
        {
            let mut state = self.answers.state();
            state.known.insert(start(request));
            state.unwritten.push((*request, Arc::new(answer)));
            if state.run.is_none() {
                return;
            }
            state.touched.push(*request);
        }
        let answers = Arc::clone(&self.answers);
        let write = move |store: &mut Store| {
            if let Err(error) = answers.write_waiting(store) {
                answers.state().failure.get_or_insert(error);
            }
        };
        self.store.later(place, write).await;
    }

    fn passed_on(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.answers.uncounted.fetch_add(1, Ordering::Relaxed);
    }
}

/// The start of a key: a digest, of which eight bytes are as good as all.
fn start(request: &RequestKey) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = request.0;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}
