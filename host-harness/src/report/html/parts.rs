//! What the pages have in common.

use jiff::Timestamp;
use maud::{Markup, html};

use crate::{
    report::{Duties, Held, Person, Snapshot, idle::days_between},
    store::Run,
};

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

/// What a run leaves out.
pub(super) fn notices(run: &Run) -> Markup {
    html! {
        @for notice in &run.notices {
            p.note role="note" {
                b { "Not all is known: " } (shown(&notice.message))
                @if let Some(hint) = &notice.hint { " (" (shown(hint)) ")" }
            }
        }
        @if let Some(by) = &run.accepted_by {
            p.note role="note" {
                b { "Not plausible, and accepted by " (shown(by)) ": " }
                @for (at, finding) in run.findings.iter().enumerate() {
                    @if at > 0 { "; " } (shown(&finding.message))
                }
            }
        }
    }
}

/// Says that last logins are not known at all.
pub(super) fn no_activity() -> Markup {
    html! {
        p.note role="note" {
            b { "Last logins are not known: " }
            "this run could read none, so nobody counts as inactive but who has not accepted the \
             invitation."
        }
    }
}

/// The head of an entry: who it is about.
pub(super) fn account(person: &Person, rows: usize) -> Markup {
    html! {
        th scope="rowgroup" rowspan=(rows) data-key=(shown(&person.name)) {
            (shown(&person.name))
            @if let Some(email) = &person.email { " " br; span.soft.email { (address(email)) } }
            @if person.kind != "user" { " " span.state { (shown(&person.kind)) } }
        }
    }
}

/// An e-mail address, which rather breaks before its domain than within it.
fn address(email: &str) -> Markup {
    match email.split_once('@') {
        Some((local, domain)) => html! { (shown(local)) wbr; "@" (shown(domain)) },
        None => html! { (shown(email)) },
    }
}

/// A life-cycle state.
pub(super) fn status(person: &Person, rows: usize) -> Markup {
    let class = match person.status.as_str() {
        "active" => "good",
        "pending" => "warn",
        _ => "bad",
    };
    html! { td rowspan=(rows) { span.state.(class) { (shown(&person.status)) } } }
}

/// When somebody was last seen, and how long that is before the run.
pub(super) fn seen(person: &Person, snapshot: &Snapshot<'_>, rows: usize) -> Markup {
    let Some(seen) = &person.seen else {
        return html! { td.when rowspan=(rows) data-key="" { span.empty { "never" } } };
    };
    html! {
        td.when rowspan=(rows) data-key=(shown(&seen.at)) title={ "by " (shown(&seen.source)) } {
            (day(&seen.at))
            @if let Some(at) = seen.instant() {
                " " br; small { (ago(days_between(at, snapshot.as_of()))) }
            }
            @if seen.kind != "last-login" { " " br; small { (shown(&seen.kind)) } }
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
                        @if by_name { ": " (shown(&names.join(", "))) }
                    }
                }
            }
        }
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
