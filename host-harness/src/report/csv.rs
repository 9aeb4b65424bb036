//! CSV that a spreadsheet can open without harm.

use std::{borrow::Cow, io::Write};

use super::ReportError;
use crate::text::printable;

/// Writes rows of text.
pub(super) struct Rows<W: Write> {
    writer: csv::Writer<W>,
    /// Cells as they are, for programs.
    raw: bool,
}

impl<W: Write> Rows<W> {
    /// With cells as they are, or made harmless.
    pub(super) fn new(out: W, raw: bool) -> Self {
        Self {
            writer: csv::Writer::from_writer(out),
            raw,
        }
    }

    pub(super) fn write<'c>(
        &mut self,
        cells: impl IntoIterator<Item = &'c str>,
    ) -> Result<(), ReportError> {
        for cell in cells {
            let written = match self.raw {
                true => self.writer.write_field(cell),
                false => self.writer.write_field(harmless(cell).as_bytes()),
            };
            written.map_err(output)?;
        }
        self.writer.write_record(None::<&[u8]>).map_err(output)
    }

    pub(super) fn finish(self) -> Result<W, ReportError> {
        self.writer
            .into_inner()
            .map_err(|error| ReportError::Output(error.into_error()))
    }
}

/// The cell without control characters, and as text where a spreadsheet would
/// take it for a formula: with a `'` in front, as OWASP advises ("CSV
/// injection").
fn harmless(cell: &str) -> Cow<'_, str> {
    if is_formula(cell) {
        Cow::Owned(format!("'{}", printable(cell)))
    } else {
        printable(cell)
    }
}

/// Whether a spreadsheet may take the text for a formula, by its first
/// character: those of OWASP, and their full-width forms, which Excel reads as
/// the same in some languages.
pub(super) fn is_formula(cell: &str) -> bool {
    cell.starts_with([
        '=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '－', '＠',
    ])
}

/// Writing to memory or to a file can't fail for another reason.
fn output(error: csv::Error) -> ReportError {
    ReportError::Output(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(raw: bool, cells: &[&str]) -> String {
        let mut rows = Rows::new(Vec::new(), raw);
        rows.write(cells.iter().copied()).expect("memory");
        String::from_utf8(rows.finish().expect("memory")).expect("text")
    }

    #[test]
    fn what_looks_like_a_formula_becomes_text() {
        for (cell, expected) in [
            ("=1+1", "'=1+1"),
            ("+49 30 1234", "'+49 30 1234"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\\u{9}=1"),
            ("\r=1", "'\\u{d}=1"),
            ("＝1", "'＝1"),
            ("Zoë = 李", "Zoë = 李"),
            ("a\u{1b}[31m\nb", "a\\u{1b}[31m\\u{a}b"),
            ("", "\"\""),
        ] {
            assert_eq!(written(false, &[cell]).trim_end_matches('\n'), expected);
        }
        // Out of quotes and commas nothing begins anew.
        assert_eq!(written(false, &["a\",=1", "b"]), "\"a\"\",=1\",b\n");
    }

    #[test]
    fn programs_get_cells_as_they_are() {
        assert_eq!(written(true, &["=1+1", "a\nb"]), "=1+1,\"a\nb\"\n");
    }
}
