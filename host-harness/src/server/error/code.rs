//! The codes of the wire format, and the table that ties them to those of the
//! contract.

use crate::contract::types::ErrorCode;

/// Lumos' `ConnectorErrorCode`s.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[expect(
    missing_docs,
    reason = "the codes are their own names; the table says what they mean"
)]
pub enum WireCode {
    BadRequest,
    InvalidValue,
    UnknownValue,
    NotFound,
    InvalidPageToken,
    IntegrationMissingParameter,
    UnsupportedOperation,
    Conflict,
    Unauthorized,
    AuthenticationExpired,
    CredsRevoked,
    PermissionDenied,
    RateLimit,
    BadGateway,
    ServiceError,
    BudgetExhausted,
    ConnectionTimeout,
    RequestTimeout,
    ConnectionRejected,
    ConnectionClosed,
    InternalError,
    InvalidResponse,
}

/// What a code means: its name, the contract's code that it stands for, whose
/// fault it is, and of which category.
struct Row(
    WireCode,
    &'static str,
    ErrorCode,
    &'static str,
    &'static str,
);

/// Where several rows stand for one code of the contract, the first one is what
/// that code becomes.
const TABLE: &[Row] = {
    use {ErrorCode as C, WireCode as W};
    &[
        Row(
            W::InvalidValue,
            "invalid_value",
            C::InvalidInput,
            "caller",
            "client",
        ),
        Row(
            W::BadRequest,
            "bad_request",
            C::InvalidInput,
            "caller",
            "client",
        ),
        Row(
            W::UnknownValue,
            "unknown_value",
            C::InvalidInput,
            "caller",
            "client",
        ),
        Row(
            W::IntegrationMissingParameter,
            "integration_missing_parameter",
            C::InvalidInput,
            "caller",
            "client",
        ),
        Row(
            W::InvalidPageToken,
            "invalid_page_token",
            C::InvalidPageToken,
            "caller",
            "client",
        ),
        Row(W::NotFound, "not_found", C::NotFound, "caller", "client"),
        Row(W::Conflict, "conflict", C::Conflict, "caller", "client"),
        Row(
            W::UnsupportedOperation,
            "unsupported_operation",
            C::Unsupported,
            "caller",
            "client",
        ),
        // Lumos has no code for what a plan lacks. To ask again is no use, so
        // it is not the `invalid_response` that an unknown status becomes there.
        Row(
            W::UnsupportedOperation,
            "unsupported_operation",
            C::PlanRequired,
            "caller",
            "client",
        ),
        Row(
            W::Unauthorized,
            "unauthorized",
            C::Unauthorized,
            "caller",
            "authentication",
        ),
        Row(
            W::AuthenticationExpired,
            "authentication_expired",
            C::Unauthorized,
            "caller",
            "authentication",
        ),
        Row(
            W::CredsRevoked,
            "creds_revoked",
            C::Unauthorized,
            "caller",
            "authentication",
        ),
        Row(
            W::PermissionDenied,
            "permission_denied",
            C::PermissionDenied,
            "caller",
            "authorization",
        ),
        Row(
            W::RateLimit,
            "rate_limit",
            C::RateLimited,
            "upstream",
            "transient",
        ),
        Row(
            W::BudgetExhausted,
            "budget_exhausted",
            C::BudgetExhausted,
            "caller",
            "transient",
        ),
        Row(
            W::ServiceError,
            "service_error",
            C::Unavailable,
            "upstream",
            "transient",
        ),
        Row(
            W::BadGateway,
            "bad_gateway",
            C::Unavailable,
            "upstream",
            "transient",
        ),
        Row(
            W::RequestTimeout,
            "request_timeout",
            C::Timeout,
            "upstream",
            "transient",
        ),
        Row(
            W::ConnectionRejected,
            "connection_rejected",
            C::ConnectionFailed,
            "infrastructure",
            "transient",
        ),
        Row(
            W::ConnectionTimeout,
            "connection_timeout",
            C::ConnectionFailed,
            "infrastructure",
            "transient",
        ),
        Row(
            W::ConnectionClosed,
            "connection_closed",
            C::ConnectionFailed,
            "infrastructure",
            "transient",
        ),
        Row(
            W::InvalidResponse,
            "invalid_response",
            C::InvalidResponse,
            "upstream",
            "internal",
        ),
        Row(
            W::InternalError,
            "internal_error",
            C::Internal,
            "connector",
            "internal",
        ),
    ]
};

impl WireCode {
    /// What a code of the contract becomes.
    pub fn of(code: ErrorCode) -> Self {
        TABLE
            .iter()
            .find(|row| row.2 == code)
            .map_or(Self::InternalError, |row| row.0)
    }

    /// The code of the contract that it stands for.
    pub fn contract(self) -> ErrorCode {
        self.row().2
    }

    /// As it stands on the wire.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// All of them, each once, as they stand on the wire.
    pub fn names() -> Vec<&'static str> {
        let mut names: Vec<_> = TABLE.iter().map(|row| row.1).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whose fault it is, if nothing else is known.
    pub(super) fn fault(self) -> &'static str {
        self.row().3
    }

    /// Of which kind.
    pub(super) fn category(self) -> &'static str {
        self.row().4
    }

    fn row(self) -> &'static Row {
        TABLE
            .iter()
            .find(|row| row.0 == self)
            .expect("each code has a row, which a test sees to")
    }

    /// The sets are those of Lumos' SDK.
    pub(super) fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::InternalError
                | Self::BadGateway
                | Self::ServiceError
                | Self::RequestTimeout
                | Self::ConnectionTimeout
                | Self::ConnectionRejected
                | Self::ConnectionClosed
        )
    }

    pub(super) fn is_throttled(self) -> bool {
        matches!(self, Self::RateLimit | Self::BudgetExhausted)
    }

    pub(super) fn is_refreshable(self) -> bool {
        matches!(
            self,
            Self::Unauthorized | Self::AuthenticationExpired | Self::CredsRevoked
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_contract_has_one_on_the_wire_and_back() {
        for code in [
            ErrorCode::InvalidInput,
            ErrorCode::InvalidPageToken,
            ErrorCode::NotFound,
            ErrorCode::Conflict,
            ErrorCode::Unsupported,
            ErrorCode::Unauthorized,
            ErrorCode::PermissionDenied,
            ErrorCode::RateLimited,
            ErrorCode::BudgetExhausted,
            ErrorCode::Unavailable,
            ErrorCode::Timeout,
            ErrorCode::ConnectionFailed,
            ErrorCode::InvalidResponse,
            ErrorCode::Internal,
        ] {
            assert_eq!(WireCode::of(code).contract(), code);
        }
        // The one that Lumos has no code for.
        assert_eq!(
            WireCode::of(ErrorCode::PlanRequired),
            WireCode::UnsupportedOperation
        );
    }

    #[test]
    fn the_table_has_the_codes_of_the_wire_format_and_no_others() {
        assert_eq!(
            WireCode::names(),
            [
                "authentication_expired",
                "bad_gateway",
                "bad_request",
                "budget_exhausted",
                "conflict",
                "connection_closed",
                "connection_rejected",
                "connection_timeout",
                "creds_revoked",
                "integration_missing_parameter",
                "internal_error",
                "invalid_page_token",
                "invalid_response",
                "invalid_value",
                "not_found",
                "permission_denied",
                "rate_limit",
                "request_timeout",
                "service_error",
                "unauthorized",
                "unknown_value",
                "unsupported_operation",
            ]
        );
    }
}
