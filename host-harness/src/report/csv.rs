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

/// Without it, Excel takes a file for text of the system's code page, and makes
/// `ZoÃ«` of Zoë.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

impl<W: Write> Rows<W> {
    /// With cells as they are, or made harmless.
    pub(super) fn new(out: W, raw: bool) -> Self {
        let mut builder = csv::WriterBuilder::new();
        if !raw {
            // As OWASP advises: then no comma ends a cell, whoever reads it.
            builder.quote_style(csv::QuoteStyle::Always);
        }
        Self {
            writer: builder.from_writer(out),
            raw,
        }
    }

    /// For spreadsheets alone.
    pub(super) fn for_people(mut out: W) -> Result<Self, ReportError> {
        out.write_all(BYTE_ORDER_MARK)?;
        Ok(Self::new(out, false))
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
/// injection"). Where `;` separates cells, as in Excel in many countries, quotes
/// that stand before a comma don't hold: what follows a `;` could be a cell too.
fn harmless(cell: &str) -> Cow<'_, str> {
    let shown = printable(cell);
    if !is_formula(cell) && !shown.contains(';') {
        return shown;
    }
    let mut safe = String::with_capacity(shown.len() + 8);
    if is_formula(cell) {
        safe.push('\'');
    }
    let mut may_begin = false;
    for character in shown.chars() {
        if may_begin && FORMULA.contains(&character) {
            safe.push('\'');
        }
        may_begin = character == ';' || (may_begin && is_passed_over(character));
        safe.push(character);
    }
    Cow::Owned(safe)
}

/// What formulas begin with: the characters of OWASP, and their full-width forms,
/// which Excel reads as the same in some languages.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// Whether a spreadsheet may take the text for a formula.
pub(super) fn is_formula(cell: &str) -> bool {
    cell.starts_with(['\t', '\r', '\n', '\0'])
        || cell.trim_start_matches(is_passed_over).starts_with(FORMULA)
}

/// What may stand before a formula: some readers trim cells, and quotes that are
/// doubled are none.
fn is_passed_over(character: char) -> bool {
    character.is_whitespace() || character == '"'
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
            ("  =1", "'  =1"),
            ("＝1", "'＝1"),
            ("Zoë = 李", "Zoë = 李"),
            ("a\u{1b}[31m\nb", "a\\u{1b}[31m\\u{a}b"),
            ("", ""),
            // Where `;` separates cells.
            ("Ada;=1", "Ada;'=1"),
            ("Ada; \u{a0}=1;b", "Ada; \u{a0}'=1;b"),
            ("Ada\";\"=1", "Ada\"\";\"\"'=1"),
            ("Ada; Bob-1", "Ada; Bob-1"),
        ] {
            assert_eq!(written(false, &[cell]), format!("\"{expected}\"\n"));
        }
        // Out of quotes and commas nothing begins anew.
        assert_eq!(written(false, &["a\",=1", "b"]), "\"a\"\",=1\",\"b\"\n");
    }

    #[test]
    fn programs_get_cells_as_they_are() {
        assert_eq!(written(true, &["=1+1", "a;=1\nb"]), "=1+1,\"a;=1\nb\"\n");
    }
}
