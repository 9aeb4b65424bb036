//! Who looks on when calls are made.

use std::{fmt, sync::Arc};

use serde_json::Value;

use super::{CallError, CallReport};

/// Somebody who wants to know about each call.
#[derive(Clone, Default)]
pub(super) struct Observer(Option<Arc<Observe>>);

type Observe = dyn Fn(&CallReport) + Send + Sync;

impl Observer {
    pub(super) fn new(observe: impl Fn(&CallReport) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(observe)))
    }

    pub(super) fn observe(&self, report: &CallReport) {
        if let Some(observer) = &self.0 {
            observer(report);
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Some(..)" } else { "None" })
    }
}

/// Somebody who wants to know what was asked and answered, as values.
#[derive(Clone, Default)]
pub(super) struct Listener(Option<Arc<Listen>>);

type Listen = dyn Fn(&str, &Value, Result<Value, &CallError>) + Send + Sync;

impl Listener {
    pub(super) fn new(
        listen: impl Fn(&str, &Value, Result<Value, &CallError>) + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Arc::new(listen)))
    }

    /// What the answer is to be told with, if somebody listens.
    pub(super) fn asked(&self, input: &Value) -> Option<Value> {
        self.0.is_some().then(|| input.clone())
    }

    pub(super) fn answered(
        &self,
        function: &str,
        input: &Value,
        outcome: Result<Value, &CallError>,
    ) {
        if let Some(listener) = &self.0 {
            listener(function, input, outcome);
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Some(..)" } else { "None" })
    }
}
