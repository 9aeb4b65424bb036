//! Runs identity-governance connectors as sandboxed WebAssembly components.
//!
//! A connector is a component that knows one vendor. This host loads it, gives
//! it a way to the vendor that it can't leave, adds the credential where the
//! connector can't see it, and calls its capabilities.
#![cfg_attr(feature = "bundled", doc = "")]
#![forbid(unsafe_op_in_unsafe_fn)]

#[cfg(feature = "bundled")]
#[doc(hidden)]
pub mod cli;
pub mod connector;
pub mod contract;
pub mod egress;
mod engine;
mod text;

pub use connector::{
    CallError, CallReport, Connector, LoadError, OpenError, SettingError, Tenant, TenantConfig,
};
pub use egress::{
    Budget, Credential, CredentialError, Network, Origin, OriginError, Refusal, RequestTrace,
    Resolve, TraceOutcome, policy::Grant,
};
pub use engine::{Engine, EngineConfig, EngineError};
pub use text::printable;
