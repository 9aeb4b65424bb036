//! Which connectors are served.

use std::{collections::BTreeMap, fmt};

use crate::Connector;

/// Where the server gets its connectors. Asked for each call, so that another
/// version may answer the next one; a call keeps the one that it got.
pub trait Connectors: fmt::Debug + Send + Sync + 'static {
    /// The ids that calls name, sorted.
    fn ids(&self) -> Vec<String>;

    /// The connector of that id, as of now.
    fn connector(&self, id: &str) -> Option<Connector>;
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

    fn connector(&self, id: &str) -> Option<Connector> {
        self.connectors.get(id).cloned()
    }
}
