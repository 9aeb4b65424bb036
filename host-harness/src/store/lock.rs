//! One sync of a tenant at a time, across processes.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::Path,
};

use super::{StoreError, StoredTenant};

/// Nobody else syncs the tenant while this is held. Gone with the process,
/// however it ends.
#[derive(Debug)]
pub(crate) struct TenantLock {
    _file: File,
}

impl TenantLock {
    /// Waits for nobody.
    pub(super) fn take(store: &Path, tenant: &StoredTenant) -> Result<Self, StoreError> {
        // Not the database itself: to close a second handle of it would drop the
        // locks that SQLite has on it. The file stays, since a lock on a file that
        // somebody removes guards nothing. Beside the store itself, whatever link
        // leads to it.
        let own = store.canonicalize().map_err(|cause| StoreError::File {
            path: store.to_owned(),
            cause,
        })?;
        let mut name = own.into_os_string();
        name.push(format!("-sync-{}", tenant.id));
        let failed = |cause| StoreError::File {
            path: Path::new(&name).to_owned(),
            cause,
        };
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&name).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Syncing {
                path: store.to_owned(),
                tenant: tenant.name.clone(),
            }),
            Err(TryLockError::Error(cause)) => Err(failed(cause)),
        }
    }
}
