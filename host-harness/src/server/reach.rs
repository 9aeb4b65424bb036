//! What the operator lets the connectors do.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Budget, Connector, Grant, Network, Origin};

/// What the operator lets the connectors do, for all tenants.
#[derive(Clone, Debug)]
pub struct Reach {
    /// How requests reach the network.
    pub network: Network,
    /// Origins that any connector may reach if it declares them, or is told
    /// to go there by a setting.
    pub granted: Vec<Origin>,
    /// Digests of connectors that may also go where they say: those that came
    /// with the host.
    pub trusted: BTreeSet<String>,
    /// Whether anything may be changed.
    pub writes: bool,
    /// Settings for all tenants; a request's own come before them.
    pub settings: BTreeMap<String, String>,
    /// Where sign-ins by OAuth go, if not where the connector says.
    pub identity: Option<Origin>,
    /// What a call may use. Its deadline is the longest that a request takes.
    pub budget: Budget,
}

impl Default for Reach {
    /// Reading only, and nowhere.
    fn default() -> Self {
        Self {
            network: Network::default(),
            granted: Vec::new(),
            trusted: BTreeSet::new(),
            writes: false,
            settings: BTreeMap::new(),
            identity: None,
            budget: Budget::default(),
        }
    }
}

impl Reach {
    /// What that connector may do.
    pub(super) fn grant(&self, connector: &Connector) -> Grant {
        let grant = if self.writes {
            Grant::read_write()
        } else {
            Grant::read_only()
        };
        self.origins(connector)
            .into_iter()
            .fold(grant, Grant::origin)
    }

    /// Where it may go.
    pub(super) fn origins(&self, connector: &Connector) -> BTreeSet<Origin> {
        let mut origins: BTreeSet<Origin> = self.granted.iter().cloned().collect();
        if self.trusts(connector) {
            origins.extend(connector.origins().iter().cloned());
        }
        origins
    }

    /// Whether it may go where it says.
    pub(super) fn trusts(&self, connector: &Connector) -> bool {
        self.trusted.contains(connector.sha256())
    }
}
