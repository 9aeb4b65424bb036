//! Who looks on while calls run.

use std::{fmt, sync::Arc};

use super::CallReport;
use crate::egress::{RequestTrace, RequestWatch};

/// Looks on while calls run: for a console, a meter, a log. It is told within
/// the call, so it returns at once.
pub trait Watch: Send + Sync {
    /// A call begins.
    fn begun(&self, function: &str) {
        let _ = function;
    }

    /// A call makes a request; nothing has looked at it yet. `number` counts the
    /// requests of the call from 0; `uri` has no secret in it.
    fn asked(&self, number: usize, method: &str, uri: &str) {
        let _ = (number, method, uri);
    }

    /// That request has come to its end.
    fn answered(&self, number: usize, request: &RequestTrace) {
        let _ = (number, request);
    }

    /// A call has ended, well or not.
    fn ended(&self, report: &CallReport) {
        let _ = report;
    }
}

/// All who look on.
#[derive(Clone, Default)]
pub(super) struct Watches(Vec<Arc<dyn Watch>>);

impl Watches {
    pub(super) fn add(&mut self, watch: Arc<dyn Watch>) {
        self.0.push(watch);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn begun(&self, function: &str) {
        for watch in &self.0 {
            watch.begun(function);
        }
    }

    pub(super) fn ended(&self, report: &CallReport) {
        for watch in &self.0 {
            watch.ended(report);
        }
    }
}

impl RequestWatch for Watches {
    fn asked(&self, number: usize, method: &str, uri: &str) {
        for watch in &self.0 {
            watch.asked(number, method, uri);
        }
    }

    fn answered(&self, number: usize, request: &RequestTrace) {
        for watch in &self.0 {
            watch.answered(number, request);
        }
    }
}

impl fmt::Debug for Watches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} looking on", self.0.len())
    }
}

/// Wants the reports alone.
pub(super) struct Reports<F>(pub(super) F);

impl<F: Fn(&CallReport) + Send + Sync> Watch for Reports<F> {
    fn ended(&self, report: &CallReport) {
        (self.0)(report);
    }
}
