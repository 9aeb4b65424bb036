//! Runs identity-governance connectors as sandboxed WebAssembly components.
//!
//! ```
//! use host_harness::{
//!     Connector, Credential, Engine, EngineConfig, Grant, TenantConfig, contract::types::PageRequest,
//! };
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! // Once per process.
//! let engine = Engine::new(EngineConfig::default())?;
//! // Once per version of a connector: verified, compiled, asked to describe itself.
//! let connector = Connector::bundled(&engine).await?;
//! # let simulator = pagerduty_simulator::Simulator::new(Default::default());
//! # let listening = simulator.listen(([127, 0, 0, 1], 0).into()).await?;
//! # let origin = listening.origin();
//! // Once per tenant. The connector reaches what is granted, with a credential
//! // that it never sees. (`origin` stands for `https://api.pagerduty.com`.)
//! let tenant = connector.open(
//!     TenantConfig::new(Grant::read_only().origin(origin.parse()?))
//!         .credential(Credential::token("simulated-token")?)
//!         .setting("base-url", &origin),
//! )?;
//! // As often as needed, also at the same time: each call has its own sandbox.
//! let page = tenant.list_accounts(PageRequest { token: None, size: Some(10) }).await?;
//! for account in &page.items {
//!     println!("{} {:?} {}", account.id, account.status, account.display_name);
//! }
//! # assert_eq!(page.items.len(), 10);
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
//! ```
//!
//! A connector is a component that knows one vendor and nothing else: it has
//! no files, no sockets and no credential. What it may ask for it declares,
//! [policy](egress::policy) holds it to that, and [`egress`] is its only way
//! out. [`egress::cassette`] records what passes there, and replays it exactly.
//! Where the vendor does OAuth, the host runs it: [`oauth`]. [`sync`] reads a
//! whole tenant into a [`store`], to know who had what when. [`conformance`]
//! says whether a connector may go to production, and [`openapi`] whether what
//! it asks for and gets is as the vendor describes it.
//!
//! | lives per | type | holds |
//! |---|---|---|
//! | process | [`Engine`] | wasmtime, compiled code, the limits of a call |
//! | version | [`Connector`] | a component, its description and declaration |
//! | tenant | [`Tenant`] | credential, settings, grant, connections, the vendor's rate limit |
//! | call | [`CallReport`] | requests, log lines, time |
//!
//! Errors are enums; each has a `hint` that says what to do about it.

#![forbid(unsafe_op_in_unsafe_fn)]

#[cfg(feature = "bundled")]
#[doc(hidden)]
pub mod cli;
pub mod conformance;
pub mod connector;
pub mod contract;
pub mod egress;
mod engine;
#[doc(hidden)]
pub mod layers;
pub mod oauth;
pub mod offboarding;
pub mod openapi;
pub mod registry;
pub mod report;
pub mod server;
mod spans;
pub mod store;
pub mod sync;
mod text;
mod whole_file;

pub use connector::{
    CallError, CallReport, CallWatch, Connector, LoadError, OpenError, SettingError, Tenant,
    TenantConfig, Watch,
};
pub use egress::{
    Budget, Credential, CredentialError, Network, Origin, OriginError, Refusal, RequestTrace,
    Resolve, SignInError, TraceOutcome, WithheldChange, policy::Grant,
};
pub use engine::{Engine, EngineConfig, EngineError, ReplaysOn};
pub use store::{Store, StoreError};
pub use text::printable;
