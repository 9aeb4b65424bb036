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
mod answer;
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
mod profiles;
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

use tokio::{
    sync::{Semaphore, watch},
    task::JoinHandle,
};

pub use access::{Access, AccessError};
pub use connectors::{Connectors, LoadedConnectors, Served, TwoForOne};
pub use error::WireCode;
pub use listen::{ServeError, Tls, TlsError};
pub use profiles::StoredProfiles;
pub use reach::{Places, Reach};
pub use tenants::TenantLimits;

use live::LiveCalls;
use metrics::Metrics;
use tenants::Tenants;

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
}
