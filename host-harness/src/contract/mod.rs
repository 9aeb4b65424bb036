//! The contract between host and connectors, `iga:connector@0.1.0`, as Rust
//! types, and its JSON form.
//!
//! In JSON a record is an object with snake_case names, an enum case is a
//! snake_case string, a variant case with a payload is an object with one
//! field, an option is the value or null, and a tuple is an array.

mod json;
mod values;

/// The package that this host speaks.
pub const PACKAGE: &str = "iga:connector";

/// The version of it. Components of the same minor version fit.
pub const VERSION: &str = "0.1.0";

pub use json::to_json;
pub use values::InputError;
pub(crate) use values::{object, value_to_json};

#[expect(
    clippy::allow_attributes,
    reason = "which lints generated code runs into depends on the generator's version"
)]
#[allow(
    missing_docs,
    clippy::all,
    unused_qualifications,
    reason = "generated; documented in wit/"
)]
pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "any-connector",
        exports: { default: async },
        additional_derives: [PartialEq, serde::Serialize],
    });
}

/// Accounts, access, errors: the words that all interfaces share.
pub mod types {
    pub use super::bindings::iga::connector::types::{
        Account, AccountKind, AccountStatus, Effect, Entitlement, EntitlementRef, Error, ErrorCode,
        Grant, Notice, PageRequest, Resource,
    };
}

/// What a connector says about itself.
pub mod metadata {
    pub use super::bindings::exports::iga::connector::metadata::{
        AuthScheme, Capability, Descriptor, EntitlementType, HeaderScheme, Level, Oauth2Flow,
        Oauth2Scheme, RateLimit, RequestRule, ResourceType,
    };
}

/// Who the credential is.
pub mod credentials {
    pub use super::bindings::exports::iga::connector::credentials::Tenant;
}

/// What a sync reads.
pub mod directory {
    pub use super::bindings::exports::iga::connector::directory::{
        AccountGrantsResult, AccountPage, EntitlementPage, GrantPage, ResourcePage,
    };
}

/// When accounts were used, and what happened.
pub mod activity {
    pub use super::bindings::exports::iga::connector::activity::{
        ActivityKind, ActivityPage, ActivityRecord, ActivityTarget, LastActivity,
        LastActivityReport,
    };
}

/// Changes to accounts and what they hold.
pub mod provisioning {
    pub use super::bindings::exports::iga::connector::provisioning::{
        AccountChange, CreatedAccount, NewAccount,
    };
}

/// Handing over and removing.
pub mod offboarding {
    pub use super::bindings::exports::iga::connector::offboarding::{Applied, Plan, Step};
}

/// Who is on call.
pub mod on_call {
    pub use super::bindings::exports::iga::connector::on_call::Shift;
}

/// What is wrong.
pub mod diagnostics {
    pub use super::bindings::exports::iga::connector::diagnostics::{Finding, Verdict};
}
