//! What an error on the way to a tenant is on the wire: its settings, its
//! credential, its sign-in.

use super::{WireCode, WireError, of_call::of_transport};
use crate::{OpenError, SignInError, oauth::OauthError};

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

pub(super) fn of_sign_in(error: &SignInError) -> WireCode {
    match error {
        SignInError::Ended { .. } => WireCode::CredsRevoked,
        SignInError::NotRenewed { .. } => WireCode::ConnectionRejected,
        SignInError::NotStored { .. } => WireCode::InternalError,
    }
}
