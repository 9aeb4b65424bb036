//! The audit trail.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

use super::{Answer, Call, Refusal, Reply, references, time};
use crate::state::audit::AuditRecord;
use crate::state::{Account, shift};

const DAY: i64 = 86_400;
/// Records are kept for 12 months.
const KEPT: i64 = 365 * DAY;

pub(super) fn all(account: &Account, call: &Call) -> Answer {
    let types = call.list("root_resource_types");
    let actions = call.list("actions");
    let filter = |record: &AuditRecord| {
        let kind = match record.root.kind {
            "user_reference" => "users",
            "team_reference" => "teams",
            "escalation_policy_reference" => "escalation_policies",
            _ => "schedules",
        };
        let actor = record.actor.as_ref();
        (types.is_empty() || types.contains(&kind))
            && (actions.is_empty() || actions.contains(&record.action))
            && call
                .param("actor_id")
                .is_none_or(|id| actor.is_some_and(|a| a.id == id))
            && call
                .param("actor_type")
                .is_none_or(|t| actor.map_or("api_key_reference", |a| a.kind) == t)
            && call.param("method_type").is_none_or(|t| record.method == t)
            && call
                .param("method_truncated_token")
                .is_none_or(|t| record.truncated_token.as_deref() == Some(t))
    };
    records(account, call, filter)
}

/// Changes made to one object.
pub(super) fn of(account: &Account, call: &Call, kind: &str, id: &str) -> Answer {
    let exists = match kind {
        "users" => account.users.contains(id),
        "teams" => account.teams.contains(id),
        "escalation_policies" => account.policies.contains(id),
        "schedules" => account.schedules.contains(id),
        _ => account.schedules_v3.contains(id),
    };
    if !exists {
        return Err(Refusal::not_found());
    }
    records(account, call, |record| record.root.id == id)
}

fn records(account: &Account, call: &Call, filter: impl Fn(&AuditRecord) -> bool) -> Answer {
    let now = account.now;
    let since = time::param(call, "since")?.unwrap_or_else(|| shift(now, -DAY));
    let until = time::param(call, "until")?.unwrap_or(now);
    if until < since || until.duration_since(since).as_secs() > 31 * DAY {
        return Err(Refusal::dates("until must be at most 31 days after since"));
    }
    let since = since.max(shift(now, -KEPT));
    let limit = match call.param("limit") {
        None => 100,
        Some(text) => text
            .parse::<usize>()
            .ok()
            .filter(|limit| *limit > 0)
            .ok_or_else(|| Refusal::invalid("limit must be a positive integer"))?
            .min(100),
    };
    let end = match call.param("cursor") {
        None => account.audit.len(),
        Some(cursor) => BASE64
            .decode(cursor)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|text| text.parse::<usize>().ok())
            .filter(|at| *at <= account.audit.len())
            .ok_or_else(|| Refusal::invalid("cursor is invalid"))?,
    };
    // Records are in order of time; those made now can be of the very `until`.
    let mut found = account.audit[..end]
        .iter()
        .enumerate()
        .rev()
        .skip_while(|(_, record)| record.at > until)
        .take_while(|(_, record)| record.at >= since)
        .filter(|(_, record)| filter(record));
    let page: Vec<(usize, &AuditRecord)> = found.by_ref().take(limit).collect();
    let next = match (page.last(), found.next()) {
        (Some((at, _)), Some(_)) => Some(BASE64.encode(at.to_string())),
        _ => None,
    };
    let rows: Vec<Value> = page
        .into_iter()
        .map(|(_, record)| render(account, record))
        .collect();
    Ok(Reply::ok(json!({
        "records": rows, "limit": limit, "next_cursor": next,
        "response_metadata": {"messages": []},
    })))
}

fn render(account: &Account, record: &AuditRecord) -> Value {
    let root = references::resource(account, &record.root);
    let actors: Vec<Value> = match &record.actor {
        Some(actor) => vec![references::resource(account, actor)],
        None => vec![json!({
            "id": "PAPIKEY", "type": "api_key_reference", "summary": "General access key",
            "self": null, "html_url": null,
        })],
    };
    let fields: Vec<Value> = record
        .fields
        .iter()
        .map(|f| json!({"name": f.name, "value": f.value, "before_value": f.before}))
        .collect();
    let references: Vec<Value> = record
        .references
        .iter()
        .map(|change| {
            let list = |all: &[crate::state::audit::Resource]| -> Vec<Value> {
                all.iter()
                    .map(|one| references::resource(account, one))
                    .collect()
            };
            json!({
                "name": change.name, "added": list(&change.added),
                "removed": list(&change.removed),
            })
        })
        .collect();
    json!({
        "id": record.id, "self": null, "execution_time": time::utc(record.at),
        "execution_context": {"request_id": record.id.to_lowercase(), "remote_address": "203.0.113.7"},
        "actors": actors,
        "method": {"type": record.method, "truncated_token": record.truncated_token, "description": null},
        "root_resource": root, "action": record.action,
        "details": {"resource": root, "fields": fields, "references": references},
    })
}
