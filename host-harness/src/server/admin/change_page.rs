//! One record of the audit log, with what differs on the recordings.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    response::Response,
};
use http::StatusCode;
use maud::{Markup, html};
use serde_json::Value;

use super::page::{digest, missing, moment, page, shown};
use crate::{
    registry::audit::{AuditEvent, AuditRecord},
    server::Shared,
};

pub(super) async fn change(State(shared): State<Arc<Shared>>, Path(seq): Path<u64>) -> Response {
    let Some(registry) = shared.connectors.registry() else {
        return missing("The connectors of this host stay as they are");
    };
    let records = match super::records(registry, None).await {
        Ok(records) => records,
        Err(error) => return missing(&shown(&error.to_string())),
    };
    let Some(record) = records.iter().find(|record| record.seq == seq) else {
        return missing("There is no such record");
    };
    let body = html! {
        header {
            h1 { "Change " (seq) ": " (event(record.event)) }
            nav aria-label="Back" { a href="/#changes" { "To the overview" } }
        }
        main {
            (facts(record))
            (diff(record))
        }
    };
    page(StatusCode::OK, &format!("Change {seq}"), None, &body)
}

/// What people call it.
pub(super) fn event(event: AuditEvent) -> String {
    let value = serde_json::to_value(event).unwrap_or_default();
    value.as_str().unwrap_or_default().replace('_', " ")
}

/// On how many recordings something differs, if it does.
pub(super) fn differing(record: &AuditRecord) -> Option<String> {
    let fixtures = record.detail.pointer("/diff/fixtures")?.as_array()?;
    let played = record.detail.pointer("/diff/played")?.as_u64()?;
    (!fixtures.is_empty()).then(|| format!("differs on {} of {played} recordings", fixtures.len()))
}

fn facts(record: &AuditRecord) -> Markup {
    let component = &record.component;
    let fact = |name: &str, value: Option<String>| {
        html! { @if let Some(value) = value { dt { (name) } dd { (shown(&value)) } } }
    };
    html! {
        dl {
            dt { "When" } dd { (moment(record.at)) }
            (fact("By", Some(record.by.clone())))
            (fact("Why", record.reason.clone()))
            (fact("Connector", component.app_id.clone()))
            (fact("Version", component.version.clone()))
            (fact("Contract", component.contract.clone()))
            (fact("Signed by", component.signer.clone()))
            (fact("Generation", record.generation.map(|id| id.to_string())))
            @if let Some(sha256) = &component.sha256 { dt { "Digest" } dd { (digest(sha256)) } }
            @for name in ["source", "stage", "replaced", "from", "warning"] {
                @if let Some(value) = record.detail.get(name).filter(|value| !value.is_null()) {
                    dt { (name) } dd { (text(value)) }
                }
            }
            @if let Some(stages) = record.detail.get("stages_ms").and_then(Value::as_array) {
                dt { "Stages" }
                dd {
                    @for stage in stages {
                        @if let (Some(name), Some(took)) = (stage.get(0), stage.get(1)) {
                            (text(name)) " " (text(took)) " ms, "
                        }
                    }
                }
            }
        }
    }
}

/// What differs, as it was recorded.
fn diff(record: &AuditRecord) -> Markup {
    let played = record
        .detail
        .pointer("/diff/played")
        .and_then(Value::as_u64);
    let fixtures = record.detail.pointer("/diff/fixtures");
    let fixtures = fixtures
        .and_then(Value::as_array)
        .map_or(&[][..], |list| list);
    html! {
        @if let Some(played) = played {
            h2 { "On the recordings" }
            @if fixtures.is_empty() {
                p { (played) " played, no difference." }
            } @else {
                p { (fixtures.len()) " of " (played) " differ: " b { "−" } " is the running generation, " b { "+" } " the new one." }
            }
        }
        @for fixture in fixtures {
            @let calls = fixture.get("calls").and_then(Value::as_array);
            details open {
                summary { code { (fixture.get("fixture").map(text).unwrap_or_default()) } }
                @for call in calls.into_iter().flatten() {
                    h3 { code { (call.get("function").map(text).unwrap_or_default()) } }
                    @if let Some(crash) = call.get("crash").filter(|crash| !crash.is_null()) {
                        p.bad { "crashed: " (text(crash)) }
                    }
                    @for difference in list(call, "output") {
                        (sides(&difference.get("path").map(text).unwrap_or_default(), difference))
                    }
                    @for difference in list(call, "requests") {
                        @let position = difference.get("position").map(text).unwrap_or_default();
                        (sides(&format!("request {position}"), difference))
                    }
                    @if let Some(omitted) = call.get("omitted").and_then(Value::as_u64).filter(|more| *more > 0) {
                        p.empty { "and " (omitted) " more" }
                    }
                }
            }
        }
    }
}

fn list<'v>(call: &'v Value, name: &str) -> &'v [Value] {
    call.get(name)
        .and_then(Value::as_array)
        .map_or(&[], |list| list)
}

fn sides(place: &str, difference: &Value) -> Markup {
    html! {
        p { code { (place) } }
        pre {
            @for (sign, name) in [("−", "running"), ("+", "candidate")] {
                @if let Some(side) = difference.get(name).filter(|side| !side.is_null()) {
                    (sign) " " (text(side)) "\n"
                }
            }
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => shown(text),
        other => shown(&other.to_string()),
    }
}
