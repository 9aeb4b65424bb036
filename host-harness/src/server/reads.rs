//! What a sync reads, and what it is asked about single accounts.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    call::{Answer, Call, Outcome, wrong},
    error::{WireCode, WireError},
};
use crate::{
    CallError,
    contract::{
        activity::{ActivityKind, ActivityRecord},
        types::{
            Account, AccountKind, AccountStatus, Entitlement, ErrorCode, Grant, PageRequest,
            Resource,
        },
    },
};

/// The vendor's word for an account in its audit records.
const ACCOUNT_TARGET: &str = "user";

pub(super) async fn validate_credentials(call: &Call<'_>) -> Answer {
    let identity = call.tenant()?.validate().await?;
    let warnings = identity
        .warnings
        .into_iter()
        .map(|warning| crate::contract::types::Notice {
            code: "restricted".to_owned(),
            message: warning,
            hint: None,
        });
    Ok(Outcome {
        notices: warnings.collect(),
        ..Outcome::of(json!({"valid": true, "unique_tenant_id": identity.id}))
    })
}

pub(super) async fn list_accounts(call: &Call<'_>) -> Answer {
    let asked = call.texts("custom_attributes")?;
    let page = call.tenant()?.list_accounts(call.page()).await?;
    let items = page
        .items
        .iter()
        .map(|account| account_json(account, &asked));
    Ok(Outcome::page(items, page.next, page.notices))
}

pub(super) async fn get_account(call: &Call<'_>) -> Answer {
    let asked = call.texts("custom_attributes")?;
    let id = call.text("account_id")?;
    let account = call.tenant()?.get_account(&id).await?;
    Ok(Outcome::of(account_json(&account, &asked)))
}

pub(super) async fn list_resources(call: &Call<'_>) -> Answer {
    let page = call.tenant()?.list_resources(call.page()).await?;
    let items = page.items.iter().map(resource_json);
    Ok(Outcome::page(items, page.next, page.notices))
}

pub(super) async fn list_entitlements(call: &Call<'_>) -> Answer {
    let page = call.tenant()?.list_entitlements(call.page()).await?;
    let items = page.items.iter().map(entitlement_json);
    Ok(Outcome::page(items, page.next, page.notices))
}

pub(super) async fn find_entitlement_associations(call: &Call<'_>) -> Answer {
    let page = call.tenant()?.list_grants(call.page()).await?;
    let items = page.items.iter().map(association_json);
    Ok(Outcome::page(items, page.next, page.notices))
}

pub(super) async fn get_account_entitlement_associations(call: &Call<'_>) -> Answer {
    let id = call.text("account_id")?;
    let held = call.tenant()?.account_grants(&id).await?;
    let items = held.items.iter().map(association_json);
    Ok(Outcome::page(items, None, held.notices))
}

pub(super) async fn get_last_activity(call: &Call<'_>) -> Answer {
    let ids = call.texts("account_ids")?;
    let report = call.tenant()?.get_last_activity(&ids).await?;
    let items = report.items.iter().map(|row| {
        json!({
            "account_id": row.account,
            "event_type": match row.kind {
                ActivityKind::LastLogin => "last_login",
                ActivityKind::LastActivity => "last_activity",
            },
            "happened_at": row.at,
        })
    });
    Ok(Outcome::page(items, None, report.notices))
}

pub(super) async fn list_activity_records(call: &Call<'_>) -> Answer {
    let since = instant(&call.text("since_date")?, "since_date")?;
    let actors = actors(call)?;
    let page = call
        .tenant()?
        .list_activity(&since.to_string(), call.page())
        .await?;
    let items = page
        .items
        .iter()
        .filter(|record| {
            let actor = record.actor.as_deref();
            actors.is_empty() || actor.is_some_and(|actor| actors.contains(actor))
        })
        .map(record_json);
    Ok(Outcome::page(items, page.next, page.notices))
}

/// Nobody named means everybody.
fn actors(call: &Call<'_>) -> Result<BTreeSet<String>, WireError> {
    match call.envelope.request.get("actors") {
        None | Some(Value::Null) => Ok(BTreeSet::new()),
        Some(Value::Array(actors)) => actors
            .iter()
            .map(|actor| actor.get("account_id")?.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .ok_or_else(|| wrong("actors", "a list of objects with `account_id`")),
        Some(_) => Err(wrong("actors", "a list of objects with `account_id`")),
    }
}

/// By how much a walk over changes reaches back into the one before: the vendor's
/// clock may be another one, and its records come late and in whole seconds.
/// An account that is told twice does no harm.
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);

/// Where a walk over changes stands: the page token of a walk that goes on, and
/// the cursor of one that ended.
#[derive(Debug, Deserialize, Serialize)]
struct Walk {
    /// From when records are read; none if all accounts are.
    since: Option<Timestamp>,
    /// Where the next walk begins.
    began: Timestamp,
    /// The connector's page token, within a walk.
    page: Option<String>,
}

impl Walk {
    fn parse(text: &str) -> Option<Self> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }

    fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).expect("it has string keys only"))
    }
}

/// Accounts that the audit records name as changed. Without a time, or with a
/// cursor that is none, or where the plan has no audit records: all accounts.
pub(super) async fn list_updated_accounts(call: &Call<'_>) -> Answer {
    let asked = call.texts("custom_attributes")?;
    let walk = match &call.envelope.page_token {
        Some(token) => Walk::parse(token).ok_or_else(|| {
            WireError::new(
                WireCode::InvalidPageToken,
                "that is no page token of this capability",
            )
            .hint("start again without one")
        })?,
        None => Walk {
            since: match (call.optional("cursor")?, call.optional("since")?) {
                (Some(cursor), _) => Walk::parse(&cursor).map(|walk| walk.began),
                (None, Some(since)) => Some(instant(&since, "since")?),
                (None, None) => None,
            },
            began: Timestamp::now() - OVERLAP,
            page: None,
        },
    };
    let page = PageRequest {
        token: walk.page.clone(),
        size: call.envelope.page_size,
    };
    let Some(since) = walk.since else {
        return all_accounts(call, &walk, page, &asked).await;
    };
    let changes = call.tenant()?.list_activity(&since.to_string(), page).await;
    let changes = match changes {
        Ok(changes) if changes.notices.is_empty() => Some(changes),
        // What the records don't say can only be found by looking.
        Ok(_) => None,
        Err(CallError::Connector { error, .. })
            if matches!(
                error.code,
                ErrorCode::PlanRequired | ErrorCode::PermissionDenied
            ) =>
        {
            None
        }
        Err(error) => return Err(error.into()),
    };
    let Some(changes) = changes else {
        let size = call.envelope.page_size;
        let walk = Walk {
            since: None,
            page: None,
            ..walk
        };
        return all_accounts(call, &walk, PageRequest { token: None, size }, &asked).await;
    };
    let ids: BTreeSet<&str> = changes
        .items
        .iter()
        .flat_map(|record| &record.targets)
        .filter(|target| target.target_type == ACCOUNT_TARGET)
        .map(|target| target.id.as_str())
        .collect();
    let mut accounts = Vec::new();
    for id in ids {
        accounts.push(match call.tenant()?.get_account(id).await {
            Ok(account) => account_json(&account, &asked),
            Err(CallError::Connector { error, .. }) if error.code == ErrorCode::NotFound => {
                json!({"integration_specific_id": id, "user_status": "DELETED"})
            }
            Err(error) => return Err(error.into()),
        });
    }
    Ok(updated(&walk, accounts, changes.next))
}

async fn all_accounts(call: &Call<'_>, walk: &Walk, page: PageRequest, asked: &[String]) -> Answer {
    let page = call.tenant()?.list_accounts(page).await?;
    let accounts = page
        .items
        .iter()
        .map(|account| account_json(account, asked));
    Ok(Outcome {
        notices: page.notices,
        ..updated(walk, accounts.collect(), page.next)
    })
}

fn updated(walk: &Walk, accounts: Vec<Value>, next: Option<String>) -> Outcome {
    let mut response = json!({});
    response["accounts"] = Value::Array(accounts);
    let next = match next {
        Some(page) => {
            let page = Some(page);
            Some(Walk { page, ..*walk }.to_text())
        }
        None => {
            let over = Walk {
                since: None,
                page: None,
                ..*walk
            };
            response["cursor"] = json!(over.to_text());
            None
        }
    };
    Outcome {
        next,
        ..Outcome::of(response)
    }
}

/// A date counts from its beginning, in UTC.
fn instant(text: &str, name: &str) -> Result<Timestamp, WireError> {
    let date = || {
        let date: jiff::civil::Date = text.parse().ok()?;
        Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    };
    text.parse().ok().or_else(date).ok_or_else(|| {
        WireError::new(
            WireCode::InvalidValue,
            format!("`request.{name}` is no time such as `2026-03-19T08:00:00Z`"),
        )
    })
}

pub(super) fn account_json(account: &Account, asked: &[String]) -> Value {
    let mut json = Map::from_iter([
        ("integration_specific_id".to_owned(), json!(account.id)),
        ("username".to_owned(), json!(account.display_name)),
        ("user_status".to_owned(), json!(status_name(account.status))),
        (
            "account_type".to_owned(),
            json!(match account.kind {
                AccountKind::User => "user",
                AccountKind::Service => "service",
            }),
        ),
    ]);
    for (name, value) in [
        ("email", &account.email),
        ("given_name", &account.given_name),
        ("family_name", &account.family_name),
    ] {
        if let Some(value) = value {
            json.insert(name.to_owned(), json!(value));
        }
    }
    let attributes = |wanted: &dyn Fn(&str) -> bool| -> Map<String, Value> {
        account
            .attributes
            .iter()
            .filter(|(name, _)| wanted(name))
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect()
    };
    let extra = attributes(&|_| true);
    if !extra.is_empty() {
        json.insert("extra_data".to_owned(), Value::Object(extra));
    }
    if !asked.is_empty() {
        let custom = attributes(&|name| asked.iter().any(|asked| asked == name));
        json.insert("custom_attributes".to_owned(), Value::Object(custom));
    }
    Value::Object(json)
}

pub(super) fn status_name(status: AccountStatus) -> &'static str {
    match status {
        AccountStatus::Active => "ACTIVE",
        AccountStatus::Pending => "PENDING",
        AccountStatus::Suspended => "SUSPENDED",
        AccountStatus::Inactive => "INACTIVE",
        AccountStatus::Deprovisioned => "DEPROVISIONED",
        AccountStatus::Deleted => "DELETED",
    }
}

fn resource_json(resource: &Resource) -> Value {
    let mut json = json!({
        "integration_specific_id": resource.id,
        "label": resource.label,
        "resource_type": resource.resource_type,
    });
    if let Some(description) = &resource.description {
        json["description"] = json!(description);
    }
    json
}

pub(super) fn entitlement_json(entitlement: &Entitlement) -> Value {
    let named = &entitlement.ref_;
    let mut json = json!({
        "entitlement_type": named.entitlement_type,
        "integration_specific_id": named.id,
        "integration_specific_resource_id": named.resource,
        "is_assignable": entitlement.assignable,
        "label": entitlement.label,
    });
    if let Some(description) = &entitlement.description {
        json["description"] = json!(description);
    }
    json
}

pub(super) fn association_json(grant: &Grant) -> Value {
    json!({
        "account_id": grant.account,
        "integration_specific_entitlement_id": grant.entitlement.id,
        "integration_specific_resource_id": grant.entitlement.resource,
    })
}

/// Targets that are no accounts are no entitlements either: they are told in
/// words.
fn record_json(record: &ActivityRecord) -> Value {
    let (accounts, others): (Vec<_>, Vec<_>) = record
        .targets
        .iter()
        .partition(|target| target.target_type == ACCOUNT_TARGET);
    let mut metadata = Map::new();
    if let Some(method) = &record.method {
        metadata.insert("method".to_owned(), json!(method));
    }
    if !others.is_empty() {
        let others: Vec<String> = others
            .iter()
            .map(|target| match &target.label {
                Some(label) => format!("{} {} ({label})", target.target_type, target.id),
                None => format!("{} {}", target.target_type, target.id),
            })
            .collect();
        metadata.insert("targets".to_owned(), json!(others.join(", ")));
    }
    let targets: Vec<Value> = accounts
        .iter()
        .map(|target| json!({"account_id": target.id}))
        .collect();
    let mut json = json!({
        "id": record.id,
        "activity_type": record.action,
        "timestamp": record.at,
        // What no account did was done by none.
        "actor": {"account_id": record.actor.as_deref().unwrap_or("")},
        "targets": targets,
    });
    if !metadata.is_empty() {
        json["metadata"] = Value::Object(metadata);
    }
    json
}
