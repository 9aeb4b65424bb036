//! The registry's folder: the state in one file, replaced whole; the components
//! beside it by digest; the audit log. One process at a time.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{
    audit::{self, AuditCheck, AuditError, AuditLog, Entry},
    state::State,
};
use crate::{egress::cassette::hex, whole_file};

/// The state's name in the folder.
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
    /// Records that were in the log when it was opened, and of which the state did
    /// not know: the process died between the two.
    pub(super) announced: Vec<u64>,
}

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self, RegistryError> {
        let components = path.join("components");
        create(&components)?;
        let lock = lock(path)?;
        let state = State::read(&path.join(STATE))?;
        let audit = AuditLog::open(&path.join(LOG), state.audit.as_ref())?;
        let known = state.audit.as_ref().map_or(0, |head| head.seq);
        let announced = (known + 1..=audit.found()).collect();
        let folder = Self {
            path: path.to_owned(),
            state,
            audit,
            lock,
            closed: false,
            announced,
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

    /// Writes a record of something that changes no state; where the log ends
    /// is written down all the same.
    pub(super) fn note(&mut self, entry: Entry<'_>) -> Result<(), RegistryError> {
        self.commit(entry, self.state.clone())
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

    /// Removes components that neither a generation nor a candidate needs. One
    /// that can't be removed takes space and nothing else.
    pub(super) fn sweep(&self) {
        if self.closed {
            return;
        }
        let needed = |name: &str| {
            // A load that is about to end has put its component there already.
            let loading = self.state.loading.as_ref();
            let loading = loading.and_then(|loading| loading.component.sha256.as_deref());
            let mut digests = self.state.digests().chain(loading);
            digests.any(|sha256| name == format!("{sha256}.wasm"))
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
