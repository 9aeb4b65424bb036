//! What calls are answered with: recorded from the simulator, once.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use host_harness::{
    Connector, Credential, Grant, Network, Tenant, TenantConfig,
    egress::cassette::{Cassette, RecordedFrom, Recorder, Scrubber},
};
use pagerduty_simulator::{Certificate, Config, Listening, Simulator, TOKENS};
use serde_json::Value;

/// Users of the simulated account: one page.
pub const USERS: usize = 100;

/// A vendor on loopback.
pub struct Vendor {
    listening: Listening,
    certificate: Certificate,
}

impl Vendor {
    pub async fn start() -> Result<Self> {
        let simulator = Simulator::new(Config {
            users: USERS,
            ..Config::default()
        });
        let certificate = Certificate::generate()?;
        let local = ([127, 0, 0, 1], 0).into();
        let listening = simulator.listen_tls(local, &certificate).await?;
        Ok(Self {
            listening,
            certificate,
        })
    }

    pub fn network(&self, connector: &Connector) -> Result<Network> {
        let mut network = Network::default().trust_pem(self.certificate.ca_pem().as_bytes())?;
        for origin in connector.origins() {
            network = network.route(origin.clone(), self.listening.addr());
        }
        Ok(network)
    }

    /// What a tenant of it is opened with.
    pub fn config(&self, connector: &Connector) -> Result<TenantConfig> {
        Ok(TenantConfig::new(granted(connector))
            .credential(Credential::token(TOKENS.owner)?)
            .network(self.network(connector)?))
    }

    /// Makes a call, and returns its result and what passed meanwhile.
    pub async fn recorded(
        &self,
        connector: &Connector,
        function: &str,
        input: &Value,
    ) -> Result<(Value, Cassette)> {
        let clock = "2026-11-20T12:00:00Z".parse()?;
        let recorder = Arc::new(Recorder::new(RecordedFrom::Simulator, clock, [1; 32]));
        let config = self.config(connector)?.record(Arc::clone(&recorder));
        let tenant = connector.open(config)?;
        let result = tenant.call(function, input).await?;
        let scrubber = Scrubber::with_key([0; 32], "pagerduty.com", ["api.pagerduty.com".into()]);
        let by = connector.recorded_by(tenant.settings());
        Ok((result, recorder.cassette(&by, &scrubber)))
    }
}

/// Where the connector says that it goes.
pub fn granted(connector: &Connector) -> Grant {
    connector
        .origins()
        .iter()
        .cloned()
        .fold(Grant::read_only(), Grant::origin)
}

/// A tenant that can make the recorded call that many times.
pub fn replay(connector: &Connector, recorded: &Cassette, times: usize) -> Result<Tenant> {
    let mut cassette = recorded.clone();
    cassette.interactions = std::iter::repeat_n(&recorded.interactions, times)
        .flatten()
        .cloned()
        .collect();
    let config = TenantConfig::new(granted(connector))
        .replay(cassette)
        .context("the recording plays")?;
    Ok(connector.open(config)?)
}
