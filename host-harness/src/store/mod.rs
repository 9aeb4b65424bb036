//! What tenants look like, run by run: accounts, resources, entitlements, grants
//! and last activity, in an SQLite database.
//!
//! [`sync`](crate::sync) writes it; everything else reads complete runs. What the
//! tables hold is described in `schema.sql`. Writers and readers do not wait for
//! each other: the database keeps a write-ahead log beside it (`FILE-wal`,
//! `FILE-shm`).

mod answers;
mod error;
mod lifecycle;
mod lock;
mod migration;
mod rows;
mod run;
mod snapshot;
mod staging;
mod tables;

use std::{
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, MAIN_DB, OpenFlags};

pub(crate) use answers::StoredAnswer;
pub use error::StoreError;
pub(crate) use lifecycle::RunBy;
pub(crate) use lock::TenantLock;
pub(crate) use rows::{Lookup, Rows};
pub use run::{Checkpoint, Finding, Run, RunState, Severity, StoredNotice, StoredTenant};
pub use snapshot::Changes;
pub(crate) use staging::StagedPage;
pub(crate) use tables::{ACCOUNTS, ENTITLEMENTS, GRANTS, LAST_ACTIVITY, RESOURCES, Table};

use migration::Found;

/// How long to wait for somebody else's write: the longest one is that which
/// makes a large run the tenant's snapshot, some seconds for 100,000 accounts.
const PATIENCE: Duration = Duration::from_secs(60);

/// Memory for pages of the database, in KiB. What does not fit is on the disk.
const CACHE_KIB: i64 = 16 * 1024;

/// The same for who reads everything once.
const SMALL_CACHE_KIB: i64 = 256;

/// Pages of the log from which on it is copied into the database: 16 MiB.
const LOG_PAGES: i64 = 4_000;

/// A store of snapshots. One connection; open it once more to use it in two
/// places at once.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
}

impl Store {
    /// Opens a store to write, or makes one; what an earlier version has written
    /// is brought up to date. The whole file is checked for damage first, some
    /// seconds for a gigabyte. It is then no longer for everybody to read.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_to_write(path, true)
    }

    /// The same for a store that this process has opened to write before, and so
    /// has checked.
    pub(crate) fn open_again(path: &Path) -> Result<Self, StoreError> {
        Self::open_to_write(path, false)
    }

    fn open_to_write(path: &Path, checks: bool) -> Result<Self, StoreError> {
        let file = |cause| StoreError::File {
            path: path.to_owned(),
            cause,
        };
        create(path).map_err(file)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut store = Self::connect(path, flags)?;
        // Asked for writing, SQLite also opens what it can only read.
        if store.read(|connection| connection.is_readonly(MAIN_DB))? {
            return Err(StoreError::ReadOnly(path.to_owned()));
        }
        let found = store.found()?;
        if checks {
            store.check()?;
        }
        // By now it is known to be a store, or empty.
        close_to_others(path);
        store.prepare(found).map_err(|error| store.failed(&error))?;
        Ok(store)
    }

    /// Waits that long for somebody else's write, where a minute is too long.
    pub fn patience(self, patience: Duration) -> Result<Self, StoreError> {
        self.read(|connection| connection.busy_timeout(patience))?;
        Ok(self)
    }

    /// Keeps next to nothing of the file in memory: for who reads everything once.
    pub(crate) fn with_small_cache(self) -> Result<Self, StoreError> {
        self.read(|connection| connection.pragma_update(None, "cache_size", -SMALL_CACHE_KIB))?;
        Ok(self)
    }

    /// Opens a store to read. It must be there, and of today's schema.
    pub fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        match path.try_exists() {
            Ok(true) => {}
            Ok(false) => return Err(StoreError::Missing(path.to_owned())),
            Err(cause) => {
                return Err(StoreError::File {
                    path: path.to_owned(),
                    cause,
                });
            }
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut store = Self::connect(path, flags)?;
        let found = match store.found() {
            // Where the folder can't be written to, a log can't be shared with
            // anybody. Without a log, all there is is in the file.
            Err(StoreError::File { .. }) if !has_log(path) => {
                let flags = flags | OpenFlags::SQLITE_OPEN_URI;
                store.connection = Self::connect(&unshared(path), flags)?.connection;
                store.found()?
            }
            found => found?,
        };
        match found {
            Found::Store(migration::KNOWN) => Ok(store),
            Found::Store(schema) => Err(StoreError::Older {
                path: path.to_owned(),
                found: schema,
                known: migration::KNOWN,
            }),
            Found::Empty | Found::Foreign => Err(StoreError::NotAStore(path.to_owned())),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Reads something.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        work(self.connection()).map_err(|error| self.failed(&error))
    }

    /// What an error of the connection means.
    pub(crate) fn failed(&self, error: &rusqlite::Error) -> StoreError {
        StoreError::of(&self.path, error)
    }

    /// Keeps other processes from syncing the tenant.
    pub(crate) fn lock(&self, tenant: &StoredTenant) -> Result<TenantLock, StoreError> {
        TenantLock::take(&self.path, tenant)
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Self, StoreError> {
        let connection = Connection::open_with_flags(path, flags)
            .map_err(|error| StoreError::of(path, &error))?;
        Ok(Self {
            connection,
            path: path.to_owned(),
        })
    }

    /// Looks into the file for the first time.
    fn found(&self) -> Result<Found, StoreError> {
        self.read(|connection| {
            connection.busy_timeout(PATIENCE)?;
            connection.execute_batch(&format!(
                "PRAGMA trusted_schema = OFF;
                 PRAGMA foreign_keys = ON;
                 PRAGMA cache_size = -{CACHE_KIB};"
            ))
        })?;
        match self.read(migration::found)? {
            Found::Foreign => Err(StoreError::NotAStore(self.path.clone())),
            Found::Store(schema) if schema > migration::KNOWN => Err(StoreError::Newer {
                path: self.path.clone(),
                found: schema,
                known: migration::KNOWN,
            }),
            found => Ok(found),
        }
    }

    /// Looks for damage before anything is written on top of it.
    fn check(&self) -> Result<(), StoreError> {
        let check = "PRAGMA quick_check(1)";
        match self
            .read(|connection| connection.query_row(check, [], |row| row.get::<_, String>(0)))?
        {
            result if result == "ok" => Ok(()),
            cause => Err(StoreError::Damaged {
                path: self.path.clone(),
                cause,
            }),
        }
    }

    fn prepare(&mut self, found: Found) -> rusqlite::Result<()> {
        // Where the file system can't share memory it stays what it was, and
        // readers wait for writers.
        self.connection
            .pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        // A page that is written time and again is copied out of the log once for
        // all of them.
        self.connection
            .pragma_update_and_check(None, "wal_autocheckpoint", LOG_PAGES, |_| Ok(()))?;
        // A loss of power may take the latest pages of a run with it, and with them
        // their checkpoints. What completes a run is waited for.
        self.connection
            .pragma_update(None, "synchronous", "normal")?;
        if found != Found::Store(migration::KNOWN) {
            migration::migrate(&mut self.connection)?;
        }
        Ok(())
    }

    /// Whether a commit returns only once it is on the disk.
    pub(crate) fn wait_for_the_disk(&self, wait: bool) -> Result<(), StoreError> {
        let level = if wait { "full" } else { "normal" };
        self.read(|connection| connection.pragma_update(None, "synchronous", level))
    }
}

/// The name of a store that nobody writes to.
fn unshared(path: &Path) -> PathBuf {
    let mut uri = "file:".to_owned();
    for character in path.to_string_lossy().chars() {
        match character {
            '%' => uri.push_str("%25"),
            '?' => uri.push_str("%3f"),
            '#' => uri.push_str("%23"),
            other => uri.push(other),
        }
    }
    uri.push_str("?immutable=1");
    uri.into()
}

/// Whether there may be changes that are not in the file itself.
fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    fs::metadata(log).is_ok_and(|log| log.len() > 0)
}

/// Takes away what everybody on the machine may do with a store that is there:
/// it may have been copied, or touched, with other rights. A group that somebody
/// has let in stays.
fn close_to_others(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;

        const OTHERS: u32 = 0o007;
        for suffix in ["", "-wal", "-shm"] {
            let mut file = path.as_os_str().to_owned();
            file.push(suffix);
            let Ok(found) = fs::metadata(&file) else {
                continue;
            };
            let mode = found.permissions().mode() & 0o777;
            if mode & OTHERS == 0 {
                continue;
            }
            let closed = fs::Permissions::from_mode(mode & !OTHERS);
            match fs::set_permissions(&file, closed) {
                Ok(()) => tracing::warn!(
                    target: "harness::store",
                    "everybody could use `{}`, and can't any more",
                    Path::new(&file).display()
                ),
                Err(error) => tracing::warn!(
                    target: "harness::store",
                    "everybody can use `{}`, and that can't be changed: {error}",
                    Path::new(&file).display()
                ),
            }
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// Makes an empty file where there is none. Names and addresses of people will
/// be in it: it is for nobody else to read, and SQLite makes the files beside it
/// like it.
fn create(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // Also where the folder can't be written to, and the file is there.
        Err(_) if path.is_file() => Ok(()),
        Err(error) => Err(error),
    }
}
