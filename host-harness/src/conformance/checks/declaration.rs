//! What a connector says about itself.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::{
    ground::Ground,
    outcome::{Verdict, expect_code, none_of, skip},
};
use crate::{
    Grant, TenantConfig,
    contract::{
        metadata::{AuthScheme, Descriptor, Level},
        to_json,
        types::ErrorCode,
    },
};

/// How often it is asked.
const TIMES: usize = 3;

pub(super) async fn description(ground: &Ground<'_>) -> Verdict {
    let connector = ground.connector();
    let descriptor = connector.descriptor();
    let mut wrong = Vec::new();
    // Nothing is granted: it must not use the network.
    let tenant = connector
        .open(TenantConfig::new(Grant::read_only()))
        .map_err(|error| skip(format!("it can't be opened without settings: {error}")))?;
    let first = to_json(descriptor);
    for _ in 0..TIMES {
        match tenant.call("metadata.describe", &json!({})).await {
            Ok(again) if again == first => {}
            Ok(again) => wrong.push(format!("the second time {}", difference(&first, &again))),
            Err(error) => wrong.push(format!("`describe` fails: {error}")),
        }
    }
    wrong.dedup();
    let texts = [
        ("app-id", &descriptor.app_id),
        ("display-name", &descriptor.display_name),
        ("vendor-domain", &descriptor.vendor_domain),
        ("version", &descriptor.version),
        ("description", &descriptor.description),
    ];
    for (name, text) in texts {
        if text.trim().is_empty() {
            wrong.push(format!("`{name}` is empty"));
        }
    }
    let core = descriptor
        .version
        .split(['-', '+'])
        .next()
        .unwrap_or_default();
    let numbers: Vec<&str> = core.split('.').collect();
    if numbers.len() != 3 || numbers.iter().any(|number| number.parse::<u64>().is_err()) {
        wrong.push(format!("`{}` is no semantic version", descriptor.version));
    }
    if descriptor.origins.is_empty() {
        wrong.push("it names no origin that it talks to".to_owned());
    }
    if descriptor.auth_schemes.is_empty() {
        wrong.push("it names no way to authenticate".to_owned());
    }
    none_of(
        &wrong,
        "`metadata.describe` returns constants, and all of them",
    )?;
    Ok(format!("described {} times alike", TIMES + 1))
}

/// The first field in which two descriptions differ.
fn difference(first: &Value, again: &Value) -> String {
    let fields = first.as_object().into_iter().flatten();
    let different = fields
        .filter(|(name, value)| again.get(*name) != Some(value))
        .map(|(name, _)| name.as_str())
        .next();
    format!("`{}` is another", different.unwrap_or("something"))
}

pub(super) async fn declared_types(ground: &Ground<'_>) -> Verdict {
    let descriptor = ground.connector().descriptor();
    let mut wrong = Vec::new();
    let resources: Vec<&str> = ids(descriptor.resource_types.iter().map(|kind| &kind.id));
    let entitlements: Vec<&str> = ids(descriptor.entitlement_types.iter().map(|kind| &kind.id));
    let schemes = descriptor.auth_schemes.iter().map(|scheme| match scheme {
        AuthScheme::Header(scheme) => &scheme.id,
        AuthScheme::Oauth2(scheme) => &scheme.id,
    });
    for (what, ids) in [
        ("resource type", &resources),
        ("entitlement type", &entitlements),
        ("way to sign in", &ids(schemes)),
    ] {
        let mut seen = BTreeSet::new();
        for id in ids {
            if id.is_empty() {
                wrong.push(format!("a {what} has no id"));
            } else if !seen.insert(*id) {
                wrong.push(format!("the {what} `{id}` is declared twice"));
            }
        }
    }
    for kind in &descriptor.entitlement_types {
        let id = &kind.id;
        if !resources.contains(&kind.resource_type.as_str()) {
            wrong.push(format!(
                "`{id}` is granted on `{}`, which is no resource type",
                kind.resource_type
            ));
        }
        if kind.max.is_some_and(|max| max < kind.min || max == 0) {
            wrong.push(format!("`{id}` allows at least more than at most"));
        }
        if kind.label.trim().is_empty() {
            wrong.push(format!("`{id}` has no label"));
        }
    }
    none_of(&wrong, "mend `resource-types` and `entitlement-types`")?;
    if entitlements.is_empty() {
        return Err(skip("it declares no types"));
    }
    Ok(format!(
        "{} types of resources, {} of entitlements",
        resources.len(),
        entitlements.len()
    ))
}

fn ids<'d>(ids: impl Iterator<Item = &'d String>) -> Vec<&'d str> {
    ids.map(String::as_str).collect()
}

pub(super) async fn capabilities(ground: &Ground<'_>) -> Verdict {
    let descriptor = ground.connector().descriptor();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for capability in &descriptor.capabilities {
        let name = &capability.name;
        if !seen.insert(name) {
            wrong.push(format!("`{name}` is declared twice"));
        }
        if capability.level != level(name) {
            wrong.push(format!(
                "`{name}` is declared as a {}",
                word(capability.level)
            ));
        }
    }
    none_of(
        &wrong,
        "what changes something is in `provisioning` and `offboarding.apply`; all else looks",
    )?;
    Ok(format!("{} functions", seen.len()))
}

/// What a function of the contract does.
fn level(function: &str) -> Level {
    if function.starts_with("provisioning.") || function == "offboarding.apply" {
        Level::Write
    } else {
        Level::Read
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Read => "read",
        Level::Write => "write",
    }
}

pub(super) async fn scopes(ground: &Ground<'_>) -> Verdict {
    let descriptor = ground.connector().descriptor();
    let mut offered = BTreeSet::new();
    for scheme in &descriptor.auth_schemes {
        if let AuthScheme::Oauth2(scheme) = scheme {
            offered.extend(scheme.scopes.iter().chain(&scheme.write_scopes));
        }
    }
    if offered.is_empty() {
        return Err(skip("it has no way to sign in by OAuth"));
    }
    let mut wrong = Vec::new();
    let mut needed = BTreeSet::new();
    for capability in &descriptor.capabilities {
        if !capability.requests.is_empty() && capability.scopes.is_empty() {
            wrong.push(format!("`{}` names none", capability.name));
        }
        needed.extend(&capability.scopes);
    }
    none_of(
        &wrong,
        "whoever sets up a sign-in looks there for what to allow",
    )?;
    if needed.is_empty() {
        return Err(skip("its functions make no requests"));
    }
    // No fault: a scheme may have words of its own that include these.
    let unasked: Vec<String> = needed
        .iter()
        .filter(|scope| !offered.contains(*scope))
        .map(|scope| format!("`{scope}`"))
        .collect();
    let mut seen = format!("{} scopes", needed.len());
    if !unasked.is_empty() {
        seen.push_str(&format!(
            "; no sign-in asks by name for {}",
            unasked.join(", ")
        ));
    }
    Ok(crate::text::printable(&seen).into_owned())
}

pub(super) async fn settings(ground: &Ground<'_>) -> Verdict {
    let descriptor: &Descriptor = ground.connector().descriptor();
    let mut wrong = Vec::new();
    // That it is JSON Schema was found out when the connector was loaded.
    let schema: Value = serde_json::from_str(&descriptor.settings_schema).unwrap_or_default();
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        wrong.push("the schema's `type` is not `object`".to_owned());
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    let mut count = 0;
    for (name, property) in properties.into_iter().flatten() {
        count += 1;
        if property.get("type").and_then(Value::as_str) != Some("string") {
            wrong.push(format!("`{name}` is no text"));
        }
        let description = property.get("description").and_then(Value::as_str);
        if description.is_none_or(|text| text.trim().is_empty()) {
            wrong.push(format!("`{name}` has no description"));
        }
        if let Some(default) = property.get("default") {
            let is_valid = jsonschema::draft202012::new(property)
                .is_ok_and(|validator| validator.is_valid(default));
            if !is_valid {
                wrong.push(format!("the default of `{name}` is not valid: {default}"));
            }
        }
    }
    none_of(&wrong, "mend `settings-schema`")?;
    Ok(format!("{count} settings"))
}

pub(super) async fn unsupported(ground: &Ground<'_>) -> Verdict {
    let tenant = &ground.scene()?.tenant;
    let undeclared: Vec<&str> = ground
        .connector()
        .functions()
        .filter(|function| *function != "metadata.describe" && !ground.declares(function))
        .collect();
    if undeclared.is_empty() {
        return Err(skip("it declares all that it exports"));
    }
    let mut wrong = Vec::new();
    for function in &undeclared {
        let outcome = tenant.call(function, &sample(function)).await;
        expect_code(
            &outcome,
            &[ErrorCode::Unsupported],
            &format!("`{function}`"),
            &mut wrong,
        );
    }
    none_of(
        &wrong,
        "declare the function as a capability, or let it answer `unsupported`",
    )?;
    Ok(undeclared.join(", "))
}

/// Arguments that a function can do something with.
fn sample(function: &str) -> Value {
    let entitlement = json!({
        "entitlement_type": "none", "id": "none", "resource_type": "none", "resource": "none",
    });
    match function {
        "directory.get-account" | "directory.account-grants" | "provisioning.delete-account" => {
            json!({ "id": "none" })
        }
        "activity.get-last-activity" => json!({ "accounts": ["none"] }),
        "activity.list-activity" => json!({ "since": "2026-01-01T00:00:00Z" }),
        "on-call.who" => json!({ "schedules": [] }),
        "on-call.is-on-call" => json!({ "account": "none", "schedules": [] }),
        "provisioning.create-account" => json!({ "account": {
            "email": "nobody@example.com", "entitlements": [], "attributes": [],
        } }),
        "provisioning.update-account" => json!({ "id": "none", "change": { "attributes": [] } }),
        "provisioning.assign" | "provisioning.unassign" => {
            json!({ "id": "none", "entitlement": entitlement })
        }
        "offboarding.plan-transfer" => json!({ "source": "none", "target": "other" }),
        "offboarding.plan-removal" => json!({ "source": "none" }),
        "offboarding.apply" => json!({ "step": {
            "id": "none", "kind": "none", "summary": "none", "payload": "",
        } }),
        // Lists, and what takes no arguments.
        _ => json!({}),
    }
}
