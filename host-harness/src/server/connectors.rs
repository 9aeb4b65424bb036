//! Which connectors are served.

use std::{collections::BTreeMap, fmt, ops::Deref};

use crate::{
    Connector,
    registry::{Pinned, Registry},
};

/// Where the server gets its connectors. Asked for each call, so that another
/// version may answer the next one; a call keeps the one that it got.
pub trait Connectors: fmt::Debug + Send + Sync + 'static {
    /// The ids that calls name, sorted. One may have nobody to serve it.
    fn ids(&self) -> Vec<String>;

    /// The connector of that id, as of now.
    fn connector(&self, id: &str) -> Option<Served>;

    /// Why a connector that is known has nobody to serve it.
    fn problem(&self, id: &str) -> Option<String> {
        let _ = id;
        None
    }

    /// What the operator can change, if anything.
    fn registry(&self) -> Option<&Registry> {
        None
    }
}

/// A connector for one call: the version that it began with.
#[derive(Debug)]
pub struct Served(Version);

#[derive(Debug)]
enum Version {
    Only(Connector),
    Pinned(Pinned),
}

impl Served {
    /// The number of its generation, if it comes from a registry.
    pub fn generation(&self) -> Option<u64> {
        self.pinned().map(Pinned::generation)
    }

    pub(super) fn pinned(&self) -> Option<&Pinned> {
        match &self.0 {
            Version::Only(_) => None,
            Version::Pinned(pinned) => Some(pinned),
        }
    }
}

impl From<Connector> for Served {
    fn from(connector: Connector) -> Self {
        Self(Version::Only(connector))
    }
}

impl From<Pinned> for Served {
    fn from(pinned: Pinned) -> Self {
        Self(Version::Pinned(pinned))
    }
}

impl Deref for Served {
    type Target = Connector;

    fn deref(&self) -> &Connector {
        match &self.0 {
            Version::Only(connector) => connector,
            Version::Pinned(pinned) => pinned.connector(),
        }
    }
}

/// Connectors that stay as they are, each under its `app-id`.
#[derive(Clone, Debug, Default)]
pub struct LoadedConnectors {
    connectors: BTreeMap<String, Connector>,
}

/// Two connectors for one application.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("two connectors are for `{}`", crate::printable(.0))]
pub struct TwoForOne(pub String);

impl LoadedConnectors {
    /// Serves these.
    pub fn new(connectors: impl IntoIterator<Item = Connector>) -> Result<Self, TwoForOne> {
        let mut found = BTreeMap::new();
        for connector in connectors {
            let id = connector.descriptor().app_id.clone();
            if found.insert(id.clone(), connector).is_some() {
                return Err(TwoForOne(id));
            }
        }
        Ok(Self { connectors: found })
    }
}

impl Connectors for LoadedConnectors {
    fn ids(&self) -> Vec<String> {
        self.connectors.keys().cloned().collect()
    }

    fn connector(&self, id: &str) -> Option<Served> {
        self.connectors.get(id).cloned().map(Served::from)
    }
}

/// The generations that serve now.
impl Connectors for Registry {
    fn ids(&self) -> Vec<String> {
        self.ids()
    }

    fn connector(&self, id: &str) -> Option<Served> {
        self.current(id).map(Served::from)
    }

    fn problem(&self, id: &str) -> Option<String> {
        self.problem(id)
    }

    fn registry(&self) -> Option<&Registry> {
        Some(self)
    }
}
