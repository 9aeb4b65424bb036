//! The store of one sync, on a thread of its own.
//!
//! Whoever reads goes on while what was read is written. What has got a place is
//! done in the order in which it was asked for: a page is committed behind the
//! answers that it was made from.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, mpsc::channel},
    thread,
};

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
};

use crate::store::{Store, StoreError, StoredTenant, TenantLock};

/// So many answers may wait to be written, and are up to 16 MiB each.
const PLACES: usize = 8;

type Work = Box<dyn FnOnce(&mut Desk) + Send>;

/// What the thread has.
struct Desk {
    store: Store,
    /// As long as there is anything to write: nobody else is to sync the tenant.
    lock: Option<TenantLock>,
}

/// The way to the store, for a sync and the calls that it makes.
#[derive(Clone, Debug)]
pub(super) struct SharedStore {
    work: mpsc::UnboundedSender<Work>,
    places: Arc<Semaphore>,
}

/// A place for what is to be written later; none in a replay, which waits.
#[derive(Debug)]
pub(super) struct Place(Option<OwnedSemaphorePermit>);

/// What the store was asked to do, and does whether or not anybody waits for it.
#[derive(Debug)]
pub(super) enum Asked<T> {
    /// In a replay, which has waited.
    Done(Option<thread::Result<T>>),
    UnderWay(oneshot::Receiver<thread::Result<T>>),
}

/// The thread of a store.
#[derive(Debug)]
pub(super) struct StoreThread {
    thread: thread::JoinHandle<()>,
    ends: oneshot::Receiver<()>,
}

impl SharedStore {
    /// Not a thread of the runtime's: it stays as long as the sync, and there may be
    /// more of them than the runtime has.
    pub(super) fn new(store: Store) -> Result<(Self, StoreThread), StoreError> {
        let path = store.path().to_owned();
        let (sender, mut work) = mpsc::unbounded_channel::<Work>();
        let (end, ends) = oneshot::channel();
        let spawned = thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                // Goes last.
                let _end = end;
                let mut desk = Desk { store, lock: None };
                while let Some(work) = work.blocking_recv() {
                    work(&mut desk);
                }
            });
        let thread = spawned.map_err(|cause| StoreError::File { path, cause })?;
        let store = Self {
            work: sender,
            places: Arc::new(Semaphore::new(PLACES)),
        };
        Ok((store, StoreThread { thread, ends }))
    }

    /// Does something with the store, and waits for it.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.ask(work).done().await
    }

    /// Has something done with the store, behind all that was asked of it before.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Asked<Result<T, StoreError>> {
        self.ask_desk(move |desk| work(&mut desk.store))
    }

    /// Waits until something may be put off.
    pub(super) async fn place(&self) -> Place {
        if is_replay() {
            return Place(None);
        }
        let place = Arc::clone(&self.places).acquire_owned().await;
        Place(Some(place.expect("nobody closes it")))
    }

    /// Has something done with the store that nobody waits for.
    pub(super) async fn later(&self, place: Place, work: impl FnOnce(&mut Store) + Send + 'static) {
        match place.0 {
            Some(place) => self.send(move |desk| {
                work(&mut desk.store);
                drop(place);
            }),
            None => {
                self.ask_desk(move |desk| work(&mut desk.store))
                    .done()
                    .await;
            }
        }
    }

    /// Nobody else is to sync the tenant until the store is closed.
    pub(super) async fn lock(&self, tenant: &StoredTenant) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        self.ask_desk(move |desk| {
            desk.lock = Some(desk.store.lock(&tenant)?);
            Ok(())
        })
        .done()
        .await
    }

    fn ask_desk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Desk) -> T + Send + 'static,
    ) -> Asked<T> {
        let work = |desk: &mut Desk| catch_unwind(AssertUnwindSafe(|| work(desk)));
        // Where nobody waits any more, nobody needs the answer.
        if is_replay() {
            let (answer, answered) = channel();
            self.send(move |desk| drop(answer.send(work(desk))));
            Asked::Done(answered.recv().ok())
        } else {
            let (answer, answered) = oneshot::channel();
            self.send(move |desk| drop(answer.send(work(desk))));
            Asked::UnderWay(answered)
        }
    }

    fn send(&self, work: impl FnOnce(&mut Desk) + Send + 'static) {
        // It ends when nobody can send any more.
        drop(self.work.send(Box::new(work)));
    }
}

impl<T> Asked<T> {
    /// Waits until it is done. Nothing is lost by who begins to wait and then
    /// begins anew.
    pub(super) async fn done(&mut self) -> T {
        let answer = match self {
            Self::Done(answer) => answer.take(),
            Self::UnderWay(answered) => answered.await.ok(),
        };
        match answer.expect("the thread does all that it is asked for, once") {
            Ok(answer) => answer,
            Err(panic) => resume_unwind(panic),
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }
}

/// Whether this may be a replay, which has one thread, and whose time passes as
/// soon as there is nothing to do on it: to wait for the store, that thread is
/// kept.
fn is_replay() -> bool {
    Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread
}

impl StoreThread {
    /// Waits until all is written and the store is closed. Everybody must have
    /// let go of it.
    pub(super) async fn closed(self) {
        // That it is gone is the message.
        drop(self.ends.await);
        if let Err(panic) = self.thread.join() {
            resume_unwind(panic);
        }
    }
}
