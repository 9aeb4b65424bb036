//! Back to an earlier generation: by itself after crashes, or because somebody
//! wants it.

use std::sync::Arc;

use serde_json::json;

use super::{
    RegistryError, RollbackError,
    audit::{AuditEvent, Entry},
    generation::Generation,
    shared::{Book, ITSELF, Shared},
    state::State,
};
use crate::text::printable;

impl Shared {
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
        let recorded = recorded
            .and_then(|()| self.go_back(&mut book, state, &fallback, None, ITSELF, &reason));
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
        fallback: Option<Arc<Generation>>,
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
        state.drop_quarantined();
        let entry = Entry::new(AuditEvent::Rollback, by, target.record.facts(app_id))
            .generation(target.record.id)
            .reason(reason)
            .detail(json!({ "from": from }));
        book.folder.commit(entry, state)?;
        match fallback {
            Some(fallback) => {
                book.know(&fallback);
                book.fallbacks.insert(app_id.clone(), fallback);
            }
            None => {
                book.fallbacks.remove(app_id);
            }
        }
        self.end_trials(book);
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
        let targets = {
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
        for record in targets {
            let id = record.id;
            match self.revive(app_id, record).await {
                Ok(target) => {
                    // It goes on with its probation: whom to return to then?
                    let fallback = if target.confirmed() {
                        None
                    } else {
                        let state = self.book().folder.state.clone();
                        self.fallback(&state, app_id, id).await
                    };
                    let mut book = self.book();
                    let state = book.folder.state.clone();
                    self.go_back(&mut book, state, &target, fallback, by, reason)?;
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
        state.drop_quarantined();
        book.folder.save(state)?;
        self.end_trials(&book);
        book.folder.sweep();
        drop(book);
        self.changed();
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
}
