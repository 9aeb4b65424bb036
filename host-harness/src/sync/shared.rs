//! The store of one sync, on a thread of its own.
//!
//! Whoever reads goes on while what was read is written. What is asked of the
//! store is done in the order in which it was asked for: a page is committed
//! behind the answers that it was made from.

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use crate::store::{Store, StoreError, StoredTenant, TenantLock};

/// Who may wait with something for the store. Answers wait in memory, and are up
/// to 16 MiB each.
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
pub(super) struct SharedStore(mpsc::Sender<Work>);

/// The thread of a store.
#[derive(Debug)]
pub(super) struct StoreThread(JoinHandle<()>);

impl SharedStore {
    pub(super) fn new(store: Store) -> (Self, StoreThread) {
        let (sender, mut work) = mpsc::channel::<Work>(WAITING);
        let thread = tokio::task::spawn_blocking(move || {
            let mut desk = Desk { store, lock: None };
            while let Some(work) = work.blocking_recv() {
                work(&mut desk);
            }
        });
        (Self(sender), StoreThread(thread))
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
        self.send(Box::new(move |desk| work(&mut desk.store))).await;
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
        let (answer, answered) = oneshot::channel();
        self.send(Box::new(move |desk| {
            // Who does not wait any more has been given up.
            drop(answer.send(work(desk)));
        }))
        .await;
        answered.await.expect("the thread ends after its last work")
    }

    async fn send(&self, work: Work) {
        // It ends when nobody can send any more, or by a panic, which is told by
        // who waits for it.
        drop(self.0.send(work).await);
    }
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
