//! `provisioning`: changes to one account, each safe to repeat.

mod accounts;
mod attributes;
mod deletion;
mod holdings;
mod licenses;
mod policies;
mod roles;
mod schedules;
mod teams;

pub use accounts::{create_account, update_account};
pub use deletion::delete_user;

use crate::capabilities::directory::{
    ESCALATION_POLICY, ESCALATION_POLICY_MEMBERSHIP, LICENSE, MEMBER, ROLE, SCHEDULE,
    SCHEDULE_MEMBERSHIP, TEAM, TEAM_MEMBERSHIP, TENANT,
};
use crate::errors::{Error, ErrorCode, Result};
use crate::iga::connector::types::{Effect, EntitlementRef};
use crate::pagerduty::client::{Client, checked_id};
use crate::pagerduty::errors::clean;

/// Gives an account an entitlement.
pub fn assign(client: &Client, account: &str, entitlement: &EntitlementRef) -> Result<Effect> {
    checked_id(account)?;
    give(client, account, &Wanted::read(entitlement)?)
}

/// Takes an entitlement from an account. Who is gone, or what, holds nothing
/// and is held by nobody.
pub fn unassign(client: &Client, account: &str, entitlement: &EntitlementRef) -> Result<Effect> {
    checked_id(account)?;
    let outcome = match Wanted::read(entitlement)? {
        Wanted::Role(role) => roles::unassign(client, account, role),
        Wanted::License(license) => licenses::unassign(client, account, license),
        Wanted::TeamRole { team, role } => teams::unassign(client, account, team, role),
        Wanted::Schedule(schedule) => schedules::unassign(client, account, schedule),
        Wanted::Policy(policy) => policies::unassign(client, account, policy),
    };
    match outcome {
        // PagerDuty says so, and not the connector of something else.
        Err(error) if error.code == ErrorCode::NotFound && error.upstream_status.is_some() => {
            Ok(unchanged("already-gone"))
        }
        outcome => outcome,
    }
}

/// Deletes an account.
pub fn delete_account(client: &Client, account: &str) -> Result<Effect> {
    delete_user(client, account)
}

fn give(client: &Client, account: &str, wanted: &Wanted<'_>) -> Result<Effect> {
    match *wanted {
        Wanted::Role(role) => roles::assign(client, account, role),
        Wanted::License(license) => licenses::assign(client, account, license),
        Wanted::TeamRole { team, role } => teams::assign(client, account, team, role),
        Wanted::Schedule(schedule) => schedules::assign(client, account, schedule),
        Wanted::Policy(policy) => policies::assign(client, account, policy),
    }
}

/// An entitlement that names something sensible. Its ids are fit for a path.
enum Wanted<'e> {
    Role(&'e str),
    License(&'e str),
    TeamRole { team: &'e str, role: &'e str },
    Schedule(&'e str),
    Policy(&'e str),
}

impl<'e> Wanted<'e> {
    fn read(entitlement: &'e EntitlementRef) -> Result<Self> {
        let EntitlementRef {
            entitlement_type,
            id,
            resource_type,
            resource,
        } = entitlement;
        let expected = match entitlement_type.as_str() {
            ROLE | LICENSE => TENANT,
            TEAM_MEMBERSHIP => TEAM,
            SCHEDULE_MEMBERSHIP => SCHEDULE,
            ESCALATION_POLICY_MEMBERSHIP => ESCALATION_POLICY,
            other => {
                return Err(Error::invalid_input(format!(
                    "`{}` is not an entitlement type of PagerDuty",
                    clean(other)
                ))
                .hint("`metadata.describe` lists the entitlement types"));
            }
        };
        if resource_type != expected {
            return Err(Error::invalid_input(format!(
                "a {entitlement_type} is granted on a {expected}, not on `{}`",
                clean(resource_type)
            ))
            .hint("take the entitlement as `directory.list-entitlements` gives it"));
        }
        if expected == TENANT {
            if !resource.is_empty() {
                return Err(Error::invalid_input(format!(
                    "the tenant has no id, and `{}` was given",
                    clean(resource)
                ))
                .hint("leave the resource empty"));
            }
        } else {
            checked_id(resource)?;
        }
        checked_id(id)?;
        if matches!(expected, SCHEDULE | ESCALATION_POLICY) && id != MEMBER {
            return Err(Error::invalid_input(format!(
                "the only entitlement of a {expected} is `{MEMBER}`, not `{}`",
                clean(id)
            )));
        }
        Ok(match entitlement_type.as_str() {
            ROLE => Self::Role(id),
            LICENSE => Self::License(id),
            TEAM_MEMBERSHIP => Self::TeamRole {
                team: resource,
                role: id,
            },
            SCHEDULE_MEMBERSHIP => Self::Schedule(resource),
            _ => Self::Policy(resource),
        })
    }
}

/// A change whose fate is not known took effect if `look` finds it done.
fn confirmed(outcome: Result<()>, look: &dyn Fn() -> Result<bool>) -> Result<()> {
    match outcome {
        Err(error) if error.may_have_applied && look().unwrap_or(false) => Ok(()),
        outcome => outcome,
    }
}

/// PagerDuty's refusal of a change that is well formed: what stands against it
/// is PagerDuty's own state.
fn refused(mut error: Error) -> Error {
    if error.code == ErrorCode::InvalidInput && error.upstream_status == Some(400) {
        error.code = ErrorCode::Conflict;
    }
    error
}

/// Nothing to do.
fn unchanged(reason: &str) -> Effect {
    Effect::Unchanged(reason.to_owned())
}
