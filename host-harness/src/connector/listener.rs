//! Who gets to know what was asked and answered, as values.

use std::{fmt, sync::Arc};

use serde_json::Value;

use super::CallError;

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

    pub(super) fn is_there(&self) -> bool {
        self.0.is_some()
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
