//! A snapshot as files for other programs.

mod csv;
mod json;
mod parquet;
mod table;
mod xlsx;

use std::path::{Path, PathBuf};

use super::{ReportError, Snapshot};
use crate::whole_file::{self, WholeFile};

use table::{Cell, Column, Holds, TABLES, Table};

/// Which files. In all of them there are accounts, resources, entitlements,
/// grants and last activity, with the names that the store has, by key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// A folder: one file of each kind with a line of names, and `run.json`, which
    /// says what they are a snapshot of.
    Csv,
    /// One document: `run`, and a list of each kind with one row a line.
    Json,
    /// One workbook with a sheet of each kind. A sheet that is full goes on in
    /// another.
    Xlsx,
    /// A folder, as with CSV. Times are typed, and the run is told in each file.
    Parquet,
}

/// What was written.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Exported {
    /// The files.
    pub files: Vec<PathBuf>,
    /// How many rows of each kind.
    pub rows: Vec<(&'static str, u64)>,
    /// Cells that were cut off, because a spreadsheet takes no more than 32,767
    /// characters.
    pub cut: u64,
}

impl Snapshot<'_> {
    /// Writes the snapshot to a file, or into a folder, which is made if need be.
    /// Files take their place when all of them are whole; an error leaves
    /// everything as it was. Memory does not grow with the tenant.
    ///
    /// Text in CSV and xlsx is made harmless unless `raw`: control characters are
    /// escaped, and in CSV what a spreadsheet would take for a formula has a `'`
    /// in front. In xlsx it is a text in any case, and stays one when it is
    /// edited. JSON and Parquet are exact.
    pub fn export(
        &self,
        format: Format,
        raw: bool,
        output: &Path,
    ) -> Result<Exported, ReportError> {
        let exported = match format {
            Format::Csv => csv::export(self, output, raw),
            Format::Json => json::export(self, output),
            Format::Xlsx => xlsx::export(self, output, raw),
            Format::Parquet => parquet::export(self, output),
        };
        exported.map_err(|error| error.in_file(output))
    }
}

/// Files of a folder that take their place together.
struct Folder<'o> {
    path: &'o Path,
    done: Vec<WholeFile>,
    exported: Exported,
}

impl<'o> Folder<'o> {
    fn open(path: &'o Path) -> Result<Self, ReportError> {
        std::fs::create_dir_all(path).map_err(|cause| ReportError::file(path, &cause))?;
        Ok(Self {
            path,
            done: Vec::new(),
            exported: Exported::default(),
        })
    }

    fn begin(&self, name: &str) -> Result<WholeFile, ReportError> {
        begin(&self.path.join(name))
    }

    fn keep(&mut self, table: &Table, file: WholeFile, rows: u64) {
        self.done.push(file);
        self.exported.rows.push((table.name, rows));
    }

    fn finish(mut self, snapshot: &Snapshot<'_>) -> Result<Exported, ReportError> {
        for file in self.done {
            self.exported.files.push(finish(file)?);
        }
        let run = self.path.join("run.json");
        let mut text =
            serde_json::to_string_pretty(snapshot.run()).expect("a run has string keys only");
        text.push('\n');
        whole_file::write(&run, text.as_bytes())
            .map_err(|cause| ReportError::file(&run, &cause))?;
        self.exported.files.push(run);
        Ok(self.exported)
    }
}

fn begin(path: &Path) -> Result<WholeFile, ReportError> {
    WholeFile::begin(path).map_err(|cause| ReportError::file(path, &cause))
}

/// Puts a file in its place, which it answers with.
fn finish(file: WholeFile) -> Result<PathBuf, ReportError> {
    let target = file.target().to_owned();
    file.finish()
        .map_err(|cause| ReportError::file(&target, &cause))?;
    Ok(target)
}
