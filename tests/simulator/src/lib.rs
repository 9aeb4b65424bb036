//! A PagerDuty that behaves: an account with users, teams, schedules,
//! escalation policies, incidents and licences, behind the REST API's own
//! paths, paging, limits, errors and oddities.
//!
//! ```no_run
//! # async fn demo() -> std::io::Result<()> {
//! use pagerduty_simulator::{Config, Simulator, TOKENS};
//!
//! let simulator = Simulator::new(Config::default());
//! let listening = simulator.listen(([127, 0, 0, 1], 0).into()).await?;
//! println!("{}/users with Token token={}", listening.origin(), TOKENS.owner);
//! # Ok(()) }
//! ```

mod api;
mod clock;
mod config;
mod exchange;
mod faults;
mod limits;
mod listen;
mod oauth;
mod state;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use api::{TOKENS, Tokens};
pub use config::{Config, LayerOrder, OverrideReply, Plan, Refusals, Region, Search};
pub use exchange::Exchange;
pub use faults::{Effect, Fault, FaultError, Faults, Match, Meanwhile};
pub use listen::Listening;
pub use oauth::{OAUTH_CLIENT, OauthClient};
pub use tls::{Certificate, Error};

/// One simulated account. Clones share it.
#[derive(Clone)]
pub struct Simulator {
    service: Arc<api::Service>,
}

impl std::fmt::Debug for Simulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulator").finish_non_exhaustive()
    }
}

impl Simulator {
    /// Generates an account.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            service: Arc::new(api::Service::new(config)),
        }
    }

    /// The same account once more: what happens to the one from here on does
    /// not happen to the other. Without faults, kept exchanges, issued tokens
    /// and used rate limits.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            service: Arc::new(self.service.fork()),
        }
    }

    /// The HTTP service. Faults that drop the connection only do so on the
    /// simulator's own sockets; elsewhere the answer's body fails.
    pub fn router(&self) -> axum::Router {
        api::router(&self.service)
    }

    /// Serves HTTP/1.1 and HTTP/2 without TLS, in the background.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn listen(&self, addr: SocketAddr) -> std::io::Result<Listening> {
        listen::listen(addr, self.router(), None).await
    }

    /// Serves HTTP/1.1 and HTTP/2 with TLS, in the background.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn listen_tls(
        &self,
        addr: SocketAddr,
        certificate: &Certificate,
    ) -> std::io::Result<Listening> {
        listen::listen(addr, self.router(), Some(certificate)).await
    }

    /// What the account owner would be answered: status and JSON. Neither hit
    /// by faults nor kept, for setting a scene and for looking at the outcome.
    #[must_use]
    pub fn ask(
        &self,
        method: &str,
        target: &str,
        body: Option<&serde_json::Value>,
    ) -> (u16, serde_json::Value) {
        self.service.ask(method, target, body)
    }

    /// The faults in force.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.service.faults
    }

    /// What was asked and answered while exchanges were kept.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.service.exchanges.all()
    }

    /// Starts or stops keeping exchanges.
    pub fn keep_exchanges(&self, keep: bool) {
        self.service.exchanges.keep(keep);
    }

    /// How many requests came in.
    #[must_use]
    pub fn request_count(&self) -> u64 {
        self.service.request_count()
    }

    /// The requests that a rate limit has refused with a 429: for each, how long
    /// after the first request of all it came. Faults that look like a limit
    /// are not counted.
    #[must_use]
    pub fn refusals(&self) -> Vec<Duration> {
        self.service.refusals()
    }

    /// The ids of the users, in the order of the list.
    #[must_use]
    pub fn user_ids(&self) -> Vec<String> {
        self.service.user_ids()
    }

    /// Opens incidents that are all assigned to the same users: every third
    /// acknowledged, every fifth older than the month that lists show by
    /// default. Returns their ids; none in an account without services.
    pub fn open_incidents(&self, assignees: &[&str], count: usize) -> Vec<String> {
        self.service.open_incidents(assignees, count)
    }

    /// Moves the clock forward: a fixed one and the windows of the rate limits.
    pub fn advance(&self, by: Duration) {
        self.service.clock.advance(by);
    }
}
