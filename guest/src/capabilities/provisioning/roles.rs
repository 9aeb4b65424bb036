//! Base roles: every account has one.

use super::licenses::check_seat;
use super::{confirmed, refused, unchanged};
use crate::capabilities::directory::ROLES;
use crate::errors::{Error, ErrorCode, Result};
use crate::iga::connector::types::Effect;
use crate::pagerduty::client::Client;
use crate::pagerduty::users::{self, User};
use crate::pagerduty::{abilities, licenses};

/// PagerDuty knows it, and it can't be given, taken or deleted by the API.
const OWNER: &str = "owner";

/// Gives an account that role instead of the one it has. PagerDuty finds a
/// licence that fits, if the one it holds does not.
pub fn assign(client: &Client, account: &str, role: &str) -> Result<Effect> {
    check_name(role)?;
    let user = users::get(client, account)?;
    if user.known_role()? == role {
        return Ok(unchanged("already-assigned"));
    }
    replace(client, &user, role)
}

/// Takes a role away: the account falls back to the one in `default-role`.
pub fn unassign(client: &Client, account: &str, role: &str) -> Result<Effect> {
    let user = users::get(client, account)?;
    if user.known_role()? != role {
        return Ok(unchanged("not-assigned"));
    }
    if role == OWNER {
        return Err(owned());
    }
    let default = client.settings().default_role.as_deref();
    let Some(default) = default.filter(|default| *default != role) else {
        return Err(Error::new(
            ErrorCode::Conflict,
            "an account can't be without a role, and no other one is set to take its place",
        )
        .hint("set `default-role` to another role, or assign one"));
    };
    check_name(default)?;
    replace(client, &user, default)
}

/// Whether it is a role that can be given at all.
pub fn check_name(role: &str) -> Result<()> {
    if role == OWNER {
        return Err(owned());
    }
    if ROLES.iter().any(|(id, ..)| *id == role) {
        return Ok(());
    }
    let ids = ROLES.map(|(id, ..)| id).join(", ");
    Err(
        Error::invalid_input(format!("`{role}` is not a role of PagerDuty"))
            .hint(format!("the roles are {ids}")),
    )
}

/// Whether the plan includes it, where PagerDuty says.
pub fn check_plan(client: &Client, role: &str) -> Result<()> {
    let mut found = ROLES.iter().filter(|(id, ..)| *id == role);
    let Some((_, label, _, Some(ability))) = found.next() else {
        return Ok(());
    };
    match abilities::get(client) {
        Ok(abilities) if !abilities.has(ability) => Err(Error::new(
            ErrorCode::PlanRequired,
            format!("the plan of this PagerDuty account does not include the role {label}"),
        )
        .hint(format!("the plan needs the ability `{ability}`"))),
        Err(error) if !error.is_out_of_reach() => Err(error),
        // PagerDuty will say.
        _ => Ok(()),
    }
}

fn replace(client: &Client, user: &User, role: &str) -> Result<Effect> {
    if user.role.as_deref() == Some(OWNER) {
        return Err(owned());
    }
    check_plan(client, role)?;
    match licenses::of_user(client, &user.id) {
        Ok(Some(held)) if held.fits(role) => {}
        Ok(_) => check_seat(client, role, None)?,
        Err(error) if error.is_out_of_reach() => {}
        Err(error) => return Err(error),
    }
    let outcome = users::change(client, user, vec![("role", role.into())]);
    let look = || Ok(users::get(client, &user.id)?.role.as_deref() == Some(role));
    confirmed(outcome.map(drop), &look).map_err(refused)?;
    Ok(Effect::Updated)
}

fn owned() -> Error {
    Error::new(
        ErrorCode::Conflict,
        "the ownership of a PagerDuty account can be neither given nor taken by its API",
    )
    .hint("hand the ownership over in PagerDuty")
}
