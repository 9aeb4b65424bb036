//! What a check is.

use futures_util::future::BoxFuture;

use super::{
    checks::CHECKS,
    ground::Ground,
    outcome::Verdict,
    subject::{Source, Subject},
};

/// One question to a connector.
pub struct Check {
    /// Stable, in kebab case.
    pub id: &'static str,
    /// Whether it changes the tenant.
    pub level: Level,
    /// What holds if it passes, as a sentence.
    pub title: &'static str,
    /// Where it can be answered.
    pub sources: Sources,
    pub(super) run: Run,
}

pub(super) type Run = for<'g> fn(&'g Ground<'g>) -> BoxFuture<'g, Verdict>;

/// What a check does to the tenant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Level {
    /// Looks.
    Read,
    /// Changes.
    Write,
}

/// Where a check can be answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sources {
    /// Anywhere.
    Any,
    /// On recordings only.
    Recordings,
    /// On a tenant: a stand-in vendor's, or a live one.
    Tenant,
    /// On a stand-in vendor only.
    StandIn,
    /// Anywhere, with another version of the connector to compare with.
    TwoVersions,
    /// Anywhere, with the vendor's description of its API.
    Described,
    /// On a tenant, with another version of the connector to swap with.
    TenantWithTwoVersions,
}

/// There is no such check.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there is no check `{0}`")]
pub struct UnknownCheck(pub String);

/// All checks, in the order in which they run.
pub fn checks() -> &'static [Check] {
    CHECKS
}

/// The checks of these ids, in the order in which they run; all of them if none
/// is named.
pub fn select(ids: &[String]) -> Result<Vec<&'static Check>, UnknownCheck> {
    if let Some(unknown) = ids
        .iter()
        .find(|id| CHECKS.iter().all(|check| check.id != **id))
    {
        return Err(UnknownCheck(unknown.clone()));
    }
    let is_selected = |check: &&Check| ids.is_empty() || ids.iter().any(|id| id == check.id);
    Ok(CHECKS.iter().filter(is_selected).collect())
}

impl UnknownCheck {
    /// What to do about it: the most similar id, if one is.
    pub fn hint(&self) -> String {
        let shared = |id: &str| {
            let both = id.chars().zip(self.0.chars());
            both.take_while(|(own, other)| own == other).count()
        };
        let similar = CHECKS
            .iter()
            .map(|check| (shared(check.id), check.id))
            .filter(|(shared, _)| *shared > 2)
            .max_by_key(|(shared, id)| (*shared, std::cmp::Reverse(id.len())));
        match similar {
            Some((_, id)) => format!("did you mean `{id}`? `harness conformance --list` has all"),
            None => "`harness conformance --list` has all".to_owned(),
        }
    }
}

impl Level {
    /// `read` or `write`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

impl Sources {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Recordings => "recordings",
            Self::Tenant => "simulator, live",
            Self::StandIn => "simulator",
            Self::TwoVersions => "any, with --against",
            Self::Described => "any, with --openapi",
            Self::TenantWithTwoVersions => "simulator, live, with --against",
        }
    }
}

impl Check {
    /// Why it can't be answered on this subject, and where it can.
    pub(super) fn impediment(&self, subject: &Subject) -> Option<String> {
        let source = &subject.source;
        if matches!(
            self.sources,
            Sources::TwoVersions | Sources::TenantWithTwoVersions
        ) && subject.against.is_none()
        {
            return Some(
                "there is no other version to compare with: name one with `--against FILE`"
                    .to_owned(),
            );
        }
        if self.sources == Sources::Described && subject.description.is_none() {
            return Some(
                "there is no description of the vendor's API to hold requests against: name one \
                 with `--openapi FILE`"
                    .to_owned(),
            );
        }
        let reason = match (self.sources, source) {
            (Sources::Recordings, Source::StandIn(_) | Source::Live(_)) => {
                "it is about recordings, and none are given: `--cassette DIR`"
            }
            (Sources::StandIn, Source::Live(_)) => match self.level {
                Level::Write => "it changes the tenant, and this one is only read: `--simulator`",
                Level::Read => "it needs a vendor that can be told what to do: `--simulator`",
            },
            (Sources::StandIn, Source::Recordings { .. }) => {
                "recordings hold only the calls that were made, and it makes others: `--simulator`"
            }
            (Sources::Tenant | Sources::TenantWithTwoVersions, Source::Recordings { .. }) => {
                "recordings hold only the calls that were made, and it makes others: `--simulator` \
                 or `--live`"
            }
            _ => return None,
        };
        Some(reason.to_owned())
    }
}
