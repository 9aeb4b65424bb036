//! One workbook with a sheet of each kind.

use std::{
    borrow::Cow,
    io::BufWriter,
    panic::{self, AssertUnwindSafe},
    path::Path,
};

use rust_xlsxwriter::{DocProperties, Format, Workbook, Worksheet, XlsxError};

use super::{Cell, Exported, ReportError, Snapshot, TABLES, Table, begin, finish};
use crate::{
    report::{accepted_by, csv::is_formula},
    text::printable,
};

/// Rows of a sheet, and characters (UTF-16) of a cell: Excel's limits.
const MAX_ROWS: u32 = 1_048_576;
const MAX_CHARACTERS: usize = 32_767;

/// Characters that a column is wide.
const WIDTH: f64 = 24.0;

pub(super) fn export(
    snapshot: &Snapshot<'_>,
    output: &Path,
    raw: bool,
) -> Result<Exported, ReportError> {
    // Rows go to a file that the library makes, and where that can't be written it
    // panics. Nothing that it has touched is used afterwards.
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| write(snapshot, output, raw)));
    outcome.unwrap_or_else(|payload| {
        let said = payload.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| payload.downcast_ref::<&str>().copied());
        Err(gave_up(output, &said.unwrap_or("for a reason unknown")))
    })
}

fn gave_up(output: &Path, cause: &impl ToString) -> ReportError {
    ReportError::Workbook {
        path: output.to_owned(),
        cause: cause.to_string(),
    }
}

fn write(snapshot: &Snapshot<'_>, output: &Path, raw: bool) -> Result<Exported, ReportError> {
    let failed = |error: XlsxError| gave_up(output, &error);
    // Before anything is read: is there a place for it?
    let file = begin(snapshot, output)?;
    let run = snapshot.run();
    let mut workbook = Workbook::new();
    let title = format!("{}: run {}", run.tenant.name, run.id);
    workbook.set_properties(
        &DocProperties::new()
            .set_title(printable(&title))
            .set_subject(format!("as of {}", snapshot.as_of())),
    );
    let mut book = Book {
        workbook,
        bold: Format::new().set_bold(),
        text: Format::new().set_quote_prefix(),
        sheets: 0,
        cut: 0,
        raw,
    };
    let mut exported = Exported::default();
    for table in &TABLES {
        let rows = book.add(table, snapshot, &failed)?;
        exported.rows.push((table.name, rows));
    }
    book.tell(snapshot).map_err(failed)?;
    exported.cut = book.cut;
    let mut out = BufWriter::new(file);
    book.workbook.save_to_writer(&mut out).map_err(failed)?;
    let file = out
        .into_inner()
        .map_err(|error| ReportError::file(output, &error.error()))?;
    exported.files.push(finish(file)?);
    Ok(exported)
}

/// A workbook that is being filled.
struct Book {
    workbook: Workbook,
    bold: Format,
    /// Stays a text, even when somebody edits it.
    text: Format,
    sheets: usize,
    cut: u64,
    raw: bool,
}

impl Book {
    fn add(
        &mut self,
        table: &Table,
        snapshot: &Snapshot<'_>,
        failed: &impl Fn(XlsxError) -> ReportError,
    ) -> Result<u64, ReportError> {
        self.begin(table, 1).map_err(failed)?;
        let mut part = 1;
        let mut row = 0;
        let rows = table.visit(snapshot, |cells| {
            row += 1;
            if row == MAX_ROWS {
                self.end(table, row - 1).map_err(failed)?;
                part += 1;
                row = 1;
                self.begin(table, part).map_err(failed)?;
            }
            self.write(row, cells).map_err(failed)
        })?;
        self.end(table, row).map_err(failed)?;
        Ok(rows)
    }

    /// Begins a sheet, with a line of names. Rows that are written are not kept in
    /// memory.
    fn begin(&mut self, table: &Table, part: u32) -> Result<(), XlsxError> {
        let sheet = self.workbook.add_worksheet_with_constant_memory()?;
        match part {
            1 => sheet.set_name(table.name)?,
            part => sheet.set_name(format!("{} {part}", table.name))?,
        };
        sheet.set_freeze_panes(1, 0)?;
        for (at, name) in (0..).zip(table.names()) {
            sheet.set_column_width(at, WIDTH)?;
            sheet.write_string_with_format(0, at, name, &self.bold)?;
        }
        self.sheets += 1;
        Ok(())
    }

    fn end(&mut self, table: &Table, last_row: u32) -> Result<(), XlsxError> {
        let last_column = u16::try_from(table.columns.len() - 1).unwrap_or(u16::MAX);
        self.sheet()?.autofilter(0, 0, last_row, last_column)?;
        Ok(())
    }

    fn write(&mut self, row: u32, cells: &[Cell<'_>]) -> Result<(), XlsxError> {
        for (at, cell) in (0..).zip(cells) {
            match cell {
                Cell::Empty => {}
                Cell::Flag(flag) => {
                    self.sheet()?.write_boolean(row, at, *flag)?;
                }
                #[expect(clippy::cast_precision_loss, reason = "a run's number is small")]
                Cell::Number(number) => {
                    self.sheet()?.write_number(row, at, *number as f64)?;
                }
                Cell::Text(text) => self.text(row, at, text)?,
            }
        }
        Ok(())
    }

    fn text(&mut self, row: u32, at: u16, text: &str) -> Result<(), XlsxError> {
        let shown = if self.raw {
            Cow::Borrowed(text)
        } else {
            printable(text)
        };
        let fitting = fitting(&shown);
        self.cut += u64::from(fitting.len() < shown.len());
        if is_formula(text) {
            let format = self.text.clone();
            self.sheet()?
                .write_string_with_format(row, at, fitting, &format)?;
        } else {
            self.sheet()?.write_string(row, at, fitting)?;
        }
        Ok(())
    }

    /// Adds a sheet that says what the others are a snapshot of, and what a reader
    /// must know of it.
    fn tell(&mut self, snapshot: &Snapshot<'_>) -> Result<(), XlsxError> {
        let run = snapshot.run();
        let mut told = vec![
            ("tenant", run.tenant.name.clone()),
            ("connector", run.tenant.app_id.clone()),
            ("vendor account", run.tenant.vendor_id.clone()),
            ("run", run.id.to_string()),
            ("as of", snapshot.as_of().to_string()),
        ];
        let ended = run.ended_at.map(|at| ("read until", at.to_string()));
        told.extend(ended);
        told.push(("connector version", run.connector_version.clone()));
        told.push(("component sha256", run.component_sha256.clone()));
        for notice in &run.notices {
            told.push(("not all is known", notice.message.clone()));
            told.extend(notice.hint.iter().map(|hint| ("hint", hint.clone())));
        }
        for finding in &run.findings {
            told.push(("not plausible", finding.message.clone()));
        }
        told.extend(accepted_by(run).map(|by| ("accepted by", by)));
        let sheet = self.workbook.add_worksheet_with_constant_memory()?;
        sheet.set_name("run")?;
        sheet.set_column_width(0, WIDTH)?;
        sheet.set_column_width(1, 4.0 * WIDTH)?;
        self.sheets += 1;
        for (row, (name, value)) in (0..).zip(&told) {
            let bold = self.bold.clone();
            self.sheet()?
                .write_string_with_format(row, 0, *name, &bold)?;
            self.text(row, 1, value)?;
        }
        Ok(())
    }

    fn sheet(&mut self) -> Result<&mut Worksheet, XlsxError> {
        self.workbook.worksheet_from_index(self.sheets - 1)
    }
}

/// As much of the text as a cell takes.
fn fitting(text: &str) -> &str {
    let mut units = 0;
    let end = text.char_indices().find(|(_, character)| {
        units += character.len_utf16();
        units > MAX_CHARACTERS
    });
    end.map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_takes_so_much_and_no_half_characters() {
        let full = "a".repeat(MAX_CHARACTERS);
        assert_eq!(fitting(&full), full);
        assert_eq!(fitting(&format!("{full}b")), full);
        let smile = format!("{}🙂", "a".repeat(MAX_CHARACTERS - 1));
        assert_eq!(fitting(&smile).len(), MAX_CHARACTERS - 1);
    }
}
