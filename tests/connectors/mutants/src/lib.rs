//! A small sound connector that can be broken in one way at a time: see
//! [`mutation`]. A mutation has the name of the check of the conformance suite
//! that must notice it; the tests say of others which one that is.

mod access;
mod accounts;
mod changes;
mod declaration;
mod duty;
mod errors;
mod leaving;
mod looking;
mod mutation;
mod paging;
mod vendor;

use crate::errors::{Result, error, unsupported};
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
use crate::iga::connector::types::{Account, Effect, EntitlementRef, ErrorCode, PageRequest};

/// The contract, as generated from `wit/`.
mod bindings {
    wit_bindgen::generate!({
        inline: "
            package test:mutant;
            world mutant-connector {
                include iga:connector/connector@0.1.0;
                export iga:connector/directory@0.1.0;
                export iga:connector/activity@0.1.0;
                export iga:connector/diagnostics@0.1.0;
                export iga:connector/on-call@0.1.0;
                export iga:connector/offboarding@0.1.0;
                export iga:connector/provisioning@0.1.0;
            }
        ",
        path: "../../../wit",
        world: "test:mutant/mutant-connector",
        generate_all,
    });
}

use bindings::{exports, iga};

struct Mutant;

bindings::export!(Mutant with_types_in bindings);

impl contract::metadata::Guest for Mutant {
    fn describe() -> Descriptor {
        declaration::describe()
    }
}

impl contract::credentials::Guest for Mutant {
    fn validate() -> Result<Tenant> {
        accounts::validate()
    }
}

impl contract::directory::Guest for Mutant {
    fn list_accounts(page: PageRequest) -> Result<AccountPage> {
        accounts::list_accounts(&page)
    }

    fn get_account(id: String) -> Result<Account> {
        accounts::get_account(&id)
    }

    fn list_resources(page: PageRequest) -> Result<ResourcePage> {
        access::list_resources(&page)
    }

    fn list_entitlements(page: PageRequest) -> Result<EntitlementPage> {
        access::list_entitlements(&page)
    }

    fn list_grants(page: PageRequest) -> Result<GrantPage> {
        access::list_grants(&page)
    }

    fn account_grants(id: String) -> Result<AccountGrantsResult> {
        access::account_grants(&id)
    }
}

impl contract::activity::Guest for Mutant {
    fn get_last_activity(accounts: Vec<String>) -> Result<LastActivityReport> {
        looking::last_activity(&accounts)
    }

    fn list_activity(_: String, _: PageRequest) -> Result<ActivityPage> {
        if mutation::is("unsupported") {
            return Err(error(ErrorCode::Internal, "nobody has written this yet"));
        }
        unsupported()
    }
}

impl contract::diagnostics::Guest for Mutant {
    fn diagnose() -> Result<Vec<Finding>> {
        looking::diagnose()
    }
}

impl contract::on_call::Guest for Mutant {
    fn who(schedules: Vec<String>, at: Option<String>) -> Result<Vec<Shift>> {
        duty::who(None, &schedules, at.as_deref())
    }

    fn is_on_call(
        account: String,
        schedules: Vec<String>,
        at: Option<String>,
    ) -> Result<Option<Shift>> {
        let shifts = duty::who(Some(&account), &schedules, at.as_deref())?;
        Ok(shifts.into_iter().next())
    }
}

impl contract::offboarding::Guest for Mutant {
    fn plan_transfer(source: String, target: String) -> Result<Plan> {
        leaving::plan_transfer(&source, &target)
    }

    fn plan_removal(source: String) -> Result<Plan> {
        leaving::plan_removal(&source)
    }

    fn apply(step: Step) -> Result<Applied> {
        leaving::apply(&step)
    }
}

impl contract::provisioning::Guest for Mutant {
    fn create_account(account: NewAccount) -> Result<CreatedAccount> {
        changes::create(&account)
    }

    fn update_account(id: String, change: AccountChange) -> Result<Effect> {
        changes::update(&id, &change)
    }

    fn assign(id: String, entitlement: EntitlementRef) -> Result<Effect> {
        changes::assign(&id, &entitlement)
    }

    fn unassign(id: String, entitlement: EntitlementRef) -> Result<Effect> {
        changes::unassign(&id, &entitlement)
    }

    fn delete_account(id: String) -> Result<Effect> {
        changes::delete(&id)
    }
}
