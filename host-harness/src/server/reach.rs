//! What the operator lets the connectors do.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Budget, Connector, Grant, Network, Origin};

/// What the operator lets the connectors do, for all tenants.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// How requests reach the network.
    pub network: Network,
    /// Origins that any connector may reach if it declares them, or is told
    /// to go there by a setting.
    pub granted: Vec<Origin>,
    /// Where the connectors of an application may go besides, whatever their
    /// version; by the application's id. See [`Reach::trust`].
    pub applications: BTreeMap<String, Places>,
    /// Whether anything may be changed.
    pub writes: bool,
    /// Settings for all tenants; a request's own come before them.
    pub settings: BTreeMap<String, String>,
    /// Where sign-ins by OAuth go, if not where the connector says.
    pub identity: Option<Origin>,
    /// What a call may use. Its deadline is the longest that a request takes.
    pub budget: Budget,
}

/// Where the connectors of an application may go.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Places {
    /// With the vendor's API.
    pub api: BTreeSet<Origin>,
    /// To sign people in, with the client's secret.
    pub sign_in: BTreeSet<Origin>,
}

impl Reach {
    /// Lets all connectors of this one's application go where this one says:
    /// for a connector that came with the host. A later version that names
    /// further places is not let there, so that a swap can't carry credentials
    /// away.
    pub fn trust(&mut self, connector: &Connector) {
        let places = self
            .applications
            .entry(connector.descriptor().app_id.clone())
            .or_default();
        places.api.extend(connector.origins().iter().cloned());
        for scheme in connector.oauth_schemes() {
            places.sign_in.extend(scheme.origins());
        }
    }

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

    /// Where it may go with the vendor's API.
    pub(super) fn origins(&self, connector: &Connector) -> BTreeSet<Origin> {
        let mut origins: BTreeSet<Origin> = self.granted.iter().cloned().collect();
        if let Some(places) = self.places(connector) {
            origins.extend(places.api.iter().cloned());
        }
        origins
    }

    /// Where it may sign people in.
    pub(super) fn sign_in(&self, connector: &Connector) -> BTreeSet<Origin> {
        let mut origins = self.origins(connector);
        origins.extend(self.identity.clone());
        if let Some(places) = self.places(connector) {
            origins.extend(places.sign_in.iter().cloned());
        }
        origins
    }

    fn places(&self, connector: &Connector) -> Option<&Places> {
        self.applications.get(&connector.descriptor().app_id)
    }
}
