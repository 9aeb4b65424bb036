//! What served before a restart, and what is brought back from the disk.

use std::sync::{Arc, Weak};

use serde_json::json;

use super::{
    RegistryError,
    audit::{AuditEvent, Entry, Facts},
    generation::Generation,
    shared::{ITSELF, Shared},
    state::{ConnectorState, GenerationRecord, State},
};
use crate::{connector::Connector, text::printable};

impl Shared {
    /// Loads a generation that was kept; or finds it in memory.
    pub(super) async fn revive(
        &self,
        app_id: &str,
        record: GenerationRecord,
    ) -> Result<Arc<Generation>, String> {
        if !self.config.signatures.permits(record.signer.as_deref()) {
            return Err("no key that is trusted now has signed it".to_owned());
        }
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
        let connector = self.load_kept(app_id, &bytes).await?;
        Ok(Arc::new(Generation::new(
            app_id.to_owned(),
            record,
            connector,
        )))
    }

    /// Loads a component that was kept for that connector.
    pub(super) async fn load_kept(&self, app_id: &str, bytes: &[u8]) -> Result<Connector, String> {
        let connector = Connector::load(&self.engine, bytes)
            .await
            .map_err(|error| error.to_string())?;
        let found = &connector.descriptor().app_id;
        if found != app_id {
            return Err(format!("it is the connector `{}`", printable(found)));
        }
        Ok(connector)
    }

    /// Loads what served when the process ended.
    pub(super) async fn resume(self: &Arc<Self>) -> Result<(), RegistryError> {
        let (state, interrupted) = {
            let mut book = self.book();
            let announced = std::mem::take(&mut book.folder.announced);
            if !announced.is_empty() {
                let entry = Entry::new(AuditEvent::Failed, ITSELF, Facts::default())
                    .reason("the process ended before what these records announce was done")
                    .detail(json!({ "records": announced }));
                book.folder.note(entry)?;
            }
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
                // What it had put there is nobody's.
                book.folder.sweep();
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
            self.resume_trial(app_id).await?;
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
                        book.know(&fallback);
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
        book.folder.note(entry)?;
        book.problems.insert(app_id.to_owned(), problem);
        Ok(())
    }

    /// Whom to return to from a generation on probation, after a restart.
    pub(super) async fn fallback(
        &self,
        state: &State,
        app_id: &str,
        than: u64,
    ) -> Option<Arc<Generation>> {
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
