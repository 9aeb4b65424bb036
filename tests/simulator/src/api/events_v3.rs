//! Events of v3 schedules: their bodies, read and written.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::request::text;
use super::schedules_v3::{member, read_member, read_time};
use super::{Refusal, references, time};
use crate::state::Account;
use crate::state::recurrence::Recurrence;
use crate::state::schedules_v3::{Event, EventRotation, Member, Strategy};

pub(super) fn read_event(
    account: &Account,
    body: &Value,
    id: String,
    before: Option<&Event>,
) -> Result<Event, Refusal> {
    let wall = |name: &str| -> Result<Option<(Timestamp, String)>, Refusal> {
        let Some(value) = body.get(name) else {
            return Ok(None);
        };
        let zone_name = text(value, "time_zone").unwrap_or("");
        let wrong = || Refusal::invalid_field(name, "needs date_time and time_zone");
        let zone = TimeZone::get(zone_name).map_err(|_| wrong())?;
        let at = text(value, "date_time").ok_or_else(wrong)?;
        // Without an offset it is the wall clock of the zone.
        let at = match at.parse::<Timestamp>() {
            Ok(at) => at,
            Err(_) => {
                let wall = at.parse::<jiff::civil::DateTime>().map_err(|_| wrong())?;
                zone.to_timestamp(wall).map_err(|_| wrong())?
            }
        };
        Ok(Some((at, zone_name.to_owned())))
    };
    let missing = |name: &'static str| move || Refusal::invalid_field(name, "is required");
    let name = text(body, "name")
        .map(str::to_owned)
        .or_else(|| before.map(|b| b.name.clone()));
    let start = wall("start_time")?.or_else(|| before.map(|b| (b.start, b.start_zone.clone())));
    let end = wall("end_time")?.or_else(|| before.map(|b| (b.end, b.end_zone.clone())));
    let (start, start_zone) = start.ok_or_else(missing("start_time"))?;
    let (end, end_zone) = end.ok_or_else(missing("end_time"))?;
    if end <= start {
        return Err(Refusal::invalid_field(
            "end_time",
            "must be after start_time",
        ));
    }
    let since = match body.get("effective_since") {
        Some(_) => read_time(body, "effective_since")?,
        None => before
            .map(|b| b.effective_since)
            .ok_or_else(missing("effective_since"))?,
    };
    // A past time is clamped to now.
    let effective_since = since.max(account.now);
    let effective_until = match body.get("effective_until") {
        None => before.and_then(|b| b.effective_until),
        Some(Value::Null) => None,
        Some(_) => Some(read_time(body, "effective_until")?),
    };
    if before.is_none() && effective_until.is_some_and(|until| until <= effective_since) {
        return Err(Refusal::invalid_field(
            "effective_until",
            "must be after effective_since",
        ));
    }
    let recurrence = match body.get("recurrence").and_then(Value::as_array) {
        Some(lines) => lines
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        None => before
            .map(|b| b.recurrence.clone())
            .ok_or_else(missing("recurrence"))?,
    };
    let zone = TimeZone::get(&start_zone).unwrap_or(TimeZone::UTC);
    Recurrence::parse(&recurrence, &zone)
        .map_err(|reason| Refusal::invalid_field("recurrence", &reason))?;
    let (strategy, members) = match body.get("assignment_strategy") {
        Some(strategy) => read_strategy(account, strategy, before)?,
        None => before
            .map(|b| (b.strategy, b.members.clone()))
            .ok_or_else(missing("assignment_strategy"))?,
    };
    Ok(Event {
        id,
        name: name.ok_or_else(missing("name"))?,
        start,
        start_zone,
        end,
        end_zone,
        effective_since,
        effective_until,
        recurrence,
        strategy,
        members,
    })
}

fn read_strategy(
    account: &Account,
    body: &Value,
    before: Option<&Event>,
) -> Result<(Strategy, Vec<Member>), Refusal> {
    let strategy = match text(body, "type") {
        Some("every_member_assignment_strategy") => Strategy::Every,
        Some("rotating_member_assignment_strategy") => {
            let shifts = body.get("shifts_per_member").and_then(Value::as_u64);
            let shifts = shifts
                .and_then(|n| usize::try_from(n).ok())
                .filter(|n| *n > 0);
            let wrong = || Refusal::invalid_field("shifts_per_member", "must be positive");
            Strategy::Rotating {
                shifts_per_member: shifts.ok_or_else(wrong)?,
            }
        }
        _ => {
            return Err(Refusal::invalid_field(
                "assignment_strategy",
                "has an invalid type",
            ));
        }
    };
    let members = body
        .get("members")
        .and_then(Value::as_array)
        .filter(|list| !list.is_empty());
    let members = members.ok_or_else(|| Refusal::invalid_field("members", "can't be blank"))?;
    let known = before.map(|b| b.members.as_slice()).unwrap_or_default();
    let members = members
        .iter()
        .map(|value| {
            let id = text(value, "user_id").map(str::to_owned);
            // The id of a deleted user may be sent back as it is.
            if id.is_some() && known.contains(&id) {
                Ok(id)
            } else {
                read_member(account, value)
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok((strategy, members))
}

pub(super) fn render_rotation(
    account: &Account,
    schedule: &str,
    rotation: &EventRotation,
) -> Value {
    let path = format!("v3/schedules/{schedule}/rotations");
    let (own, _) = references::links(account, &path, "schedules", &rotation.id);
    let (_, html) = references::links(account, &path, "schedules", schedule);
    let events: Vec<Value> = rotation
        .events
        .iter()
        .map(|event| render_event(account, schedule, &rotation.id, event))
        .collect();
    json!({
        "id": rotation.id, "type": "schedule_rotation", "events": events, "self": own,
        "html_url": html,
    })
}

pub(super) fn render_event(
    account: &Account,
    schedule: &str,
    rotation: &str,
    event: &Event,
) -> Value {
    let path = format!("v3/schedules/{schedule}/rotations/{rotation}/events");
    let (own, _) = references::links(account, &path, "schedules", &event.id);
    let (_, html) = references::links(account, &path, "schedules", schedule);
    let wall = |at: Timestamp, zone: &str| {
        let tz = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
        json!({"date_time": time::in_zone(at, &tz), "time_zone": zone})
    };
    let members: Vec<Value> = event.members.iter().map(member).collect();
    let strategy = match event.strategy {
        Strategy::Every => json!({
            "type": "every_member_assignment_strategy", "members": members,
        }),
        Strategy::Rotating { shifts_per_member } => json!({
            "type": "rotating_member_assignment_strategy",
            "shifts_per_member": shifts_per_member, "members": members,
        }),
    };
    json!({
        "id": event.id, "type": "schedule_event", "name": event.name,
        "start_time": wall(event.start, &event.start_zone),
        "end_time": wall(event.end, &event.end_zone),
        "effective_since": time::utc(event.effective_since),
        "effective_until": event.effective_until.map(time::utc),
        "recurrence": event.recurrence, "assignment_strategy": strategy,
        "self": own, "html_url": html,
    })
}
