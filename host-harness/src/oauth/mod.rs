//! OAuth 2.0, run by the host: a connector declares how its vendor does it, and
//! sees neither codes nor tokens.
//!
//! A [`Client`] speaks the protocol: authorization code with PKCE, client
//! credentials, refresh. A [`Session`] keeps a sign-in going for all calls of a
//! tenant: it renews the access token ahead of expiry, and once when the vendor
//! refuses it. A [`CredentialStore`] keeps it between runs.
//!
//! ```
//! use std::sync::Arc;
//!
//! use host_harness::{
//!     Connector, Credential, Engine, EngineConfig, Grant, Network, TenantConfig,
//!     oauth::{
//!         Access, Client, Flow, MemoryStore, OauthCredential, ProfileKey, Registration, Session,
//!     },
//! };
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! # let simulator = pagerduty_simulator::Simulator::new(Default::default());
//! # let listening = simulator.listen(([127, 0, 0, 1], 0).into()).await?;
//! # let origin = listening.origin();
//! let engine = Engine::new(EngineConfig::default())?;
//! let connector = Connector::bundled(&engine).await?;
//! let scheme = connector.oauth_scheme("oauth-app").ok_or("it has one")?;
//! # let scheme = &scheme.at(&origin.parse()?);
//! // The application signs in as itself, in the account of these settings.
//! let settings = [("subdomain".to_owned(), "acme".to_owned())].into();
//! let scopes = connector.oauth_scopes(scheme, Access::Read, &settings)?;
//! let registration =
//!     Registration::confidential("simulated-client", Credential::token("simulated-client-secret")?);
//! // The last argument says which sign-in origins are trusted: here what the
//! // connector names, since it is the bundled one.
//! let client = Client::new(scheme, registration, &Network::default(), &scheme.origins())?;
//! let tokens = client.client_credentials(&scopes).await?;
//! // An error if less was granted than asked for.
//! let credential =
//!     OauthCredential::issued_to(&client, Flow::ClientCredentials, &scopes, tokens)?;
//! let session = Session::start(
//!     client,
//!     credential,
//!     Arc::new(MemoryStore::default()),
//!     ProfileKey::new("pagerduty", "acme")?,
//! )
//! .await?;
//! let tenant = connector.open(
//!     TenantConfig::new(Grant::read_only().origin(origin.parse()?))
//!         .oauth(session)
//!         .setting("base-url", &origin),
//! )?;
//! assert_eq!(tenant.validate().await?.acting_as, None);
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
//! ```
//!
//! With a person's consent it takes two steps, which may be far apart:
//! [`Client::authorize`] gives the address to send the browser to, and
//! [`Client::exchange`] takes the code that comes back.

mod client;
mod endpoint;
mod error;
mod file_store;
mod renewal;
mod scheme;
mod session;
mod store;
mod stored;

pub use client::{Authorization, Client, Registration, Tokens};
pub use error::OauthError;
pub use file_store::FileStore;
pub use scheme::{Access, Flow, MissingSetting, Scheme, SchemeError};
pub use session::Session;
pub use store::{
    CredentialStore, DEFAULT_PROFILE, EnvironmentStore, MemoryStore, ProfileKey, StoreError,
    StoreLock,
};
pub use stored::{OauthCredential, StoredCredential, StoredFormatError};
