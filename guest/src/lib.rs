//! The PagerDuty connector: a component that reads a PagerDuty tenant's
//! accounts, access, activity and on-call state.
//!
//! This file is the border to the host: the contract's types in, the contract's
//! types out. What the platform asks for is in `capabilities`, what PagerDuty
//! answers in `pagerduty`.

mod capabilities;
mod errors;
mod instants;
mod page_token;
mod pagerduty;
mod settings;

use crate::capabilities::{activity, credentials, diagnostics, directory, metadata, on_call};
use crate::errors::{ErrorCode, Result};
use crate::exports::iga::connector as contract;
use crate::exports::iga::connector::activity::{ActivityPage, LastActivityReport};
use crate::exports::iga::connector::credentials::Tenant;
use crate::exports::iga::connector::diagnostics::Finding;
use crate::exports::iga::connector::directory::{
    AccountGrantsResult, AccountPage, EntitlementPage, GrantPage, ResourcePage,
};
use crate::exports::iga::connector::metadata::Descriptor;
use crate::exports::iga::connector::on_call::Shift;
use crate::iga::connector::types::{Account, Error, PageRequest};
use crate::pagerduty::client::Client;
use crate::settings::Settings;
use futures_util::future::LocalBoxFuture;

/// The contract, as generated from `wit/`.
mod bindings {
    wit_bindgen::generate!({
        path: "../wit",
        world: "reading-connector",
    });
}

use bindings::{exports, iga};

struct Connector;

bindings::export!(Connector with_types_in bindings);

/// What a fallible export returns.
type Answer<T> = std::result::Result<T, Error>;

/// Runs one call: its settings, its client, its event loop.
fn call<T>(work: impl AsyncFnOnce(&Client) -> Result<T>) -> Answer<T> {
    let mut outcome = None;
    let task = async {
        outcome = Some(match Settings::from_environment() {
            Ok(settings) => work(&Client::new(settings)).await,
            Err(error) => Err(error),
        });
    };
    run(Box::pin(task));
    outcome
        .unwrap_or_else(|| {
            Err(errors::Error::new(
                ErrorCode::Internal,
                "the call has no outcome",
            ))
        })
        .map_err(errors::Error::into_contract)
}

/// One event loop for all calls: it would otherwise be compiled once for each.
fn run(task: LocalBoxFuture<'_, ()>) {
    wstd::runtime::block_on(task);
}

impl contract::metadata::Guest for Connector {
    fn describe() -> Descriptor {
        metadata::describe()
    }
}

impl contract::credentials::Guest for Connector {
    fn validate() -> Answer<Tenant> {
        call(credentials::validate)
    }
}

impl contract::directory::Guest for Connector {
    fn list_accounts(page: PageRequest) -> Answer<AccountPage> {
        call(async |client| directory::list_accounts(client, &page).await)
    }

    fn get_account(id: String) -> Answer<Account> {
        call(async |client| directory::get_account(client, &id).await)
    }

    fn list_resources(page: PageRequest) -> Answer<ResourcePage> {
        call(async |client| directory::list_resources(client, &page).await)
    }

    fn list_entitlements(page: PageRequest) -> Answer<EntitlementPage> {
        call(async |client| directory::list_entitlements(client, &page).await)
    }

    fn list_grants(page: PageRequest) -> Answer<GrantPage> {
        call(async |client| directory::list_grants(client, &page).await)
    }

    fn account_grants(id: String) -> Answer<AccountGrantsResult> {
        call(async |client| directory::account_grants(client, &id).await)
    }
}

impl contract::activity::Guest for Connector {
    fn get_last_activity(accounts: Vec<String>) -> Answer<LastActivityReport> {
        call(async |client| activity::get_last_activity(client, &accounts).await)
    }

    fn list_activity(since: String, page: PageRequest) -> Answer<ActivityPage> {
        call(async |client| activity::list_activity(client, &since, &page).await)
    }
}

impl contract::on_call::Guest for Connector {
    fn who(schedules: Vec<String>, at: Option<String>) -> Answer<Vec<Shift>> {
        call(async |client| on_call::who(client, &schedules, at.as_deref()).await)
    }

    fn is_on_call(
        account: String,
        schedules: Vec<String>,
        at: Option<String>,
    ) -> Answer<Option<Shift>> {
        call(async |client| on_call::is_on_call(client, &account, &schedules, at.as_deref()).await)
    }
}

impl contract::diagnostics::Guest for Connector {
    fn diagnose() -> Answer<Vec<Finding>> {
        call(async |client| Ok(diagnostics::diagnose(client).await))
    }
}
