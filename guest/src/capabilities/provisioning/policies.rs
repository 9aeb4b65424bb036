//! Escalation policies as entitlements: being named by one.

use super::unchanged;
use crate::errors::{Error, ErrorCode, Result};
use crate::iga::connector::types::Effect;
use crate::pagerduty::client::Client;
use crate::pagerduty::escalation_policies::{self, MAX_TARGETS};
use crate::pagerduty::references::Reference;
use crate::pagerduty::users;

/// Puts an account on the last level of a policy: there it is notified when
/// nobody before it has reacted, and nobody's place changes. Whoever wants it
/// elsewhere says so in PagerDuty, where levels have a meaning.
pub fn assign(client: &Client, account: &str, policy: &str) -> Result<Effect> {
    let user = users::get(client, account)?;
    let mut policy = escalation_policies::get(client, policy)?;
    let name = policy.called();
    if policy.members().contains(&account) {
        return Ok(unchanged("already-assigned"));
    }
    if user.is_stakeholder()? {
        return Err(Error::new(
            ErrorCode::Conflict,
            format!(
                "{} is a stakeholder, who can't be on an escalation policy",
                user.called()
            ),
        )
        .hint("assign a role with a full licence first"));
    }
    let Some(rule) = policy.rules.last_mut() else {
        return Err(Error::invalid_response("an escalation policy has no rules"));
    };
    if rule.targets.len() >= MAX_TARGETS {
        return Err(Error::new(
            ErrorCode::Conflict,
            format!("the last level of `{name}` has {MAX_TARGETS} targets, and takes no more"),
        )
        .hint("add the account to a schedule of that level instead, or make room in PagerDuty"));
    }
    rule.targets.push(Reference::to_user(account));
    policy.put(client)?;
    Ok(Effect::Created)
}

/// Takes an account out of each level of a policy. A level is never emptied by
/// that: who is to be notified instead is not for a connector to decide.
pub fn unassign(client: &Client, account: &str, policy: &str) -> Result<Effect> {
    users::get(client, account)?;
    let mut policy = escalation_policies::get(client, policy)?;
    let mut named = policy
        .rules
        .iter()
        .filter(|rule| rule.names(account))
        .peekable();
    if named.peek().is_none() {
        return Ok(unchanged("not-assigned"));
    }
    if named.any(|rule| !rule.has_others(account)) {
        return Err(Error::new(
            ErrorCode::Conflict,
            format!(
                "the account is the only target of a level of the escalation policy `{}`",
                policy.called()
            ),
        )
        .hint(
            "put somebody else on that level or remove it in PagerDuty, or hand the account's \
             duties over with `offboarding.plan-transfer`",
        ));
    }
    policy.replace(account, None);
    policy.put(client)?;
    Ok(Effect::Deleted)
}
