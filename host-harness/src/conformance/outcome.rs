//! How a check comes out.

use crate::{
    CallError,
    contract::types::ErrorCode,
    text::{printable, shortened},
};

/// How a check came out. All texts are safe to show.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It holds.
    Pass {
        /// What was looked at.
        seen: String,
    },
    /// It does not.
    Fail {
        /// What was seen instead.
        what: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// It holds, with something that a person should look at.
    Warn {
        /// What.
        what: String,
    },
    /// Nothing is known.
    Skip {
        /// Why, and what would help.
        reason: String,
    },
}

/// What was looked at if it holds, or another outcome.
pub(super) type Verdict = Result<String, Outcome>;

/// Of several things that are wrong so many are told.
const TOLD: usize = 5;

/// Bytes of one text, at most: what a connector says may be of any length.
const LONGEST: usize = 2000;

impl Outcome {
    /// `pass`, `fail`, `warn` or `skip`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pass { .. } => "pass",
            Self::Fail { .. } => "fail",
            Self::Warn { .. } => "warn",
            Self::Skip { .. } => "skip",
        }
    }

    /// What was seen, what is wrong, or the reason.
    pub fn detail(&self) -> &str {
        match self {
            Self::Pass { seen } => seen,
            Self::Fail { what, .. } | Self::Warn { what } => what,
            Self::Skip { reason } => reason,
        }
    }

    /// The same, safe to show: its texts quote what strangers say.
    pub(super) fn shown(mut self) -> Self {
        let text = match &mut self {
            Self::Pass { seen } => seen,
            Self::Fail { what, .. } | Self::Warn { what } => what,
            Self::Skip { reason } => reason,
        };
        *text = shortened(&printable(text), LONGEST);
        self
    }

    /// What to do about a failure.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Fail { hint, .. } => hint.as_deref(),
            _ => None,
        }
    }
}

/// It does not hold. `what` may come from anybody.
pub(super) fn fail(what: impl AsRef<str>, hint: &str) -> Outcome {
    Outcome::Fail {
        what: printable(what.as_ref()).into_owned(),
        hint: Some(hint.to_owned()),
    }
}

/// Nothing is known. `reason` may come from anybody.
pub(super) fn skip(reason: impl AsRef<str>) -> Outcome {
    Outcome::Skip {
        reason: printable(reason.as_ref()).into_owned(),
    }
}

/// It holds if nothing is wrong.
pub(super) fn none_of(wrong: &[String], hint: &str) -> Result<(), Outcome> {
    if wrong.is_empty() {
        return Ok(());
    }
    let mut what = wrong[..wrong.len().min(TOLD)].join("; ");
    if wrong.len() > TOLD {
        what.push_str(&format!("; and {} more", wrong.len() - TOLD));
    }
    Err(fail(what, hint))
}

/// The code of the connector's own error; none for what the host did.
pub(super) fn contract_code(error: &CallError) -> Option<ErrorCode> {
    match error {
        CallError::Connector { error, .. } => Some(error.code),
        _ => None,
    }
}

/// Asks for an error of the contract with one of these codes.
pub(super) fn expect_code<T>(
    outcome: &Result<T, CallError>,
    codes: &[ErrorCode],
    after: &str,
    wrong: &mut Vec<String>,
) {
    let expected = || {
        let words: Vec<String> = codes.iter().map(code_word).collect();
        words.join(" or ")
    };
    match outcome {
        Ok(_) => wrong.push(format!("{after}: it succeeds, and not {}", expected())),
        Err(error) => match contract_code(error) {
            Some(code) if codes.contains(&code) => {}
            _ => wrong.push(format!(
                "{after}: it is `{}` ({error}), and not {}",
                error.code(),
                expected()
            )),
        },
    }
}

fn code_word(code: &ErrorCode) -> String {
    let word = crate::contract::to_json(code);
    format!("`{}`", word.as_str().unwrap_or_default())
}
