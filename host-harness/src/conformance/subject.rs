//! What is checked, and on what.

use std::{
    any::Any,
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;

use super::tape::{Ceilings, Tape};
use crate::{
    Connector, Credential, Network, OpenError, TenantConfig,
    egress::cassette::CassetteError,
    openapi::{Description, DescriptionError},
    registry,
};

/// A connector, and what it is checked on.
pub struct Subject {
    pub(super) connector: Connector,
    pub(super) against: Option<Connector>,
    pub(super) description: Option<Description>,
    pub(super) source: Source,
}

pub(super) enum Source {
    Recordings {
        tapes: Vec<Tape>,
        ceilings: Option<Ceilings>,
    },
    StandIn(Arc<dyn StandIn>),
    Live(Box<TenantConfig>),
}

impl Source {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Recordings { .. } => "recordings",
            Self::StandIn(_) => "simulator",
            Self::Live(_) => "live",
        }
    }
}

/// Something that does as the vendor does: a simulator. Started as often as a
/// check wants a tenant that nobody has touched.
#[async_trait]
pub trait StandIn: Send + Sync {
    /// Starts one. Each must hold the same accounts.
    async fn start(&self) -> Result<Vendor, SubjectError>;
}

/// A stand-in vendor that runs until it is dropped.
pub struct Vendor {
    pub(super) network: Network,
    pub(super) credential: Credential,
    pub(super) settings: BTreeMap<String, String>,
    pub(super) wrong: Option<Credential>,
    pub(super) revocable: Option<(Credential, Revoke)>,
    pub(super) lacking: Option<Credential>,
    _alive: Box<dyn Any + Send + Sync>,
}

/// Takes a credential's validity away.
pub type Revoke = Box<dyn Fn() + Send + Sync>;

impl Vendor {
    /// One that is reached by `network`, which leads all origins that the
    /// connector declares to it; `credential` may do everything there. `alive`
    /// is dropped when it is not needed any more.
    pub fn new(network: Network, credential: Credential, alive: impl Any + Send + Sync) -> Self {
        Self {
            network,
            credential,
            settings: BTreeMap::new(),
            wrong: None,
            revocable: None,
            lacking: None,
            _alive: Box::new(alive),
        }
    }

    /// A setting of the connector.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.insert(name.into(), value.into());
        self
    }

    /// A credential that it does not know.
    #[must_use]
    pub fn wrong(mut self, credential: Credential) -> Self {
        self.wrong = Some(credential);
        self
    }

    /// A credential that is good until `revoke` is called.
    #[must_use]
    pub fn revocable(mut self, credential: Credential, revoke: Revoke) -> Self {
        self.revocable = Some((credential, revoke));
        self
    }

    /// A credential that may read, and may not change anything.
    #[must_use]
    pub fn lacking(mut self, credential: Credential) -> Self {
        self.lacking = Some(credential);
        self
    }
}

/// Why there is nothing to check a connector on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubjectError {
    /// A recording can't be used.
    #[error(transparent)]
    Cassette(#[from] CassetteError),
    /// There is no recording of this connector.
    #[error("`{folder}` holds no recording of the connector `{app_id}`")]
    NoRecordings {
        /// Where was looked.
        folder: String,
        /// For which application.
        app_id: String,
    },
    /// The file of ceilings can't be read or written.
    #[error("`{path}`: {cause}")]
    Ceilings {
        /// The file.
        path: String,
        /// What is wrong.
        cause: String,
    },
    /// The vendor's description can't be used.
    #[error("the vendor's description: {0}")]
    Description(#[from] DescriptionError),
    /// The tenant can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The stand-in vendor does not start.
    #[error("the stand-in vendor does not start: {0}")]
    StandIn(String),
}

impl SubjectError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Cassette(error) => error.hint(),
            Self::NoRecordings { .. } => "record some with `--record`, one file a call or story",
            Self::Ceilings { .. } => "write it anew with `--record-ceilings`",
            Self::Description(error) => error.hint(),
            Self::Open(error) => error.hint(),
            Self::StandIn(_) => "see the cause; a free port on the loopback address is needed",
        }
    }
}

impl Subject {
    /// Checked on recordings: all files `*.json` of a folder that are of this
    /// connector's application. A file `ceilings.toml` beside them says what
    /// their calls may use.
    pub fn recorded(connector: Connector, folder: &Path) -> Result<Self, SubjectError> {
        let app_id = &connector.descriptor().app_id;
        let tapes: Vec<Tape> = registry::recordings(folder, app_id)?
            .into_iter()
            .map(|(name, cassette)| Tape { name, cassette })
            .collect();
        if tapes.is_empty() {
            return Err(SubjectError::NoRecordings {
                folder: folder.display().to_string(),
                app_id: app_id.clone(),
            });
        }
        let ceilings = Ceilings::read(folder)?;
        Ok(Self::on(connector, Source::Recordings { tapes, ceilings }))
    }

    /// Checked on a stand-in vendor.
    pub fn stand_in(connector: Connector, stand_in: Arc<dyn StandIn>) -> Self {
        Self::on(connector, Source::StandIn(stand_in))
    }

    /// Checked on a tenant that is only read: whatever `config` grants, what the
    /// connector declares as a change is withheld. All of it is read several
    /// times. A request that it declares as a read is sent, whatever its method:
    /// see that [`Descriptor`](crate::contract::metadata::Descriptor) first.
    pub fn live(connector: Connector, config: TenantConfig) -> Self {
        Self::on(connector, Source::Live(Box::new(config.dry_run(true))))
    }

    /// Writes what the calls of the recordings may use from now on into
    /// `ceilings.toml` in `folder`: what they use now, and a quarter more. None
    /// where there are no recordings.
    pub async fn record_ceilings(&self, folder: &Path) -> Option<Result<PathBuf, SubjectError>> {
        match &self.source {
            Source::Recordings { tapes, .. } => {
                Some(Ceilings::record(&self.connector, tapes, folder).await)
            }
            _ => None,
        }
    }

    fn on(connector: Connector, source: Source) -> Self {
        Self {
            connector,
            against: None,
            description: None,
            source,
        }
    }

    /// Also held against another version of the connector: the one that it is
    /// to take over from.
    #[must_use]
    pub fn against(mut self, other: Connector) -> Self {
        self.against = Some(other);
        self
    }

    /// Also held against what the vendor says of its API.
    #[must_use]
    pub fn described(mut self, description: Description) -> Self {
        self.description = Some(description);
        self
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("connector", &self.connector)
            .field("source", &self.source.word())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vendor").finish_non_exhaustive()
    }
}
