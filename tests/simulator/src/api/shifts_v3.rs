//! Custom shifts and overrides of v3 schedules.

use serde_json::{Value, json};

use super::request::text;
use super::schedules_v3::{find, find_mut, member, page, read_member, read_time};
use super::{Answer, Call, Refusal, Reply, references, time};
use crate::state::Account;
use crate::state::schedules_v3::{CustomShift, OverrideV3, Scope};

pub(super) fn custom_shifts(account: &Account, call: &Call, id: &str) -> Answer {
    let (since, until) = time::required_range(call)?;
    let shifts = find(account, id)?
        .custom_shifts
        .iter()
        .filter(|shift| shift.start < until && shift.end > since);
    let rows = page(call)?
        .cut(shifts)
        .map(|shift| render_shift(account, id, shift));
    Ok(rows.reply_without_total("custom_shifts"))
}

pub(super) fn create_custom_shifts(account: &mut Account, call: &Call, id: &str) -> Answer {
    let bodies = call.body.get("custom_shifts").and_then(Value::as_array);
    let bodies = bodies.ok_or_else(|| Refusal::invalid_field("custom_shifts", "is required"))?;
    let mut made = Vec::new();
    for body in bodies {
        let start = read_time(body, "start_time")?;
        let end = read_time(body, "end_time")?;
        if end <= start || end <= account.now {
            return Err(Refusal::invalid_field(
                "end_time",
                "must be after start_time and now",
            ));
        }
        made.push(CustomShift {
            member: read_assignment(account, body)?,
            id: account.ids.object(),
            assignment: account.ids.object(),
            start,
            end,
        });
    }
    let rows: Vec<Value> = made
        .iter()
        .map(|shift| render_shift(account, id, shift))
        .collect();
    find_mut(account, id)?.custom_shifts.extend(made);
    Ok(Reply::created(json!({"custom_shifts": rows})))
}

/// Exactly one assignment per custom shift.
fn read_assignment(account: &Account, body: &Value) -> Result<Option<String>, Refusal> {
    match body
        .get("assignments")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
    {
        Some([one]) => read_member(account, &one["member"]),
        _ => Err(Refusal::invalid_field("assignments", "must be exactly one")),
    }
}

fn find_shift<'a>(account: &'a Account, id: &str, one: &str) -> Result<&'a CustomShift, Refusal> {
    let mut shifts = find(account, id)?.custom_shifts.iter();
    shifts
        .find(|shift| shift.id == one)
        .ok_or_else(Refusal::not_found)
}

pub(super) fn custom_shift(account: &Account, id: &str, one: &str) -> Answer {
    let shift = find_shift(account, id, one)?;
    Ok(Reply::ok(
        json!({"custom_shift": render_shift(account, id, shift)}),
    ))
}

/// Of a shift that has started only the end can be changed.
pub(super) fn update_custom_shift(
    account: &mut Account,
    call: &Call,
    id: &str,
    one: &str,
) -> Answer {
    let before = find_shift(account, id, one)?.clone();
    let body = call.wrapped("custom_shift")?;
    let mut after = before.clone();
    if body.get("start_time").is_some() {
        after.start = read_time(body, "start_time")?;
    }
    if body.get("end_time").is_some() {
        after.end = read_time(body, "end_time")?;
    }
    if body.get("assignments").is_some() {
        after.member = read_assignment(account, body)?;
    }
    let started = before.start <= account.now;
    if started && (after.start != before.start || after.member != before.member) {
        let reason = "has started: only end_time can be modified";
        return Err(Refusal::invalid_field("custom_shift", reason));
    }
    if after.end <= after.start {
        return Err(Refusal::invalid_field(
            "end_time",
            "must be after start_time",
        ));
    }
    for shift in find_mut(account, id)?
        .custom_shifts
        .iter_mut()
        .filter(|s| s.id == one)
    {
        *shift = after.clone();
    }
    custom_shift(account, id, one)
}

/// A running shift ends now, a future one goes, a past one stays.
pub(super) fn delete_custom_shift(account: &mut Account, id: &str, one: &str) -> Answer {
    let now = account.now;
    if find_shift(account, id, one)?.end <= now {
        return Err(Refusal::invalid_field("custom_shift", "has already ended"));
    }
    find_mut(account, id)?.custom_shifts.retain_mut(|shift| {
        if shift.id == one && shift.start < now {
            shift.end = now;
            return true;
        }
        shift.id != one
    });
    Ok(Reply::no_content())
}

fn render_shift(account: &Account, schedule: &str, shift: &CustomShift) -> Value {
    let path = format!("v3/schedules/{schedule}/custom_shifts");
    let (own, _) = references::links(account, &path, "schedules", &shift.id);
    let (_, html) = references::links(account, &path, "schedules", schedule);
    json!({
        "id": shift.id, "type": "custom_shift", "start_time": time::utc(shift.start),
        "end_time": time::utc(shift.end), "self": own, "html_url": html,
        "assignments": [{
            "id": shift.assignment, "type": "shift_assignment", "member": member(&shift.member),
        }],
    })
}

pub(super) fn overrides(account: &Account, call: &Call, id: &str) -> Answer {
    let (since, until) = time::required_range(call)?;
    let overrides = find(account, id)?
        .overrides
        .iter()
        .filter(|o| o.start < until && o.end > since);
    let rows = page(call)?
        .cut(overrides)
        .map(|one| render_override(account, id, one));
    Ok(rows.reply_without_total("overrides"))
}

/// The wrapper is `overrides` here and `override` for a single one.
pub(super) fn create_overrides(account: &mut Account, call: &Call, id: &str) -> Answer {
    let bodies = call.body.get("overrides").and_then(Value::as_array);
    let bodies = bodies.ok_or_else(|| Refusal::invalid_field("overrides", "is required"))?;
    let mut made = Vec::new();
    for body in bodies {
        let start = read_time(body, "start_time")?;
        let end = read_time(body, "end_time")?;
        if end <= start || end <= account.now {
            return Err(Refusal::invalid_field(
                "end_time",
                "must be after start_time and now",
            ));
        }
        made.push(OverrideV3 {
            scope: read_scope(account, id, body)?,
            // Whom it replaces may be deleted by now.
            overridden: text(&body["overridden_member"], "user_id").map(str::to_owned),
            overriding: read_member(account, &body["overriding_member"])?,
            id: account.ids.object(),
            start,
            end,
        });
    }
    let rows: Vec<Value> = made
        .iter()
        .map(|one| render_override(account, id, one))
        .collect();
    find_mut(account, id)?.overrides.extend(made);
    Ok(Reply::created(json!({"overrides": rows})))
}

fn read_scope(account: &Account, id: &str, body: &Value) -> Result<Scope, Refusal> {
    let schedule = find(account, id)?;
    match (text(body, "rotation_id"), text(body, "custom_shift_id")) {
        (Some(rotation), None) if schedule.rotations.iter().any(|r| r.id == rotation) => {
            Ok(Scope::Rotation(rotation.to_owned()))
        }
        (None, Some(shift)) if schedule.custom_shifts.iter().any(|s| s.id == shift) => {
            Ok(Scope::CustomShift(shift.to_owned()))
        }
        (Some(_), None) => Err(Refusal::invalid_field(
            "rotation_id",
            "is not of this schedule",
        )),
        (None, Some(_)) => Err(Refusal::invalid_field(
            "custom_shift_id",
            "is not of this schedule",
        )),
        _ => Err(Refusal::invalid_field(
            "rotation_id",
            "or custom_shift_id is required, not both",
        )),
    }
}

fn find_override<'a>(account: &'a Account, id: &str, one: &str) -> Result<&'a OverrideV3, Refusal> {
    let mut overrides = find(account, id)?.overrides.iter();
    overrides
        .find(|o| o.id == one)
        .ok_or_else(Refusal::not_found)
}

pub(super) fn get_override(account: &Account, id: &str, one: &str) -> Answer {
    let found = find_override(account, id, one)?;
    Ok(Reply::ok(
        json!({"override": render_override(account, id, found)}),
    ))
}

pub(super) fn update_override(account: &mut Account, call: &Call, id: &str, one: &str) -> Answer {
    let mut after = find_override(account, id, one)?.clone();
    let body = call.wrapped("override")?;
    if body.get("start_time").is_some() {
        after.start = read_time(body, "start_time")?;
    }
    if body.get("end_time").is_some() {
        after.end = read_time(body, "end_time")?;
    }
    if let Some(value) = body.get("overriding_member") {
        after.overriding = read_member(account, value)?;
    }
    if after.end <= after.start {
        return Err(Refusal::invalid_field(
            "end_time",
            "must be after start_time",
        ));
    }
    for found in find_mut(account, id)?
        .overrides
        .iter_mut()
        .filter(|o| o.id == one)
    {
        *found = after.clone();
    }
    get_override(account, id, one)
}

/// A running override ends now, so that its past stays true; a future one goes.
pub(super) fn delete_override(account: &mut Account, id: &str, one: &str) -> Answer {
    let now = account.now;
    find_override(account, id, one)?;
    find_mut(account, id)?.overrides.retain_mut(|found| {
        if found.id == one && found.start < now {
            found.end = found.end.min(now);
            return true;
        }
        found.id != one
    });
    Ok(Reply::no_content())
}

fn render_override(account: &Account, schedule: &str, one: &OverrideV3) -> Value {
    let path = format!("v3/schedules/{schedule}/overrides");
    let (own, _) = references::links(account, &path, "schedules", &one.id);
    let (_, html) = references::links(account, &path, "schedules", schedule);
    let mut value = json!({
        "id": one.id, "type": "override_shift", "start_time": time::utc(one.start),
        "end_time": time::utc(one.end), "overridden_member": member(&one.overridden),
        "overriding_member": member(&one.overriding), "self": own, "html_url": html,
    });
    match &one.scope {
        Scope::Rotation(rotation) => value["rotation_id"] = json!(rotation),
        Scope::CustomShift(shift) => value["custom_shift_id"] = json!(shift),
    }
    value
}
