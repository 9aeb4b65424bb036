//! Licences: every account holds one.

use super::{confirmed, refused, unchanged};
use crate::errors::{Error, ErrorCode, Result};
use crate::iga::connector::types::Effect;
use crate::pagerduty::client::{Client, checked_id};
use crate::pagerduty::json::Json;
use crate::pagerduty::licenses::{self, License};
use crate::pagerduty::users::{self, User};

/// Gives an account that licence instead of the one it holds. Its role stays,
/// and must be one that the licence is for.
pub fn assign(client: &Client, account: &str, license: &str) -> Result<Effect> {
    let user = users::get(client, account)?;
    if holds(client, account, license)? {
        return Ok(unchanged("already-assigned"));
    }
    replace(client, &user, license)
}

/// Takes a licence away: the account falls back to the one in
/// `default-license`.
pub fn unassign(client: &Client, account: &str, license: &str) -> Result<Effect> {
    let user = users::get(client, account)?;
    if !holds(client, account, license)? {
        return Ok(unchanged("not-assigned"));
    }
    let default = client.settings().default_license.as_deref();
    let Some(default) = default.filter(|default| *default != license) else {
        return Err(Error::new(
            ErrorCode::Conflict,
            "an account can't be without a licence, and no other one is set to take its place",
        )
        .hint("set `default-license` to the id of another licence, or assign one"));
    };
    replace(client, &user, checked_id(default)?)
}

/// Whether somebody with that role can have a seat: of that licence, or of any
/// that PagerDuty may choose. If the licences can't be read, PagerDuty decides.
pub fn check_seat(client: &Client, role: &str, license: Option<&str>) -> Result<()> {
    let all = match licenses::all(client) {
        Err(error) if error.is_out_of_reach() => return Ok(()),
        all => all?,
    };
    match license {
        Some(license) => check(&all, license, role),
        None if all.iter().any(|one| one.fits(role) && one.has_seat()) => Ok(()),
        None => Err(Error::new(
            ErrorCode::Conflict,
            format!("no licence that fits the role `{role}` has a seat left"),
        )
        .hint("free a seat, or buy one in PagerDuty")),
    }
}

/// The reference by which a user is given a licence.
pub fn reference(license: &str) -> Json<'static> {
    Json::of([("id", license.into()), ("type", "license_reference".into())])
}

fn holds(client: &Client, account: &str, license: &str) -> Result<bool> {
    let held = licenses::of_user(client, account)?;
    Ok(held.is_some_and(|held| held.id == license))
}

fn replace(client: &Client, user: &User, license: &str) -> Result<Effect> {
    let role = user.known_role()?;
    check(&licenses::all(client)?, license, role)?;
    let outcome = users::change(client, user, vec![("license", reference(license))]);
    let look = || holds(client, &user.id, license);
    confirmed(outcome.map(drop), &look).map_err(refused)?;
    Ok(Effect::Updated)
}

fn check(all: &[License], license: &str, role: &str) -> Result<()> {
    let Some(found) = all.iter().find(|one| one.id == license) else {
        return Err(Error::new(
            ErrorCode::NotFound,
            format!("this PagerDuty account has no licence `{license}`"),
        )
        .hint("`directory.list-entitlements` lists the licences"));
    };
    let name = found.name.as_deref().unwrap_or(license);
    if !found.fits(role) {
        let error = format!("the licence {name} is not for the role `{role}`");
        return Err(Error::new(ErrorCode::Conflict, error).hint(format!(
            "it is for {}: choose another one, or assign such a role first",
            found.valid_roles.join(", ")
        )));
    }
    if !found.has_seat() {
        let error = format!("the licence {name} has no seat left");
        return Err(Error::new(ErrorCode::Conflict, error)
            .hint("free a seat, buy one in PagerDuty, or choose another licence"));
    }
    Ok(())
}
