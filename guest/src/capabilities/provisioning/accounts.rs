//! Creating and changing accounts, which are PagerDuty's users.

use super::attributes::{Attributes, checked_email, checked_name};
use super::holdings::Holdings;
use super::{Wanted, confirmed, give, licenses, unchanged};
use crate::capabilities::directory;
use crate::errors::{Error, ErrorCode, Result};
use crate::exports::iga::connector::provisioning::{AccountChange, CreatedAccount, NewAccount};
use crate::iga::connector::types::Effect;
use crate::pagerduty::client::Client;
use crate::pagerduty::errors::clean;
use crate::pagerduty::json::Json;
use crate::pagerduty::users::{self, User};
use std::time::Duration;

/// Before another attempt at a creation whose fate is not known.
const WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// Creates an account with all that it is to hold, or finds the one with that
/// e-mail address.
///
/// One that is there already gets the memberships that it lacks, so that a call
/// that broke off can be repeated; nothing that it has is changed or taken.
pub fn create_account(client: &Client, account: &NewAccount) -> Result<CreatedAccount> {
    let name = name_of(account);
    let name = checked_name(&name)?;
    let email = checked_email(&account.email)?;
    let attributes = Attributes::read(&account.attributes)?;
    let holdings = Holdings::read(&account.entitlements)?;
    if let Some(user) = users::with_email(client, email)? {
        return complete(client, user, &holdings);
    }
    holdings.check(client)?;
    let mut fields = vec![("name", Json::from(name)), ("email", email.into())];
    fields.extend(holdings.role.map(|role| ("role", role.into())));
    fields.extend(
        holdings
            .license
            .map(|id| ("license", licenses::reference(id))),
    );
    let attributes = attributes.all().into_iter();
    fields.extend(attributes.map(|(field, value)| (field, value.into())));
    match create(client, email, &fields)? {
        (user, true) => {
            let mut created = complete(client, user, &holdings)?;
            created.effect = Effect::Created;
            Ok(created)
        }
        (user, false) => complete(client, user, &holdings),
    }
}

/// Changes name, e-mail address and attributes of an account.
pub fn update_account(client: &Client, id: &str, change: &AccountChange) -> Result<Effect> {
    let name = change
        .display_name
        .as_deref()
        .map(checked_name)
        .transpose()?;
    let email = change.email.as_deref().map(checked_email).transpose()?;
    let attributes = Attributes::read(&change.attributes)?;
    let user = users::get(client, id)?;
    let differences = |user: &User| {
        let mut fields = attributes.new_to(user);
        let name = name.filter(|name| user.name.as_deref() != Some(*name));
        fields.extend(name.map(|name| ("name", name)));
        let email = email.filter(|email| user.lower_email() != email.to_lowercase());
        fields.extend(email.map(|email| ("email", email)));
        fields
    };
    let fields = differences(&user);
    if fields.is_empty() {
        return Ok(unchanged("same-values"));
    }
    let fields = fields
        .into_iter()
        .map(|(field, value)| (field, value.into()));
    let outcome = users::change(client, &user, fields.collect());
    let look = || Ok(differences(&users::get(client, id)?).is_empty());
    confirmed(outcome.map(drop), &look).map_err(|error| match error.code {
        ErrorCode::Conflict => {
            error.hint("another account has that e-mail address: choose another one")
        }
        _ => error,
    })?;
    Ok(Effect::Updated)
}

fn name_of(account: &NewAccount) -> String {
    let given = |name: &Option<String>| name.as_deref().unwrap_or_default().trim().to_owned();
    let display = given(&account.display_name);
    if !display.is_empty() {
        return display;
    }
    let parts = [given(&account.given_name), given(&account.family_name)];
    parts.join(" ").trim().to_owned()
}

/// Creates a user, or finds the one who has that e-mail address after all.
/// Returns whether it is new.
///
/// There are no two users of one address, so a creation whose fate is not known
/// may be sent again once the address has been looked for.
fn create(
    client: &Client,
    email: &str,
    fields: &[(&'static str, Json<'static>)],
) -> Result<(User, bool)> {
    let from = users::requester(client)?;
    let mut waits = WAITS.into_iter();
    let mut is_uncertain = false;
    loop {
        let mut error = match users::create(client, &from, fields.to_vec()) {
            Ok(user) if !user.id.is_empty() => return Ok((user, true)),
            Ok(_) => Error::invalid_response("PagerDuty sent a user without an id").uncertain(),
            Err(error) => error,
        };
        is_uncertain |= error.may_have_applied;
        error.may_have_applied = is_uncertain;
        let may_exist = error.code == ErrorCode::Conflict || is_uncertain;
        if !may_exist {
            return Err(error);
        }
        match users::with_email(client, email) {
            Ok(Some(user)) => return Ok((user, is_uncertain)),
            Ok(None) if error.code != ErrorCode::Conflict => {}
            _ => return Err(error),
        }
        match waits.next() {
            Some(wait) if client.pause(wait).is_ok() => {}
            _ => return Err(error),
        }
    }
}

/// Gives an account that is there already the memberships that it lacks. A role
/// that it has on a team stays.
fn complete(client: &Client, user: User, holdings: &Holdings<'_>) -> Result<CreatedAccount> {
    let mut effect = unchanged("already-exists");
    for wanted in &holdings.memberships {
        if let Wanted::TeamRole { team, .. } = wanted
            && user.teams.iter().any(|own| own.id == *team)
        {
            continue;
        }
        let given = give(client, &user.id, wanted).map_err(|error| unfinished(&user, error))?;
        if !matches!(given, Effect::Unchanged(_)) {
            effect = Effect::Updated;
        }
    }
    Ok(CreatedAccount {
        account: directory::account(user),
        effect,
    })
}

/// The account is there, and does not hold all that it was to hold.
fn unfinished(user: &User, mut error: Error) -> Error {
    error.message = format!(
        "the account `{}` exists, and not all that it is to hold could be assigned: {}",
        clean(&user.id),
        error.message
    );
    error.may_have_applied = true;
    match error.hint {
        Some(_) => error,
        None => error.hint("repeat the call: it goes on from there"),
    }
}
