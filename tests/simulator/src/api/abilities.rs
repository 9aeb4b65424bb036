//! What the account can do.

use serde_json::json;

use super::{Answer, Refusal, Reply};
use crate::state::Account;

/// Every ability that is known, and whether the account has it.
fn known(account: &Account) -> [(&'static str, bool); 13] {
    let plan = account.config.plan;
    [
        ("sso", true),
        ("advanced_reports", plan.analytics),
        ("analytics", plan.analytics),
        ("teams", plan.teams),
        ("team_roles", plan.teams && plan.advanced_permissions),
        ("read_only_users", plan.stakeholders),
        ("permissions_service", plan.advanced_permissions),
        ("audit_trail", plan.audit),
        ("oauth_delegations", plan.delegations),
        ("offboarding", plan.offboarding),
        ("shift_based_schedules", plan.v3_schedules),
        ("urgencies", true),
        ("round_robin_scheduling", false),
    ]
}

pub(super) fn list(account: &Account) -> Reply {
    let held: Vec<&str> = known(account)
        .into_iter()
        .filter(|(_, has)| *has)
        .map(|(name, _)| name)
        .collect();
    Reply::ok(json!({"abilities": held}))
}

pub(super) fn check(account: &Account, id: &str) -> Answer {
    match known(account).into_iter().find(|(name, _)| *name == id) {
        Some((_, true)) => Ok(Reply::no_content()),
        Some((name, false)) => Err(Refusal::missing_ability(name)),
        None => Err(Refusal::not_found()),
    }
}
