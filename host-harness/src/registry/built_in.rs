//! The connector that came with the host.

use super::{LoadFailure, LoadReport, LoadRequest, Registry, state::State};
use crate::connector::Connector;

/// Where it comes from, who wants it, and who answers for it.
pub(super) const BUILT_IN: &str = "this host";

impl Registry {
    /// Lets the connector that came with the host serve if nobody else does, or
    /// if that of an earlier build of the host does; without a signature, since
    /// whoever trusts the host trusts it. What somebody has loaded stays, and so
    /// does a rollback. None if there was nothing to do.
    pub async fn load_built_in(
        &self,
        connector: &Connector,
    ) -> Result<Option<LoadReport>, LoadFailure> {
        let app_id = &connector.descriptor().app_id;
        let serves = self.shared.serving(app_id).is_some();
        if !self
            .shared
            .book()
            .folder
            .state
            .wants_built_in(app_id, serves)
        {
            return Ok(None);
        }
        let request = LoadRequest::built_in(connector).new_only();
        let report = self.load(request).await?;
        Ok((!report.unchanged).then_some(report))
    }
}

impl State {
    fn wants_built_in(&self, app_id: &str, serves: bool) -> bool {
        let Some(connector) = self.connectors.get(app_id) else {
            return true;
        };
        let current = connector.current.and_then(|id| connector.generation(id));
        let Some(current) = current else {
            return true;
        };
        // Somebody has put the only one that there was into quarantine: whoever
        // does that does not want the next best.
        let withdrawn = !serves && self.quarantine.contains_key(&current.sha256);
        current.source == BUILT_IN || (!serves && !withdrawn)
    }
}
