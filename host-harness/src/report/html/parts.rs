//! What the pages have in common.

use jiff::Timestamp;
use maud::{Markup, html};

use crate::report::{Coverage, Duties, Held, Person, Snapshot, accepted_by, idle::days_between};

/// Text of strangers; the markup escapes it once more.
pub(super) fn shown(text: &str) -> String {
    crate::printable(text).into_owned()
}

/// `1234567` as `1,234,567`.
pub(super) fn count(number: u64) -> String {
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

/// A time to the minute.
pub(super) fn moment(at: Timestamp) -> Markup {
    html! { time datetime=(at) { (at.strftime("%Y-%m-%d %H:%M UTC")) } }
}

/// A day, of an RFC 3339 time.
pub(super) fn day(at: &str) -> Markup {
    match at.parse::<Timestamp>() {
        Ok(at) => html! { time datetime=(at) { (at.strftime("%Y-%m-%d")) } },
        Err(_) => html! { (shown(at)) },
    }
}

/// What others have called something. Which way it is written does not turn what
/// stands beside it.
pub(super) fn name(text: &str) -> Markup {
    html! { bdi { (shown(text)) } }
}

/// What a run leaves out.
pub(super) fn notices(snapshot: &Snapshot<'_>) -> Markup {
    let run = snapshot.run();
    html! {
        @for notice in &run.notices {
            p.note role="note" {
                b { "Not all is known: " } (name(&notice.message))
                @if let Some(hint) = &notice.hint { " (" (name(hint)) ")" }
            }
        }
        @if let Some(by) = accepted_by(run) {
            p.note role="note" {
                b { "Not plausible, and accepted by " (name(&by)) ": " }
                @for (at, finding) in run.findings.iter().enumerate() {
                    @if at > 0 { "; " } (name(&finding.message))
                }
            }
        }
        @if let Some(told) = snapshot.coverage().told() {
            p.note role="note" {
                b { "Last logins are not " @if snapshot.coverage() == Coverage::Partial { "all " } "known: " }
                (told) "."
            }
        }
    }
}

/// The head of an entry: who it is about.
pub(super) fn account(person: &Person, rows: usize) -> Markup {
    html! {
        th scope="rowgroup" rowspan=(rows) data-key=(shown(&person.name)) {
            (name(&person.name))
            @if let Some(email) = &person.email { " " br; span.soft.email { (address(email)) } }
            @if person.kind != "user" { " " span.state { (name(&person.kind)) } }
        }
    }
}

/// An e-mail address, which rather breaks before its domain than within it.
fn address(email: &str) -> Markup {
    match email.split_once('@') {
        Some((local, domain)) => html! { bdi { (shown(local)) wbr; "@" (shown(domain)) } },
        None => name(email),
    }
}

/// A life-cycle state.
pub(super) fn status(person: &Person, rows: usize) -> Markup {
    let class = match person.status.as_str() {
        "active" => "good",
        "pending" => "warn",
        _ => "bad",
    };
    html! { td rowspan=(rows) { span.state.(class) { (name(&person.status)) } } }
}

/// When somebody was last seen, how long that is before the run, and by which of
/// the vendor's records.
pub(super) fn seen(person: &Person, snapshot: &Snapshot<'_>, rows: usize) -> Markup {
    let Some(seen) = &person.seen else {
        let told = snapshot.coverage().without_trace(person);
        return html! { td.when rowspan=(rows) data-key="" { span.empty { (told) } } };
    };
    html! {
        td.when rowspan=(rows) data-key=(shown(&seen.at)) {
            (day(&seen.at))
            @if let Some(at) = seen.instant() {
                " " br; small { (ago(days_between(at, snapshot.as_of()))) }
            }
            " " br; small {
                "by " (name(&seen.source))
                @if seen.kind != "last-login" { ", " (name(&seen.kind)) }
            }
        }
    }
}

/// So many days before the run.
fn ago(days: i64) -> String {
    match days {
        0 => "the same day".to_owned(),
        1 => "1 day before".to_owned(),
        days => format!("{days} days before"),
    }
}

/// On how many rotas somebody is; the names where there is room for them.
pub(super) fn duties(duties: &Duties, rows: usize, by_name: bool) -> Markup {
    let kinds = [
        (&duties.schedules, "schedule", "schedules"),
        (&duties.policies, "policy", "policies"),
    ];
    html! {
        td rowspan=(rows) data-key=(duties.count()) {
            @if duties.count() == 0 { span.empty { "–" } }
            ul.plain {
                @for (names, one, many) in kinds.into_iter().filter(|(names, ..)| !names.is_empty()) {
                    li {
                        span.warn { (names.len()) " " (if names.len() == 1 { one } else { many }) }
                        @if by_name {
                            ": "
                            @for (at, each) in names.iter().enumerate() {
                                @if at > 0 { ", " } (name(each))
                            }
                        }
                    }
                    // Lines of a cell are words of their own to whoever searches.
                    "\n"
                }
            }
        }
    }
}

/// What is held, and on what.
pub(super) fn access(held: &Held) -> Markup {
    html! {
        (name(&held.label))
        @if !held.resource.is_empty() { " on " (name(&held.resource_label)) }
    }
}

/// Since when something is held: what the vendor says, or else when it was first
/// seen.
pub(super) fn since(held: &Held) -> Markup {
    match &held.since {
        Some(since) => day(since),
        None if held.was_there_before => html! {
            span.soft { "before " (day(&held.first_seen)) }
        },
        None => html! {
            span.soft { "seen " (day(&held.first_seen)) }
        },
    }
}

/// The cell of somebody who decides, which only paper has.
pub(super) fn decision() -> Markup {
    html! { td.decision {} }
}
