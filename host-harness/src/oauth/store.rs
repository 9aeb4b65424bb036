//! Where credentials are kept between runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use super::{StoredCredential, error};
use crate::{egress::Credential, text::printable};

/// The profile that is meant where none is named.
pub const DEFAULT_PROFILE: &str = "default";

/// Whose credential: one application's, in one account.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ProfileKey {
    app: String,
    profile: String,
}

/// A place for credentials. A platform brings its own.
///
/// The functions may block: they are called where that is fine.
pub trait CredentialStore: fmt::Debug + Send + Sync + 'static {
    /// What is stored, if anything is.
    fn load(&self, key: &ProfileKey) -> Result<Option<StoredCredential>, StoreError>;

    /// Stores it in place of what there was, whole or not at all. Must be
    /// durable when it returns: the vendor has already burned what it replaces.
    fn save(&self, key: &ProfileKey, credential: &StoredCredential) -> Result<(), StoreError>;

    /// Removes it. False if there was none.
    fn remove(&self, key: &ProfileKey) -> Result<bool, StoreError>;

    /// Keeps others (threads, processes, machines: whoever shares the store)
    /// from renewing the same credential until the result is dropped. Two that
    /// renewed at the same time would burn each other's refresh token.
    fn lock(&self, key: &ProfileKey) -> Result<StoreLock, StoreError>;

    /// The profiles of an application, as far as the store knows them.
    fn profiles(&self, app: &str) -> Vec<String> {
        let _ = app;
        Vec::new()
    }
}

/// Lets go when dropped.
pub type StoreLock = Box<dyn Send>;

/// Why a store does not do as it should. Never quotes what it holds.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A name that can't be the name of a file.
    #[error("`{}` can't be the name of {what}", printable(.name))]
    Name {
        /// The name.
        name: String,
        /// Of what.
        what: &'static str,
    },
    /// Others than the owner may read it.
    #[error("others can {access} `{path}` (mode {mode:04o})")]
    Exposed {
        /// The file or folder.
        path: String,
        /// What they can do.
        access: &'static str,
        /// Its permissions.
        mode: u32,
        /// The permissions that it should have.
        wanted: u32,
    },
    /// The system stands against it.
    #[error("`{path}` can't be {doing}: {cause}")]
    Io {
        /// The file or folder.
        path: String,
        /// Read, written, removed.
        doing: &'static str,
        /// What the system says.
        cause: String,
    },
    /// It holds something else.
    #[error("`{path}` is not a stored credential (line {line})")]
    Format {
        /// The file.
        path: String,
        /// Where it ends to make sense.
        line: usize,
    },
    /// Somebody else keeps it locked.
    #[error("`{0}` is locked by another process")]
    Busy(String),
    /// It can only be read.
    #[error("the variable `{0}` can only be read")]
    ReadOnly(String),
    /// The variable holds no token.
    #[error("the variable `{variable}`: {cause}")]
    Variable {
        /// Which variable.
        variable: String,
        /// What is wrong with it.
        cause: crate::egress::CredentialError,
    },
    /// For stores of a platform.
    #[error("{0}")]
    Other(String),
}

impl StoreError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Name { .. } => {
                "use up to 64 letters, digits, hyphens and underscores".to_owned()
            }
            Self::Exposed { path, wanted, .. } => format!(
                "run `chmod {wanted:o} {path}`, and sign in again if somebody may have read it"
            ),
            Self::Io { .. } => {
                "check the folder's permissions and its free space, or name another one with `HARNESS_CREDENTIALS`"
                    .to_owned()
            }
            Self::Format { .. } => {
                format!("remove it and sign in again with `{}`", error::login(DEFAULT_PROFILE))
            }
            Self::Busy(_) => "wait for the other process, or end it".to_owned(),
            Self::ReadOnly(variable) => format!("unset `{variable}` where it is set"),
            Self::Variable { variable, .. } => {
                format!("put the token, and nothing else, into `{variable}`")
            }
            Self::Other(_) => "check the store of credentials".to_owned(),
        }
    }
}

impl ProfileKey {
    /// Letters, digits, hyphens and underscores: both become part of a file
    /// name, and the first one comes from a connector.
    pub fn new(app: &str, profile: &str) -> Result<Self, StoreError> {
        let name = |name: &str, what| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            if (1..=64).contains(&name.len()) && name.bytes().all(plain) {
                Ok(name.to_owned())
            } else {
                Err(StoreError::Name {
                    name: name.to_owned(),
                    what,
                })
            }
        };
        Ok(Self {
            app: name(app, "an application")?,
            profile: name(profile, "a profile")?,
        })
    }

    /// The connected application.
    pub fn app(&self) -> &str {
        &self.app
    }

    /// Which of its accounts.
    pub fn profile(&self) -> &str {
        &self.profile
    }
}

/// An environment variable with a token in it, as the default profile.
/// Read-only.
#[derive(Clone, Debug)]
pub struct EnvironmentStore {
    variable: String,
}

impl EnvironmentStore {
    /// The variable of that name.
    pub fn new(variable: impl Into<String>) -> Self {
        Self {
            variable: variable.into(),
        }
    }
}

impl CredentialStore for EnvironmentStore {
    fn load(&self, key: &ProfileKey) -> Result<Option<StoredCredential>, StoreError> {
        match std::env::var(&self.variable) {
            Ok(token) if key.profile == DEFAULT_PROFILE && !token.trim().is_empty() => {
                let credential =
                    Credential::token(token).map_err(|cause| StoreError::Variable {
                        variable: self.variable.clone(),
                        cause,
                    })?;
                Ok(Some(StoredCredential::Token(credential)))
            }
            _ => Ok(None),
        }
    }

    fn save(&self, _: &ProfileKey, _: &StoredCredential) -> Result<(), StoreError> {
        Err(StoreError::ReadOnly(self.variable.clone()))
    }

    fn remove(&self, _: &ProfileKey) -> Result<bool, StoreError> {
        Err(StoreError::ReadOnly(self.variable.clone()))
    }

    fn lock(&self, _: &ProfileKey) -> Result<StoreLock, StoreError> {
        Err(StoreError::ReadOnly(self.variable.clone()))
    }
}

/// Keeps credentials for as long as the process lives: for client credentials,
/// of which nothing is lost with it, and for tests.
#[derive(Debug, Default)]
pub struct MemoryStore {
    credentials: Mutex<BTreeMap<ProfileKey, StoredCredential>>,
    locks: Arc<MemoryLocks>,
}

impl MemoryStore {
    fn credentials(&self) -> MutexGuard<'_, BTreeMap<ProfileKey, StoredCredential>> {
        self.credentials
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl CredentialStore for MemoryStore {
    fn load(&self, key: &ProfileKey) -> Result<Option<StoredCredential>, StoreError> {
        Ok(self.credentials().get(key).cloned())
    }

    fn save(&self, key: &ProfileKey, credential: &StoredCredential) -> Result<(), StoreError> {
        self.credentials().insert(key.clone(), credential.clone());
        Ok(())
    }

    fn remove(&self, key: &ProfileKey) -> Result<bool, StoreError> {
        Ok(self.credentials().remove(key).is_some())
    }

    fn lock(&self, key: &ProfileKey) -> Result<StoreLock, StoreError> {
        let locks = Arc::clone(&self.locks);
        let mut locked = locks.lock();
        while !locked.insert(key.clone()) {
            locked = locks
                .released
                .wait(locked)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(locked);
        Ok(Box::new(MemoryLock {
            locks,
            key: key.clone(),
        }))
    }
}

#[derive(Debug, Default)]
struct MemoryLocks {
    locked: Mutex<BTreeSet<ProfileKey>>,
    released: Condvar,
}

impl MemoryLocks {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<ProfileKey>> {
        self.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct MemoryLock {
    locks: Arc<MemoryLocks>,
    key: ProfileKey,
}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.locks.lock().remove(&self.key);
        self.locks.released.notify_all();
    }
}
