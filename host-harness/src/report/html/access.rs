//! Access review.

use std::io::Write;

use jiff::Timestamp;
use maud::{Markup, html};

use super::{
    Page, Sort, column,
    parts::{access, account, decision, duties, name, seen, since, status},
};
use crate::report::{AccessEntry, Held, ReportError, Snapshot};

impl Snapshot<'_> {
    /// Writes the access review as a page.
    pub fn access_page(&self, out: impl Write, made_at: Timestamp) -> Result<(), ReportError> {
        let totals = self.access_totals()?;
        let facts = [
            ("accounts", totals.accounts),
            ("grants", totals.held),
            ("accounts on call", totals.on_call),
            ("invitations pending", totals.pending),
        ];
        let mut page = Page::begin(out, self, made_at, "Access review", &facts)?;
        page.entries(
            "access",
            "accounts",
            "What each account has",
            &[
                column("Account", Some(Sort::Text), ""),
                column("Status", Some(Sort::Text), ""),
                column("Last login", Some(Sort::Key), ""),
                column("On-call load", Some(Sort::Number), ""),
                column("Kind", None, ""),
                column("Access", None, ""),
                column("Since", None, ""),
                column("Decision", None, "decision"),
            ],
        )?;
        self.access(|entry| page.entry(&self.access_entry(&entry)))?;
        page.end_of_entries()?;
        page.finish(&html! {
            p {
                "Last login: days are counted back from the run. On-call load: schedules that the \
                 account takes turns on, and escalation policies that name it. Since: as the vendor \
                 says; where it does not, “before” is the first run, which found it there, and \
                 “seen” a later run that found it new. An account with the status “unknown” is not \
                 listed by the vendor, which says all the same that it holds something."
            }
        })
    }

    fn access_entry(&self, entry: &AccessEntry) -> Markup {
        let rows = entry.held.len().max(1);
        // On paper each part after the first has a line in front.
        let spanned = rows + (rows - 1) / PART;
        html! {
            tbody style={ "--rows:" (rows) } {
                tr {
                    (account(&entry.account, spanned))
                    (status(&entry.account, spanned))
                    (seen(&entry.account, self, spanned))
                    (duties(&entry.duties, spanned, false))
                    @match entry.held.first() {
                        Some(held) => (grant(held)),
                        None => { td.empty colspan="3" { "nothing" } (decision()) }
                    }
                }
                @for (at, held) in entry.held.iter().enumerate().skip(1) {
                    @if at.is_multiple_of(PART) {
                        tr.again {
                            td colspan="4" { (name(&entry.account.name)) ", continued" }
                        }
                    }
                    tr { (grant(held)) }
                }
            }
        }
    }
}

/// On paper, an entry that goes on over pages says anew whose it is after so many
/// lines.
const PART: usize = 20;

fn grant(held: &Held) -> Markup {
    html! {
        td.soft.kind { (name(&held.kind())) }
        td { (access(held)) }
        td.when { (since(held)) }
        (decision())
    }
}
