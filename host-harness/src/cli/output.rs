//! Results on stdout: aligned columns for people, JSON for programs.

use std::io::{self, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

use super::failure::Failure;
use crate::{
    contract::types::Notice,
    report::{self, Snapshot},
    store::Run,
    text::printable,
};

/// Prints JSON, indented.
pub(super) fn json(value: &Value) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(value).expect("a JSON value has string keys only");
    text.push('\n');
    raw(text.as_bytes())
}

/// Prints a line.
pub(super) fn line(text: &str) -> Result<(), Failure> {
    raw(format!("{text}\n").as_bytes())
}

/// Says something on stderr; `talk!` formats. Whether anybody listens makes no
/// difference to the result.
pub(super) fn talk(text: std::fmt::Arguments<'_>) {
    writeln!(io::stderr().lock(), "{text}").ok();
}

/// Prints bytes as they are.
pub(super) fn raw(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()?;
    Ok(())
}

/// Prints aligned columns. Cells come from strangers.
pub(super) fn table(
    header: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> Result<(), Failure> {
    raw(columns(header, rows).as_bytes())
}

/// Aligned columns as text. Cells come from strangers.
pub(super) fn columns(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header.iter().map(|name| name.to_uppercase()));
    for row in rows {
        table.add_row(row.iter().map(|cell| printable(cell).into_owned()));
    }
    if let Some(column) = table.column_mut(0) {
        column.set_padding((0, 1));
    }
    table
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

/// Writes the same as `columns`, of rows that are visited twice, to see how wide
/// they are and to write them: none is kept.
pub(super) fn visited_columns<E: From<io::Error>>(
    out: &mut dyn Write,
    header: &[&str],
    visit: impl Fn(&mut Visitor<'_, E>) -> Result<(), E>,
) -> Result<(), E> {
    let header: Vec<String> = header.iter().map(|name| name.to_uppercase()).collect();
    let mut widths: Vec<usize> = header.iter().map(|name| name.width()).collect();
    visit(&mut |row: &[String]| {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = printable(cell).width().max(*width);
        }
        Ok(())
    })?;
    let mut put = |row: &[String]| {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            let cell = printable(cell);
            let room = width.saturating_sub(cell.width()) + 2;
            line.push_str(&cell);
            line.extend(std::iter::repeat_n(' ', room));
        }
        writeln!(out, "{}", line.trim_end()).map_err(E::from)
    };
    put(&header)?;
    visit(&mut put)
}

/// Takes a row of [`visited_columns`].
pub(super) type Visitor<'v, E> = dyn FnMut(&[String]) -> Result<(), E> + 'v;

/// Prints `name  value` lines.
pub(super) fn fields(fields: &[(&str, String)]) -> Result<(), Failure> {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let text: String = fields
        .iter()
        .map(|(name, value)| format!("{name:width$}  {}\n", printable(value)))
        .collect();
    raw(text.as_bytes())
}

/// Says on stderr what a result leaves out.
pub(super) fn notices(notices: &[Notice]) {
    for notice in notices {
        let message = printable(&notice.message);
        match &notice.hint {
            Some(hint) => talk!("notice: {message}; hint: {}", printable(hint)),
            None => talk!("notice: {message}"),
        }
    }
}

/// Says on stderr what a reader of a run must know: what it leaves out, what was
/// not plausible and accepted, and over which time it was read, if that was long.
pub(super) fn caveats(run: &Run) {
    for notice in &run.notices {
        let message = printable(&notice.message);
        match &notice.hint {
            Some(hint) => talk!(
                "notice: run {}: {message}; hint: {}",
                run.id,
                printable(hint)
            ),
            None => talk!("notice: run {}: {message}", run.id),
        }
    }
    if let Some(by) = report::accepted_by(run) {
        for finding in &run.findings {
            talk!(
                "notice: run {}: not plausible, and accepted by {}: {}",
                run.id,
                printable(&by),
                printable(&finding.message)
            );
        }
    }
    if let Some(until) = report::read_until(run) {
        talk!(
            "notice: run {} was read from {} to {until}: what it tells was so at some time between",
            run.id,
            run.began_at
        );
    }
}

/// The same of last logins.
pub(super) fn caveat_of_activity(snapshot: &Snapshot<'_>) {
    if let Some(told) = snapshot.coverage().told() {
        talk!("notice: {told}");
    }
}

/// `1234567` as `1,234,567`.
pub(super) fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 account`, `2 accounts`.
pub(super) fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}
