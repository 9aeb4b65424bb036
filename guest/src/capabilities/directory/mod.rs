//! `directory`: everything that a sync reads.

mod accounts;
mod entitlements;
mod grants;
mod of_account;
mod outline;
mod resources;

pub use accounts::{account, get_account, list_accounts};
pub use entitlements::{ROLES, TEAM_ROLES, list_entitlements};
pub use grants::list_grants;
pub use of_account::account_grants;
pub use resources::list_resources;

use crate::errors::{Error, Result};
use crate::iga::connector::types::{EntitlementRef, Grant, PageRequest};
use crate::instants::Timestamp;
use crate::page_token::{self, Cursor, Function};
use crate::pagerduty::client::Client;

/// Resource type of the tenant itself, whose id is the empty string.
pub const TENANT: &str = "tenant";
/// Resource type of teams.
pub const TEAM: &str = "team";
/// Resource type of schedules, v2 and v3 alike.
pub const SCHEDULE: &str = "schedule";
/// Resource type of escalation policies.
pub const ESCALATION_POLICY: &str = "escalation-policy";

/// Entitlement type of base roles.
pub const ROLE: &str = "role";
/// Entitlement type of licences.
pub const LICENSE: &str = "license";
/// Entitlement type of roles on a team.
pub const TEAM_MEMBERSHIP: &str = "team-membership";
/// Entitlement type of being on a schedule.
pub const SCHEDULE_MEMBERSHIP: &str = "schedule-membership";
/// Entitlement type of being named by an escalation policy.
pub const ESCALATION_POLICY_MEMBERSHIP: &str = "escalation-policy-membership";
/// The only entitlement of a schedule or an escalation policy.
pub const MEMBER: &str = "member";

/// Most items of a page: what a call can fetch in a minute or so.
const MAX_SIZE: u32 = 1000;

/// Items wanted of a page.
pub fn page_size(client: &Client, page: &PageRequest) -> Result<usize> {
    match page.size {
        Some(0) => {
            Err(Error::invalid_input("a page of 0 items was asked for")
                .hint("ask for 1 item or more"))
        }
        Some(size) => Ok(size.min(MAX_SIZE) as usize),
        // One vendor page for each place in the window.
        None => Ok((client.settings().concurrency * 100).min(MAX_SIZE as usize)),
    }
}

/// Where to go on; the start without a token.
pub fn position<C: Cursor + Default>(function: Function, page: &PageRequest) -> Result<C> {
    match &page.token {
        None => Ok(C::default()),
        Some(token) => page_token::decode(function, token),
    }
}

fn reference(kind: &str, id: &str, resource_type: &str, resource: &str) -> EntitlementRef {
    EntitlementRef {
        entitlement_type: kind.to_owned(),
        id: id.to_owned(),
        resource_type: resource_type.to_owned(),
        resource: resource.to_owned(),
    }
}

fn grant(account: &str, entitlement: EntitlementRef, since: Option<Timestamp>) -> Grant {
    Grant {
        account: account.to_owned(),
        entitlement,
        since: since.map(Timestamp::to_rfc3339),
    }
}
