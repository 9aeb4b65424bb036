//! Errors as they stand on the wire, and the table that ties their codes to
//! those of the contract.

use serde_json::{Map, Value, json};

use crate::{
    CallError, OpenError, Refusal, SignInError,
    contract::{to_json, types::ErrorCode},
    egress::TransportError,
    oauth::OauthError,
    offboarding::{ApplyError, JournalError},
    text::printable,
};

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

    fn row(self) -> &'static Row {
        TABLE
            .iter()
            .find(|row| row.0 == self)
            .expect("each code has a row, which a test sees to")
    }

    /// The sets are those of Lumos' SDK.
    fn is_retryable(self) -> bool {
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

    fn is_throttled(self) -> bool {
        matches!(self, Self::RateLimit | Self::BudgetExhausted)
    }

    fn is_refreshable(self) -> bool {
        matches!(
            self,
            Self::Unauthorized | Self::AuthenticationExpired | Self::CredsRevoked
        )
    }
}

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
        let row = self.code.row();
        let mut metadata = Map::from_iter([
            ("fault".to_owned(), json!(self.fault(row))),
            ("category".to_owned(), json!(row.4)),
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
            ("error_code".to_owned(), json!(row.1)),
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

    /// A host that fails is no fault of the connector.
    fn fault(&self, row: &Row) -> &'static str {
        match (row.0, self.raised_by) {
            (WireCode::InternalError, "host") => "infrastructure",
            _ => row.3,
        }
    }
}

impl From<CallError> for WireError {
    fn from(error: CallError) -> Self {
        let contract = error.to_contract();
        let (code, raised_by) = match &error {
            CallError::Connector { error, cause } => {
                (of_connector(error, cause.as_ref()), "connector")
            }
            CallError::Refused(Refusal::SignIn(sign_in)) => (of_sign_in(sign_in), "host"),
            CallError::Refused(Refusal::Transport(transport)) => (of_transport(transport), "host"),
            CallError::Memory(_) | CallError::Fuel | CallError::Trap(_) => {
                (WireCode::InternalError, "connector")
            }
            _ => (WireCode::of(contract.code), "host"),
        };
        let hint = match (contract.may_have_applied, contract.hint) {
            (true, Some(hint)) => Some(format!(
                "the change may have been made: look before you repeat it; {hint}"
            )),
            (true, None) => {
                Some("the change may have been made: look before you repeat it".to_owned())
            }
            (false, hint) => hint,
        };
        Self {
            code,
            message: error.to_string(),
            hint,
            status: contract.upstream_status,
            app_code: contract
                .upstream_code
                .or_else(|| to_json(&contract.code).as_str().map(str::to_owned)),
            retry_after: contract.retry_after,
            raised_by,
        }
    }
}

fn of_connector(error: &crate::contract::types::Error, cause: Option<&Refusal>) -> WireCode {
    match (error.code, cause, error.upstream_status) {
        (ErrorCode::ConnectionFailed, Some(Refusal::Transport(transport)), _) => {
            of_transport(transport)
        }
        (ErrorCode::Unavailable, _, Some(500 | 502 | 504)) => WireCode::BadGateway,
        (code, _, _) => WireCode::of(code),
    }
}

fn of_transport(error: &TransportError) -> WireCode {
    match error {
        TransportError::Denied(_) => WireCode::PermissionDenied,
        TransportError::ConnectTimeout { .. } => WireCode::ConnectionTimeout,
        TransportError::Timeout(_) => WireCode::RequestTimeout,
        TransportError::Broken(_) => WireCode::ConnectionClosed,
        TransportError::TooLarge(_) | TransportError::Encoded(_) => WireCode::InvalidResponse,
        _ => WireCode::ConnectionRejected,
    }
}

fn of_sign_in(error: &SignInError) -> WireCode {
    match error {
        SignInError::Ended { .. } => WireCode::CredsRevoked,
        SignInError::NotRenewed { .. } => WireCode::ConnectionRejected,
        SignInError::NotStored { .. } => WireCode::InternalError,
    }
}

impl From<OpenError> for WireError {
    fn from(error: OpenError) -> Self {
        let code = match &error {
            OpenError::Setting(_) | OpenError::Credential(_) => WireCode::InvalidValue,
            OpenError::Scheme { .. } => WireCode::UnknownValue,
            OpenError::SignIn { .. } => WireCode::PermissionDenied,
            _ => WireCode::InternalError,
        };
        let hint = match &error {
            OpenError::Setting(_) => "`info` describes the settings".to_owned(),
            OpenError::Credential(_) => "send the token and nothing else".to_owned(),
            _ => error.hint().to_owned(),
        };
        Self::new(code, error.to_string()).hint(hint)
    }
}

impl From<OauthError> for WireError {
    fn from(error: OauthError) -> Self {
        let code = match &error {
            OauthError::NotGranted(_) => WireCode::PermissionDenied,
            OauthError::Flow { .. } => WireCode::UnsupportedOperation,
            OauthError::Setting(_) => WireCode::IntegrationMissingParameter,
            OauthError::RedirectUri => WireCode::InvalidValue,
            OauthError::Refused { code, .. } => match code.as_str() {
                // The code or the refresh token has ended.
                "invalid_grant" => WireCode::CredsRevoked,
                "access_denied" => WireCode::PermissionDenied,
                "invalid_scope" => WireCode::InvalidValue,
                _ => WireCode::Unauthorized,
            },
            OauthError::Scope { .. } => WireCode::PermissionDenied,
            OauthError::Transport(transport) => of_transport(transport),
            OauthError::Reply { .. } => WireCode::InvalidResponse,
            OauthError::NoProfile { .. } | OauthError::NotOauth(_) => WireCode::UnknownValue,
            _ => WireCode::InternalError,
        };
        // The names of other profiles are not for whoever asks.
        let message = match &error {
            OauthError::NoProfile { profile, .. } => format!("there is no profile `{profile}`"),
            _ => error.to_string(),
        };
        Self::new(code, message).hint(error.hint())
    }
}

impl From<ApplyError> for WireError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Step {
                number,
                step,
                error,
            } => {
                let wire = Self::from(error);
                Self {
                    message: format!("step {number} (`{step}`): {}", wire.message),
                    ..wire
                }
            }
            ApplyError::Journal(error) => error.into(),
        }
    }
}

impl From<JournalError> for WireError {
    fn from(error: JournalError) -> Self {
        // Not the file's name: it is the operator's, and in the log.
        match error {
            JournalError::Busy(_) => Self::new(
                WireCode::Conflict,
                "another request is at work on the same accounts",
            )
            .hint("wait for it to end, then ask again"),
            error => {
                tracing::error!(target: "harness::server", %error, "a journal can't be used");
                Self::new(WireCode::InternalError, "the journal can't be used")
                    .hint("the server's log says why")
            }
        }
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
