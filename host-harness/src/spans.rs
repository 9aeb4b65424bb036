//! What a call is made of, as spans for whoever traces the host: the call of a
//! platform, the connector's functions that it takes, their requests to the
//! vendor. They name capabilities, functions, declared paths and granted hosts,
//! and count; ids, queries, bodies, credentials and what a connector makes up,
//! but for its version, are not in them, since traces go where nobody expects
//! people's data.
//!
//! Names of attributes are OpenTelemetry's where it has one.

use http::Method;
use tracing::{Span, field::Empty};

use crate::text::printable;

/// Of these spans and no others. Those of libraries hold addresses with their
/// queries.
pub(crate) const TARGET: &str = "harness::span";

/// What is written of a digest, as in the log.
const DIGEST: usize = 12;

/// The outcome of work that somebody stopped waiting for.
const ABANDONED: &str = "abandoned";

/// A span that says how it ended.
#[derive(Debug)]
pub(crate) struct Work {
    span: Span,
    told: bool,
}

/// The connector that works.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Worker<'a> {
    pub(crate) id: &'a str,
    /// Version and digest, if there is such a connector.
    pub(crate) build: Option<(&'a str, &'a str)>,
}

/// Where a request goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) scheme: &'static str,
    pub(crate) host: &'a str,
    pub(crate) port: u16,
}

impl Work {
    /// A capability, called over HTTP. Names must be known ones.
    pub(crate) fn call(worker: Worker<'_>, capability: &'static str) -> Self {
        let span = tracing::info_span!(
            target: TARGET,
            "call",
            otel.name = Empty,
            otel.kind = "server",
            otel.status_code = Empty,
            "http.request.method" = "POST",
            "http.route" = "/{connector_id}/{capability}",
            "http.response.status_code" = Empty,
            "harness.connector.id" = Empty,
            "harness.connector.version" = Empty,
            "harness.connector.sha256" = Empty,
            "harness.connector.generation" = Empty,
            "harness.capability" = capability,
            "harness.outcome" = Empty,
            "error.type" = Empty,
        );
        let work = Self::of(span);
        work.name(&format!("POST /{}/{capability}", printable(worker.id)));
        work.worker(worker);
        work
    }

    /// A function of a connector.
    pub(crate) fn function(worker: Worker<'_>, function: &str) -> Self {
        let span = tracing::info_span!(
            target: TARGET,
            "function",
            otel.name = Empty,
            otel.kind = "internal",
            otel.status_code = Empty,
            "harness.connector.id" = Empty,
            "harness.connector.version" = Empty,
            "harness.connector.sha256" = Empty,
            "harness.function" = function,
            "harness.requests" = Empty,
            "harness.outcome" = Empty,
            "error.type" = Empty,
        );
        let work = Self::of(span);
        work.name(function);
        work.worker(worker);
        work
    }

    /// Work that nobody traces, nor what belongs to it: a replay asks no vendor.
    pub(crate) fn untraced() -> Self {
        Self::of(Span::none())
    }

    /// A request to a vendor, of which policy has not spoken yet.
    pub(crate) fn request(within: &Span, method: &Method) -> Self {
        if within.is_disabled() {
            return Self::untraced();
        }
        // A guest can make a method up, and put into it what it likes.
        let method = match method.as_str() {
            known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => known,
            _ => "_OTHER",
        };
        let span = tracing::info_span!(
            target: TARGET,
            parent: within,
            "request",
            otel.name = method,
            otel.kind = "client",
            otel.status_code = Empty,
            "http.request.method" = method,
            "url.scheme" = Empty,
            "url.template" = Empty,
            "server.address" = Empty,
            "server.port" = Empty,
            "http.response.status_code" = Empty,
            "http.response.body.size" = Empty,
            "harness.denial" = Empty,
            "error.type" = Empty,
        );
        Self::of(span)
    }

    fn of(span: Span) -> Self {
        Self { span, told: false }
    }

    /// For what belongs to it.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    fn name(&self, name: &str) {
        self.span.record("otel.name", name);
    }

    fn worker(&self, worker: Worker<'_>) {
        self.span
            .record("harness.connector.id", &*printable(worker.id));
        if let Some((version, sha256)) = worker.build {
            self.span
                .record("harness.connector.version", &*printable(version));
            let short = sha256.get(..DIGEST).unwrap_or(sha256);
            self.span.record("harness.connector.sha256", short);
        }
    }

    /// The generation of the connector, where there is one.
    pub(crate) fn generation(&self, id: u64) {
        self.span.record(
            "harness.connector.generation",
            i64::try_from(id).unwrap_or(i64::MAX),
        );
    }

    /// The request goes to a place that the operator granted, on a path of a
    /// form that was declared. Before that, both are the connector's words.
    pub(crate) fn allowed(&self, place: Place<'_>, method: &str, template: &str) {
        let template = printable(template);
        self.name(&format!("{method} {template}"));
        self.span.record("url.template", &*template);
        self.span.record("url.scheme", place.scheme);
        self.span.record("server.address", place.host);
        self.span.record("server.port", i64::from(place.port));
    }

    /// The vendor has answered.
    pub(crate) fn answered(mut self, status: u16, bytes: usize) {
        self.told = true;
        self.span
            .record("http.response.status_code", i64::from(status));
        self.span.record("http.response.body.size", count(bytes));
        if status >= 400 {
            self.failed(&status.to_string());
        }
    }

    /// There is no answer, or none that may be passed on; where policy stood
    /// against the request, by which rule.
    pub(crate) fn refused(mut self, code: &str, rule: Option<&str>) {
        self.told = true;
        if let Some(rule) = rule {
            self.span.record("harness.denial", rule);
        }
        self.failed(code);
    }

    /// The function has ended, after so many requests.
    pub(crate) fn returned(self, requests: usize, error: Option<&str>) {
        self.span.record("harness.requests", count(requests));
        self.ended(error, true);
    }

    /// The call was answered. A caller who asked for what can't be had is no
    /// failure of ours.
    pub(crate) fn called(self, error: Option<&str>, is_failure: bool) {
        self.span.record("http.response.status_code", 200_i64);
        self.ended(error, is_failure);
    }

    fn ended(mut self, error: Option<&str>, is_failure: bool) {
        self.told = true;
        self.span.record("harness.outcome", error.unwrap_or("ok"));
        match error {
            Some(code) if is_failure => self.failed(code),
            Some(code) => {
                self.span.record("error.type", code);
            }
            None => {}
        }
    }

    fn failed(&self, code: &str) {
        self.span.record("error.type", code);
        self.span.record("otel.status_code", "ERROR");
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if !self.told {
            self.span.record("harness.outcome", ABANDONED);
            self.failed(ABANDONED);
        }
    }
}

/// OpenTelemetry's integers have a sign.
fn count(of: usize) -> i64 {
    i64::try_from(of).unwrap_or(i64::MAX)
}
