//! The span of a call, as a part of the caller's trace.

use http::HeaderMap;
use opentelemetry::{Context, propagation::TextMapPropagator as _, trace::TraceContextExt as _};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::spans::{Work, Worker};

/// The caller's own span, if the request names one.
#[derive(Debug)]
pub(super) struct Caller(Option<Context>);

impl Caller {
    /// W3C Trace Context, level 1. What is not of its form is left alone, as
    /// it says.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let propagator = TraceContextPropagator::new();
        let context = propagator.extract_with_context(&Context::new(), &HeaderExtractor(headers));
        Self(context.has_active_span().then_some(context))
    }

    /// A call that it makes.
    pub(super) fn call(self, worker: Worker<'_>, capability: &'static str) -> Work {
        let work = Work::call(worker, capability);
        if let Some(context) = self.0 {
            // It fails where nobody traces.
            let _ = work.span().set_parent(context);
        }
        work
    }
}
