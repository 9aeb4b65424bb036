//! Teams: an account has at most one role on each.

use super::{confirmed, refused, unchanged};
use crate::capabilities::directory::TEAM_ROLES;
use crate::errors::{Error, ErrorCode, Result};
use crate::iga::connector::types::Effect;
use crate::pagerduty::client::Client;
use crate::pagerduty::errors::clean;
use crate::pagerduty::escalation_policies::{self, EscalationPolicy};
use crate::pagerduty::paging::{self, List};
use crate::pagerduty::teams;
use crate::pagerduty::users::{self, User};

/// Puts an account on a team with that role, or changes the role it has there.
pub fn assign(client: &Client, account: &str, team: &str, role: &str) -> Result<Effect> {
    check_name(role)?;
    let user = users::get(client, account)?;
    check_base_role(user.known_role()?, role)?;
    let held = held(client, &user, team)?;
    if held.as_deref() == Some(role) {
        return Ok(unchanged("already-assigned"));
    }
    let outcome = teams::put_member(client, team, account, role);
    let look = || Ok(teams::role_of(client, team, account)?.as_deref() == Some(role));
    confirmed(outcome, &look).map_err(refused)?;
    Ok(match held {
        Some(_) => Effect::Updated,
        None => Effect::Created,
    })
}

/// Takes an account off a team, if it has that role there.
pub fn unassign(client: &Client, account: &str, team: &str, role: &str) -> Result<Effect> {
    check_name(role)?;
    let user = users::get(client, account)?;
    if held(client, &user, team)?.as_deref() != Some(role) {
        return Ok(unchanged("not-assigned"));
    }
    let outcome = match teams::remove_member(client, team, account) {
        // An earlier attempt has done it.
        Err(error) if error.code == ErrorCode::NotFound && error.may_have_applied => Ok(()),
        Err(error) if error.code == ErrorCode::InvalidInput => {
            return Err(held_by_policies(client, account, team, error));
        }
        outcome => outcome,
    };
    let look = || Ok(teams::role_of(client, team, account)?.is_none());
    confirmed(outcome, &look)?;
    Ok(Effect::Deleted)
}

/// Whether it is a role on a team.
pub fn check_name(role: &str) -> Result<()> {
    if TEAM_ROLES.iter().any(|(id, _)| *id == role) {
        return Ok(());
    }
    let ids = TEAM_ROLES.map(|(id, _)| id).join(", ");
    Err(
        Error::invalid_input(format!("`{role}` is not a role on a team"))
            .hint(format!("the roles on a team are {ids}")),
    )
}

/// Some base roles come with a role on every team. Whether a Full Stakeholder
/// can be on a team at all PagerDuty's documents don't agree on: it decides.
pub fn check_base_role(base: &str, role: &str) -> Result<()> {
    let fixed = match base {
        "owner" | "admin" => "manager",
        "read_only_user" | "read_only_limited_user" => "observer",
        _ => return Ok(()),
    };
    if role == fixed {
        return Ok(());
    }
    Err(Error::new(
        ErrorCode::Conflict,
        format!("an account with the role `{base}` can be no `{role}` of a team"),
    )
    .hint(format!(
        "it is `{fixed}` of every team it is on: assign that, or another base role first"
    )))
}

/// The role that a user has on a team. The user's own list of teams says at
/// once who is on none of them.
fn held(client: &Client, user: &User, team: &str) -> Result<Option<String>> {
    if user.teams.iter().any(|own| own.id == team) {
        teams::role_of(client, team, &user.id)
    } else {
        Ok(None)
    }
}

/// PagerDuty keeps whom a team's policy notifies on the team.
fn held_by_policies(client: &Client, account: &str, team: &str, refusal: Error) -> Error {
    let list = List::all(escalation_policies::PATH)
        .with("user_ids[]", account)
        .with("team_ids[]", team);
    let policies = paging::read_all::<EscalationPolicy>(client, &list).unwrap_or_default();
    let names = policies.into_iter().map(|policy| {
        let name = policy.name.unwrap_or(policy.id);
        format!("`{}`", clean(&name))
    });
    let names = names.collect::<Vec<_>>().join(", ");
    if names.is_empty() {
        return refused(refusal);
    }
    refusal.reworded(
        Error::new(
            ErrorCode::Conflict,
            format!(
                "the account can't leave the team: the team's escalation policies {names} \
                 notify it"
            ),
        )
        .hint("take it out of these escalation policies first"),
    )
}
