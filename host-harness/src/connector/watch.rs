//! Who looks on while calls run.

use std::{fmt, sync::Arc};

use super::CallReport;
use crate::egress::{RequestTrace, RequestWatch};

/// Looks on while calls run: for a console, a meter, a log.
pub trait Watch: Send + Sync {
    /// A call begins. Whoever is returned is told of the rest, within the call,
    /// so it returns at once.
    fn begin(&self, function: &str) -> Arc<dyn CallWatch>;
}

/// Looks on while one call runs.
pub trait CallWatch: Send + Sync {
    /// The call makes a request; nothing has looked at it yet. `number` counts
    /// the requests of the call from 0; `uri` has no secret in it.
    fn asked(&self, number: usize, method: &str, uri: &str) {
        let _ = (number, method, uri);
    }

    /// That request has come to its end.
    fn answered(&self, number: usize, request: &RequestTrace) {
        let _ = (number, request);
    }

    /// The call has ended, well or not.
    fn ended(&self, report: &CallReport);
}

/// All who look on.
#[derive(Clone, Default)]
pub(super) struct Watches(Vec<Arc<dyn Watch>>);

impl Watches {
    pub(super) fn add(&mut self, watch: Arc<dyn Watch>) {
        self.0.push(watch);
    }

    pub(super) fn begin(&self, function: &str) -> CallWatches {
        CallWatches(self.0.iter().map(|watch| watch.begin(function)).collect())
    }
}

impl fmt::Debug for Watches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} looking on", self.0.len())
    }
}

/// All who look on at one call.
#[derive(Clone)]
pub(super) struct CallWatches(Vec<Arc<dyn CallWatch>>);

impl CallWatches {
    pub(super) fn ended(&self, report: &CallReport) {
        for watch in &self.0 {
            watch.ended(report);
        }
    }
}

impl RequestWatch for CallWatches {
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

impl fmt::Debug for CallWatches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} looking on", self.0.len())
    }
}

/// Wants the reports alone.
pub(super) struct Reports<F>(Arc<F>);

impl<F> Reports<F> {
    pub(super) fn new(observer: F) -> Self {
        Self(Arc::new(observer))
    }
}

impl<F: Fn(&CallReport) + Send + Sync + 'static> Watch for Reports<F> {
    fn begin(&self, _function: &str) -> Arc<dyn CallWatch> {
        Arc::new(Self(Arc::clone(&self.0)))
    }
}

impl<F: Fn(&CallReport) + Send + Sync> CallWatch for Reports<F> {
    fn ended(&self, report: &CallReport) {
        (self.0)(report);
    }
}
