//! Licences.

use std::io::Write;

use jiff::Timestamp;
use maud::{Markup, html};

use super::{
    Page, Sort, column,
    inactive::why,
    parts::{account, count, day, name, seen, shown, status},
};
use crate::report::{Idle, IdleRule, Licence, ReportError, Seat, Snapshot};

impl Snapshot<'_> {
    /// Writes the licences as a page: all of them in numbers, and who could do
    /// without.
    pub fn licences_page(
        &self,
        rule: &IdleRule,
        out: impl Write,
        made_at: Timestamp,
    ) -> Result<(), ReportError> {
        let licences = self.licences(rule)?;
        let sum = |number: fn(&Licence) -> u64| licences.iter().map(number).sum::<u64>();
        let facts = [
            ("licences in use", sum(|licence| licence.holders.accounts)),
            ("reclaimable", sum(|licence| licence.holders.idle())),
        ];
        let mut page = Page::begin(out, self, made_at, "Licences", &facts)?;
        page.put(&summary(&licences, rule))?;
        page.raw("\n<h2>Reclaimable</h2>\n")?;
        page.entries(
            "licences",
            "reclaimable licences",
            "Who holds a licence and does not use the account",
            &[
                column("Account", Some(Sort::Text), ""),
                column("Status", Some(Sort::Text), ""),
                column("Last login", Some(Sort::Key), ""),
                column("Why", Some(Sort::Text), ""),
                column("Licence", Some(Sort::Text), ""),
                column("Since", Some(Sort::Key), ""),
            ],
        )?;
        self.seats(rule, |seat| match seat.idle {
            Some(idle) => page.entry(&self.seat_entry(&seat, idle)),
            None => Ok(()),
        })?;
        page.end_of_entries()?;
        page.finish(&html! {
            p {
                "Reclaimable: the invitation is pending; or the account is disabled (suspended, not in \
                 use, gone); or nothing was seen of it in the " (rule.days()) " days before the run, \
                 and it has been there and had the licence for as long."
            }
        })
    }

    fn seat_entry(&self, seat: &Seat, idle: Idle) -> Markup {
        html! {
            tbody {
                tr {
                    (account(&seat.account, 1))
                    (status(&seat.account, 1))
                    (seen(&seat.account, self, 1))
                    (why(idle))
                    td { (name(&seat.label)) }
                    @match &seat.since {
                        Some(since) => td.when data-key=(shown(since)) { (day(since)) },
                        None => td.when data-key="" { span.empty { "–" } },
                    }
                }
            }
        }
    }
}

fn summary(licences: &[Licence], rule: &IdleRule) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Licences" {
            table {
                caption { "All licences" }
                thead {
                    tr {
                        th scope="col" { "Licence" }
                        th.number scope="col" { "Used" }
                        th.number scope="col" { "Free" }
                        th.number scope="col" { "Reclaimable" }
                        th.number scope="col" { "Not seen for " (rule.days()) " days" }
                        th.number scope="col" { "Never logged in" }
                        th.number scope="col" { "Pending" }
                        th.number scope="col" { "Disabled" }
                    }
                }
                tbody {
                    @for licence in licences {
                        tr {
                            th scope="row" {
                                (name(&licence.label))
                                @if let Some(text) = &licence.description {
                                    " " br; small { (name(text)) }
                                }
                            }
                            td.number { (count(licence.holders.accounts)) }
                            td.number { (licence.free) }
                            td.number { b { (count(licence.holders.idle())) } }
                            td.number { (count(licence.holders.inactive)) }
                            td.number { (count(licence.holders.never)) }
                            td.number { (count(licence.holders.pending)) }
                            td.number { (count(licence.holders.disabled)) }
                        }
                    }
                }
            }
            @if licences.is_empty() { p.empty { "None that the run could read." } }
        }
    }
}
