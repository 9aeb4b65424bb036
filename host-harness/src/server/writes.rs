//! Changes to one account.

use serde_json::{Map, Value, json};

use super::{
    call::{Answer, Call, Outcome, optional, text, wrong},
    error::{WireCode, WireError},
    reads::status_name,
};
use crate::contract::{
    provisioning::{AccountChange, NewAccount},
    types::{Effect, EntitlementRef},
};

/// The entitlement type that `downgrade_license` is about, and the setting that
/// names what takes its place.
const LICENSE: &str = "license";
const DEFAULT_LICENSE: &str = "default-license";

pub(super) async fn assign_entitlement(call: &Call<'_>) -> Answer {
    let (account, entitlement) = assignment(call)?;
    let effect = call.tenant()?.assign(&account, entitlement).await?;
    Ok(Outcome::changed(json!({"assigned": true}), effect))
}

pub(super) async fn unassign_entitlement(call: &Call<'_>) -> Answer {
    let (account, entitlement) = assignment(call)?;
    let effect = call.tenant()?.unassign(&account, entitlement).await?;
    Ok(Outcome::changed(json!({"unassigned": true}), effect))
}

fn assignment(call: &Call<'_>) -> Result<(String, EntitlementRef), WireError> {
    Ok((
        call.text("account_integration_specific_id")?,
        EntitlementRef {
            entitlement_type: call.text("entitlement_type")?,
            id: call.text("entitlement_integration_specific_id")?,
            resource_type: call.text("resource_type")?,
            resource: call.text("resource_integration_specific_id")?,
        },
    ))
}

pub(super) async fn create_account(call: &Call<'_>) -> Answer {
    let fields = &call.envelope.request;
    if let Some(status) = call.optional("user_status")?
        && status != "ACTIVE"
        && status != "PENDING"
    {
        return Err(WireError::new(
            WireCode::InvalidValue,
            format!("an account can't be created as `{status}`"),
        )
        .hint("leave out `user_status`"));
    }
    let account = NewAccount {
        email: call.text("email")?,
        given_name: call.optional("given_name")?,
        family_name: call.optional("family_name")?,
        display_name: call.optional("username")?,
        entitlements: entitlements(call)?,
        attributes: attributes(
            fields,
            &[
                "email",
                "given_name",
                "family_name",
                "username",
                "user_status",
                "entitlements",
            ],
        )?,
    };
    let created = call.tenant()?.create_account(account).await?;
    let response = json!({
        "id": created.account.id,
        "status": status_name(created.account.status),
        // The format knows no other value; the effect tells whether it is new.
        "created": true,
    });
    Ok(Outcome::changed(response, created.effect))
}

fn entitlements(call: &Call<'_>) -> Result<Vec<EntitlementRef>, WireError> {
    let given = match call.envelope.request.get("entitlements") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(given)) => given,
        Some(_) => return Err(wrong("entitlements", "a list of objects")),
    };
    given
        .iter()
        .map(|entitlement| {
            let Value::Object(fields) = entitlement else {
                return Err(wrong("entitlements", "a list of objects"));
            };
            let entitlement_type = text(fields, "entitlement_type")?;
            let types = &call.connector.descriptor().entitlement_types;
            let declared = types
                .iter()
                .find(|declared| declared.id == entitlement_type)
                .ok_or_else(|| {
                    WireError::new(
                        WireCode::UnknownValue,
                        format!("there is no entitlement type `{entitlement_type}`"),
                    )
                    .hint("`info` lists them")
                })?;
            Ok(EntitlementRef {
                resource_type: declared.resource_type.clone(),
                id: text(fields, "integration_specific_id")?,
                resource: optional(fields, "integration_specific_resource_id")?.unwrap_or_default(),
                entitlement_type,
            })
        })
        .collect()
}

pub(super) async fn update_account(call: &Call<'_>) -> Answer {
    let fields = &call.envelope.request;
    let id = call.text("id")?;
    let names = (call.optional("given_name")?, call.optional("family_name")?);
    let display_name = match (call.optional("username")?, names) {
        (Some(name), _) => Some(name),
        (None, (Some(given), Some(family))) => Some(format!("{given} {family}")),
        (None, (None, None)) => None,
        (None, _) => {
            return Err(
                WireError::new(WireCode::InvalidValue, "one half of the name is given")
                    .hint("send both `given_name` and `family_name`, or `username`"),
            );
        }
    };
    let change = AccountChange {
        display_name,
        email: call.optional("email")?,
        attributes: attributes(
            fields,
            &["id", "email", "given_name", "family_name", "username"],
        )?,
    };
    let effect = call.tenant()?.update_account(&id, change).await?;
    Ok(Outcome::changed(Value::Object(fields.clone()), effect))
}

/// Fields that have no place of their own are the vendor's.
fn attributes(
    fields: &Map<String, Value>,
    known: &[&str],
) -> Result<Vec<(String, String)>, WireError> {
    let mut attributes = Vec::new();
    let mut add = |name: &str, value: &Value| match value {
        Value::Null => Ok(()),
        Value::String(value) => {
            attributes.push((name.to_owned(), value.clone()));
            Ok(())
        }
        _ => Err(wrong(name, "a text")),
    };
    for (name, value) in fields {
        match value {
            _ if known.contains(&name.as_str()) => {}
            Value::Object(custom) if name == "custom_attributes" => {
                for (name, value) in custom {
                    add(name, value)?;
                }
            }
            value => add(name, value)?,
        }
    }
    Ok(attributes)
}

pub(super) async fn delete_account(call: &Call<'_>) -> Answer {
    let id = call.text("account_id")?;
    let effect = call.tenant()?.delete_account(&id).await?;
    Ok(Outcome::changed(
        json!({"status": "DELETED", "deleted": true}),
        effect,
    ))
}

pub(super) async fn downgrade_license(call: &Call<'_>) -> Answer {
    let id = call.text("account_id")?;
    let held = call.tenant()?.account_grants(&id).await?;
    let license = held
        .items
        .into_iter()
        .map(|grant| grant.entitlement)
        .find(|held| held.entitlement_type == LICENSE);
    let tenant = call.tenant()?;
    let default = tenant
        .connector()
        .setting(tenant.settings(), DEFAULT_LICENSE);
    let effect = match license {
        None if held.notices.is_empty() => Effect::Unchanged("not-assigned".to_owned()),
        // It may hold one that can't be seen.
        None => {
            return Err(WireError::new(
                WireCode::UnsupportedOperation,
                "the account's licence can't be read",
            )
            .hint("`get_account_entitlement_associations` says why"));
        }
        Some(license) if default.as_ref() == Some(&license.id) => {
            Effect::Unchanged("already-assigned".to_owned())
        }
        Some(license) => tenant.unassign(&id, license).await?,
    };
    Ok(Outcome::changed(json!({"success": true}), effect))
}
