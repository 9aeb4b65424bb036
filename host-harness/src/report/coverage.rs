//! How much a run could learn of when accounts were last seen.

use super::Person;
use crate::store::Run;

/// What it means that a run has no trace of somebody.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Coverage {
    /// Whatever the vendor keeps was asked: there is no trace.
    Full,
    /// A source was out of reach, and what it knows may be missing.
    Partial,
    /// The run knows of no trace of anybody.
    Missing,
}

/// Notices that say that a source of last logins was out of reach. The names are
/// those that connectors share.
const SOURCES_OUT_OF_REACH: [&str; 3] = [
    "analytics-not-available",
    "delegations-not-available",
    "sessions-not-available",
];

/// A run that has as many notices has no room for more: one of those may be
/// missing.
const NO_ROOM: usize = 100;

impl Coverage {
    pub(super) fn of(run: &Run, has_traces: bool) -> Self {
        let is_left_out = |code: &str| SOURCES_OUT_OF_REACH.contains(&code);
        if !has_traces {
            Self::Missing
        } else if run.notices.len() >= NO_ROOM
            || run.notices.iter().any(|notice| is_left_out(&notice.code))
        {
            Self::Partial
        } else {
            Self::Full
        }
    }

    /// What stands for the last login of somebody without a trace: `never` or
    /// `unknown`.
    pub fn without_trace(self, person: &Person) -> &'static str {
        // Who has not accepted the invitation can't have been there.
        if person.is_pending() || (self == Self::Full && person.is_listed()) {
            "never"
        } else {
            "unknown"
        }
    }

    /// What a reader must know of it, if anything.
    pub fn told(self) -> Option<&'static str> {
        match self {
            Self::Full => None,
            Self::Partial => Some(
                "this run could not read all sources of last logins, so nobody counts as inactive \
                 for want of one",
            ),
            Self::Missing => Some(
                "this run could read no last logins, so nobody counts as inactive for want of one",
            ),
        }
    }
}
