//! Serves connectors to platforms over HTTP, in the wire format of Lumos'
//! connectors.
//!
//! `POST /{connector_id}/{capability}` takes an envelope with `request`,
//! credentials, settings and a page, and answers with status 200 and either a
//! response or an error object. The envelope is taken apart here: what a
//! connector gets are its function's parameters and settings, never a
//! credential.
//!
//! ```
//! use std::sync::Arc;
//!
//! use host_harness::{
//!     Connector, Engine, EngineConfig,
//!     server::{Access, LoadedConnectors, Reach, Server, ServerConfig},
//! };
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::new(EngineConfig::default())?;
//! let connector = Connector::bundled(&engine).await?;
//! let mut reach = Reach::default();
//! reach.trust(&connector);
//! let config = ServerConfig::new(
//!     ([127, 0, 0, 1], 0).into(),
//!     Access::token("a token that the platform has as well")?,
//!     reach,
//! );
//! let connectors = LoadedConnectors::new([connector])?;
//! let running = Server::start(config, Arc::new(connectors)).await?;
//! println!("listening on {}", running.addr());
//! running.stop().await;
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
//! ```

mod access;
mod admin;
mod call;
mod capability;
mod connectors;
mod envelope;
mod error;
mod fingerprint;
mod http;
mod info;
mod leaving;
mod listen;
mod live;
mod metrics;
mod openapi;
mod probe;
mod reach;
mod reads;
mod sign_in;
mod tenants;
mod traces;
mod writes;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinHandle,
};
use tracing::Instrument as _;

pub use access::{Access, AccessError};
pub use connectors::{Connectors, LoadedConnectors, Served, TwoForOne};
pub use error::WireCode;
pub use listen::{ServeError, Tls, TlsError};
pub use reach::{Places, Reach};
pub use tenants::{StoredProfiles, TenantLimits};

use call::{Answer, Call};
use capability::{Capability, Kind, Level};
use envelope::Envelope;
use error::WireError;
use live::{Began, LiveCall, LiveCalls, Looking};
use metrics::Metrics;
use tenants::Tenants;
use traces::Caller;

use crate::{registry::Pinned, spans::Worker};

/// How long after its deadline a call that does not end by itself is ended.
/// The engine ends a connector's function before that, and knows more about why.
const GRACE: Duration = Duration::from_secs(4);

/// What to serve, to whom, and how much of it.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where platforms call.
    pub listen: SocketAddr,
    /// Where the operator looks: health and metrics.
    pub admin: Option<SocketAddr>,
    /// Who may call.
    pub access: Access,
    /// Who may look and change things on the admin listener; `access` if not
    /// said.
    pub operators: Option<Access>,
    /// TLS on both listeners.
    pub tls: Option<Tls>,
    /// What connectors may do.
    pub reach: Reach,
    /// What tenants may do.
    pub tenants: TenantLimits,
    /// The profiles that requests may refer to.
    pub profiles: StoredProfiles,
    /// Where plans and journals of long requests are kept. Without it, those
    /// capabilities are not served.
    pub state: Option<PathBuf>,
    /// What all requests together may take.
    pub limits: ServerLimits,
}

/// What all requests together may take.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ServerLimits {
    /// Bytes of a request's body.
    pub body: usize,
    /// Calls under way; further ones are refused with status 503.
    pub calls: usize,
    /// Open connections of a listener; further ones wait.
    pub connections: usize,
    /// Time to shake hands, to send the first request's head after that, and
    /// any request's head and body. An idle connection of HTTP/1 is closed after it.
    pub arrival: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            // The largest request is a list of account ids.
            body: 1 << 20,
            // Each may take 64 MiB of memory at worst, and a few in practice.
            calls: 128,
            connections: 1024,
            arrival: Duration::from_secs(30),
        }
    }
}

impl ServerConfig {
    /// With defaults for the rest: no TLS, no admin listener, no profiles.
    pub fn new(listen: SocketAddr, access: Access, reach: Reach) -> Self {
        Self {
            listen,
            admin: None,
            access,
            operators: None,
            tls: None,
            reach,
            tenants: TenantLimits::default(),
            profiles: StoredProfiles::default(),
            state: None,
            limits: ServerLimits::default(),
        }
    }
}

/// Starts servers.
#[derive(Debug)]
pub struct Server;

/// A server that runs until it is stopped.
#[derive(Debug)]
pub struct Running {
    shared: Arc<Shared>,
    platform: listen::Listener,
    admin: Option<listen::Listener>,
    following: Option<JoinHandle<()>>,
}

/// What all requests share.
#[derive(Debug)]
struct Shared {
    connectors: Arc<dyn Connectors>,
    access: Access,
    operators: Access,
    tenants: Tenants,
    state: Option<PathBuf>,
    leaving: leaving::AtWork,
    limits: ServerLimits,
    /// One permit for each call that may be under way.
    calls: Arc<Semaphore>,
    metrics: Metrics,
    live: LiveCalls,
    since: Instant,
    /// True once the server is shutting down.
    draining: watch::Sender<bool>,
}

impl Server {
    /// Listens, and serves in the background.
    pub async fn start(
        config: ServerConfig,
        connectors: Arc<dyn Connectors>,
    ) -> Result<Running, ServeError> {
        let limits = config.limits;
        let shared = Arc::new(Shared {
            connectors,
            operators: config.operators.unwrap_or_else(|| config.access.clone()),
            access: config.access,
            tenants: Tenants::new(config.tenants, config.reach, config.profiles),
            state: config.state,
            leaving: leaving::AtWork::default(),
            limits,
            calls: Arc::new(Semaphore::new(limits.calls)),
            metrics: Metrics::default(),
            live: LiveCalls::default(),
            since: Instant::now(),
            draining: watch::Sender::new(false),
        });
        tokio::spawn(tenants::close_idle(Arc::downgrade(&shared)));
        let tls = config.tls.as_ref();
        let platform = http::platform(&shared);
        let platform = listen::listen(config.listen, platform, tls, limits).await?;
        let admin = match config.admin {
            Some(addr) => Some(listen::listen(addr, admin::routes(&shared), tls, limits).await?),
            None => None,
        };
        let following = follow(&shared);
        Ok(Running {
            shared,
            following,
            platform,
            admin,
        })
    }
}

impl Running {
    /// Where platforms call.
    pub fn addr(&self) -> SocketAddr {
        self.platform.addr()
    }

    /// Where the operator looks.
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(listen::Listener::addr)
    }

    /// Refuses further calls, lets those under way end, and stops.
    pub async fn stop(self) {
        self.shared.draining.send_replace(true);
        // Calls end by their deadlines.
        let all = u32::try_from(self.shared.limits.calls).unwrap_or(u32::MAX);
        let ended = self.shared.calls.acquire_many(all).await;
        drop(ended);
        if let Some(following) = self.following {
            following.abort();
        }
        self.platform.stop().await;
        if let Some(admin) = self.admin {
            admin.stop().await;
        }
    }
}

/// Lets the tenants go on with the versions that serve.
fn follow(shared: &Arc<Shared>) -> Option<JoinHandle<()>> {
    let mut changes = shared.connectors.registry()?.changes();
    let shared = Arc::clone(shared);
    Some(tokio::spawn(async move {
        // Ends with the registry, or with the server.
        while changes.changed().await.is_ok() {
            let shared = Arc::clone(&shared);
            let following = tokio::task::spawn_blocking(move || {
                shared.tenants.follow(|id| {
                    let served = shared.connectors.connector(id)?;
                    Some(crate::Connector::clone(&served))
                });
            });
            if let Err(error) = following.await {
                tracing::error!(target: "harness::server", %error, "tenants can't follow a swap");
            }
        }
    }))
}

impl Shared {
    fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// One call, from its body to its answer.
    async fn answer(
        &self,
        connector_id: &str,
        capability: &str,
        body: &[u8],
        caller: Caller,
    ) -> Value {
        let started = Instant::now();
        let found = self.connectors.connector(connector_id);
        let known = Capability::named(capability);
        // Only names that we know: labels, spans and log fields are not for
        // callers to fill.
        let connector_label = found.as_ref().map_or("unknown", |_| connector_id);
        let capability_label = known.map_or("unknown", |known| known.name);
        let worker = Worker {
            id: connector_label,
            build: found.as_ref().map(|connector| {
                let version = connector.descriptor().version.as_str();
                (version, connector.sha256())
            }),
        };
        let work = caller.call(worker, capability_label);
        if let Some(generation) = found.as_ref().and_then(Served::generation) {
            work.generation(generation);
        }
        let outcome = match (&found, known) {
            (Some(served), Some(capability)) => {
                self.called(connector_id, served, capability, body, started)
                    .instrument(work.span().clone())
                    .await
            }
            (None, _) => Err(self.nobody(connector_id)),
            (_, None) => Err(unsupported(connector_id, capability)),
        };
        let code = code(&outcome);
        let refused = outcome.as_ref().err();
        let is_failure = refused.is_some_and(WireError::is_failure);
        work.called(refused.map(|error| error.code.name()), is_failure);
        let elapsed = started.elapsed();
        self.metrics
            .called(connector_label, capability_label, code, elapsed);
        tracing::info!(
            target: "harness::server",
            connector = connector_label,
            capability = capability_label,
            generation = found.as_ref().and_then(Served::generation),
            code,
            elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            "call"
        );
        outcome.unwrap_or_else(|error| error_json(&error, connector_id, Some(capability)))
    }

    /// Whether that version would get a call that began now.
    fn is_current(&self, connector_id: &str, served: &Served) -> bool {
        let now = self.connectors.connector(connector_id);
        now.is_some_and(|now| now.sha256() == served.sha256())
    }

    /// Why there is no such connector.
    fn nobody(&self, connector_id: &str) -> WireError {
        match self.connectors.problem(connector_id) {
            Some(problem) => WireError::new(
                WireCode::ServiceError,
                format!("no version of `{connector_id}` can serve: {problem}"),
            )
            .hint("the operator of this host can load one"),
            None => WireError::new(
                WireCode::NotFound,
                format!("there is no connector `{connector_id}`"),
            )
            .hint("`POST /list-connector-app-ids` lists them"),
        }
    }

    async fn called(
        &self,
        connector_id: &str,
        served: &Served,
        capability: &'static Capability,
        body: &[u8],
        started: Instant,
    ) -> Result<Value, WireError> {
        if !capability.is_offered(served) {
            return Err(unsupported(connector_id, capability.name));
        }
        let seen = Seen {
            calls: &self.live,
            call: self.live.begin(Began {
                connector: connector_id.to_owned(),
                capability: capability.name,
                version: served.descriptor().version.clone(),
                generation: served.generation(),
            }),
        };
        let outcome = self
            .seen(connector_id, served, capability, body, started, &seen.call)
            .await;
        if let Some(pinned) = served.pinned() {
            pinned.ended(outcome.is_ok(), seen.call.crash().as_deref());
        }
        self.live.ended(&seen.call, code(&outcome));
        outcome
    }

    async fn seen(
        &self,
        connector_id: &str,
        served: &Served,
        capability: &'static Capability,
        body: &[u8],
        started: Instant,
        live: &Arc<LiveCall>,
    ) -> Result<Value, WireError> {
        let envelope = Envelope::parse(body)?;
        let longest = self.tenants.reach().budget.deadline;
        let deadline = envelope.longest.unwrap_or(longest).min(longest);
        let tenant = if capability.is_of_a_tenant() {
            let current = || self.is_current(connector_id, served);
            Some(
                self.tenants
                    .borrow(served, current, &envelope, deadline)
                    .await?,
            )
        } else {
            None
        };
        if let Some(tenant) = &tenant {
            live.of_tenant(tenant.label());
        }
        let shadow = match capability.level {
            Level::Read if tenant.is_some() => served.pinned().and_then(Pinned::shadow),
            _ => None,
        };
        let call = Call {
            shared: self,
            connector: served,
            connector_id,
            capability,
            envelope: &envelope,
            tenant: tenant.as_ref(),
            live,
            shadow: shadow.as_ref(),
            ends: started + deadline,
        };
        let outcome = tokio::time::timeout(call.left() + GRACE, dispatch(&call)).await;
        let outcome = outcome.unwrap_or_else(|_| Err(call.out_of_time()));
        if let (Err(error), Some(tenant)) = (&outcome, &tenant)
            && error.code == WireCode::CredsRevoked
        {
            self.tenants.forget(tenant).await;
        }
        let answer = outcome.map(|outcome| call.to_json(outcome));
        // Nobody waits for it.
        if let Some(shadow) = shadow {
            tokio::spawn(shadow.compare());
        }
        answer
    }
}

/// A call that can be looked at; it is not under way any more once this is gone.
struct Seen<'a> {
    calls: &'a LiveCalls,
    call: Arc<LiveCall>,
}

impl Drop for Seen<'_> {
    fn drop(&mut self) {
        // Whoever has asked has gone, if it has no end yet.
        self.calls.ended(&self.call, "given_up");
    }
}

fn code<T>(outcome: &Result<T, WireError>) -> &'static str {
    outcome
        .as_ref()
        .err()
        .map_or("ok", |error| error.code.name())
}

async fn dispatch(call: &Call<'_>) -> Answer {
    match call.capability.kind {
        Kind::Info => Ok(info::info(call)),
        Kind::AppInfo => Ok(info::app_info(call)),
        Kind::ValidateCredentials => reads::validate_credentials(call).await,
        Kind::ValidateCredentialConfig => sign_in::validate_credential_config(call),
        Kind::ProbeIntegration => probe::probe_integration(call).await,
        Kind::ListAccounts => reads::list_accounts(call).await,
        Kind::GetAccount => reads::get_account(call).await,
        Kind::ListUpdatedAccounts => reads::list_updated_accounts(call).await,
        Kind::ListActivityRecords => reads::list_activity_records(call).await,
        Kind::ListResources => reads::list_resources(call).await,
        Kind::ListEntitlements => reads::list_entitlements(call).await,
        Kind::FindEntitlementAssociations => reads::find_entitlement_associations(call).await,
        Kind::GetAccountEntitlementAssociations => {
            reads::get_account_entitlement_associations(call).await
        }
        Kind::GetLastActivity => reads::get_last_activity(call).await,
        Kind::AssignEntitlement => writes::assign_entitlement(call).await,
        Kind::UnassignEntitlement => writes::unassign_entitlement(call).await,
        Kind::CreateAccount => writes::create_account(call).await,
        Kind::UpdateAccount => writes::update_account(call).await,
        Kind::DeleteAccount => writes::delete_account(call).await,
        Kind::TransferData => leaving::transfer_data(call).await,
        Kind::ReleaseResources => leaving::release_resources(call).await,
        Kind::DowngradeLicense => writes::downgrade_license(call).await,
        Kind::GetAuthorizationUrl => sign_in::get_authorization_url(call),
        Kind::HandleAuthorizationCallback => sign_in::handle_authorization_callback(call).await,
        Kind::HandleClientCredentialsRequest => {
            sign_in::handle_client_credentials_request(call).await
        }
        Kind::RefreshAccessToken => sign_in::refresh_access_token(call).await,
    }
}

fn unsupported(connector_id: &str, capability: &str) -> WireError {
    WireError::new(
        WireCode::UnsupportedOperation,
        format!("`{connector_id}` has no capability `{capability}`"),
    )
    .hint("`info` lists what it has")
}

fn error_json(error: &WireError, app_id: &str, raised_in: Option<&str>) -> Value {
    json!({"is_error": true, "error": error.to_json(app_id, raised_in)})
}
