//! Why a store can't be used, and what to do about it.

use std::{
    io,
    path::{Path, PathBuf},
};

use rusqlite::ErrorCode;

/// Why a store can't be used. Whatever it is, what was committed before is
/// there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is none, and nothing was to be written.
    #[error("there is no store `{0}`")]
    Missing(PathBuf),
    /// The operating system.
    #[error("the store `{path}` can't be opened: {cause}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// It is some other file.
    #[error("`{0}` is not an SQLite database")]
    NotADatabase(PathBuf),
    /// It is the database of something else.
    #[error("`{0}` is an SQLite database, but not a store")]
    NotAStore(PathBuf),
    /// A later version of this program has written it.
    #[error("the store `{path}` has the schema {found}, and this version knows {known}")]
    Newer {
        /// Which.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The latest one that is known here.
        known: i64,
    },
    /// An earlier version of this program has written it, and it was opened to
    /// read.
    #[error("the store `{path}` has the schema {found}, and this version reads {known}")]
    Older {
        /// Which.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The one that is read.
        known: i64,
    },
    /// The file is damaged.
    #[error("the store `{path}` is damaged: {cause}")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What was found.
        cause: String,
    },
    /// It can be read, and not be written.
    #[error("the store `{0}` can only be read")]
    ReadOnly(PathBuf),
    /// Somebody else is writing, and does not stop.
    #[error("somebody else writes to the store `{0}`, and does not come to an end")]
    Locked(PathBuf),
    /// Somebody else is syncing the same tenant.
    #[error("another process is syncing the tenant `{tenant}` into the store `{path}`")]
    Syncing {
        /// Which store.
        path: PathBuf,
        /// Which tenant.
        tenant: String,
    },
    /// There is no room.
    #[error("there is no room to write the store `{0}`")]
    Full(PathBuf),
    /// Anything else that the database says.
    #[error("the store `{path}` failed: {cause}")]
    Database {
        /// Which.
        path: PathBuf,
        /// What it says.
        cause: String,
    },
}

impl StoreError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Missing(_) => "`harness sync --store FILE` makes one",
            Self::File { .. } => "name a file in a folder that you can write to, with `--store`",
            Self::NotADatabase(_) | Self::NotAStore(_) => {
                "nothing was changed; name another file with `--store`"
            }
            Self::Newer { .. } => {
                "use the version of this program that has written it; nothing was changed"
            }
            Self::Older { .. } => "`harness sync` into it brings it up to date",
            Self::Damaged { .. } => {
                "bring it back from a backup, or save what is left with `sqlite3 FILE .recover`"
            }
            Self::ReadOnly(_) => {
                "make the file and its folder writable; what is in the store can be read"
            }
            Self::Locked(_) => "wait for it to end, then run the command again",
            Self::Syncing { .. } => "wait for it to end",
            Self::Full(_) => {
                "make room and run the command again: it goes on where it ended, and what was \
                 complete is still there"
            }
            Self::Database { .. } => {
                "run the command again: it goes on where it ended, and what was complete is still \
                 there"
            }
        }
    }

    /// Where the command line is wrong rather than the world.
    pub(crate) fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Missing(_) | Self::File { .. } | Self::NotADatabase(_) | Self::NotAStore(_)
        )
    }

    /// What the database says, by what can be done about it.
    pub(crate) fn of(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        let cause = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked(path),
            Some(ErrorCode::DiskFull) => Self::Full(path),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly(path),
            Some(ErrorCode::NotADatabase) => Self::NotADatabase(path),
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, cause },
            Some(ErrorCode::CannotOpen) => Self::File {
                path,
                cause: io::Error::other(cause),
            },
            _ => Self::Database { path, cause },
        }
    }
}
