//! Overrides of v2 schedules.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::request::{reference_id, text};
use super::{Answer, Call, Refusal, Reply, references, time};
use crate::config::OverrideReply;
use crate::state::Account;
use crate::state::audit::{ReferenceChange, Resource};
use crate::state::schedules::{Override, Schedule};

/// A list without paging.
pub(super) fn list(account: &Account, call: &Call, id: &str) -> Answer {
    let schedule = account.schedules.get(id).ok_or_else(Refusal::not_found)?;
    let (since, until) = time::required_range(call)?;
    let editable = call.flag("editable");
    let overflow = call.flag("overflow");
    let zone = schedule.zone();
    let mut overrides: Vec<&Override> = schedule
        .overrides
        .iter()
        .filter(|o| o.start < until && o.end > since)
        .filter(|o| !editable || o.start > account.now)
        .collect();
    overrides.sort_by_key(|o| o.start);
    let rows: Vec<Value> = overrides
        .into_iter()
        .map(|o| {
            let (start, end) = if overflow {
                (o.start, o.end)
            } else {
                (o.start.max(since), o.end.min(until))
            };
            json!({
                "id": o.id, "start": time::in_zone(start, &zone), "end": time::in_zone(end, &zone),
                "user": references::user(account, &o.user),
            })
        })
        .collect();
    Ok(Reply::ok(json!({"total": rows.len(), "overrides": rows})))
}

/// 201 overall, whatever becomes of the single overrides.
pub(super) fn create(account: &mut Account, call: &Call, id: &str) -> Answer {
    if !account.schedules.contains(id) {
        return Err(Refusal::not_found());
    }
    // The deprecated form has one override and one answer.
    if let Some(single) = call.body.get("override").filter(|o| o.is_object()) {
        let created = create_one(account, call, id, single).map_err(|e| Refusal::invalid(&e))?;
        return Ok(Reply::created(json!({"override": created})));
    }
    let items = call
        .body
        .get("overrides")
        .and_then(Value::as_array)
        .cloned();
    let items = items.ok_or_else(|| Refusal::invalid("overrides is missing"))?;
    if account.config.override_reply != OverrideReply::PerItem {
        for item in &items {
            check(account, item).map_err(|error| Refusal::invalid(&error))?;
        }
    }
    let mut results = Vec::new();
    for item in &items {
        results.push(match create_one(account, call, id, item) {
            Ok(created) => json!({"status": 201, "override": created}),
            Err(error) => json!({"status": 400, "errors": [error], "override": item}),
        });
    }
    let created = || results.iter().map(|result| result["override"].clone());
    Ok(Reply::created(match account.config.override_reply {
        OverrideReply::PerItem => Value::Array(results),
        OverrideReply::Wrapped => json!({"overrides": created().collect::<Vec<_>>()}),
        OverrideReply::Single => json!({"override": created().next()}),
    }))
}

/// When an override is, and whose; or why it is refused.
fn check(account: &Account, item: &Value) -> Result<(Timestamp, Timestamp, String), String> {
    let at = |name: &str| {
        text(item, name)
            .and_then(time::parse)
            .ok_or(format!("{name} is invalid"))
    };
    let (start, end) = (at("start")?, at("end")?);
    if end <= start {
        return Err("Override must end after its start".to_owned());
    }
    if end <= account.now {
        return Err("Override must end in the future".to_owned());
    }
    let user = item
        .get("user")
        .and_then(reference_id)
        .and_then(|id| account.users.get(id));
    let user = user.ok_or("User not found")?;
    if user.role.is_stakeholder() {
        return Err("Stakeholders cannot be added to schedules".to_owned());
    }
    Ok((start, end, user.id.clone()))
}

fn create_one(account: &mut Account, call: &Call, id: &str, item: &Value) -> Result<Value, String> {
    let (start, end, user) = check(account, item)?;
    let made = Override {
        id: account.ids.long(),
        start,
        end,
        user,
    };
    let zone = account
        .schedules
        .get(id)
        .map(Schedule::zone)
        .ok_or("Schedule not found")?;
    let value = json!({
        "id": made.id, "start": time::in_zone(start, &zone), "end": time::in_zone(end, &zone),
        "user": references::user(account, &made.user),
    });
    record(account, call, id, &made.user, true);
    if let Some(schedule) = account.schedules.get_mut(id) {
        schedule.overrides.push(made);
    }
    Ok(value)
}

/// A future override goes (204), a running one ends now (200), a past one stays.
pub(super) fn delete(account: &mut Account, call: &Call, id: &str, one: &str) -> Answer {
    let now = account.now;
    let schedule = account
        .schedules
        .get_mut(id)
        .ok_or_else(Refusal::not_found)?;
    let at = schedule.overrides.iter().position(|o| o.id == one);
    let at = at.ok_or_else(|| Refusal::new(404, 4004, "Override Not Found"))?;
    let user = schedule.overrides[at].user.clone();
    if schedule.overrides[at].end <= now {
        return Err(Refusal::invalid("Past overrides cannot be removed"));
    }
    let running = schedule.overrides[at].start <= now;
    if running {
        schedule.overrides[at].end = now;
    } else {
        schedule.overrides.remove(at);
    }
    record(account, call, id, &user, false);
    if running {
        Ok(Reply {
            status: 200,
            body: None,
            location: None,
        })
    } else {
        Ok(Reply::no_content())
    }
}

fn record(account: &mut Account, call: &Call, schedule: &str, user: &str, added: bool) {
    let name = account
        .schedules
        .get(schedule)
        .map(|s| s.name.clone())
        .unwrap_or_default();
    let root = Resource {
        id: schedule.to_owned(),
        kind: "schedule_reference",
        summary: name,
    };
    let users = vec![account.user_resource(user)];
    let (added, removed) = if added {
        (users, Vec::new())
    } else {
        (Vec::new(), users)
    };
    let change = ReferenceChange {
        name: "overrides",
        added,
        removed,
    };
    let origin = call.caller.origin(account);
    account.record(&origin, root, "update", Vec::new(), vec![change]);
}
