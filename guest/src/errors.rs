//! The contract's error, made easy to write. What PagerDuty's error bodies mean
//! is decided in `pagerduty::errors`.

use crate::iga::connector::types::Notice;
pub use crate::iga::connector::types::{Error, ErrorCode};

/// What every fallible function of the connector returns.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of that kind, and a sentence for an operator.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
            upstream_status: None,
            upstream_code: None,
            retry_after: None,
            may_have_applied: false,
        }
    }

    /// An argument or a setting does not make sense.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidInput, message)
    }

    /// The vendor's answer does not make sense.
    pub fn invalid_response(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidResponse, message)
    }

    /// What to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether a part of the vendor's API is out of reach for this tenant or
    /// credential, rather than broken: a read goes on without it.
    pub fn is_out_of_reach(&self) -> bool {
        matches!(
            self.code,
            ErrorCode::PlanRequired | ErrorCode::PermissionDenied | ErrorCode::NotFound
        )
    }

    /// Says that a part was left out because of this error.
    pub fn into_notice(self, code: &str, what: &str) -> Notice {
        Notice {
            code: code.into(),
            message: format!("{what}: {}", self.message),
            hint: self.hint,
        }
    }
}
