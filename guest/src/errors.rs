//! The contract's error, made easy to write. What PagerDuty's error bodies mean
//! is decided in `pagerduty::errors`.

pub use crate::iga::connector::types::ErrorCode;
use crate::iga::connector::types::{Error as Contract, Notice};
use std::ops::{Deref, DerefMut};

/// What every fallible function of the connector returns.
pub type Result<T> = std::result::Result<T, Error>;

/// The contract's error behind a pointer: it has seven fields, and every `?`
/// on its way would move them all.
#[derive(Debug)]
pub struct Error(Box<Contract>);

impl Error {
    /// An error of that kind, and a sentence for an operator.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self(Box::new(Contract {
            code,
            message: message.into(),
            hint: None,
            upstream_status: None,
            upstream_code: None,
            retry_after: None,
            may_have_applied: false,
        }))
    }

    /// For the way out of the component.
    pub fn into_contract(self) -> Contract {
        *self.0
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

    /// After a failure that leaves open whether the vendor did as it was asked.
    pub fn uncertain(mut self) -> Self {
        self.may_have_applied = true;
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
            message: format!("{what}: {}", self.0.message),
            hint: self.0.hint,
        }
    }

    /// The same, said otherwise, with the vendor's status and code.
    pub fn reworded(&self, other: Self) -> Self {
        Self(Box::new(Contract {
            upstream_status: self.upstream_status,
            upstream_code: self.upstream_code.clone(),
            ..other.into_contract()
        }))
    }
}

impl Deref for Error {
    type Target = Contract;

    fn deref(&self) -> &Contract {
        &self.0
    }
}

impl DerefMut for Error {
    fn deref_mut(&mut self) -> &mut Contract {
        &mut self.0
    }
}
