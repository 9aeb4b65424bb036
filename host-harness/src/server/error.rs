//! Errors as they stand on the wire.

mod code;
mod of_call;
mod of_sign_in;

use serde_json::{Map, Value, json};

pub use code::WireCode;

use crate::text::printable;

/// An error of a capability, on its way out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct WireError {
    pub(super) code: WireCode,
    message: String,
    hint: Option<String>,
    /// The vendor's HTTP status.
    status: Option<u16>,
    /// The vendor's own code, or else the contract's.
    app_code: Option<String>,
    retry_after: Option<u32>,
    /// Who says so.
    raised_by: &'static str,
    /// Who has failed.
    fault: &'static str,
}

impl WireError {
    /// The host's own.
    pub(super) fn new(code: WireCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
            status: None,
            app_code: None,
            retry_after: None,
            raised_by: "host",
            // A host that fails, or has no room, is nobody else's fault.
            fault: match code {
                WireCode::InternalError | WireCode::ServiceError => "infrastructure",
                code => code.fault(),
            },
        }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    pub(super) fn retry_after(self, seconds: u32) -> Self {
        Self {
            retry_after: Some(seconds),
            ..self
        }
    }

    /// For a list of problems.
    pub(super) fn to_text(&self) -> String {
        let message = printable(&self.message);
        match &self.hint {
            Some(hint) => format!("{message}; {}", printable(hint)),
            None => message.into_owned(),
        }
    }

    /// `Error` of the wire format.
    pub(super) fn to_json(&self, app_id: &str, raised_in: Option<&str>) -> Value {
        let mut metadata = Map::from_iter([
            ("fault".to_owned(), json!(self.fault)),
            ("category".to_owned(), json!(self.code.category())),
            ("retryable".to_owned(), json!(self.code.is_retryable())),
            ("throttled".to_owned(), json!(self.code.is_throttled())),
            ("refreshable".to_owned(), json!(self.code.is_refreshable())),
        ]);
        if let Some(hint) = &self.hint {
            metadata.insert("hint".to_owned(), json!(printable(hint)));
        }
        if let Some(seconds) = self.retry_after {
            metadata.insert("retry_after_seconds".to_owned(), json!(seconds));
        }
        let mut error = Map::from_iter([
            ("message".to_owned(), json!(printable(&self.message))),
            ("error_code".to_owned(), json!(self.code.name())),
            ("app_id".to_owned(), json!(printable(app_id))),
            ("raised_by".to_owned(), json!(self.raised_by)),
            ("error_metadata".to_owned(), Value::Object(metadata)),
        ]);
        if let Some(status) = self.status {
            error.insert("status_code".to_owned(), json!(status));
        }
        if let Some(code) = &self.app_code {
            error.insert("app_error_code".to_owned(), json!(printable(code)));
        }
        if let Some(capability) = raised_in {
            error.insert("raised_in".to_owned(), json!(printable(capability)));
        }
        Value::Object(error)
    }

    /// Whether somebody has failed: a caller who asks for what can't be had is
    /// answered as it should be.
    pub(super) fn is_failure(&self) -> bool {
        self.fault != "caller"
    }
}
