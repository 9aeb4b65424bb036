//! Why a command did not succeed: one line with cause and hint, and an exit
//! code that a script can act on.

use std::{fmt, process::ExitCode};

use serde_json::json;

use crate::{
    CallError, CredentialError, LoadError, OpenError, OriginError,
    contract::to_json,
    egress::{TrustError, cassette::CassetteError},
    engine::EngineError,
    oauth::{self, OauthError},
    openapi::DescriptionError,
    store,
    sync::SyncError,
    text::printable,
};

/// A command that did not succeed.
#[derive(Debug)]
pub(super) struct Failure {
    message: String,
    hint: Option<String>,
    kind: Kind,
    /// For stdout, where JSON was asked for.
    json: Option<serde_json::Value>,
    /// Lines that say more.
    detail: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// Exit code 1.
    Call,
    /// Exit code 2.
    Usage,
    /// Whoever reads our output has gone away. Nothing to say, and to nobody.
    BrokenPipe,
}

impl Failure {
    /// A call or a check failed.
    pub(super) fn call(message: impl fmt::Display, hint: Option<String>) -> Self {
        Self {
            message: message.to_string(),
            hint,
            kind: Kind::Call,
            json: None,
            detail: None,
        }
    }

    /// The command line, or a file it names, is wrong.
    pub(super) fn usage(message: impl fmt::Display, hint: impl Into<String>) -> Self {
        Self {
            message: message.to_string(),
            hint: Some(hint.into()),
            kind: Kind::Usage,
            json: None,
            detail: None,
        }
    }

    /// Also lines that say more, in front of the error.
    pub(super) fn with_detail(mut self, detail: String) -> Self {
        self.detail = Some(detail);
        self
    }

    /// Also as JSON on stdout.
    pub(super) fn with_json(mut self, error: &CallError) -> Self {
        self.json = Some(json!({ "error": to_json(&error.to_contract()) }));
        self
    }

    /// As part of a larger answer.
    pub(super) fn to_json(&self) -> serde_json::Value {
        json!({ "message": self.message, "hint": self.hint })
    }

    /// Says it and gives the exit code.
    pub(super) fn report(self) -> ExitCode {
        if self.kind == Kind::BrokenPipe {
            return ExitCode::SUCCESS;
        }
        if let Some(json) = &self.json {
            // Should stdout be gone, stderr and the exit code still tell.
            super::output::json(json).ok();
        }
        if let Some(detail) = &self.detail {
            talk!("{}", detail.trim_end());
        }
        talk!("error: {self}");
        match self.kind {
            Kind::Usage => ExitCode::from(2),
            Kind::Call | Kind::BrokenPipe => ExitCode::from(1),
        }
    }
}

/// The line that `report` prints.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", printable(&self.message))?;
        match &self.hint {
            Some(hint) => write!(f, "; hint: {}", printable(hint)),
            None => Ok(()),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        let hint = "give stdout something that takes it all and has room";
        let mut failure = Self::call(
            format!("the output can't be written: {error}"),
            Some(hint.to_owned()),
        );
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            failure.kind = Kind::BrokenPipe;
        }
        failure
    }
}

/// What nobody can do anything about but look at it: the chain of causes.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::call(format!("{error:#}"), None)
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        match &error {
            CallError::Unknown { .. } | CallError::Input(_) => Self {
                kind: Kind::Usage,
                ..Self::call(&error, error.hint())
            },
            _ => Self::call(&error, error.hint()),
        }
    }
}

impl From<CassetteError> for Failure {
    fn from(error: CassetteError) -> Self {
        match &error {
            CassetteError::Secret(_) => Self::call(&error, Some(error.hint().to_owned())),
            _ => Self::usage(&error, error.hint()),
        }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::call(error, None)
    }
}

impl From<OauthError> for Failure {
    fn from(error: OauthError) -> Self {
        match &error {
            OauthError::NotGranted(_)
            | OauthError::Flow { .. }
            | OauthError::Setting(_)
            | OauthError::NoProfile { .. }
            | OauthError::NotOauth(_) => Self::usage(&error, error.hint()),
            OauthError::Store(error) => error.clone().into(),
            _ => Self::call(&error, Some(error.hint())),
        }
    }
}

impl From<oauth::StoreError> for Failure {
    fn from(error: oauth::StoreError) -> Self {
        Self::usage(&error, error.hint())
    }
}

impl From<store::StoreError> for Failure {
    fn from(error: store::StoreError) -> Self {
        if error.is_usage() {
            Self::usage(&error, error.hint())
        } else {
            Self::call(&error, Some(error.hint().to_owned()))
        }
    }
}

impl From<SyncError> for Failure {
    fn from(error: SyncError) -> Self {
        match error {
            SyncError::Store(error) => error.into(),
            SyncError::Call { .. } | SyncError::Stuck { .. } => {
                Self::call(&error, Some(error.hint()))
            }
            _ => Self::usage(&error, error.hint()),
        }
    }
}

macro_rules! usage_with_hint {
    ($($error:ty),*) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::usage(&error, error.hint())
            }
        })*
    };
}

usage_with_hint!(DescriptionError, LoadError, OpenError, OriginError);

impl From<CredentialError> for Failure {
    fn from(error: CredentialError) -> Self {
        Self::usage(
            error,
            "put the token, and nothing else, into `PAGERDUTY_TOKEN` or the file",
        )
    }
}

impl From<TrustError> for Failure {
    fn from(error: TrustError) -> Self {
        Self::usage(error, "name a PEM file of certificate authorities")
    }
}
