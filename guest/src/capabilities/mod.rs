//! What the platform asks: one module per interface of the contract.

pub mod activity;
pub mod credentials;
pub mod diagnostics;
pub mod directory;
pub mod metadata;
pub mod offboarding;
pub mod on_call;
pub mod provisioning;
