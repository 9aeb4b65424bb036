//! Errors of the contract.

use wasip2::http::types::ErrorCode as Wasi;

use crate::iga::connector::types::{Error, ErrorCode};
use crate::mutation;

pub type Result<T> = std::result::Result<T, Error>;

pub fn error(code: ErrorCode, message: impl Into<String>) -> Error {
    Error {
        code,
        message: message.into(),
        hint: None,
        upstream_status: None,
        upstream_code: None,
        retry_after: None,
        may_have_applied: false,
    }
}

pub fn unsupported<T>() -> Result<T> {
    Err(error(
        ErrorCode::Unsupported,
        "this connector can't do that",
    ))
}

pub fn not_found(what: &str) -> Error {
    error(ErrorCode::NotFound, format!("there is no such {what}"))
}

/// What a status other than success means.
pub fn of_status(status: u16, retry_after: Option<u32>) -> Error {
    let (code, message) = match status {
        400 | 409 | 422 => (ErrorCode::Conflict, "the vendor refuses it"),
        401 => (ErrorCode::Unauthorized, "the credential is not valid"),
        402 => (ErrorCode::PlanRequired, "the plan does not include it"),
        403 => (
            ErrorCode::PermissionDenied,
            "the credential may not do that",
        ),
        404 => (ErrorCode::NotFound, "the vendor has no such thing"),
        429 if mutation::is("fault-rate-limit") => (
            ErrorCode::InvalidResponse,
            "the vendor's answer makes no sense",
        ),
        500..=599 if mutation::is("fault-unavailable") => {
            (ErrorCode::Internal, "the vendor has a problem")
        }
        429 => (ErrorCode::RateLimited, "the vendor asks to come back later"),
        500..=599 => (ErrorCode::Unavailable, "the vendor has a problem"),
        _ => (
            ErrorCode::InvalidResponse,
            "the vendor's answer makes no sense",
        ),
    };
    Error {
        upstream_status: Some(status),
        retry_after,
        ..error(code, message)
    }
}

/// Why there is no answer.
pub fn of_transport(code: &Wasi) -> Error {
    match code {
        Wasi::InternalError(Some(text)) if text.starts_with("budget-exhausted") => {
            error(ErrorCode::BudgetExhausted, "the call's budget is used up")
        }
        Wasi::ConnectionTimeout
        | Wasi::ConnectionReadTimeout
        | Wasi::ConnectionWriteTimeout
        | Wasi::HttpResponseTimeout => {
            error(ErrorCode::Timeout, "the vendor did not answer in time")
        }
        Wasi::HttpResponseIncomplete | Wasi::HttpResponseBodySize(_) => {
            error(ErrorCode::InvalidResponse, "the vendor's answer is cut off")
        }
        _ => error(ErrorCode::ConnectionFailed, "the connection broke"),
    }
}
