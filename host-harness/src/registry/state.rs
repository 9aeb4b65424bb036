//! What must survive a restart: which generation serves, which are kept, what is
//! in quarantine. One file, replaced whole; the components lie beside it by
//! digest.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    Stage,
    audit::{self, AuditCheck, AuditError, AuditHead, AuditLog, Entry, Facts},
};
use crate::{egress::cassette::hex, whole_file};

/// Raised when the file changes its meaning.
const FORMAT: u32 = 1;

/// Its name in the folder.
const STATE: &str = "state.json";

/// The audit log's name in the folder.
pub(crate) const LOG: &str = "audit.jsonl";

/// Why the registry's folder can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// A file or folder.
    #[error("`{path}` can't be used: {cause}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Somebody else is at it.
    #[error("another process uses the registry `{0}`")]
    Busy(PathBuf),
    /// The state is not readable.
    #[error("the registry's state `{path}` is not readable: {cause}")]
    State {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// The audit log.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The registry was closed.
    #[error("the registry is closed")]
    Closed,
}

impl RegistryError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::File { .. } => "the state folder must be on a disk with space, and belong to you",
            Self::Busy(_) => "one process serves a registry; give the other one its own folder",
            Self::State { .. } => {
                "move the file away and load the connectors again: their components are still in \
                 the folder `components` beside it"
            }
            Self::Audit(error) => error.hint(),
            Self::Closed => "open it again",
        }
    }
}

/// One generation, as it is written down.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GenerationRecord {
    /// Counted over all connectors of the registry, from 1.
    pub id: u64,
    /// Digest of the component, in hexadecimal.
    pub sha256: String,
    /// The version that it says it has.
    pub version: String,
    /// The contract that it speaks.
    pub contract: String,
    /// Whose signature it bears.
    pub signer: Option<String>,
    /// Where it was loaded from.
    pub source: String,
    /// When it was loaded.
    pub loaded_at: Timestamp,
    /// Whether it has passed its probation.
    pub confirmed: bool,
}

/// A digest that is not to be loaded.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct QuarantineRecord {
    /// Why.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
    /// Who wanted it; `registry` after an automatic rollback.
    pub by: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct State {
    format: u32,
    pub(super) next_generation: u64,
    pub(super) connectors: BTreeMap<String, ConnectorState>,
    pub(super) quarantine: BTreeMap<String, QuarantineRecord>,
    /// What is being loaded.
    pub(super) loading: Option<Loading>,
    audit: Option<AuditHead>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct ConnectorState {
    /// The generation that serves; none if all were put into quarantine.
    pub(super) current: Option<u64>,
    /// In the order of their ids. The current one is among them.
    pub(super) generations: Vec<GenerationRecord>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Loading {
    pub(super) stage: Stage,
    pub(super) source: String,
    pub(super) by: String,
    pub(super) component: Facts,
}

impl GenerationRecord {
    pub(super) fn facts(&self, app_id: &str) -> Facts {
        Facts {
            app_id: Some(app_id.to_owned()),
            sha256: Some(self.sha256.clone()),
            version: Some(self.version.clone()),
            contract: Some(self.contract.clone()),
            signer: self.signer.clone(),
        }
    }
}

impl ConnectorState {
    pub(super) fn generation(&self, id: u64) -> Option<&GenerationRecord> {
        self.generations.iter().find(|record| record.id == id)
    }

    /// Forgets the oldest beyond `keep`, never the current one or `needed`.
    pub(super) fn forget(&mut self, keep: usize, needed: Option<u64>) {
        let stays = |id: u64, current: Option<u64>| Some(id) == current || Some(id) == needed;
        let current = self.current;
        let spare = |record: &&GenerationRecord| !stays(record.id, current);
        let mut excess = self
            .generations
            .iter()
            .filter(spare)
            .count()
            .saturating_sub(keep);
        self.generations.retain(|record| {
            if excess > 0 && !stays(record.id, current) {
                excess -= 1;
                false
            } else {
                true
            }
        });
    }
}

/// Checks the audit log in the folder of a registry, which may be in use: also
/// that it reaches as far as the registry has noted.
pub fn check_folder(folder: &Path) -> Result<AuditCheck, RegistryError> {
    // In this order: the log may grow meanwhile, and the note follows the log.
    let state = State::read(&folder.join(STATE))?;
    let log = folder.join(LOG);
    let check = audit::verify(&log)?;
    if let Some(known) = &state.audit {
        check.reaches(&log, known)?;
    }
    Ok(check)
}

/// The folder: state, components and audit log, held by one process.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    pub(super) state: State,
    pub(super) audit: AuditLog,
    lock: File,
    closed: bool,
}

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self, RegistryError> {
        let components = path.join("components");
        create(&components)?;
        let lock = lock(path)?;
        let state = State::read(&path.join(STATE))?;
        let audit = AuditLog::open(&path.join(LOG), state.audit.as_ref())?;
        let folder = Self {
            path: path.to_owned(),
            state,
            audit,
            lock,
            closed: false,
        };
        folder.sweep();
        Ok(folder)
    }

    /// Writes the state down, and only then takes it over.
    pub(super) fn save(&mut self, mut state: State) -> Result<(), RegistryError> {
        if self.closed {
            return Err(RegistryError::Closed);
        }
        state.audit = Some(self.audit.head().clone());
        let path = self.path.join(STATE);
        let mut text =
            serde_json::to_string_pretty(&state).expect("the state has string keys only");
        text.push('\n');
        whole_file::write_private(&path, text.as_bytes())
            .map_err(|cause| RegistryError::File { path, cause })?;
        self.state = state;
        Ok(())
    }

    /// Writes down where the log ends, and lets another process in. Nothing is
    /// written from then on.
    pub(super) fn close(&mut self) -> Result<(), RegistryError> {
        let saved = self.save(self.state.clone());
        self.closed = true;
        self.audit.end();
        self.lock.unlock().map_err(|cause| RegistryError::File {
            path: self.path.join("lock"),
            cause,
        })?;
        saved
    }

    pub(super) fn closed(&self) -> bool {
        self.closed
    }

    /// Writes a record, then the state. If the state can't be written, another
    /// record says so.
    pub(super) fn commit(&mut self, entry: Entry<'_>, state: State) -> Result<(), RegistryError> {
        let component = entry.component.clone();
        self.audit.append(entry)?;
        let saved = self.save(state);
        if let Err(error) = &saved {
            let entry = Entry::new(audit::AuditEvent::Failed, "registry", component);
            self.audit.append(entry.reason(error))?;
        }
        saved
    }

    /// Keeps a component.
    pub(super) fn keep(&self, sha256: &str, bytes: &[u8]) -> Result<(), RegistryError> {
        let path = self.component(sha256);
        whole_file::write_private(&path, bytes).map_err(|cause| RegistryError::File { path, cause })
    }

    /// Reads a component that was kept. What does not have its digest any more is
    /// not returned.
    pub(super) fn kept(&self, sha256: &str) -> Result<Vec<u8>, RegistryError> {
        let path = self.component(sha256);
        let bytes = fs::read(&path).map_err(|cause| RegistryError::File {
            path: path.clone(),
            cause,
        })?;
        if hex(&Sha256::digest(&bytes)) == sha256 {
            return Ok(bytes);
        }
        Err(RegistryError::File {
            path,
            cause: io::Error::new(io::ErrorKind::InvalidData, "it does not have its digest"),
        })
    }

    /// Removes components that no generation needs. One that can't be removed
    /// takes space and nothing else.
    pub(super) fn sweep(&self) {
        if self.closed {
            return;
        }
        let needed = |name: &str| {
            self.state
                .connectors
                .values()
                .flat_map(|connector| &connector.generations)
                .any(|record| name == format!("{}.wasm", record.sha256))
        };
        let Ok(entries) = fs::read_dir(self.path.join("components")) else {
            return;
        };
        for entry in entries.flatten() {
            if !entry.file_name().to_str().is_some_and(needed) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn component(&self, sha256: &str) -> PathBuf {
        self.path.join("components").join(format!("{sha256}.wasm"))
    }
}

impl State {
    fn read(path: &Path) -> Result<Self, RegistryError> {
        let unreadable = |cause: String| RegistryError::State {
            path: path.to_owned(),
            cause,
        };
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self {
                    format: FORMAT,
                    next_generation: 1,
                    connectors: BTreeMap::new(),
                    quarantine: BTreeMap::new(),
                    loading: None,
                    audit: None,
                });
            }
            Err(cause) => {
                return Err(RegistryError::File {
                    path: path.to_owned(),
                    cause,
                });
            }
        };
        let state: Self =
            serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
        if state.format != FORMAT {
            return Err(unreadable(format!("it has the format {}", state.format)));
        }
        // Digests become names of files.
        let digests = state
            .connectors
            .values()
            .flat_map(|connector| &connector.generations);
        for record in digests {
            if record.sha256.len() != 64 || !record.sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(unreadable(format!("`{}` is no digest", record.sha256)));
            }
        }
        Ok(state)
    }
}

fn create(folder: &Path) -> Result<(), RegistryError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    // What lies there is run.
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|cause| RegistryError::File {
        path: folder.to_owned(),
        cause,
    })
}

fn lock(folder: &Path) -> Result<File, RegistryError> {
    let path = folder.join("lock");
    let failed = |cause| RegistryError::File {
        path: path.clone(),
        cause,
    };
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(RegistryError::Busy(folder.to_owned())),
        Err(TryLockError::Error(cause)) => Err(failed(cause)),
    }
}
