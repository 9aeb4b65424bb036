//! Who serves: taking over, draining, probation.

use std::sync::{Arc, Weak};

use serde_json::json;

use super::{
    LoadFailure,
    audit::{AuditEvent, Entry},
    generation::Generation,
    shared::{Book, ITSELF, Shared},
};

impl Shared {
    /// Lets a new generation take over from the one that it was held against.
    /// Returns the number of that one.
    pub(super) fn take_over(
        self: &Arc<Self>,
        generation: &Arc<Generation>,
        instead_of: Option<u64>,
        entry: Entry<'_>,
    ) -> Result<Option<u64>, LoadFailure> {
        let app_id = generation.app_id.clone();
        let mut book = self.book();
        let running = self.serving(&app_id);
        // A rollback does not wait for a load.
        if running.as_ref().map(|running| running.record.id) != instead_of {
            return Err(LoadFailure::Overtaken);
        }
        // Whom to return to: who has proved good, or else who is there. To the
        // same component there is no way back.
        let previous = book.fallbacks.get(&app_id);
        let previous = previous.filter(|previous| {
            previous.record.sha256 != generation.record.sha256
                && !running.as_ref().is_some_and(|running| running.confirmed())
        });
        let fallback = previous.cloned().or_else(|| running.clone());
        let fallback = fallback.filter(|_| !generation.confirmed());
        let mut state = book.folder.state.clone();
        state.loading = None;
        state.next_generation = generation.record.id + 1;
        let connector = state.connectors.entry(app_id.clone()).or_default();
        connector
            .generations
            .retain(|record| record.sha256 != generation.record.sha256);
        connector.generations.push(generation.record.clone());
        connector.served.insert(
            generation.record.sha256.clone(),
            generation.record.version.clone(),
        );
        connector.current = Some(generation.record.id);
        let candidate = connector.candidate.take();
        connector.candidate =
            candidate.filter(|candidate| candidate.sha256 != generation.record.sha256);
        let needed = fallback.as_ref().map(|fallback| fallback.record.id);
        connector.forget(self.config.keep, needed);
        book.folder.commit(entry, state)?;
        match fallback {
            Some(fallback) => book.fallbacks.insert(app_id.clone(), fallback),
            None => book.fallbacks.remove(&app_id),
        };
        self.end_trials(&book);
        let replaced = self.serve(&mut book, generation);
        book.folder.sweep();
        drop(book);
        Ok(replaced.map(|replaced| replaced.record.id))
    }

    /// The swap itself. What had to be written down has been.
    pub(super) fn serve(
        self: &Arc<Self>,
        book: &mut Book,
        generation: &Arc<Generation>,
    ) -> Option<Arc<Generation>> {
        book.know(generation);
        book.problems.remove(&generation.app_id);
        let slot = self.slot(&generation.app_id);
        let replaced = slot.current.swap(Some(Arc::clone(generation)));
        slot.restart_trial();
        self.changed();
        if !generation.confirmed() {
            self.runtime
                .spawn(probation(Arc::downgrade(self), Arc::downgrade(generation)));
        }
        if let Some(replaced) = &replaced {
            self.drain(replaced);
        }
        replaced
    }

    /// Reports when the calls of a replaced generation have ended, and before if
    /// they take too long.
    pub(super) fn drain(self: &Arc<Self>, replaced: &Arc<Generation>) {
        let registry = Arc::downgrade(self);
        let deadline = self.config.drain_deadline;
        let replaced = Arc::clone(replaced);
        self.runtime.spawn(async move {
            let tell = |event: AuditEvent| {
                let Some(registry) = registry.upgrade() else {
                    return;
                };
                // It was returned to.
                let serving = registry.serving(&replaced.app_id);
                if serving.is_some_and(|serving| Arc::ptr_eq(&serving, &replaced)) {
                    return;
                }
                let mut book = registry.book();
                if book.folder.closed() {
                    return;
                }
                let calls = replaced.traffic().in_flight;
                let entry = Entry::new(event, ITSELF, replaced.record.facts(&replaced.app_id))
                    .generation(replaced.record.id)
                    .detail(json!({ "in_flight": calls }));
                if let Err(error) = book.folder.note(entry) {
                    tracing::error!(target: "harness::registry", %error, "not recorded");
                }
                drop(book);
                registry.changed();
            };
            if tokio::time::timeout(deadline, replaced.drained())
                .await
                .is_err()
            {
                tracing::warn!(
                    target: "harness::registry",
                    app = replaced.app_id,
                    generation = replaced.record.id,
                    in_flight = replaced.traffic().in_flight,
                    "calls of a replaced generation run on"
                );
                tell(AuditEvent::DrainOverdue);
                replaced.drained().await;
            }
            tell(AuditEvent::Drained);
        });
    }
}

/// Ends the probation of a generation that serves when its time has come.
async fn probation(registry: Weak<Shared>, generation: Weak<Generation>) {
    let Some(window) = registry.upgrade().map(|registry| registry.config.probation) else {
        return;
    };
    tokio::time::sleep(window).await;
    let (Some(registry), Some(generation)) = (registry.upgrade(), generation.upgrade()) else {
        return;
    };
    let mut book = registry.book();
    let app_id = &generation.app_id;
    let serving = registry.serving(app_id);
    let serves = serving.is_some_and(|serving| Arc::ptr_eq(&serving, &generation));
    if !serves || generation.confirmed() || book.folder.closed() {
        return;
    }
    generation.confirm();
    book.fallbacks.remove(app_id);
    let mut state = book.folder.state.clone();
    let records = state.connectors.get_mut(app_id);
    for record in records
        .into_iter()
        .flat_map(|connector| &mut connector.generations)
    {
        if record.id == generation.record.id {
            record.confirmed = true;
        }
    }
    let entry = Entry::new(
        AuditEvent::Confirmed,
        ITSELF,
        generation.record.facts(app_id),
    )
    .generation(generation.record.id)
    .detail(json!(generation.traffic()));
    if let Err(error) = book.folder.commit(entry, state) {
        // It begins its probation anew after a restart.
        tracing::error!(target: "harness::registry", %error, "not recorded");
    }
    registry.changed();
}
