//! Commands that make one call and show what comes back.

use serde_json::{Value, json};

use super::{
    args::{CallArgs, ConnectArgs, InfoArgs, OnCallArgs},
    changes,
    connect::{self, Access},
    failure::Failure,
    list::{dash, name},
    output,
};
use crate::{
    CallError, Connector,
    contract::{
        diagnostics::{Finding, Verdict},
        metadata::{AuthScheme, Descriptor},
        on_call::Shift,
        to_json,
    },
    text::printable,
};

/// The result, or a failure that is also told as JSON where that was asked for.
pub(super) fn unwrap<T>(outcome: Result<T, CallError>, as_json: bool) -> Result<T, Failure> {
    outcome.map_err(|error| {
        let failure = Failure::from(error.clone());
        if as_json {
            failure.with_json(&error)
        } else {
            failure
        }
    })
}

pub(super) async fn info(args: &InfoArgs) -> Result<(), Failure> {
    let engine = connect::engine()?;
    let connector = connect::connector(&engine, &args.connector).await?;
    if args.json {
        let mut json = to_json(connector.descriptor());
        json["sha256"] = json!(connector.sha256());
        json["size"] = json!(connector.size());
        json["contract"] = json!(format!(
            "{}@{}",
            crate::contract::PACKAGE,
            crate::contract::VERSION
        ));
        // A schema is of more use as JSON than as a string of JSON.
        if let Ok(schema) = serde_json::from_str::<Value>(&connector.descriptor().settings_schema) {
            json["settings_schema"] = schema;
        }
        return output::json(&json);
    }
    describe(&connector)
}

/// The connector's own description, for people.
pub(super) fn describe(connector: &Connector) -> Result<(), Failure> {
    let descriptor = connector.descriptor();
    output::fields(&[
        (
            "connector",
            format!(
                "{} {} ({})",
                descriptor.display_name, descriptor.version, descriptor.app_id
            ),
        ),
        ("description", descriptor.description.clone()),
        (
            "component",
            format!(
                "sha256 {}, {} KiB",
                connector.sha256(),
                output::count(connector.size().div_ceil(1024))
            ),
        ),
        (
            "contract",
            format!("{}@{}", crate::contract::PACKAGE, crate::contract::VERSION),
        ),
        ("origins", descriptor.origins.join(", ")),
        ("sign-in", sign_in(descriptor)),
        (
            "rate limit",
            descriptor.rate_limit.map_or_else(
                || "not stated".to_owned(),
                |limit| format!("{} requests in {} s", limit.requests, limit.per_seconds),
            ),
        ),
    ])?;

    output::line("\nWhat can be granted")?;
    let types = descriptor.entitlement_types.iter().map(|entitlement| {
        let yes = |value: bool| if value { "yes" } else { "no" }.to_owned();
        vec![
            entitlement.id.clone(),
            entitlement.resource_type.clone(),
            match entitlement.max {
                Some(max) => format!("{} to {max}", entitlement.min),
                None => format!("{} or more", entitlement.min),
            },
            yes(entitlement.assignable),
            yes(entitlement.removable),
        ]
    });
    output::table(
        &[
            "entitlement",
            "on",
            "per account",
            "assignable",
            "removable",
        ],
        types,
    )?;

    output::line("\nWhat it may ask for")?;
    let rules = descriptor.capabilities.iter().flat_map(|capability| {
        let mut first = true;
        let requests = if capability.requests.is_empty() {
            vec![("no requests".to_owned(), String::new())]
        } else {
            capability
                .requests
                .iter()
                .map(|rule| (format!("{} {}", rule.method, rule.path), name(&rule.level)))
                .collect()
        };
        requests
            .into_iter()
            .map(|(request, level)| {
                let function = if first {
                    capability.name.clone()
                } else {
                    String::new()
                };
                first = false;
                vec![function, level, request]
            })
            .collect::<Vec<_>>()
    });
    output::table(&["function", "level", "requests"], rules)?;

    output::line("\nSettings (--setting KEY=VALUE)")?;
    let schema: Value = serde_json::from_str(&descriptor.settings_schema).unwrap_or_default();
    let properties = schema.get("properties").and_then(Value::as_object);
    let settings = properties.into_iter().flatten().map(|(key, property)| {
        let text = |field: &str| {
            property
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let values = property
            .get("enum")
            .and_then(Value::as_array)
            .map(|values| {
                let values: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
                values.join(" | ")
            })
            .unwrap_or_default();
        vec![
            key.clone(),
            dash(&values),
            dash(&text("default")),
            text("description"),
        ]
    });
    output::table(&["setting", "values", "default", "description"], settings)
}

fn sign_in(descriptor: &Descriptor) -> String {
    let ways: Vec<String> = descriptor
        .auth_schemes
        .iter()
        .map(|scheme| match scheme {
            AuthScheme::Header(header) => format!("{} ({})", header.id, header.label),
            AuthScheme::Oauth2(oauth) => format!("{} ({})", oauth.id, oauth.label),
        })
        .collect();
    ways.join(", ")
}

pub(super) async fn validate(args: &ConnectArgs) -> Result<(), Failure> {
    let session = connect::session(args).await?;
    let outcome = session.tenant.validate().await;
    let finished = session.finish();
    let tenant = unwrap(outcome, args.json)?;
    finished?;
    if args.json {
        return output::json(&to_json(&tenant));
    }
    output::fields(&[
        ("tenant", tenant.id.clone()),
        (
            "acting as",
            tenant
                .acting_as
                .clone()
                .unwrap_or_else(|| "no account (an account key)".to_owned()),
        ),
        ("role", dash(tenant.role.as_deref().unwrap_or_default())),
    ])?;
    for warning in &tenant.warnings {
        talk!("warning: {}", printable(warning));
    }
    Ok(())
}

pub(super) async fn doctor(args: &ConnectArgs) -> Result<(), Failure> {
    let session = connect::session(args).await?;
    let outcome = session.tenant.diagnose().await;
    let finished = session.finish();
    let findings = unwrap(outcome, args.json)?;
    finished?;
    if args.json {
        output::json(&to_json(&findings))?;
    } else {
        show_findings(&findings)?;
    }
    let failed = findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Fail)
        .count();
    if failed > 0 {
        return Err(Failure::call(
            format!("{} failed", output::counted(failed, "check", "checks")),
            findings
                .iter()
                .find(|finding| finding.verdict == Verdict::Fail)
                .and_then(|finding| finding.hint.clone()),
        ));
    }
    Ok(())
}

/// Checks with their verdicts, each hint below its check.
pub(super) fn show_findings(findings: &[Finding]) -> Result<(), Failure> {
    let width = findings
        .iter()
        .map(|finding| finding.check.len())
        .max()
        .unwrap_or(0);
    for finding in findings {
        output::line(&format!(
            "{:4}  {:width$}  {}",
            name(&finding.verdict),
            printable(&finding.check),
            printable(&finding.summary)
        ))?;
        if let Some(hint) = &finding.hint {
            output::line(&format!("{:width$}        hint: {}", "", printable(hint)))?;
        }
    }
    Ok(())
}

pub(super) async fn call(args: &CallArgs) -> Result<(), Failure> {
    let text = match args.input.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).map_err(|error| {
            Failure::usage(
                format!("`{file}` can't be read: {error}"),
                "name a file with an object of the parameters by name",
            )
        })?,
        None => args.input.clone(),
    };
    let input: Value = serde_json::from_str(&text).map_err(|error| {
        Failure::usage(
            format!("--input is not valid JSON: {error}"),
            "write an object of the parameters by name, as in `{\"page\":{\"size\":10}}`",
        )
    })?;
    let access = if args.allow_writes || args.dry_run {
        Access::to_change(args.dry_run)
    } else {
        Access::Read
    };
    let session = connect::session_to(access, &args.connect).await?;
    let outcome = session.tenant.call(&args.function, &input).await;
    let finished = session.finish();
    if let Some(change) = outcome.as_ref().err().and_then(CallError::withheld) {
        finished?;
        return changes::show_withheld(change, args.connect.json);
    }
    let value = unwrap(outcome, args.connect.json)?;
    finished?;
    output::json(&value)
}

pub(super) async fn on_call(args: &OnCallArgs) -> Result<(), Failure> {
    let session = connect::session(&args.connect).await?;
    let tenant = &session.tenant;
    let as_json = args.connect.json;
    let Some(account) = &args.account else {
        let outcome = tenant.who_is_on_call(&args.schedule, args.at.clone()).await;
        let finished = session.finish();
        let shifts = unwrap(outcome, as_json)?;
        finished?;
        if as_json {
            return output::json(&to_json(&shifts));
        }
        show_shifts(&shifts)?;
        talk!("{}", output::counted(shifts.len(), "shift", "shifts"));
        return Ok(());
    };
    let outcome = tenant
        .is_account_on_call(account, &args.schedule, args.at.clone())
        .await;
    let finished = session.finish();
    let shift = unwrap(outcome, as_json)?;
    finished?;
    if as_json {
        return output::json(&to_json(&shift));
    }
    match shift {
        Some(shift) => {
            output::line(&format!("{} is on call", printable(account)))?;
            show_shifts(&[shift])
        }
        None => output::line(&format!("{} is not on call", printable(account))),
    }
}

/// Shifts as a table.
pub(super) fn show_shifts(shifts: &[Shift]) -> Result<(), Failure> {
    let or_dash = |value: &Option<String>| dash(value.as_deref().unwrap_or_default());
    let rows = shifts.iter().map(|shift| {
        vec![
            shift.account.clone(),
            or_dash(&shift.schedule),
            or_dash(&shift.policy),
            shift
                .level
                .map_or_else(|| "-".to_owned(), |level| level.to_string()),
            shift.start.clone().unwrap_or_else(|| "always".to_owned()),
            shift.end.clone().unwrap_or_else(|| "always".to_owned()),
        ]
    });
    output::table(
        &["account", "schedule", "policy", "level", "from", "until"],
        rows,
    )
}
