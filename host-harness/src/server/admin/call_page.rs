//! One call, with the course of its requests.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Path, State},
    response::Response,
};
use http::StatusCode;
use maud::{Markup, html};

use super::{
    console::outcome,
    page::{missing, moment, page, rough, shown},
};
use crate::{
    TraceOutcome,
    server::{
        Shared,
        live::{Course, FunctionCall, LiveCall, LiveRequest},
    },
};

pub(super) async fn call(State(shared): State<Arc<Shared>>, Path(number): Path<u64>) -> Response {
    let Some(call) = shared.live.numbered(number) else {
        return missing("That call is not remembered any more");
    };
    let course = call.snapshot();
    let took = course.end.map_or_else(|| call.elapsed(), |(_, took)| took);
    let body = html! {
        header {
            h1 { "Call " (call.number) ": " (call.began.capability) }
            nav aria-label="Back" { a href="/#calls" { "To the overview" } }
        }
        main {
            (facts(&call, &course, took))
            (timeline(&course, took))
        }
    };
    // One under way goes on.
    let every = course.end.is_none().then_some(2);
    page(StatusCode::OK, &format!("Call {number}"), every, &body)
}

fn facts(call: &LiveCall, course: &Course, took: Duration) -> Markup {
    let began = &call.began;
    html! {
        dl {
            dt { "Connector" }
            dd {
                (shown(&began.connector)) " " (shown(&began.version))
                @if let Some(generation) = began.generation { ", generation " (generation) }
            }
            dt { "Tenant" } dd { (course.tenant.as_deref().map_or("–".to_owned(), shown)) }
            dt { "Began" } dd { (moment(call.at)) }
            dt { "Took" } dd { (rough(took)) }
            dt { "Outcome" } dd { (outcome(course)) }
            @if let Some(crash) = &course.crash { dt { "Crash" } dd.bad { (shown(crash)) } }
        }
    }
}

fn timeline(course: &Course, took: Duration) -> Markup {
    html! {
        h2 { "Course" }
        @if course.functions.is_empty() {
            p.empty { "It has not called the connector." }
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Course of the call" {
                table {
                    caption { "The connector's functions, and their requests to the vendor" }
                    thead {
                        tr {
                            th scope="col" { "What" }
                            th.number scope="col" { "After" }
                            th.number scope="col" { "Took" }
                            th scope="col" { "Outcome" }
                            th.number scope="col" { "Bytes" }
                            th scope="col" { "Of " (rough(took)) }
                        }
                    }
                    tbody {
                        @for (place, function) in course.functions.iter().enumerate() {
                            (function_row(function, took))
                            @for request in course.requests.iter().filter(|request| request.function == place) {
                                (request_row(request, took))
                            }
                        }
                    }
                }
            }
        }
        @if course.omitted > 0 { p.empty { "and " (course.omitted) " requests more" } }
    }
}

fn function_row(function: &FunctionCall, total: Duration) -> Markup {
    let elapsed = function
        .elapsed
        .unwrap_or_else(|| total.saturating_sub(function.started));
    html! {
        tr {
            th scope="row" { (function.name) }
            td.number { (rough(function.started)) }
            td.number { (rough(elapsed)) }
            td {
                @match (&function.error, function.elapsed) {
                    (Some(code), _) => span.bad { (shown(code)) },
                    (None, Some(_)) => "ok",
                    (None, None) => span.warn { "under way" },
                }
            }
            td {}
            td { (bar(function.started, elapsed, total, function.elapsed.is_none(), function.error.is_some())) }
        }
    }
}

fn request_row(request: &LiveRequest, total: Duration) -> Markup {
    let elapsed = request
        .end
        .as_ref()
        .map_or_else(|| total.saturating_sub(request.started), |end| end.elapsed);
    let failed = request
        .end
        .as_ref()
        .is_some_and(|end| !matches!(end.outcome, TraceOutcome::Status(status) if status < 400));
    html! {
        tr {
            td { code { (request.method) " " (shown(&request.uri)) } }
            td.number { (rough(request.started)) }
            td.number { (rough(elapsed)) }
            td {
                @match request.end.as_ref().map(|end| &end.outcome) {
                    None => span.warn { "under way" },
                    Some(TraceOutcome::Status(status)) => span.bad[failed] { (status) },
                    Some(TraceOutcome::Failed(code)) => span.bad { (shown(code)) },
                }
            }
            td.number { @if let Some(end) = &request.end { (end.bytes) } }
            td { (bar(request.started, elapsed, total, request.end.is_none(), failed)) }
        }
    }
}

/// Where in the call it was; the numbers beside it say the same.
fn bar(started: Duration, elapsed: Duration, total: Duration, open: bool, failed: bool) -> Markup {
    let total = total.as_secs_f64().max(1e-6);
    let left = (started.as_secs_f64() / total * 100.0).min(100.0);
    let width = (elapsed.as_secs_f64() / total * 100.0).min(100.0 - left);
    let style = format!("left:{left:.2}%;width:{width:.2}%");
    html! {
        div.lane aria-hidden="true" {
            div.bar.open[open].failed[failed] style=(style) {}
        }
    }
}
