//! Inactive accounts.

use std::io::Write;

use jiff::Timestamp;
use maud::{Markup, html};

use super::{
    Page, Sort, column,
    parts::{access, account, day, duties, name, seen, shown, status},
};
use crate::report::{Idle, IdleRule, InactiveEntry, ReportError, Snapshot};

impl Snapshot<'_> {
    /// Writes the inactive accounts as a page.
    pub fn inactive_page(
        &self,
        rule: &IdleRule,
        out: impl Write,
        made_at: Timestamp,
    ) -> Result<(), ReportError> {
        let totals = self.inactive_totals(rule)?;
        let inactive = format!("not seen for {} days", rule.days());
        let facts = [
            ("accounts in all", totals.accounts),
            (inactive.as_str(), totals.inactive),
            ("never logged in", totals.never),
            ("invitations pending", totals.pending),
            ("disabled", totals.disabled),
        ];
        let mut page = Page::begin(out, self, made_at, "Inactive accounts", &facts)?;
        page.entries(
            "inactive",
            "inactive accounts",
            "Accounts that nobody uses, and what hangs on them",
            &[
                column("Account", Some(Sort::Text), ""),
                column("Status", Some(Sort::Text), ""),
                column("Last login", Some(Sort::Key), ""),
                column("Why", Some(Sort::Text), ""),
                column("On-call duties", Some(Sort::Number), ""),
                column("Oldest grant", Some(Sort::Key), ""),
                column("Holds", Some(Sort::Number), ""),
            ],
        )?;
        self.inactive(rule, |entry| page.entry(&self.inactive_entry(&entry)))?;
        page.end_of_entries()?;
        page.finish(&html! {
            p {
                "Inactive: nothing was seen of the account in the " (rule.days()) " days before the \
                 run, nor was it new within them; or the invitation is pending; or the account is \
                 disabled (suspended, not in use, gone) and still there. Whoever removes an account with on-call duties leaves a hole in a rota, unless \
                 somebody takes over: " code { "harness offboard LEAVER --to HEIR" } "."
            }
        })
    }

    fn inactive_entry(&self, entry: &InactiveEntry) -> Markup {
        html! {
            tbody {
                tr {
                    (account(&entry.account, 1))
                    (status(&entry.account, 1))
                    (seen(&entry.account, self, 1))
                    (why(entry.idle))
                    (duties(&entry.duties, 1, true))
                    @match entry.oldest() {
                        Some(oldest) => td.when data-key=(shown(oldest)) { (day(oldest)) },
                        None => td.when data-key="" { span.empty { "–" } },
                    }
                    td data-key=(entry.held.len()) {
                        @if entry.held.is_empty() { span.empty { "nothing" } }
                        ul.plain {
                            @for held in &entry.held {
                                li { span.soft { (name(&held.kind())) } " " (access(held)) }
                                "\n"
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Why somebody counts as not used. For how long is told with the last login.
pub(super) fn why(idle: Idle) -> Markup {
    let why = match idle {
        Idle::Disabled => "account disabled",
        Idle::Pending => "invitation pending",
        Idle::Never => "never logged in",
        Idle::Days(_) => "inactive",
    };
    html! { td.why { (why) } }
}
