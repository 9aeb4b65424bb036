//! A snapshot as files for other programs.

mod csv;
mod json;
mod parquet;
mod table;
mod xlsx;

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

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
    /// One workbook with a sheet of each kind, and one named `run`. A sheet that is
    /// full goes on in another.
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
    /// Files take their place when all of them are whole and on the disk; an error
    /// before that leaves everything as it was. In a folder they do so one after
    /// the other, `run.json` last: a folder without it was cut off just then, and
    /// may hold files of two runs. Files are for nobody else to read, unless others
    /// may read those that they replace. Memory does not grow with the tenant.
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

/// Files of a folder that take their place when all of them are on the disk.
struct Folder<'o> {
    path: &'o Path,
    snapshot: &'o Snapshot<'o>,
    done: Vec<WholeFile>,
    exported: Exported,
}

/// Says what the other files of a folder are a snapshot of.
const RUN: &str = "run.json";

impl<'o> Folder<'o> {
    fn open(path: &'o Path, snapshot: &'o Snapshot<'o>) -> Result<Self, ReportError> {
        std::fs::create_dir_all(path).map_err(|cause| ReportError::file(path, &cause))?;
        Ok(Self {
            path,
            snapshot,
            done: Vec::new(),
            exported: Exported::default(),
        })
    }

    fn begin(&self, name: &str) -> Result<WholeFile, ReportError> {
        begin(self.snapshot, &self.path.join(name))
    }

    fn keep(&mut self, table: &Table, file: WholeFile, rows: u64) -> Result<(), ReportError> {
        sync(&file)?;
        self.done.push(file);
        self.exported.rows.push((table.name, rows));
        Ok(())
    }

    /// Names can't be changed together. So the file that says what the others are
    /// goes first and comes last: without it, the folder is not to be read.
    fn finish(mut self) -> Result<Exported, ReportError> {
        let mut run = self.begin(RUN)?;
        let mut text =
            serde_json::to_string_pretty(self.snapshot.run()).expect("a run has string keys only");
        text.push('\n');
        let old = run.target().to_owned();
        let failed = |cause: io::Error| ReportError::file(&old, &cause);
        run.write_all(text.as_bytes()).map_err(failed)?;
        sync(&run)?;
        match std::fs::remove_file(&old) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(failed(cause)),
            _ => {}
        }
        let folder = |cause: io::Error| ReportError::file(self.path, &cause);
        whole_file::sync_folder(self.path).map_err(folder)?;
        for file in self.done {
            self.exported.files.push(put_in_place(file)?);
        }
        self.exported.files.push(put_in_place(run)?);
        whole_file::sync_folder(self.path).map_err(folder)?;
        Ok(self.exported)
    }
}

fn begin(snapshot: &Snapshot<'_>, path: &Path) -> Result<WholeFile, ReportError> {
    snapshot.may_write(path)?;
    WholeFile::begin(path).map_err(|cause| ReportError::file(path, &cause))
}

fn sync(file: &WholeFile) -> Result<(), ReportError> {
    file.sync()
        .map_err(|cause| ReportError::file(file.target(), &cause))
}

/// Puts a file in its place, which it answers with.
fn finish(file: WholeFile) -> Result<PathBuf, ReportError> {
    sync(&file)?;
    put_in_place(file)
}

fn put_in_place(file: WholeFile) -> Result<PathBuf, ReportError> {
    let target = file.target().to_owned();
    file.put_in_place()
        .map_err(|cause| ReportError::file(&target, &cause))?;
    Ok(target)
}
