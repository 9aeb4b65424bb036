//! Access review.

use std::io::Write;

use jiff::Timestamp;
use maud::{Markup, html};

use super::{
    Page, Sort, column,
    parts::{account, decision, duties, seen, shown, since, status},
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
                "Last login: days are counted back from the run. On-call load: schedules that the account takes turns on, and escalation policies \
                 that name it. Since: as the vendor says; where it does not, “before” is the first \
                 run, which found it there, and “seen” a later run that found it new."
            }
        })
    }

    fn access_entry(&self, entry: &AccessEntry) -> Markup {
        let rows = entry.held.len().max(1);
        html! {
            tbody style={ "--rows:" (rows) } {
                tr {
                    (account(&entry.account, rows))
                    (status(&entry.account, rows))
                    (seen(&entry.account, self, rows))
                    (duties(&entry.duties, rows, false))
                    @match entry.held.first() {
                        Some(held) => (grant(held)),
                        None => { td.empty colspan="3" { "nothing" } (decision()) }
                    }
                }
                @for held in entry.held.iter().skip(1) {
                    tr { (grant(held)) }
                }
            }
        }
    }
}

fn grant(held: &Held) -> Markup {
    html! {
        td.soft.kind { (shown(&held.kind())) }
        td { (shown(&held.told())) }
        td.when { (since(held)) }
        (decision())
    }
}
