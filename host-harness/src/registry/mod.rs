//! Many versions, no downtime: which generation of each connector serves, how
//! another takes over, and how it goes back.
//!
//! ```no_run
//! # use host_harness::{Engine, EngineConfig, Grant, TenantConfig, CallError,
//! #     contract::types::PageRequest, registry::{LoadRequest, Registry, RegistryConfig}};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::new(EngineConfig::default())?;
//! let registry = Registry::open(&engine, RegistryConfig::new("/var/lib/harness")).await?;
//! registry.load(LoadRequest::file("pagerduty-0.2.0.wasm", "ada")).await?;
//! // Per call: the generation stays the same until `pinned` is dropped.
//! let pinned = registry.current("pagerduty").expect("it was loaded just now");
//! let tenant = pinned.open(TenantConfig::new(Grant::read_only()))?;
//! let outcome = tenant.list_accounts(PageRequest { token: None, size: None }).await;
//! pinned.report(&outcome);
//! # Ok(())
//! # }
//! ```
//!
//! A component takes over only after all [stages](Stage): a broken one is
//! refused, and what serves goes on to serve. One that is [staged](Registry::stage)
//! passes all but the last, and waits as the connector's candidate: to be looked
//! at, to be tried [on live reads](Registry::shadow), to be
//! [swapped in](Registry::swap_candidate).
//!
//! All changes go through one task, one after the other. A new generation is on
//! probation; if its calls [crash](Pinned::report), the one before takes over
//! again, and the digest goes into quarantine. What was decided is on the disk
//! before it happens.

pub mod audit;
mod built_in;
mod candidate;
mod compatibility;
mod config;
mod examine;
mod failure;
mod folder;
mod generation;
mod load;
mod queue;
mod replay;
mod request;
mod resume;
mod rollback;
mod serving;
mod shadow;
mod shared;
mod signature;
mod state;
mod status;
mod watch;

use std::{collections::BTreeMap, num::NonZeroU32, path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::watch as revisions;

pub use compatibility::Incompatibility;
pub use config::RegistryConfig;
pub use failure::{CandidateError, LoadFailure, RollbackError, Stage};
pub(crate) use folder::LOG;
pub use folder::{RegistryError, check_folder};
pub use generation::{Pinned, Traffic};
pub use load::{LoadReport, StageReport};
pub use replay::{CallDiff, FixtureDiff, ReplayDiff, RequestDiff, ValueDiff};
pub(crate) use replay::{compare, fixtures as recordings};
pub use request::LoadRequest;
pub use shadow::{Shadow, ShadowReport};
pub use signature::{KeyFileError, SignatureError, SignaturePolicy, TrustedKeys};
pub use state::{GenerationRecord, QuarantineRecord};
pub use status::{CandidateStatus, ConnectorStatus, GenerationState, GenerationStatus};
pub use watch::{DirectoryWatch, Watching};

use crate::engine::Engine;
use audit::{AuditCheck, AuditError, AuditEvent, Entry};
use folder::Folder;
use queue::Queue;
use shared::Shared;

/// The connectors that a process serves. Cheap to clone.
#[derive(Clone)]
pub struct Registry {
    shared: Arc<Shared>,
    queue: Queue,
}

impl Registry {
    /// Opens the folder and loads what served last. A generation that does not
    /// load any more is passed over for the newest earlier one that does; if there
    /// is none, [`Registry::list`] says why.
    pub async fn open(engine: &Engine, config: RegistryConfig) -> Result<Self, RegistryError> {
        let folder = {
            let path = config.folder.clone();
            tokio::task::spawn_blocking(move || Folder::open(&path))
                .await
                .map_err(|error| RegistryError::File {
                    path: config.folder.clone(),
                    cause: std::io::Error::other(error),
                })??
        };
        let shared = Arc::new(Shared::new(engine.clone(), config, folder));
        shared.resume().await?;
        let queue = Queue::new(Arc::clone(&shared));
        Ok(Self { shared, queue })
    }

    /// Pins the generation of a connector that serves now; none if there is no
    /// such connector, or nobody to serve.
    pub fn current(&self, app_id: &str) -> Option<Pinned> {
        let slots = self.shared.slots.load();
        slots.get(app_id)?.pin(&self.shared)
    }

    /// The connectors that it knows, sorted. One may have nobody to serve it:
    /// see [`Registry::problem`].
    pub fn ids(&self) -> Vec<String> {
        self.shared.slots.load().keys().cloned().collect()
    }

    /// Why a connector that it knows has nobody to serve it.
    pub fn problem(&self, app_id: &str) -> Option<String> {
        self.shared.book().problems.get(app_id).cloned()
    }

    /// Takes a component through all stages, and lets it take over. Waits for
    /// what was asked for earlier; goes on if the caller does not wait.
    pub async fn load(&self, request: LoadRequest) -> Result<LoadReport, LoadFailure> {
        let loaded = self
            .queue
            .run(move |shared| async move { shared.load(request).await });
        loaded.await.unwrap_or(Err(LoadFailure::Closed))
    }

    /// Takes a component through all stages but the swap, and keeps it as the
    /// connector's candidate, in place of the one that was. What it does
    /// otherwise than the running generation is in the report and stops
    /// nothing. A connector that has nobody to serve gets it at once.
    pub async fn stage(&self, request: LoadRequest) -> Result<LoadReport, LoadFailure> {
        let request = request.staged();
        self.load(request).await
    }

    /// Takes the candidate through all stages once more, and lets it take over.
    /// If it was tried on live reads, it is held to what it has shown. `accept`
    /// is as in [`LoadRequest::accept`].
    pub async fn swap_candidate(
        &self,
        app_id: &str,
        by: &str,
        accept: bool,
    ) -> Result<LoadReport, LoadFailure> {
        let (app_id, by) = (app_id.to_owned(), by.to_owned());
        let swapped = self.queue.run(move |shared| async move {
            let request = shared.candidate_request(&app_id, &by)?;
            shared.load(request.accept(accept)).await
        });
        swapped.await.unwrap_or(Err(LoadFailure::Closed))
    }

    /// Tries the candidate on every so many live reads, from now on: see
    /// [`Pinned::shadow`]. Begins anew if it is at it.
    pub async fn shadow(
        &self,
        app_id: &str,
        every: NonZeroU32,
        by: &str,
    ) -> Result<(), CandidateError> {
        let (app_id, by) = (app_id.to_owned(), by.to_owned());
        let begun = self
            .queue
            .run(move |shared| async move { shared.begin_trial(&app_id, every, &by).await });
        begun.await.unwrap_or(Err(CandidateError::Closed))
    }

    /// Tries the candidate on no more reads. Those under way end. What it has
    /// shown is kept until it is none any more, but for a restart.
    pub async fn end_shadow(&self, app_id: &str, by: &str) -> Result<(), CandidateError> {
        let (app_id, by) = (app_id.to_owned(), by.to_owned());
        let ended = self
            .queue
            .run(move |shared| async move { shared.end_trial(&app_id, &by) });
        ended.await.unwrap_or(Err(CandidateError::Closed))
    }

    /// Forgets the candidate.
    pub async fn discard(&self, app_id: &str, by: &str) -> Result<(), CandidateError> {
        let (app_id, by) = (app_id.to_owned(), by.to_owned());
        let discarded = self
            .queue
            .run(move |shared| async move { shared.discard(&app_id, &by) });
        discarded.await.unwrap_or(Err(CandidateError::Closed))
    }

    /// Returns to an earlier generation: to the one named, or to the newest one
    /// before the present. Returns its number. It takes over with the
    /// probation that it had, or had passed.
    pub async fn rollback(
        &self,
        app_id: &str,
        to: Option<u64>,
        by: &str,
        reason: &str,
    ) -> Result<u64, RollbackError> {
        let (app_id, by, reason) = (app_id.to_owned(), by.to_owned(), reason.to_owned());
        let back = self
            .queue
            .run(move |shared| async move { shared.return_to(&app_id, to, &by, &reason).await });
        back.await.unwrap_or(Err(RollbackError::Closed))
    }

    /// Puts a digest into quarantine. If it serves, the newest earlier generation
    /// takes over; if there is none, the connector serves no more. If it is a
    /// candidate, it is forgotten.
    pub async fn quarantine(
        &self,
        sha256: &str,
        by: &str,
        reason: &str,
    ) -> Result<(), RollbackError> {
        let (sha256, by, reason) = (sha256.to_owned(), by.to_owned(), reason.to_owned());
        let withdrawn = self
            .queue
            .run(move |shared| async move { shared.withdraw(&sha256, &by, &reason).await });
        withdrawn.await.unwrap_or(Err(RollbackError::Closed))
    }

    /// Takes a digest out of quarantine. Returns whether it was there.
    pub fn release(&self, sha256: &str, by: &str) -> Result<bool, RegistryError> {
        let mut book = self.shared.book();
        let mut state = book.folder.state.clone();
        if state.quarantine.remove(sha256).is_none() {
            return Ok(false);
        }
        let facts = state.facts(sha256);
        let entry = Entry::new(AuditEvent::Released, by, facts);
        book.folder.commit(entry, state)?;
        Ok(true)
    }

    /// Digests that are not to be loaded, and why.
    pub fn quarantined(&self) -> BTreeMap<String, QuarantineRecord> {
        self.shared.book().folder.state.quarantine.clone()
    }

    /// The connectors with their generations: those that are kept and those that
    /// a call still holds.
    pub fn list(&self) -> Vec<ConnectorStatus> {
        self.shared.list()
    }

    /// What was recorded, oldest first: of one connector, or all.
    pub fn history(&self, app_id: Option<&str>) -> Result<Vec<audit::AuditRecord>, AuditError> {
        let mut records = self.check_audit()?.records;
        if let Some(app_id) = app_id {
            records.retain(|record| record.component.app_id.as_deref() == Some(app_id));
        }
        Ok(records)
    }

    /// How many generations have their component in memory, whoever holds it: the
    /// registry, a call, or a tenant that is open on it.
    pub fn in_memory(&self) -> usize {
        self.shared.in_memory()
    }

    /// Waits for what was asked for earlier, and closes the registry with all its
    /// clones: the folder is free for another process. Generations that are
    /// pinned, or are pinned later, go on to serve; nothing changes any more, and
    /// reads of candidates end.
    pub async fn close(self) -> Result<(), RegistryError> {
        let closed = self
            .queue
            .run(move |shared| async move { shared.close() })
            .await;
        closed.unwrap_or(Err(RegistryError::Closed))
    }

    /// Checks the audit log from beginning to end.
    pub fn check_audit(&self) -> Result<AuditCheck, AuditError> {
        // Nothing waits for this, however long the log: a record that is being
        // written looks like one that was torn off, and is left out.
        let path = self.shared.book().folder.audit.path().to_owned();
        audit::verify(&path)
    }

    /// Grows with each change of who serves and who waits to, and when a replaced
    /// generation's calls have ended.
    pub fn changes(&self) -> revisions::Receiver<u64> {
        self.shared.revision.subscribe()
    }

    /// Loads what appears in a folder, or changes there; looks every so often.
    /// Ends when the result is dropped.
    pub fn watch(&self, folder: impl Into<PathBuf>, every: Duration) -> Watching {
        DirectoryWatch::new(self, folder).every(every)
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry")
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}
