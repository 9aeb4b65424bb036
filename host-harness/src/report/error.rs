//! Why there is no report.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    store::{RunState, StoreError},
    text::printable,
};

/// Why something can't be told from a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No tenant has ever been synced into it.
    #[error("no tenant is in the store")]
    NoTenant,
    /// It has no tenant of that name.
    #[error("the store has no tenant `{}`, but {}", printable(.name), names(.known))]
    UnknownTenant {
        /// Who was asked for.
        name: String,
        /// Who is there.
        known: Vec<String>,
    },
    /// There are several, and none was named.
    #[error("the store has several tenants: {}", names(.0))]
    SeveralTenants(Vec<String>),
    /// Nothing is known of the tenant yet.
    #[error("no run of the tenant `{}` is complete yet", printable(.0))]
    NoRun(String),
    /// There is one run, so nothing can have changed.
    #[error("only run {run} of the tenant `{}` is complete: there is nothing to compare it with", printable(.tenant))]
    OneRun {
        /// The run.
        run: i64,
        /// Of which tenant.
        tenant: String,
    },
    /// It has no run of that number.
    #[error("the tenant `{}` has no run {run}", printable(.tenant))]
    UnknownRun {
        /// Which was asked for.
        run: i64,
        /// Of which tenant.
        tenant: String,
    },
    /// The run is not a snapshot.
    #[error("run {run} is {}, not complete", .state.as_str())]
    NotComplete {
        /// Which.
        run: i64,
        /// What it is.
        state: RunState,
    },
    /// A run was to be compared with itself.
    #[error("run {0} can't be compared with itself")]
    SameRun(i64),
    /// The result can't be written to where it is to go.
    #[error("the output can't be written: {0}")]
    Output(#[from] io::Error),
    /// A file can't be written.
    #[error("`{path}` can't be written: {cause}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// It would replace the store.
    #[error("`{0}` belongs to the store")]
    IsStore(PathBuf),
    /// It is a folder, a device, a pipe.
    #[error("`{0}` is no file that could be replaced")]
    NotAFile(PathBuf),
    /// The library that makes workbooks gave up.
    #[error("the workbook `{path}` can't be made: {cause}")]
    Workbook {
        /// Which.
        path: PathBuf,
        /// What it said.
        cause: String,
    },
    /// A value does not fit the format.
    #[error("the column `{column}` holds `{}`, which is no RFC 3339 time", printable(.value))]
    Time {
        /// In which column.
        column: &'static str,
        /// What it holds.
        value: String,
    },
}

impl ReportError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Store(error) => error.hint().to_owned(),
            Self::NoTenant | Self::NoRun(_) => {
                "`harness sync` makes a run; `harness runs` says how far it is".to_owned()
            }
            Self::UnknownTenant { .. } | Self::SeveralTenants(_) => {
                "name one of them with `--tenant`".to_owned()
            }
            Self::OneRun { .. } => "sync once more, or name two runs".to_owned(),
            Self::UnknownRun { .. } | Self::NotComplete { .. } => {
                "`harness runs` lists them; take a complete one".to_owned()
            }
            Self::SameRun(_) => "name another run as well".to_owned(),
            Self::Output(_) | Self::File { .. } => {
                "name something in a folder that exists, is writable and has room".to_owned()
            }
            Self::IsStore(_) => "name another file".to_owned(),
            Self::NotAFile(_) => {
                "name a file; a report without `--output` goes to stdout".to_owned()
            }
            Self::Workbook { .. } => {
                "rows wait in the folder for temporary files, which `TMPDIR` names: see that it is \
                 there and has room; if it has, export in another format"
                    .to_owned()
            }
            Self::Time { .. } => "export as CSV or JSON, which take any text".to_owned(),
        }
    }

    /// Whether the command line is wrong rather than the world.
    pub(crate) fn is_usage(&self) -> bool {
        match self {
            Self::Store(error) => error.is_usage(),
            Self::Output(_) | Self::Time { .. } => false,
            _ => true,
        }
    }

    /// The same, if the output is that file or folder.
    pub(crate) fn in_file(self, path: &Path) -> Self {
        match self {
            Self::Output(cause) => Self::file(path, &cause),
            other => other,
        }
    }

    pub(crate) fn file(path: &Path, cause: &impl ToString) -> Self {
        Self::File {
            path: path.to_owned(),
            cause: cause.to_string(),
        }
    }
}

fn names(names: &[String]) -> String {
    let names: Vec<String> = names
        .iter()
        .map(|name| format!("`{}`", printable(name)))
        .collect();
    names.join(", ")
}
