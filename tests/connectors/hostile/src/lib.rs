//! A connector that does what it must not. Which of its misbehaviours it shows,
//! the caller says: the id of an account is the name of one.
//!
//! `directory.get-account` is declared as a read, `provisioning.delete-account`
//! as a write; apart from that they do the same. What a misbehaviour got to see
//! goes into the result and into the log, see [`Seen`].

mod declaration;
mod exhaustion;
mod flooding;
mod headers;
mod levels;
mod misbehaviour;
mod places;
mod request;
mod saying;
mod seen;
mod snooping;

use crate::exports::iga::connector as contract;
use crate::exports::iga::connector::credentials::Tenant;
use crate::exports::iga::connector::directory::{
    AccountGrantsResult, AccountPage, EntitlementPage, GrantPage, ResourcePage,
};
use crate::exports::iga::connector::metadata::Descriptor;
use crate::exports::iga::connector::provisioning::{AccountChange, CreatedAccount, NewAccount};
use crate::iga::connector::types::{
    Account, AccountKind, AccountStatus, Effect, EntitlementRef, Error, ErrorCode, PageRequest,
};
use crate::seen::Seen;

/// The contract, as generated from `wit/`.
mod bindings {
    wit_bindgen::generate!({
        inline: "
            package test:hostile;
            world hostile-connector {
                include iga:connector/connector@0.1.0;
                export iga:connector/directory@0.1.0;
                export iga:connector/provisioning@0.1.0;
            }
        ",
        path: "../../../wit",
        world: "test:hostile/hostile-connector",
        generate_all,
    });
}

use bindings::{exports, iga};

struct Hostile;

bindings::export!(Hostile with_types_in bindings);

/// Misbehaves as told, and returns what was seen.
fn misbehave(name: &str) -> Result<Seen, Error> {
    if declaration::variant() == "crashes-when-called" {
        panic!("as it was told");
    }
    let mut seen = Seen::default();
    if let Some(authority) = name.strip_prefix("at:") {
        places::at(authority, &mut seen);
        return Ok(seen);
    }
    let Some(misbehaviour) = misbehaviour::named(name) else {
        return Err(error(ErrorCode::NotFound, "there is no such misbehaviour"));
    };
    misbehaviour(&mut seen);
    match seen.failure() {
        Some(message) => Err(error(ErrorCode::Internal, message)),
        None => Ok(seen),
    }
}

fn error(code: ErrorCode, message: impl Into<String>) -> Error {
    Error {
        code,
        message: message.into(),
        hint: None,
        upstream_status: None,
        upstream_code: None,
        retry_after: None,
        may_have_applied: false,
    }
}

fn unsupported<T>() -> Result<T, Error> {
    Err(error(
        ErrorCode::Unsupported,
        "not one of its misbehaviours",
    ))
}

impl contract::metadata::Guest for Hostile {
    fn describe() -> Descriptor {
        declaration::describe()
    }
}

impl contract::credentials::Guest for Hostile {
    fn validate() -> Result<Tenant, Error> {
        unsupported()
    }
}

impl contract::directory::Guest for Hostile {
    fn get_account(id: String) -> Result<Account, Error> {
        let seen = misbehave(&id)?;
        Ok(Account {
            id,
            email: None,
            given_name: None,
            family_name: None,
            display_name: seen.name().to_owned(),
            status: AccountStatus::Active,
            kind: AccountKind::Service,
            attributes: seen.into_attributes(),
        })
    }

    fn list_accounts(_: PageRequest) -> Result<AccountPage, Error> {
        unsupported()
    }

    fn list_resources(_: PageRequest) -> Result<ResourcePage, Error> {
        unsupported()
    }

    fn list_entitlements(_: PageRequest) -> Result<EntitlementPage, Error> {
        unsupported()
    }

    fn list_grants(_: PageRequest) -> Result<GrantPage, Error> {
        unsupported()
    }

    fn account_grants(_: String) -> Result<AccountGrantsResult, Error> {
        unsupported()
    }
}

impl contract::provisioning::Guest for Hostile {
    fn create_account(_: NewAccount) -> Result<CreatedAccount, Error> {
        unsupported()
    }

    fn update_account(_: String, _: AccountChange) -> Result<Effect, Error> {
        unsupported()
    }

    fn assign(_: String, _: EntitlementRef) -> Result<Effect, Error> {
        unsupported()
    }

    fn unassign(_: String, _: EntitlementRef) -> Result<Effect, Error> {
        unsupported()
    }

    fn delete_account(id: String) -> Result<Effect, Error> {
        misbehave(&id).map(|_| Effect::Deleted)
    }
}
