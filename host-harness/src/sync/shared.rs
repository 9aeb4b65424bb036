//! The store of one sync, on a thread of its own.
//!
//! Whoever reads goes on while what was read is written. What is asked of the
//! store is done in the order in which it was asked for: a page is committed
//! behind the answers that it was made from.

use std::sync::{Arc, mpsc::channel};

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::{Semaphore, mpsc, oneshot},
    task::JoinHandle,
};

use crate::store::{Store, StoreError, StoredTenant, TenantLock};

/// So much may wait to be written. Answers wait in memory, and are up to 16 MiB
/// each.
const WAITING: usize = 8;

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
    /// What may still be put off.
    places: Arc<Semaphore>,
}

/// The thread of a store.
#[derive(Debug)]
pub(super) struct StoreThread(JoinHandle<()>);

impl SharedStore {
    pub(super) fn new(store: Store) -> (Self, StoreThread) {
        let (sender, mut work) = mpsc::unbounded_channel::<Work>();
        let thread = tokio::task::spawn_blocking(move || {
            let mut desk = Desk { store, lock: None };
            while let Some(work) = work.blocking_recv() {
                work(&mut desk);
            }
        });
        let store = Self {
            work: sender,
            places: Arc::new(Semaphore::new(WAITING)),
        };
        (store, StoreThread(thread))
    }

    /// Does something with the store, and waits for it.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.at_desk(move |desk| work(&mut desk.store)).await
    }

    /// Has something done with the store, behind all that was asked of it before.
    /// Waits only where too much waits already.
    pub(super) async fn later(&self, work: impl FnOnce(&mut Store) + Send + 'static) {
        if is_replay() {
            let work = |store: &mut Store| {
                work(store);
                Ok(())
            };
            let done = self.with(work).await;
            return done.expect("it can't fail");
        }
        let place = Arc::clone(&self.places).acquire_owned().await;
        self.send(move |desk| {
            work(&mut desk.store);
            drop(place);
        });
    }

    /// Nobody else is to sync the tenant until the store is closed.
    pub(super) async fn lock(&self, tenant: &StoredTenant) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        self.at_desk(move |desk| {
            desk.lock = Some(desk.store.lock(&tenant)?);
            Ok(())
        })
        .await
    }

    async fn at_desk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Desk) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        // Where nobody waits any more, nobody needs the answer.
        let answer = if is_replay() {
            let (answer, answered) = channel();
            self.send(move |desk| drop(answer.send(work(desk))));
            answered.recv().ok()
        } else {
            let (answer, answered) = oneshot::channel();
            self.send(move |desk| drop(answer.send(work(desk))));
            answered.await.ok()
        };
        answer.expect("the thread ends after its last work")
    }

    fn send(&self, work: impl FnOnce(&mut Desk) + Send + 'static) {
        // The thread ends when nobody can send any more, or by a panic, which is
        // told by who waits for it.
        drop(self.work.send(Box::new(work)));
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
        if let Err(error) = self.0.await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}
