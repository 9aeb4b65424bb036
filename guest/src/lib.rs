//! The PagerDuty connector: a component that reads a PagerDuty tenant's
//! accounts, access, activity and on-call state.
//!
//! This file is the border to the host: the contract's types in, the contract's
//! types out. What the platform asks for is in `capabilities`, what PagerDuty
//! answers in `pagerduty`.

// The bindings are generated, and documented where they come from.
#![allow(missing_docs, reason = "wit-bindgen's macros expand here")]

mod capabilities;
mod errors;
mod instants;
mod page_token;
mod pagerduty;
mod settings;

use crate::capabilities::{activity, credentials, diagnostics, directory, metadata, on_call};
use crate::errors::Result;
use crate::exports::iga::connector::activity::{ActivityPage, LastActivityReport};
use crate::exports::iga::connector::credentials::Tenant;
use crate::exports::iga::connector::diagnostics::Finding;
use crate::exports::iga::connector::directory::{
    AccountGrantsResult, AccountPage, EntitlementPage, GrantPage, ResourcePage,
};
use crate::exports::iga::connector::metadata::Descriptor;
use crate::exports::iga::connector::on_call::Shift;
use crate::exports::iga::connector as contract;
use crate::iga::connector::types::{Account, PageRequest};
use crate::pagerduty::client::Client;
use crate::settings::Settings;

wit_bindgen::generate!({
    path: "../wit",
    world: "reading-connector",
});

struct Connector;

export!(Connector);

/// Runs one call: its settings, its client, its event loop.
fn call<T>(work: impl AsyncFnOnce(&Client) -> Result<T>) -> Result<T> {
    let client = Client::new(Settings::from_environment()?);
    wstd::runtime::block_on(work(&client))
}

impl contract::metadata::Guest for Connector {
    fn describe() -> Descriptor {
        metadata::describe()
    }
}

impl contract::credentials::Guest for Connector {
    fn validate() -> Result<Tenant> {
        call(credentials::validate)
    }
}

impl contract::directory::Guest for Connector {
    fn list_accounts(page: PageRequest) -> Result<AccountPage> {
        call(async |client| directory::list_accounts(client, &page).await)
    }

    fn get_account(id: String) -> Result<Account> {
        call(async |client| directory::get_account(client, &id).await)
    }

    fn list_resources(page: PageRequest) -> Result<ResourcePage> {
        call(async |client| directory::list_resources(client, &page).await)
    }

    fn list_entitlements(page: PageRequest) -> Result<EntitlementPage> {
        call(async |client| directory::list_entitlements(client, &page).await)
    }

    fn list_grants(page: PageRequest) -> Result<GrantPage> {
        call(async |client| directory::list_grants(client, &page).await)
    }

    fn account_grants(id: String) -> Result<AccountGrantsResult> {
        call(async |client| directory::account_grants(client, &id).await)
    }
}

impl contract::activity::Guest for Connector {
    fn get_last_activity(accounts: Vec<String>) -> Result<LastActivityReport> {
        call(async |client| activity::get_last_activity(client, &accounts).await)
    }

    fn list_activity(since: String, page: PageRequest) -> Result<ActivityPage> {
        call(async |client| activity::list_activity(client, &since, &page).await)
    }
}

impl contract::on_call::Guest for Connector {
    fn who(schedules: Vec<String>, at: Option<String>) -> Result<Vec<Shift>> {
        call(async |client| on_call::who(client, &schedules, at.as_deref()).await)
    }

    fn is_on_call(
        account: String,
        schedules: Vec<String>,
        at: Option<String>,
    ) -> Result<Option<Shift>> {
        call(async |client| {
            on_call::is_on_call(client, &account, &schedules, at.as_deref()).await
        })
    }
}

impl contract::diagnostics::Guest for Connector {
    fn diagnose() -> Result<Vec<Finding>> {
        call(async |client| Ok(diagnostics::diagnose(client).await))
    }
}
