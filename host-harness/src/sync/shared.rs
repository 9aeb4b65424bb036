//! The store of one sync, which its calls use at the same time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::{Store, StoreError};

/// One connection for a sync and the calls that it makes.
#[derive(Clone, Debug)]
pub(super) struct SharedStore(Arc<Mutex<Store>>);

impl SharedStore {
    pub(super) fn new(store: Store) -> Self {
        Self(Arc::new(Mutex::new(store)))
    }

    /// For what takes no time worth mentioning.
    pub(super) fn now(&self) -> MutexGuard<'_, Store> {
        // A panic in between has rolled its transaction back.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For what may take long: elsewhere, so that nobody waits for it but who
    /// asks.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        match tokio::task::spawn_blocking(move || work(&mut store.now())).await {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
}
