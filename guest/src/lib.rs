//! The PagerDuty connector: a component that reads and changes a PagerDuty
//! tenant's accounts and access, reads activity and on-call state, and hands
//! over what somebody leaves behind.
//!
//! This file is the border to the host: the contract's types in, the contract's
//! types out. What the platform asks for is in `capabilities`, what PagerDuty
//! answers in `pagerduty`.

#[cfg(feature = "second-version")]
#[macro_use]
mod second_version;

/// The version that it says it has.
#[cfg(not(feature = "second-version"))]
macro_rules! version {
    () => {
        env!("CARGO_PKG_VERSION")
    };
}

mod capabilities;
mod errors;
mod ids;
mod instants;
mod page_token;
mod pagerduty;
mod settings;

use crate::capabilities::{
    activity, credentials, diagnostics, directory, metadata, offboarding, on_call, provisioning,
};
use crate::errors::Result;
use crate::exports::iga::connector as contract;
use crate::exports::iga::connector::activity::{ActivityPage, LastActivityReport};
use crate::exports::iga::connector::credentials::Tenant;
use crate::exports::iga::connector::diagnostics::Finding;
use crate::exports::iga::connector::directory::{
    AccountGrantsResult, AccountPage, EntitlementPage, GrantPage, ResourcePage,
};
use crate::exports::iga::connector::metadata::Descriptor;
use crate::exports::iga::connector::offboarding::{Applied, Plan, Step};
use crate::exports::iga::connector::on_call::Shift;
use crate::exports::iga::connector::provisioning::{AccountChange, CreatedAccount, NewAccount};
use crate::iga::connector::types::{Account, Effect, EntitlementRef, Error, PageRequest};
use crate::pagerduty::client::Client;
use crate::settings::Settings;

/// The contract, as generated from `wit/`.
mod bindings {
    wit_bindgen::generate!({
        path: "../wit",
        world: "any-connector",
    });
}

use bindings::{exports, iga};

struct Connector;

bindings::export!(Connector with_types_in bindings);

/// What a fallible export returns.
type Answer<T> = std::result::Result<T, Error>;

/// Runs one call, with settings and a client of its own.
fn call<T>(work: impl FnOnce(&Client) -> Result<T>) -> Answer<T> {
    let outcome = Settings::from_environment().and_then(|settings| {
        let client = Client::new(settings);
        let outcome = work(&client);
        // Whatever else went wrong: something was changed before.
        outcome.map_err(|error| match client.has_changed() {
            true => error.uncertain(),
            false => error,
        })
    });
    outcome.map_err(errors::Error::into_contract)
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
        call(|client| directory::list_accounts(client, &page))
    }

    fn get_account(id: String) -> Answer<Account> {
        call(|client| directory::get_account(client, &id))
    }

    fn list_resources(page: PageRequest) -> Answer<ResourcePage> {
        call(|client| directory::list_resources(client, &page))
    }

    fn list_entitlements(page: PageRequest) -> Answer<EntitlementPage> {
        call(|client| directory::list_entitlements(client, &page))
    }

    fn list_grants(page: PageRequest) -> Answer<GrantPage> {
        call(|client| directory::list_grants(client, &page))
    }

    fn account_grants(id: String) -> Answer<AccountGrantsResult> {
        call(|client| directory::account_grants(client, &id))
    }
}

impl contract::activity::Guest for Connector {
    fn get_last_activity(accounts: Vec<String>) -> Answer<LastActivityReport> {
        call(|client| activity::get_last_activity(client, &accounts))
    }

    fn list_activity(since: String, page: PageRequest) -> Answer<ActivityPage> {
        call(|client| activity::list_activity(client, &since, &page))
    }
}

impl contract::on_call::Guest for Connector {
    fn who(schedules: Vec<String>, at: Option<String>) -> Answer<Vec<Shift>> {
        call(|client| on_call::who(client, &schedules, at.as_deref()))
    }

    fn is_on_call(
        account: String,
        schedules: Vec<String>,
        at: Option<String>,
    ) -> Answer<Option<Shift>> {
        call(|client| on_call::is_on_call(client, &account, &schedules, at.as_deref()))
    }
}

impl contract::diagnostics::Guest for Connector {
    fn diagnose() -> Answer<Vec<Finding>> {
        call(|client| Ok(diagnostics::diagnose(client)))
    }
}

impl contract::provisioning::Guest for Connector {
    fn create_account(account: NewAccount) -> Answer<CreatedAccount> {
        call(|client| provisioning::create_account(client, &account))
    }

    fn update_account(id: String, change: AccountChange) -> Answer<Effect> {
        call(|client| provisioning::update_account(client, &id, &change))
    }

    fn assign(id: String, entitlement: EntitlementRef) -> Answer<Effect> {
        call(|client| provisioning::assign(client, &id, &entitlement))
    }

    fn unassign(id: String, entitlement: EntitlementRef) -> Answer<Effect> {
        call(|client| provisioning::unassign(client, &id, &entitlement))
    }

    fn delete_account(id: String) -> Answer<Effect> {
        call(|client| provisioning::delete_account(client, &id))
    }
}

impl contract::offboarding::Guest for Connector {
    fn plan_transfer(source: String, target: String) -> Answer<Plan> {
        call(|client| offboarding::plan_transfer(client, &source, &target))
    }

    fn plan_removal(source: String) -> Answer<Plan> {
        call(|client| offboarding::plan_removal(client, &source))
    }

    fn apply(step: Step) -> Answer<Applied> {
        call(|client| offboarding::apply(client, &step))
    }
}
