//! Why a component does not take over.

use std::{io, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{Incompatibility, RegistryError, ReplayDiff, ShadowReport, SignatureError};
use crate::{connector::LoadError, egress::cassette::CassetteError, text::printable};

/// How far a load is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stage {
    /// The file is read, and its digest taken.
    Read,
    /// Is it in quarantine?
    Quarantine,
    /// Who made it?
    Signature,
    /// It is parsed and compiled, its imports and exports are looked at.
    Verify,
    /// It describes itself, with all network denied. Begins with `Verify`.
    Smoke,
    /// Does it offer what the running generation does?
    Compatibility,
    /// The recordings are played on both.
    Replay,
    /// What has it shown on live reads? Only for a candidate that was tried on
    /// some.
    Shadow,
    /// The component is put where a restart finds it.
    Store,
    /// It takes over.
    Swap,
}

/// Why a component was refused. What served before goes on to serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadFailure {
    /// The file, or its signature, can't be read.
    #[error("`{path}` can't be read: {cause}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// It is in quarantine.
    #[error("its digest {} is in quarantine: {}", .sha256, printable(.reason))]
    Quarantined {
        /// The digest.
        sha256: String,
        /// Why.
        reason: String,
    },
    /// The signature does not suffice.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// It is no connector that this host runs.
    #[error(transparent)]
    Component(#[from] LoadError),
    /// Its id would be no part of an address.
    #[error("its id `{}` is not made of 1 to 64 letters, digits, `-`, `_` and `.`", printable(.0))]
    AppId(String),
    /// It is another connector than the caller meant.
    #[error("it is the connector `{}`, not `{expected}`", printable(.found))]
    OtherApp {
        /// What the caller meant.
        expected: String,
        /// What it says it is.
        found: String,
    },
    /// It lacks what the running generation has.
    #[error("it does not fit the running generation: {}", list(.0))]
    Incompatible(Vec<Incompatibility>),
    /// A recording can't be used.
    #[error("the recordings can't be played: {0}")]
    Fixture(#[from] CassetteError),
    /// It does other things than the running generation.
    #[error(
        "it differs from the running generation on {} of {} recordings",
        .0.fixtures.len(), .0.played
    )]
    Differs(Box<ReplayDiff>),
    /// It crashes.
    #[error("it crashes on {} of {} recordings", .0.fixtures.len(), .0.played)]
    Crashes(Box<ReplayDiff>),
    /// It was tried on live reads, and answers them otherwise than the running
    /// generation, or none were compared.
    #[error("{}", tried(.0))]
    Shadow(Box<ShadowReport>),
    /// Nobody waits to take over.
    #[error("`{}` has no candidate", printable(.0))]
    NoCandidate(String),
    /// A rollback came in between: it was held against another generation than
    /// the one that serves now.
    #[error("another generation serves by now than the one that it was held against")]
    Overtaken,
    /// What is to happen can't be written down.
    #[error(transparent)]
    Record(#[from] RegistryError),
    /// The registry's task has ended.
    #[error("the registry is shut down")]
    Closed,
}

fn tried(seen: &ShadowReport) -> String {
    match seen.compared {
        0 => "it was tried on live reads, and none was compared yet".to_owned(),
        compared => format!(
            "it answers {} of {compared} live reads otherwise",
            seen.differing
        ),
    }
}

fn list(missing: &[Incompatibility]) -> String {
    let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
    missing.join(", ")
}

impl LoadFailure {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } => "name a component file, or stage the candidate anew",
            Self::Quarantined { .. } => {
                "load a version that mends it, or release the digest if the reason is gone"
            }
            Self::Signature(error) => error.hint(),
            Self::Component(error) => error.hint(),
            Self::AppId(_) => "this is a defect of the connector",
            Self::OtherApp { .. } => "name the connector that the file holds",
            Self::Incompatible(_) => {
                "build it with what is missing, or accept it if nobody needs that any more"
            }
            Self::Fixture(error) => error.hint(),
            Self::Differs(_) => "look at the differences, and accept them if they are meant",
            Self::Crashes(_) => "this is a defect of the connector",
            Self::Shadow(_) => {
                "look at the differences, try it on more reads, or accept it as it is"
            }
            Self::NoCandidate(_) => "stage a component first",
            Self::Overtaken => "look at what serves, and load it again if it is still wanted",
            Self::Record(error) => error.hint(),
            Self::Closed => "open the registry again",
        }
    }

    /// Where the load ended.
    pub fn stage(&self) -> Stage {
        match self {
            Self::Read { .. } => Stage::Read,
            Self::Quarantined { .. } => Stage::Quarantine,
            Self::Signature(_) => Stage::Signature,
            Self::Component(LoadError::Describe(_) | LoadError::Description(_))
            | Self::AppId(_) => Stage::Smoke,
            Self::Component(_) => Stage::Verify,
            Self::OtherApp { .. } | Self::Incompatible(_) => Stage::Compatibility,
            Self::Fixture(_) | Self::Differs(_) | Self::Crashes(_) => Stage::Replay,
            Self::Shadow(_) => Stage::Shadow,
            Self::NoCandidate(_) => Stage::Read,
            Self::Overtaken | Self::Record(_) | Self::Closed => Stage::Swap,
        }
    }

    /// What differs, if that is why.
    pub fn diff(&self) -> Option<&ReplayDiff> {
        match self {
            Self::Differs(diff) | Self::Crashes(diff) => Some(diff),
            _ => None,
        }
    }
}

/// Why there is no rollback, or no quarantine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RollbackError {
    /// There is no such connector.
    #[error("there is no connector `{}`", printable(.0))]
    UnknownConnector(String),
    /// That generation is not kept.
    #[error("generation {id} of `{app_id}` is not kept")]
    UnknownGeneration {
        /// Which connector.
        app_id: String,
        /// Which generation.
        id: u64,
    },
    /// There is no earlier one.
    #[error("`{0}` has no earlier generation to return to")]
    Nothing(String),
    /// It does not load any more.
    #[error("generation {id} does not load any more: {cause}")]
    Unservable {
        /// Which generation.
        id: u64,
        /// Why.
        cause: String,
    },
    /// What is to happen can't be written down.
    #[error(transparent)]
    Record(#[from] RegistryError),
    /// The registry's task has ended.
    #[error("the registry is shut down")]
    Closed,
}

impl RollbackError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::UnknownConnector(_) => "name one that the registry has",
            Self::UnknownGeneration { .. } | Self::Nothing(_) => {
                "load the component that is to serve; the registry keeps the last few only"
            }
            Self::Unservable { .. } => "load the component anew",
            Self::Record(error) => error.hint(),
            Self::Closed => "open the registry again",
        }
    }
}

/// Why a candidate is not tried on live reads, or not discarded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CandidateError {
    /// Nobody waits to take over.
    #[error("`{}` has no candidate", printable(.0))]
    None(String),
    /// There is nothing to end.
    #[error("the candidate of `{}` is not tried on live reads", printable(.0))]
    NotShadowing(String),
    /// It does not load any more.
    #[error("the candidate does not load any more: {0}")]
    Unloadable(String),
    /// What is to happen can't be written down.
    #[error(transparent)]
    Record(#[from] RegistryError),
    /// The registry's task has ended.
    #[error("the registry is shut down")]
    Closed,
}

impl CandidateError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::None(_) => "stage a component first",
            Self::NotShadowing(_) => "begin with it, or look at what it has shown",
            Self::Unloadable(_) => "stage the component anew",
            Self::Record(error) => error.hint(),
            Self::Closed => "open the registry again",
        }
    }
}
