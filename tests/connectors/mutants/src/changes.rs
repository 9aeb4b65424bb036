//! Changes to one account.

use serde_json::{Map, Value, json};
use wasip2::http::types::Method;

use crate::access::{MEMBERSHIP, ROLE, ROLES, TEAM_ROLES, role_on};
use crate::accounts::{ATTRIBUTES, account, segment, user};
use crate::errors::{Result, error, not_found};
use crate::exports::iga::connector::provisioning::{AccountChange, CreatedAccount, NewAccount};
use crate::iga::connector::types::{Effect, EntitlementRef, Error, ErrorCode};
use crate::mutation;
use crate::vendor::{change, get, list, text};

pub fn create(new: &NewAccount) -> Result<CreatedAccount> {
    let email = checked_email(&new.email)?;
    let mut fields = match attributes(&new.attributes) {
        Err(refused) if mutation::is("create-then-refuse") => {
            let user = json!({"user": {"type": "user", "name": "Nobody", "email": email}});
            change(
                &Method::Post,
                "/users",
                Some(&user),
                Some("nobody@acme.example"),
            )?;
            return Err(refused);
        }
        fields => fields?,
    };
    for entitlement in &new.entitlements {
        check(entitlement)?;
    }
    let (user, mut effect) = match with_email(email)? {
        Some(user) => (user, unchanged("already-exists")),
        None => {
            let name = new.display_name.clone().unwrap_or_else(|| {
                let parts = [&new.given_name, &new.family_name]
                    .map(|part| part.clone().unwrap_or_default());
                parts.join(" ").trim().to_owned()
            });
            let name = if name.is_empty() || mutation::is("create") {
                email.to_owned()
            } else {
                name
            };
            let role = new
                .entitlements
                .iter()
                .find(|wanted| wanted.entitlement_type == ROLE);
            fields.insert("type".to_owned(), "user".into());
            fields.insert("name".to_owned(), name.into());
            fields.insert("email".to_owned(), email.into());
            fields.insert(
                "role".to_owned(),
                role.map_or("limited_user", |role| role.id.as_str()).into(),
            );
            let from = get("/users?limit=1")?;
            let from = from
                .pointer("/users/0/email")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let created = change(
                &Method::Post,
                "/users",
                Some(&json!({"user": fields})),
                Some(from),
            );
            let created = created.map_err(|mut error| {
                if mutation::is("credential-rights") && error.code == ErrorCode::PermissionDenied {
                    error.code = ErrorCode::InvalidResponse;
                }
                error
            })?;
            (created["user"].clone(), Effect::Created)
        }
    };
    let id = text(&user, "id")?;
    for wanted in &new.entitlements {
        if wanted.entitlement_type == MEMBERSHIP && !mutation::is("create-full") {
            let given = give(&id, wanted)?;
            if matches!(effect, Effect::Unchanged(_)) && !matches!(given, Effect::Unchanged(_)) {
                effect = Effect::Updated;
            }
        }
    }
    Ok(CreatedAccount {
        account: account(&user)?,
        effect,
    })
}

pub fn update(id: &str, wanted: &AccountChange) -> Result<Effect> {
    let email = wanted.email.as_deref().map(checked_email).transpose()?;
    let mut fields = attributes(&wanted.attributes)?;
    fields.extend(
        wanted
            .display_name
            .clone()
            .map(|name| ("name".to_owned(), name.into())),
    );
    fields.extend(email.map(|email| ("email".to_owned(), email.into())));
    let user = user(id)?;
    if !mutation::is("update-again") {
        fields.retain(|name, value| user.get(name) != Some(value));
    }
    if fields.is_empty() {
        return Ok(unchanged("same-values"));
    }
    if !mutation::is("update") {
        put_user(id, fields)?;
    }
    Ok(Effect::Updated)
}

pub fn assign(id: &str, wanted: &EntitlementRef) -> Result<Effect> {
    if mutation::is("assign") && wanted.entitlement_type == MEMBERSHIP {
        return Ok(Effect::Created);
    }
    give(id, wanted)
}

fn give(id: &str, wanted: &EntitlementRef) -> Result<Effect> {
    check(wanted)?;
    let user = user(id)?;
    let held = held(&user, id, wanted)?;
    if held.as_deref() == Some(wanted.id.as_str()) && !mutation::is("assign-again") {
        return Ok(unchanged("already-assigned"));
    }
    if wanted.entitlement_type == ROLE {
        if mutation::is("assign-in-place") {
            return Err(error(ErrorCode::Conflict, "the account has a role"));
        }
        put_user(
            id,
            Map::from_iter([("role".to_owned(), Value::from(wanted.id.as_str()))]),
        )?;
        return Ok(Effect::Updated);
    }
    let path = format!(
        "/teams/{}/users/{}",
        segment(&wanted.resource)?,
        segment(id)?
    );
    change(&Method::Put, &path, Some(&json!({"role": wanted.id})), None)?;
    Ok(if held.is_some() {
        Effect::Updated
    } else {
        Effect::Created
    })
}

pub fn unassign(id: &str, wanted: &EntitlementRef) -> Result<Effect> {
    check(wanted)?;
    if wanted.entitlement_type == ROLE {
        return Err(error(
            ErrorCode::Conflict,
            "an account can't be without a role",
        ));
    }
    let user = user(id)?;
    if held(&user, id, wanted)?.as_deref() != Some(wanted.id.as_str()) {
        return Ok(if mutation::is("unassign-again") {
            Effect::Deleted
        } else {
            unchanged("not-assigned")
        });
    }
    if !mutation::is("unassign") {
        let path = format!(
            "/teams/{}/users/{}",
            segment(&wanted.resource)?,
            segment(id)?
        );
        change(&Method::Delete, &path, None, None)?;
    }
    Ok(Effect::Deleted)
}

pub fn delete(id: &str) -> Result<Effect> {
    match user(id) {
        Err(error) if error.code == ErrorCode::NotFound => {
            return Ok(if mutation::is("delete-again") {
                Effect::Deleted
            } else {
                unchanged("already-gone")
            });
        }
        found => drop(found?),
    }
    if !mutation::is("delete") {
        change(
            &Method::Delete,
            &format!("/users/{}", segment(id)?),
            None,
            None,
        )?;
    }
    Ok(Effect::Deleted)
}

fn put_user(id: &str, mut fields: Map<String, Value>) -> Result<()> {
    fields.insert("type".to_owned(), "user".into());
    change(
        &Method::Put,
        &format!("/users/{}", segment(id)?),
        Some(&json!({"user": fields})),
        None,
    )?;
    Ok(())
}

/// What the account holds in place of the entitlement, or the entitlement.
fn held(user: &Value, id: &str, wanted: &EntitlementRef) -> Result<Option<String>> {
    if wanted.entitlement_type == ROLE {
        return Ok(Some(text(user, "role")?));
    }
    let is_member = list(user, "teams")?
        .iter()
        .any(|team| team.get("id").is_some_and(|id| *id == wanted.resource));
    if is_member {
        role_on(&wanted.resource, id)
    } else {
        Ok(None)
    }
}

fn check(wanted: &EntitlementRef) -> Result<()> {
    let known = match wanted.entitlement_type.as_str() {
        ROLE => ROLES.contains(&wanted.id.as_str()) && wanted.resource.is_empty(),
        MEMBERSHIP => TEAM_ROLES.contains(&wanted.id.as_str()) && segment(&wanted.resource).is_ok(),
        _ => false,
    };
    if known {
        Ok(())
    } else {
        Err(not_found("entitlement"))
    }
}

fn checked_email(email: &str) -> Result<&str> {
    let email = email.trim();
    let fits = email.len() >= 6
        && email
            .split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
    if fits {
        Ok(email)
    } else {
        Err(error(ErrorCode::InvalidInput, "that is no e-mail address"))
    }
}

/// The vendor's fields for attributes.
fn attributes(given: &[(String, String)]) -> Result<Map<String, Value>> {
    let mut fields = Map::new();
    for (name, value) in given {
        match ATTRIBUTES.iter().find(|(known, _)| known == name) {
            Some((_, field)) => {
                fields.insert((*field).to_owned(), value.as_str().into());
            }
            None if mutation::is("create-invalid") => {}
            None => {
                let known = ATTRIBUTES.map(|(known, _)| known).join(", ");
                return Err(Error {
                    hint: Some(format!("those that can be written are {known}")),
                    ..error(ErrorCode::InvalidInput, "there is no such attribute")
                });
            }
        }
    }
    Ok(fields)
}

fn with_email(email: &str) -> Result<Option<Value>> {
    let query: String = email
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect();
    let answer = get(&format!("/users?limit=100&query={query}"))?;
    let users = list(&answer, "users")?;
    let same = |user: &&Value| {
        user.get("email")
            .and_then(Value::as_str)
            .is_some_and(|other| {
                other == email
                    || (other.eq_ignore_ascii_case(email) && !mutation::is("create-again"))
            })
    };
    Ok(users.iter().find(same).cloned())
}

fn unchanged(why: &str) -> Effect {
    Effect::Unchanged(why.to_owned())
}
