//! Why a call failed: what the connector said, or what the host did about it.

use std::time::Duration;

use crate::{
    contract::{
        InputError, to_json,
        types::{Error, ErrorCode},
    },
    egress::{Refusal, SignInError, WithheldChange},
    text::printable,
};

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The connector answered with an error of the contract. `cause` is what
    /// the host saw of it, where it did.
    #[error("{}", connector_message(.error, .cause.as_ref()))]
    Connector {
        /// The connector's error.
        error: Box<Error>,
        /// For example why a connection failed.
        cause: Option<Refusal>,
    },
    /// The host stood against a request of the call, so its result, if there
    /// was one, is not complete.
    #[error("{0}")]
    Refused(Refusal),
    /// The connector has no such function.
    #[error("the connector has no function `{function}`")]
    Unknown {
        /// What was asked for.
        function: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The parameters are not of the function's types.
    #[error("parameter {0}")]
    Input(#[from] InputError),
    /// It took longer than its deadline, and was ended.
    #[error("the call did not end within {} s", .0.as_secs())]
    Deadline(Duration),
    /// It wanted more memory than it gets, and was ended.
    #[error("the connector needs more memory than the {} MiB it gets", .0 >> 20)]
    Memory(usize),
    /// A replay took too many instructions, and was ended.
    #[error("the replay took too many instructions")]
    Fuel,
    /// It crashed.
    #[error("the connector crashed: {0}")]
    Trap(String),
}

fn connector_message(error: &Error, cause: Option<&Refusal>) -> String {
    match cause {
        Some(cause) => format!(
            "{}: {}",
            printable(&error.message),
            printable(&cause.to_string())
        ),
        None => printable(&error.message).into_owned(),
    }
}

impl CallError {
    /// Whether the failure is the connector's own. A deadline can be the
    /// vendor's, an error of the contract anybody's.
    pub fn is_crash(&self) -> bool {
        matches!(self, Self::Trap(_) | Self::Memory(_) | Self::Fuel)
    }

    /// A stable word for it. For an error of the contract it is its code.
    pub fn code(&self) -> String {
        match self {
            Self::Connector { error, .. } => to_json(&error.code)
                .as_str()
                .unwrap_or("internal")
                .to_owned(),
            Self::Refused(Refusal::Denied(_)) => "permission_denied".to_owned(),
            Self::Refused(Refusal::Withheld(_)) => "withheld".to_owned(),
            Self::Refused(Refusal::Exhausted(_)) => "budget_exhausted".to_owned(),
            Self::Refused(Refusal::Unmatched(_)) => "not_in_cassette".to_owned(),
            Self::Refused(Refusal::Transport(_)) => "connection_failed".to_owned(),
            Self::Refused(Refusal::SignIn(error)) => match error {
                SignInError::Ended { .. } => "unauthorized".to_owned(),
                SignInError::NotRenewed { .. } => "connection_failed".to_owned(),
                SignInError::NotStored { .. } => "internal".to_owned(),
            },
            Self::Unknown { .. } => "unsupported".to_owned(),
            Self::Input(_) => "invalid_input".to_owned(),
            Self::Deadline(_) => "timeout".to_owned(),
            Self::Memory(_) | Self::Fuel | Self::Trap(_) => "internal".to_owned(),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Connector { error, .. } => {
                error.hint.as_deref().map(|hint| printable(hint).into_owned())
            }
            Self::Refused(Refusal::Denied(denial)) => Some(denial.hint()),
            Self::Refused(Refusal::Withheld(_)) => {
                Some("leave out `--dry-run` to send it".to_owned())
            }
            Self::Refused(Refusal::Exhausted(_)) => {
                Some("ask for smaller pages, or give the call a larger budget".to_owned())
            }
            Self::Refused(Refusal::Unmatched(_)) => Some(
                "record the call again with `--record`, or see what the cassette holds with `harness cassette inspect`"
                    .to_owned(),
            ),
            Self::Refused(Refusal::Transport(_)) => {
                Some("check the network, the proxy and the base URL".to_owned())
            }
            Self::Refused(Refusal::SignIn(error)) => Some(error.hint().to_owned()),
            Self::Unknown { known, .. } => Some(format!("it has {}", known.join(", "))),
            Self::Input(_) => Some(
                "parameters go by name in one object, as in `--input '{\"page\":{\"size\":10}}'`"
                    .to_owned(),
            ),
            Self::Deadline(_) => Some("give the call more time, or ask for less".to_owned()),
            Self::Memory(_) | Self::Fuel | Self::Trap(_) => {
                Some("this is a defect of the connector; only this call is lost".to_owned())
            }
        }
    }

    /// The first change that a dry run came to, and did not send.
    pub fn withheld(&self) -> Option<&WithheldChange> {
        match self {
            Self::Refused(Refusal::Withheld(change)) => Some(change),
            _ => None,
        }
    }

    /// The error as the contract's record, whoever it comes from.
    pub fn to_contract(&self) -> Error {
        if let Self::Connector { error, .. } = self {
            return (**error).clone();
        }
        let code = match self {
            Self::Refused(Refusal::Denied(_)) => ErrorCode::PermissionDenied,
            Self::Refused(Refusal::Exhausted(_)) => ErrorCode::BudgetExhausted,
            Self::Refused(
                Refusal::Transport(_) | Refusal::SignIn(SignInError::NotRenewed { .. }),
            ) => ErrorCode::ConnectionFailed,
            Self::Refused(Refusal::SignIn(SignInError::Ended { .. })) => ErrorCode::Unauthorized,
            Self::Unknown { .. } => ErrorCode::Unsupported,
            Self::Input(_) => ErrorCode::InvalidInput,
            Self::Deadline(_) => ErrorCode::Timeout,
            _ => ErrorCode::Internal,
        };
        Error {
            code,
            message: self.to_string(),
            hint: self.hint(),
            upstream_status: None,
            upstream_code: None,
            retry_after: None,
            may_have_applied: false,
        }
    }
}
