//! Reports as pages: one file each, that needs nothing else.

mod access;
mod inactive;
mod licences;
mod parts;

use std::io::Write;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use maud::{Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::{ReportError, Snapshot};
use parts::{name, notices, shown};

/// How the pages look.
const STYLE: &str = include_str!("page.css");

/// Sorts and filters. Without it the pages show the same.
const SCRIPT: &str = include_str!("page.js");

/// A page that is being written, from its head to its foot. Entries go out as
/// they come.
struct Page<'p, W> {
    out: W,
    snapshot: &'p Snapshot<'p>,
    made_at: Timestamp,
}

/// A column of the entries.
struct Column {
    name: &'static str,
    /// How the script sorts by it; none if it can't.
    sort: Option<Sort>,
    class: &'static str,
}

/// How the script compares cells.
#[derive(Clone, Copy)]
enum Sort {
    /// As people sort names.
    Text,
    /// By `data-key`, character by character.
    Key,
    Number,
}

impl Sort {
    fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Key => "key",
            Self::Number => "number",
        }
    }
}

const fn column(name: &'static str, sort: Option<Sort>, class: &'static str) -> Column {
    Column { name, sort, class }
}

impl<'p, W: Write> Page<'p, W> {
    /// Writes the head, which tells what the page is made from. `facts` are
    /// numbers that stand above everything.
    fn begin(
        out: W,
        snapshot: &'p Snapshot<'p>,
        made_at: Timestamp,
        title: &str,
        facts: &[(&str, u64)],
    ) -> Result<Self, ReportError> {
        let mut page = Self {
            out,
            snapshot,
            made_at,
        };
        let run = snapshot.run();
        let full_title = format!("{title}: {}", shown(&run.tenant.name));
        page.raw("<!DOCTYPE html>\n<html lang=\"en\">\n")?;
        page.put(&html! {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                meta http-equiv="Content-Security-Policy" content=(policy());
                title { (full_title) }
                style { (PreEscaped(STYLE)) }
            }
        })?;
        page.raw("\n<body>\n")?;
        page.put(&html! {
            header {
                h1 { (title) ": " (name(&run.tenant.name)) }
                p {
                    (name(&run.tenant.app_id)) " account " b { (name(&run.tenant.vendor_id)) }
                    @match snapshot.read_until() {
                        None => { ", as of " (parts::moment(snapshot.as_of())) }
                        Some(until) => {
                            ", read from " (parts::moment(snapshot.as_of())) " to " (parts::moment(until))
                        }
                    }
                    " (run " (run.id) "). Made " (parts::moment(made_at)) "."
                }
            }
        })?;
        page.raw("\n<main>\n")?;
        page.put(&html! {
            ul.facts {
                @for (name, value) in facts {
                    li { b { (parts::count(*value)) } (name) }
                }
            }
            (notices(snapshot))
        })?;
        Ok(page)
    }

    /// Begins the table of entries, each of which is a `tbody`. `many` is what
    /// they are called; the style sheet knows the widths of columns by `class`.
    fn entries(
        &mut self,
        class: &str,
        many: &str,
        caption: &str,
        columns: &[Column],
    ) -> Result<(), ReportError> {
        self.put(&html! {
            div.tools hidden data-many=(many) {
                label for="filter" { "Filter" }
                input #filter type="search" autocomplete="off" spellcheck="false"
                    placeholder="any words, in any order";
                span role="status" {}
            }
        })?;
        self.raw(&format!(
            "\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Entries\">\
             <table class=\"entries {class}\">\n",
        ))?;
        self.put(&html! {
            caption { (caption) }
            thead {
                tr {
                    @for column in columns {
                        th.(column.class) scope="col" data-sort=[column.sort.map(Sort::as_str)] {
                            (column.name)
                        }
                    }
                }
            }
        })?;
        self.raw("\n")
    }

    fn entry(&mut self, entry: &Markup) -> Result<(), ReportError> {
        self.put(entry)?;
        self.raw("\n")
    }

    fn end_of_entries(&mut self) -> Result<(), ReportError> {
        self.raw("</table></div>\n")
    }

    fn finish(mut self, explained: &Markup) -> Result<(), ReportError> {
        self.raw("</main>\n")?;
        let run = self.snapshot.run();
        self.put(&html! {
            footer {
                (explained)
                p {
                    "Run " (run.id) " began " (run.began_at)
                    @if let Some(ended) = run.ended_at { ", ended " (ended) }
                    ", with connector version "
                    (shown(&run.connector_version)) ". Page made " (self.made_at) " by harness "
                    (env!("CARGO_PKG_VERSION")) "."
                }
            }
            script { (PreEscaped(SCRIPT)) }
        })?;
        self.raw("\n</body>\n</html>\n")?;
        self.out.flush()?;
        Ok(())
    }

    fn put(&mut self, markup: &Markup) -> Result<(), ReportError> {
        self.raw(&markup.0)
    }

    /// Our own text. What others have written goes through `put`.
    fn raw(&mut self, text: &str) -> Result<(), ReportError> {
        self.out.write_all(text.as_bytes())?;
        Ok(())
    }
}

/// Nothing from elsewhere, no script but our own.
fn policy() -> String {
    let digest = BASE64_STANDARD.encode(Sha256::digest(SCRIPT));
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; \
         base-uri 'none'; form-action 'none'"
    )
}
