//! Why the host itself stood against a request, and what the guest is told.

use wasmtime_wasi_http::Error as WasiHttpError;

use super::{
    SignInError, TransportError, budget::Exhausted, cassette::Mismatch, policy::Denial,
    trace::WithheldChange,
};

/// Why the host itself stood against a request.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Policy.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// A dry run goes no further than here.
    #[error("a dry run does not send `{} {}`", .0.method, .0.uri)]
    Withheld(Box<WithheldChange>),
    /// Budget.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    /// The cassette has no answer.
    #[error(transparent)]
    Unmatched(Box<Mismatch>),
    /// The network has none.
    #[error(transparent)]
    Transport(TransportError),
    /// There is no credential to send it with.
    #[error(transparent)]
    SignIn(#[from] SignInError),
}

/// The pool looks at addresses on behalf of policy.
impl From<TransportError> for Refusal {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Denied(denial) => Self::Denied(denial),
            error => Self::Transport(error),
        }
    }
}

impl Refusal {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Denied(_) => "denied",
            Self::Withheld(_) => "withheld",
            Self::Exhausted(_) => "budget-exhausted",
            Self::Unmatched(_) => "not-in-cassette",
            Self::Transport(error) => error.code(),
            Self::SignIn(_) => "no-credential",
        }
    }

    /// Whether the call fails with it, whatever the connector makes of it.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Denied(_) | Self::Withheld(_) | Self::Unmatched(_) | Self::SignIn(_) => true,
            Self::Exhausted(_) | Self::Transport(_) => false,
        }
    }

    /// The rule that was broken, if policy stood against it.
    pub(super) fn rule(&self) -> Option<&'static str> {
        match self {
            Self::Denied(denial) => Some(denial.rule()),
            _ => None,
        }
    }

    pub(super) fn to_wasi(&self) -> WasiHttpError {
        match self {
            Self::Denied(Denial::Address { .. }) => WasiHttpError::DestinationIpProhibited,
            // Asking again would not help, and that is what a guest takes it for.
            Self::Denied(_) | Self::Withheld(_) | Self::Unmatched(_) | Self::SignIn(_) => {
                WasiHttpError::HttpRequestDenied
            }
            Self::Exhausted(Exhausted::RequestBody(limit)) => {
                WasiHttpError::HttpRequestBodySize(Some(*limit as u64))
            }
            // The prefix is part of the contract with connectors: it tells
            // "come back with a new call" from a defect.
            Self::Exhausted(why) => {
                WasiHttpError::InternalError(Some(format!("budget-exhausted: {why}")))
            }
            Self::Transport(error) => error.to_wasi(),
        }
    }
}
