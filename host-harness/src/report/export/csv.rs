//! One CSV file of each kind.

use std::path::Path;

use super::{Cell, Exported, Folder, ReportError, Snapshot, TABLES};
use crate::report::csv::Rows;

pub(super) fn export(
    snapshot: &Snapshot<'_>,
    output: &Path,
    raw: bool,
) -> Result<Exported, ReportError> {
    let mut folder = Folder::open(output, snapshot)?;
    for table in &TABLES {
        let mut rows = Rows::new(folder.begin(&format!("{}.csv", table.name))?, raw);
        rows.write(table.names())?;
        let count = table.visit(snapshot, |cells| {
            let numbers: Vec<String> = cells
                .iter()
                .map(|cell| match cell {
                    Cell::Number(number) => number.to_string(),
                    _ => String::new(),
                })
                .collect();
            rows.write(cells.iter().zip(&numbers).map(|(cell, number)| match cell {
                Cell::Empty => "",
                Cell::Text(text) => text,
                Cell::Flag(true) => "true",
                Cell::Flag(false) => "false",
                Cell::Number(_) => number,
            }))
        })?;
        folder.keep(table, rows.finish()?, count)?;
    }
    folder.finish()
}
