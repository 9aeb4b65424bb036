//! What an error of a connector's function, or of a plan's step, is on the wire.

use super::{WireCode, WireError, of_sign_in::of_sign_in};
use crate::{
    CallError, Refusal,
    contract::{to_json, types::ErrorCode},
    egress::TransportError,
    offboarding::{ApplyError, JournalError},
};

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
        let fault = match (&error, raised_by) {
            // It knows its deadline, and did not keep it.
            (CallError::Deadline(_), _) => "connector",
            (_, "host") if code == WireCode::InternalError => "infrastructure",
            _ => code.fault(),
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
            fault,
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

pub(super) fn of_transport(error: &TransportError) -> WireCode {
    match error {
        TransportError::Denied(_) => WireCode::PermissionDenied,
        TransportError::ConnectTimeout { .. } => WireCode::ConnectionTimeout,
        TransportError::Timeout(_) => WireCode::RequestTimeout,
        TransportError::Broken(_) => WireCode::ConnectionClosed,
        TransportError::TooLarge(_) | TransportError::Encoded(_) => WireCode::InvalidResponse,
        _ => WireCode::ConnectionRejected,
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
    use std::time::Duration;

    use super::*;
    use crate::contract::types::Error;

    #[test]
    fn each_way_to_lose_an_answer_has_its_code() {
        let host = || "vendor.example".to_owned();
        let why = || "why".to_owned();
        let limit = Duration::from_secs(1);
        for (error, expected) in [
            (
                TransportError::Resolve {
                    host: host(),
                    cause: why(),
                },
                WireCode::ConnectionRejected,
            ),
            (
                TransportError::Connect {
                    host: host(),
                    cause: why(),
                },
                WireCode::ConnectionRejected,
            ),
            (
                TransportError::ConnectTimeout {
                    host: host(),
                    limit,
                },
                WireCode::ConnectionTimeout,
            ),
            (
                TransportError::Certificate(why()),
                WireCode::ConnectionRejected,
            ),
            (TransportError::Tls(why()), WireCode::ConnectionRejected),
            (TransportError::Broken(why()), WireCode::ConnectionClosed),
            (TransportError::Timeout(limit), WireCode::RequestTimeout),
            (TransportError::TooLarge(1), WireCode::InvalidResponse),
            (TransportError::Encoded(why()), WireCode::InvalidResponse),
        ] {
            // As the connector tells it, and as the host does.
            let told = CallError::Connector {
                error: Box::new(error_of(ErrorCode::ConnectionFailed, None)),
                cause: Some(Refusal::Transport(error.clone())),
            };
            assert_eq!(WireError::from(told).code, expected, "{error}");
            let refused = CallError::Refused(Refusal::Transport(error.clone()));
            assert_eq!(WireError::from(refused).code, expected, "{error}");
        }
    }

    #[test]
    fn a_gateway_that_fails_is_told_from_a_vendor_that_is_busy() {
        for (status, expected) in [
            (Some(500), WireCode::BadGateway),
            (Some(502), WireCode::BadGateway),
            (Some(503), WireCode::ServiceError),
            (Some(504), WireCode::BadGateway),
            (None, WireCode::ServiceError),
        ] {
            let error = CallError::Connector {
                error: Box::new(error_of(ErrorCode::Unavailable, status)),
                cause: None,
            };
            let wire = WireError::from(error);
            assert_eq!(wire.code, expected, "{status:?}");
            assert!(wire.is_failure());
        }
    }

    fn error_of(code: ErrorCode, upstream_status: Option<u16>) -> Error {
        Error {
            code,
            message: String::new(),
            hint: None,
            upstream_status,
            upstream_code: None,
            retry_after: None,
            may_have_applied: false,
        }
    }
}
