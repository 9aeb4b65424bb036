//! Faults by name, as an operator writes them.

use std::{fmt, str::FromStr};

use bytes::Bytes;

use super::Fault;
use crate::text::printable;

/// Where the redirect leads: to the address from which clouds hand out
/// credentials.
const ELSEWHERE: &str = "http://169.254.169.254/latest/meta-data/";

/// Why a fault is not understood.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there is no fault `{name}`; there are {}", Fault::NAMES.join(", "))]
pub struct FaultNameError {
    name: String,
}

impl FaultNameError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        "write one of the names"
    }
}

impl Fault {
    /// The names of all faults that need no more than a name. Each can be
    /// parsed, and is shown like that.
    pub const NAMES: [&str; 25] = [
        "429",
        "429-with-headers",
        "500",
        "502",
        "503",
        "504",
        "refused-connection",
        "timeout-before",
        "timeout-after",
        "reset",
        "truncated-json",
        "html",
        "wrong-content-type",
        "empty-body",
        "null-fields",
        "wrong-types",
        "odd-fields",
        "duplicate-items",
        "reordered-items",
        "repeated-page",
        "slow-drip",
        "huge-body",
        "gzip-bomb",
        "redirect",
        "401",
    ];

    /// That status without a body, in place of the vendor's answer.
    pub fn status(status: u16) -> Self {
        Self::answer(status, &[])
    }

    /// 429; the window ends in so many seconds, as `ratelimit-reset` and
    /// `retry-after` say, if it is said at all.
    pub fn rate_limited(reset: Option<u32>) -> Self {
        match reset.map(|seconds| seconds.to_string()) {
            None => Self::status(429),
            Some(seconds) => Self::answer(
                429,
                &[
                    ("ratelimit-limit", "960"),
                    ("ratelimit-remaining", "0"),
                    ("ratelimit-reset", &seconds),
                    ("retry-after", &seconds),
                ],
            ),
        }
    }

    /// A redirect to a place that nobody was granted.
    pub fn redirect() -> Self {
        Self::answer(302, &[("location", ELSEWHERE)])
    }

    fn answer(status: u16, headers: &[(&str, &str)]) -> Self {
        Self::Answer {
            status,
            headers: (headers.iter())
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: Bytes::new(),
        }
    }
}

impl FromStr for Fault {
    type Err = FaultNameError;

    fn from_str(name: &str) -> Result<Self, FaultNameError> {
        Ok(match name {
            "429" => Self::rate_limited(None),
            "429-with-headers" => Self::rate_limited(Some(1)),
            "500" => Self::status(500),
            "502" => Self::status(502),
            "503" => Self::status(503),
            "504" => Self::status(504),
            "401" => Self::status(401),
            "refused-connection" => Self::RefusedConnection,
            "timeout-before" => Self::TimeoutBefore,
            "timeout-after" => Self::TimeoutAfter,
            "reset" => Self::Reset,
            "truncated-json" => Self::TruncatedBody,
            "html" => Self::HtmlBody,
            "wrong-content-type" => Self::WrongContentType,
            "empty-body" => Self::EmptyBody,
            "null-fields" => Self::NullFields,
            "wrong-types" => Self::WrongTypes,
            "odd-fields" => Self::OddFields,
            "duplicate-items" => Self::DuplicateItems,
            "reordered-items" => Self::ReorderedItems,
            "repeated-page" => Self::RepeatedPage,
            "slow-drip" => Self::SlowDrip,
            "huge-body" => Self::HugeBody,
            "gzip-bomb" => Self::GzipBomb,
            "redirect" => Self::redirect(),
            _ => {
                let name = printable(name).into_owned();
                return Err(FaultNameError { name });
            }
        })
    }
}

/// Its name; of an answer that has none its status.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Answer { status: 302, .. } if *self == Self::redirect() => "redirect",
            Self::Answer {
                status: 429,
                headers,
                ..
            } if !headers.is_empty() => "429-with-headers",
            Self::Answer { status, .. } => return write!(f, "{status}"),
            Self::RefusedConnection => "refused-connection",
            Self::TimeoutBefore => "timeout-before",
            Self::TimeoutAfter => "timeout-after",
            Self::Reset => "reset",
            Self::TruncatedBody => "truncated-json",
            Self::HtmlBody => "html",
            Self::WrongContentType => "wrong-content-type",
            Self::EmptyBody => "empty-body",
            Self::NullFields => "null-fields",
            Self::WrongTypes => "wrong-types",
            Self::OddFields => "odd-fields",
            Self::DuplicateItems => "duplicate-items",
            Self::ReorderedItems => "reordered-items",
            Self::RepeatedPage => "repeated-page",
            Self::SlowDrip => "slow-drip",
            Self::HugeBody => "huge-body",
            Self::GzipBomb => "gzip-bomb",
        })
    }
}
