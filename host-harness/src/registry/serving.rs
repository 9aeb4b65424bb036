//! Who serves: taking over, draining, probation, going back.

use std::sync::{Arc, Weak};

use serde_json::json;

use super::{
    Book, RegistryError, RollbackError, Shared,
    audit::{AuditEvent, Entry, Facts},
    generation::Generation,
    state::{ConnectorState, GenerationRecord, QuarantineRecord, State},
};
use crate::{connector::Connector, text::printable};

/// Who does what nobody has asked for.
const ITSELF: &str = "registry";

impl State {
    /// What is known of a digest.
    pub(super) fn facts(&self, sha256: &str) -> Facts {
        let known = self.connectors.iter().find_map(|(app_id, connector)| {
            let mut records = connector.generations.iter();
            let record = records.find(|record| record.sha256 == sha256)?;
            Some(record.facts(app_id))
        });
        known.unwrap_or_else(|| Facts {
            sha256: Some(sha256.to_owned()),
            ..Facts::default()
        })
    }

    fn quarantine(&mut self, sha256: &str, by: &str, reason: &str) {
        let record = QuarantineRecord {
            reason: reason.to_owned(),
            at: jiff::Timestamp::now(),
            by: by.to_owned(),
        };
        self.quarantine.insert(sha256.to_owned(), record);
    }

    /// Earlier generations that could serve, the newest first.
    fn earlier(&self, app_id: &str, than: u64) -> Vec<GenerationRecord> {
        let Some(connector) = self.connectors.get(app_id) else {
            return Vec::new();
        };
        let mut earlier: Vec<GenerationRecord> = connector
            .generations
            .iter()
            .filter(|record| record.id < than && !self.quarantine.contains_key(&record.sha256))
            .cloned()
            .collect();
        earlier.sort_by_key(|record| std::cmp::Reverse(record.id));
        earlier
    }
}

impl Shared {
    /// Lets a new generation take over. Returns the number of the one before.
    pub(super) fn take_over(
        self: &Arc<Self>,
        generation: Arc<Generation>,
        entry: Entry<'_>,
    ) -> Result<Option<u64>, RegistryError> {
        let app_id = generation.app_id.clone();
        let mut book = self.book();
        let running = self.serving(&app_id);
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
        connector.current = Some(generation.record.id);
        let needed = fallback.as_ref().map(|fallback| fallback.record.id);
        connector.forget(self.config.keep, needed);
        book.folder.commit(entry, state)?;
        match fallback {
            Some(fallback) => book.fallbacks.insert(app_id.clone(), fallback),
            None => book.fallbacks.remove(&app_id),
        };
        let replaced = self.serve(&mut book, &generation);
        book.folder.sweep();
        drop(book);
        Ok(replaced.map(|replaced| replaced.record.id))
    }

    /// The swap itself. What had to be written down has been.
    fn serve(
        self: &Arc<Self>,
        book: &mut Book,
        generation: &Arc<Generation>,
    ) -> Option<Arc<Generation>> {
        book.alive.retain(|alive| alive.strong_count() > 0);
        let known = book
            .alive
            .iter()
            .any(|alive| std::ptr::eq(alive.as_ptr(), Arc::as_ptr(generation)));
        if !known {
            book.alive.push(Arc::downgrade(generation));
        }
        book.problems.remove(&generation.app_id);
        let slot = self.slot(&generation.app_id);
        let replaced = slot.current.swap(Some(Arc::clone(generation)));
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
    fn drain(self: &Arc<Self>, replaced: &Arc<Generation>) {
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
                if let Err(error) = book.folder.audit.append(entry) {
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

    /// A call has crashed.
    pub(super) fn crashed(
        self: &Arc<Self>,
        generation: &Arc<Generation>,
        crashes: u64,
        crash: &str,
    ) {
        if generation.confirmed() || crashes < self.config.crashes {
            return;
        }
        let mut book = self.book();
        let app_id = &generation.app_id;
        let serving = self.serving(app_id);
        let serves = serving.is_some_and(|serving| Arc::ptr_eq(&serving, generation));
        // Another call may have been faster, or the probation have ended.
        if !serves || generation.confirmed() {
            return;
        }
        let Some(fallback) = book.fallbacks.get(app_id).cloned() else {
            if crashes == self.config.crashes {
                tracing::error!(
                    target: "harness::registry",
                    app = app_id,
                    generation = generation.record.id,
                    crashes,
                    "a new generation crashes, and there is none to return to"
                );
            }
            return;
        };
        let reason = format!(
            "{crashes} calls of generation {} crashed within its probation, the last one: {}",
            generation.record.id,
            printable(crash)
        );
        tracing::error!(
            target: "harness::registry",
            app = app_id,
            from = generation.record.id,
            to = fallback.record.id,
            reason,
            "rolled back"
        );
        let mut state = book.folder.state.clone();
        let sha256 = &generation.record.sha256;
        state.quarantine(sha256, ITSELF, &reason);
        let facts = generation.record.facts(app_id);
        // The next two are one decision. The second is in the log before the
        // state says either.
        let quarantined = Entry::new(AuditEvent::Quarantined, ITSELF, facts)
            .generation(generation.record.id)
            .reason(&reason);
        let recorded = book.folder.audit.append(quarantined).map_err(Into::into);
        let recorded =
            recorded.and_then(|()| self.go_back(&mut book, state, &fallback, ITSELF, &reason));
        if let Err(error) = recorded {
            // To go on with a generation that crashes is worse than to go back
            // without a record. A restart tries the crashing one again, on
            // probation.
            tracing::error!(target: "harness::registry", %error, "the rollback is not recorded");
            book.fallbacks.remove(app_id);
            self.serve(&mut book, &fallback);
        }
    }

    /// Writes a rollback down and does it.
    fn go_back(
        self: &Arc<Self>,
        book: &mut Book,
        mut state: State,
        target: &Arc<Generation>,
        by: &str,
        reason: &str,
    ) -> Result<(), RegistryError> {
        let app_id = &target.app_id;
        let from = state
            .connectors
            .get(app_id)
            .and_then(|connector| connector.current);
        let connector = state.connectors.entry(app_id.clone()).or_default();
        connector.current = Some(target.record.id);
        drop_quarantined(&mut state);
        let entry = Entry::new(AuditEvent::Rollback, by, target.record.facts(app_id))
            .generation(target.record.id)
            .reason(reason)
            .detail(json!({ "from": from }));
        book.folder.commit(entry, state)?;
        book.fallbacks.remove(app_id);
        self.serve(book, target);
        book.folder.sweep();
        Ok(())
    }

    /// A rollback that somebody has asked for.
    pub(super) async fn return_to(
        self: &Arc<Self>,
        app_id: &str,
        to: Option<u64>,
        by: &str,
        reason: &str,
    ) -> Result<u64, RollbackError> {
        let candidates = {
            let book = self.book();
            let state = &book.folder.state;
            let connector = state
                .connectors
                .get(app_id)
                .ok_or_else(|| RollbackError::UnknownConnector(app_id.to_owned()))?;
            match to {
                Some(id) => {
                    let known = connector.generation(id);
                    let known =
                        known.filter(|record| !state.quarantine.contains_key(&record.sha256));
                    let unknown = || RollbackError::UnknownGeneration {
                        app_id: app_id.to_owned(),
                        id,
                    };
                    vec![known.cloned().ok_or_else(unknown)?]
                }
                None => state.earlier(app_id, connector.current.unwrap_or(u64::MAX)),
            }
        };
        let mut problem = RollbackError::Nothing(app_id.to_owned());
        for record in candidates {
            let id = record.id;
            match self.revive(app_id, record).await {
                Ok(target) => {
                    let mut book = self.book();
                    let state = book.folder.state.clone();
                    self.go_back(&mut book, state, &target, by, reason)?;
                    return Ok(id);
                }
                Err(cause) => problem = RollbackError::Unservable { id, cause },
            }
        }
        Err(problem)
    }

    /// Puts a digest into quarantine, and goes back if it serves.
    pub(super) async fn withdraw(
        self: &Arc<Self>,
        sha256: &str,
        by: &str,
        reason: &str,
    ) -> Result<(), RollbackError> {
        let serving: Vec<(String, u64)> = {
            let mut book = self.book();
            let mut state = book.folder.state.clone();
            let serving = state
                .connectors
                .iter()
                .filter_map(|(app_id, connector)| {
                    let id = connector.current?;
                    let record = connector.generation(id)?;
                    (record.sha256 == sha256).then(|| (app_id.clone(), id))
                })
                .collect();
            let entry = Entry::new(AuditEvent::Quarantined, by, state.facts(sha256)).reason(reason);
            state.quarantine(sha256, by, reason);
            // One that serves stays in the list until it is replaced below: a
            // restart in between passes it over.
            book.fallbacks
                .retain(|_, fallback| fallback.record.sha256 != sha256);
            book.folder.commit(entry, state)?;
            serving
        };
        for (app_id, id) in serving {
            match self.return_to(&app_id, None, by, reason).await {
                Ok(_) => {}
                Err(RollbackError::Record(error)) => return Err(error.into()),
                Err(_) => self.nobody_serves(&app_id, id, reason),
            }
        }
        let mut book = self.book();
        let mut state = book.folder.state.clone();
        drop_quarantined(&mut state);
        book.folder.save(state)?;
        book.folder.sweep();
        Ok(())
    }

    fn nobody_serves(self: &Arc<Self>, app_id: &str, id: u64, reason: &str) {
        let mut book = self.book();
        book.problems.insert(
            app_id.to_owned(),
            format!("generation {id} is in quarantine: {reason}"),
        );
        if let Some(replaced) = self.slot(app_id).current.swap(None) {
            self.drain(&replaced);
        }
        self.changed();
    }

    /// Loads a generation that was kept; or finds it in memory.
    async fn revive(
        &self,
        app_id: &str,
        record: GenerationRecord,
    ) -> Result<Arc<Generation>, String> {
        let bytes = {
            let book = self.book();
            let in_memory = book
                .alive
                .iter()
                .filter_map(Weak::upgrade)
                .find(|alive| alive.record.id == record.id);
            if let Some(generation) = in_memory {
                return Ok(generation);
            }
            book.folder
                .kept(&record.sha256)
                .map_err(|error| error.to_string())?
        };
        let connector = Connector::load(&self.engine, &bytes)
            .await
            .map_err(|error| error.to_string())?;
        if connector.descriptor().app_id != app_id {
            return Err(format!(
                "it is the connector `{}`",
                printable(&connector.descriptor().app_id)
            ));
        }
        Ok(Arc::new(Generation::new(
            app_id.to_owned(),
            record,
            connector,
        )))
    }

    /// Loads what served when the process ended.
    pub(super) async fn resume(self: &Arc<Self>) -> Result<(), RegistryError> {
        let (state, interrupted) = {
            let mut book = self.book();
            let mut state = book.folder.state.clone();
            let interrupted = state.loading.take();
            if let Some(loading) = &interrupted {
                let entry = Entry::new(
                    AuditEvent::Interrupted,
                    &loading.by,
                    loading.component.clone(),
                )
                .detail(json!({ "source": loading.source, "stage": loading.stage }));
                book.folder.commit(entry, state.clone())?;
            }
            (state, interrupted)
        };
        if let Some(loading) = interrupted {
            tracing::warn!(
                target: "harness::registry",
                source = loading.source,
                stage = ?loading.stage,
                "the process ended during a load"
            );
        }
        for (app_id, connector) in &state.connectors {
            self.resume_connector(&state, app_id, connector).await?;
        }
        Ok(())
    }

    async fn resume_connector(
        self: &Arc<Self>,
        state: &State,
        app_id: &str,
        connector: &ConnectorState,
    ) -> Result<(), RegistryError> {
        let Some(current) = connector.current else {
            return Ok(());
        };
        // The current one first, then the earlier ones.
        for record in state.earlier(app_id, current + 1) {
            let (id, confirmed, facts) = (record.id, record.confirmed, record.facts(app_id));
            match self.revive(app_id, record).await {
                Ok(generation) => {
                    let fallback = if confirmed {
                        None
                    } else {
                        self.fallback(state, app_id, id).await
                    };
                    let mut book = self.book();
                    let mut state = book.folder.state.clone();
                    if let Some(connector) = state.connectors.get_mut(app_id) {
                        connector.current = Some(id);
                    }
                    let entry = Entry::new(AuditEvent::Opened, ITSELF, facts).generation(id);
                    book.folder.commit(entry, state)?;
                    if let Some(fallback) = fallback {
                        book.alive.push(Arc::downgrade(&fallback));
                        book.fallbacks.insert(app_id.to_owned(), fallback);
                    }
                    self.serve(&mut book, &generation);
                    return Ok(());
                }
                Err(problem) => self.unservable(app_id, id, facts, &problem)?,
            }
        }
        let mut book = self.book();
        let problems = &mut book.problems;
        problems
            .entry(app_id.to_owned())
            .or_insert_with(|| "all of its generations are in quarantine".to_owned());
        // It is in the list of connectors, with nobody to serve.
        self.slot(app_id);
        Ok(())
    }

    fn unservable(
        &self,
        app_id: &str,
        id: u64,
        facts: Facts,
        problem: &str,
    ) -> Result<(), RegistryError> {
        let problem = format!("generation {id} does not load any more: {problem}");
        tracing::error!(target: "harness::registry", app = app_id, problem, "not served");
        let mut book = self.book();
        let entry = Entry::new(AuditEvent::Unservable, ITSELF, facts)
            .generation(id)
            .reason(&problem);
        book.folder.audit.append(entry)?;
        book.problems.insert(app_id.to_owned(), problem);
        Ok(())
    }

    /// Whom to return to from a generation on probation, after a restart.
    async fn fallback(&self, state: &State, app_id: &str, than: u64) -> Option<Arc<Generation>> {
        let mut earlier = state.earlier(app_id, than);
        // Those that have proved good first.
        earlier.sort_by_key(|record| !record.confirmed);
        for record in earlier {
            if let Ok(generation) = self.revive(app_id, record).await {
                return Some(generation);
            }
        }
        None
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

/// Forgets generations in quarantine, but for those that serve.
fn drop_quarantined(state: &mut State) {
    let quarantine = &state.quarantine;
    for connector in state.connectors.values_mut() {
        let current = connector.current;
        connector.generations.retain(|record| {
            Some(record.id) == current || !quarantine.contains_key(&record.sha256)
        });
    }
}
