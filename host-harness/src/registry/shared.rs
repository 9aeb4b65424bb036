//! What the registry, its task and the calls share.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use arc_swap::ArcSwap;
use tokio::{runtime::Handle, sync::watch as revisions};

use super::{
    RegistryConfig, RegistryError,
    folder::Folder,
    generation::{Generation, Slot},
};
use crate::{connector::WeakConnector, engine::Engine};

/// Who does what nobody has asked for.
pub(super) const ITSELF: &str = "registry";

pub(super) struct Shared {
    pub(super) engine: Engine,
    pub(super) config: RegistryConfig,
    /// By the connector's id. Connectors are added, never taken out.
    pub(super) slots: ArcSwap<BTreeMap<String, Arc<Slot>>>,
    book: Mutex<Book>,
    /// Grows with each change of what there is to see.
    pub(super) revision: revisions::Sender<u64>,
    /// Outlives each call that reports from another runtime.
    pub(super) runtime: Handle,
}

/// What only one may change at a time. Held for the time of a few writes to the
/// disk, never while anything is awaited.
pub(super) struct Book {
    pub(super) folder: Folder,
    /// Whom to return to while a generation is on probation, by connector.
    pub(super) fallbacks: BTreeMap<String, Arc<Generation>>,
    /// All that are in memory, also those that only a call holds.
    pub(super) alive: Vec<Weak<Generation>>,
    /// Their components, which a tenant may hold longer.
    pub(super) loaded: Vec<WeakConnector>,
    /// Why a connector has nobody to serve, since this process began.
    pub(super) problems: BTreeMap<String, String>,
}

impl Book {
    /// Takes note of a generation that is in memory.
    pub(super) fn know(&mut self, generation: &Arc<Generation>) {
        self.alive.retain(|alive| alive.strong_count() > 0);
        self.loaded.retain(WeakConnector::is_in_memory);
        let mut alive = self.alive.iter();
        if alive.all(|alive| !std::ptr::eq(alive.as_ptr(), Arc::as_ptr(generation))) {
            self.alive.push(Arc::downgrade(generation));
            self.loaded.push(generation.connector.downgrade());
        }
    }
}

impl Shared {
    pub(super) fn new(engine: Engine, config: RegistryConfig, folder: Folder) -> Self {
        Self {
            engine,
            config,
            slots: ArcSwap::default(),
            book: Mutex::new(Book {
                folder,
                fallbacks: BTreeMap::new(),
                alive: Vec::new(),
                loaded: Vec::new(),
                problems: BTreeMap::new(),
            }),
            revision: revisions::Sender::new(0),
            runtime: Handle::current(),
        }
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        // A panic leaves the book as it was before or after a change: a state
        // is taken over whole.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The slot of a connector, which is made if it is new.
    pub(super) fn slot(&self, app_id: &str) -> Arc<Slot> {
        if let Some(slot) = self.slots.load().get(app_id) {
            return Arc::clone(slot);
        }
        let new = Arc::new(Slot::default());
        self.slots.rcu(|slots| {
            let mut slots = BTreeMap::clone(slots);
            slots
                .entry(app_id.to_owned())
                .or_insert_with(|| Arc::clone(&new));
            slots
        });
        let slots = self.slots.load();
        slots.get(app_id).map_or(new, Arc::clone)
    }

    pub(super) fn serving(&self, app_id: &str) -> Option<Arc<Generation>> {
        self.slots.load().get(app_id)?.current.load_full()
    }

    pub(super) fn changed(&self) {
        self.revision.send_modify(|revision| *revision += 1);
    }

    /// Nothing changes from now on.
    pub(super) fn close(&self) -> Result<(), RegistryError> {
        for slot in self.slots.load().values() {
            slot.trial.store(None);
        }
        self.book().folder.close()
    }
}
