//! A generation: one version of a connector while it serves, and a call's hold
//! on it.

use std::{
    fmt,
    num::NonZeroU32,
    ops::Deref,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwapOption;
use tokio::sync::Notify;

use super::{Shadow, shadow::Trial, shared::Shared, state::GenerationRecord};
use crate::connector::{CallError, Connector};

/// One version of a connector while it serves. Lives as long as the registry or
/// a call needs it.
pub(super) struct Generation {
    pub(super) app_id: String,
    pub(super) record: GenerationRecord,
    pub(super) connector: Connector,
    in_flight: AtomicU64,
    /// The last call has ended.
    idle: Notify,
    calls: AtomicU64,
    failures: AtomicU64,
    crashes: AtomicU64,
    confirmed: AtomicBool,
}

/// Where a connector's calls find their generation.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) current: ArcSwapOption<Generation>,
    /// The candidate's, if it was tried on live reads. Changed with the book in
    /// hand only.
    pub(super) trial: ArcSwapOption<Trial>,
}

/// What the calls of a generation came to, since it began to serve in this
/// process.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Traffic {
    /// Pins that are held.
    pub in_flight: u64,
    /// Calls that were reported.
    pub calls: u64,
    /// Of those, how many failed in any way.
    pub failures: u64,
    /// Of those, how many ended with a crash of the connector.
    pub crashes: u64,
}

impl Generation {
    pub(super) fn new(app_id: String, record: GenerationRecord, connector: Connector) -> Self {
        Self {
            app_id,
            confirmed: AtomicBool::new(record.confirmed),
            record,
            connector,
            in_flight: AtomicU64::new(0),
            idle: Notify::new(),
            calls: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            crashes: AtomicU64::new(0),
        }
    }

    /// Whether it has passed its probation.
    pub(super) fn confirmed(&self) -> bool {
        self.confirmed.load(Ordering::SeqCst)
    }

    pub(super) fn confirm(&self) {
        self.confirmed.store(true, Ordering::SeqCst);
    }

    pub(super) fn traffic(&self) -> Traffic {
        Traffic {
            in_flight: self.in_flight.load(Ordering::SeqCst),
            calls: self.calls.load(Ordering::SeqCst),
            failures: self.failures.load(Ordering::SeqCst),
            crashes: self.crashes.load(Ordering::SeqCst),
        }
    }

    /// Waits until no call holds it. Only ends for good once it is replaced.
    pub(super) async fn drained(&self) {
        loop {
            let idle = self.idle.notified();
            tokio::pin!(idle);
            // Before the look at the number, or the last one's word is missed.
            idle.as_mut().enable();
            if self.in_flight.load(Ordering::SeqCst) == 0 {
                return;
            }
            idle.await;
        }
    }

    fn release(&self) {
        if self.in_flight.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.idle.notify_waiters();
        }
    }
}

impl Slot {
    pub(super) fn pin(&self, registry: &Arc<Shared>) -> Option<Pinned> {
        loop {
            let generation = self.current.load_full()?;
            generation.in_flight.fetch_add(1, Ordering::SeqCst);
            // Replaced in between: whoever waits for its calls to end may not
            // have seen this one.
            let now = self.current.load();
            if now
                .as_ref()
                .is_some_and(|now| Arc::ptr_eq(now, &generation))
            {
                return Some(Pinned {
                    generation,
                    registry: Arc::downgrade(registry),
                });
            }
            generation.release();
        }
    }

    /// Begins to try a candidate against the generation that serves.
    pub(super) fn begin_trial(&self, every: NonZeroU32, connector: Option<Connector>) {
        let trial = Trial::new(every, connector, self.serving());
        self.trial.store(Some(Arc::new(trial)));
    }

    /// What a candidate has shown says nothing about another generation.
    pub(super) fn restart_trial(&self) {
        if let Some(trial) = self.trial.load_full() {
            self.trial.store(Some(Arc::new(trial.anew(self.serving()))));
        }
    }

    fn serving(&self) -> Option<u64> {
        let current = self.current.load();
        current.as_ref().map(|current| current.record.id)
    }
}

/// A call's hold on the generation that it began with: it stays the same, and in
/// memory, whatever is swapped meanwhile. One per call; it counts as in flight
/// until it is dropped.
///
/// A [`Tenant`](crate::Tenant) that is opened on it keeps the connector in
/// memory as well, so don't keep tenants longer than their generation serves:
/// [`Pinned::generation`] is a key to keep them by.
pub struct Pinned {
    generation: Arc<Generation>,
    registry: Weak<Shared>,
}

impl Pinned {
    /// The number of the generation.
    pub fn generation(&self) -> u64 {
        self.generation.record.id
    }

    /// The connector, of this generation.
    pub fn connector(&self) -> &Connector {
        &self.generation.connector
    }

    /// The connector's candidate, if it is tried on live reads and this call's
    /// turn has come: every so many calls of this one, and no more than four at
    /// the same time. For reads alone: ask once per read.
    pub fn shadow(&self) -> Option<Shadow> {
        let registry = self.registry.upgrade()?;
        let slots = registry.slots.load();
        let trial = slots.get(&self.generation.app_id)?.trial.load();
        trial.as_ref()?.turn(self.generation())
    }

    /// Tells how the call ended. Too many crashes of a generation on probation
    /// bring back the one before, at once: whoever pins after this returns gets
    /// that one. Writes to the disk then.
    pub fn report<T>(&self, outcome: &Result<T, CallError>) {
        let crash = outcome.as_ref().err().filter(|error| error.is_crash());
        self.ended(outcome.is_ok(), crash.map(ToString::to_string).as_deref());
    }

    /// As [`Pinned::report`], for a call that is more than one of the
    /// connector's: whether it went well, and the connector's crash if it had
    /// one.
    pub fn ended(&self, well: bool, crash: Option<&str>) {
        let generation = &self.generation;
        generation.calls.fetch_add(1, Ordering::SeqCst);
        if !well {
            generation.failures.fetch_add(1, Ordering::SeqCst);
        }
        let Some(crash) = crash else { return };
        let crashes = generation.crashes.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(registry) = self.registry.upgrade() {
            registry.crashed(generation, crashes, crash);
        }
    }
}

impl Deref for Pinned {
    type Target = Connector;

    fn deref(&self) -> &Connector {
        self.connector()
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        self.generation.release();
    }
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pinned")
            .field("generation", &self.generation())
            .field("connector", self.connector())
            .finish()
    }
}
