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
//! refused, and what serves goes on to serve. All loads go through one task, one
//! after the other. A new generation is on probation; if its calls
//! [crash](Pinned::report), the one before takes over again, and the digest goes
//! into quarantine. What was decided is on the disk before it happens.

pub mod audit;
mod compatibility;
mod failure;
mod generation;
mod loader;
mod replay;
mod serving;
mod shadow;
mod signature;
mod state;
mod status;
mod tmp_stub;
mod watch;
pub use tmp_stub::*;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch as revisions},
};

pub use compatibility::Incompatibility;
pub use failure::{LoadFailure, RollbackError, Stage};
pub use generation::{Pinned, Traffic};
pub use loader::{LoadReport, LoadRequest, StageReport};
pub use replay::{CallDiff, FixtureDiff, ReplayDiff, RequestDiff, ValueDiff};
pub use shadow::{Shadow, ShadowReport};
pub use signature::{KeyFileError, SignatureError, SignaturePolicy, TrustedKeys};
pub(crate) use state::LOG;
pub use state::{GenerationRecord, QuarantineRecord, RegistryError, check_folder};
pub use status::{ConnectorStatus, GenerationState, GenerationStatus};
pub use watch::{DirectoryWatch, Watching};

use crate::{Connector, engine::Engine};
use audit::{AuditCheck, AuditError, AuditEvent, Entry};
use generation::{Generation, Slot};
use state::Folder;

/// How a registry works.
#[derive(Clone)]
#[non_exhaustive]
pub struct RegistryConfig {
    /// Where its state, components and audit log are. One process at a time.
    pub folder: PathBuf,
    /// Whose components are loaded.
    pub signatures: SignaturePolicy,
    /// Folder of recordings that a new version is held against; those of other
    /// connectors are passed over. None to do without.
    pub fixtures: Option<PathBuf>,
    /// How many earlier generations of each connector are kept for a rollback.
    pub keep: usize,
    /// After this the calls that a replaced generation still has are reported as
    /// overdue. They are not ended: each has a deadline of its own.
    pub drain_deadline: Duration,
    /// How long a new generation is on probation.
    pub probation: Duration,
    /// So many crashes of calls within the probation bring the earlier generation
    /// back.
    pub crashes: u64,
    /// Is told of each stage of a load when it begins; runs within the load.
    pub on_stage: Option<Arc<dyn Fn(Stage) + Send + Sync>>,
}

impl RegistryConfig {
    /// With the defaults: three generations kept, 30 s to drain, 10 minutes of
    /// probation, three crashes; no recordings, and nobody looks at signatures.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            signatures: SignaturePolicy::Off,
            fixtures: None,
            keep: 3,
            drain_deadline: Duration::from_secs(30),
            probation: Duration::from_secs(600),
            crashes: 3,
            on_stage: None,
        }
    }
}

impl std::fmt::Debug for RegistryConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryConfig")
            .field("folder", &self.folder)
            .field("signatures", &self.signatures)
            .field("fixtures", &self.fixtures)
            .field("keep", &self.keep)
            .finish_non_exhaustive()
    }
}

/// The connectors that a process serves. Cheap to clone.
#[derive(Clone)]
pub struct Registry {
    shared: Arc<Shared>,
    queue: mpsc::UnboundedSender<Command>,
}

/// What the registry, its task and the calls share.
struct Shared {
    engine: Engine,
    config: RegistryConfig,
    /// By the connector's id. Connectors are added, never taken out.
    slots: ArcSwap<BTreeMap<String, Arc<Slot>>>,
    book: Mutex<Book>,
    /// Grows with each change of who serves.
    revision: revisions::Sender<u64>,
    /// Outlives each call that reports from another runtime.
    runtime: Handle,
}

/// What only one may change at a time. Held for the time of a few writes to the
/// disk, never while anything is awaited.
struct Book {
    folder: Folder,
    /// Whom to return to while a generation is on probation, by connector.
    fallbacks: BTreeMap<String, Arc<Generation>>,
    /// All that are in memory, also those that only a call holds.
    alive: Vec<Weak<Generation>>,
    /// Why a connector has nobody to serve, since this process began.
    problems: BTreeMap<String, String>,
}

/// What the task does.
enum Command {
    Load(
        Box<LoadRequest>,
        oneshot::Sender<Result<LoadReport, LoadFailure>>,
    ),
    Shadow(
        Box<LoadRequest>,
        oneshot::Sender<Result<Shadow, LoadFailure>>,
    ),
    Rollback {
        app_id: String,
        to: Option<u64>,
        by: String,
        reason: String,
        reply: oneshot::Sender<Result<u64, RollbackError>>,
    },
    Quarantine {
        sha256: String,
        by: String,
        reason: String,
        reply: oneshot::Sender<Result<(), RollbackError>>,
    },
    Close(oneshot::Sender<Result<(), RegistryError>>),
}

impl Registry {
    /// Opens the folder and loads what served last. A generation that does not
    /// load any more is passed over for the newest one that does; if there is
    /// none, [`Registry::list`] says why.
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
        let (queue, commands) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            engine: engine.clone(),
            config,
            slots: ArcSwap::default(),
            book: Mutex::new(Book {
                folder,
                fallbacks: BTreeMap::new(),
                alive: Vec::new(),
                problems: BTreeMap::new(),
            }),
            revision: revisions::Sender::new(0),
            runtime: Handle::current(),
        });
        shared.resume().await?;
        tokio::spawn(loader::work(Arc::clone(&shared), commands));
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
    /// loads that were asked for earlier; goes on if the caller does not wait.
    pub async fn load(&self, request: LoadRequest) -> Result<LoadReport, LoadFailure> {
        let (reply, answer) = oneshot::channel();
        self.queue
            .send(Command::Load(Box::new(request), reply))
            .map_err(|_| LoadFailure::Closed)?;
        answer.await.map_err(|_| LoadFailure::Closed)?
    }

    /// Takes a component through all stages up to the recordings, and returns it
    /// to be [tried on live reads](Shadow::read). It takes over with
    /// [`LoadRequest::shadowed`].
    pub async fn shadow(&self, request: LoadRequest) -> Result<Shadow, LoadFailure> {
        let (reply, answer) = oneshot::channel();
        self.queue
            .send(Command::Shadow(Box::new(request), reply))
            .map_err(|_| LoadFailure::Closed)?;
        answer.await.map_err(|_| LoadFailure::Closed)?
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
        let (reply, answer) = oneshot::channel();
        let command = Command::Rollback {
            app_id: app_id.to_owned(),
            to,
            by: by.to_owned(),
            reason: reason.to_owned(),
            reply,
        };
        self.queue
            .send(command)
            .map_err(|_| RollbackError::Closed)?;
        answer.await.map_err(|_| RollbackError::Closed)?
    }

    /// Puts a digest into quarantine. If it serves, the newest earlier generation
    /// takes over; if there is none, the connector serves no more.
    pub async fn quarantine(
        &self,
        sha256: &str,
        by: &str,
        reason: &str,
    ) -> Result<(), RollbackError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Quarantine {
            sha256: sha256.to_owned(),
            by: by.to_owned(),
            reason: reason.to_owned(),
            reply,
        };
        self.queue
            .send(command)
            .map_err(|_| RollbackError::Closed)?;
        answer.await.map_err(|_| RollbackError::Closed)?
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

    /// How many generations are in memory, whoever holds them.
    pub fn in_memory(&self) -> usize {
        self.shared.in_memory()
    }

    /// Waits for what was asked for earlier, and closes the registry with all its
    /// clones: the folder is free for another process. Generations that are
    /// pinned, or are pinned later, go on to serve; nothing changes any more.
    pub async fn close(self) -> Result<(), RegistryError> {
        let (reply, answer) = oneshot::channel();
        self.queue
            .send(Command::Close(reply))
            .map_err(|_| RegistryError::Closed)?;
        answer.await.map_err(|_| RegistryError::Closed)?
    }

    /// Checks the audit log from beginning to end.
    pub fn check_audit(&self) -> Result<AuditCheck, AuditError> {
        // Held, so that no record is half written.
        let book = self.shared.book();
        audit::verify(book.folder.audit.path())
    }

    /// Grows with each change of who serves, and when a replaced generation's
    /// calls have ended.
    pub fn changes(&self) -> revisions::Receiver<u64> {
        self.shared.revision.subscribe()
    }

    /// Loads what appears in a folder, or changes there; looks every so often.
    /// Ends when the result is dropped.
    pub fn watch(&self, folder: impl Into<PathBuf>, every: Duration) -> Watching {
        DirectoryWatch::new(self, folder).every(every)
    }
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        // A panic leaves the book as it was before or after a change: a state
        // is taken over whole.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The slot of a connector, which is made if it is new.
    fn slot(&self, app_id: &str) -> Arc<Slot> {
        if let Some(slot) = self.slots.load().get(app_id) {
            return Arc::clone(slot);
        }
        let new = Arc::new(Slot {
            current: arc_swap::ArcSwapOption::empty(),
        });
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

    fn serving(&self, app_id: &str) -> Option<Arc<Generation>> {
        self.slots.load().get(app_id)?.current.load_full()
    }

    fn changed(&self) {
        self.revision.send_modify(|revision| *revision += 1);
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry")
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}
