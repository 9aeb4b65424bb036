//! Shift-based (v3) schedules: the schedule, its rotations and their events.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::events_v3::{read_event, render_event, render_rotation};
use super::paging::Page;
use super::request::text;
use super::{Answer, Call, Refusal, Reply, references, time};
use crate::state::Account;
use crate::state::schedules_v3::{Event, EventRotation, Member, ScheduleV3, Scope, Shift};

/// How many events a rotation, and how many active rotations a schedule can have.
const MOST_EVENTS: usize = 5;
const MOST_ROTATIONS: usize = 10;

pub(super) fn page(call: &Call) -> Result<Page, Refusal> {
    Page::with_limits(call, 100, 1000)
}

/// The two kinds of schedules do not see each other: an id of the other kind is
/// a bad request, an unknown one is not found.
pub(super) fn check(account: &Account, id: &str) -> Result<(), Refusal> {
    if account.schedules_v3.contains(id) {
        Ok(())
    } else if account.schedules.contains(id) {
        Err(Refusal::invalid_field(
            "id",
            "is not a shift-based schedule",
        ))
    } else {
        Err(Refusal::not_found())
    }
}

pub(super) fn list(account: &Account, call: &Call) -> Answer {
    let page = page(call)?;
    let teams = call.list("team_ids");
    let query = call.param("query").map(str::to_lowercase);
    let schedules = account
        .schedules_v3
        .iter()
        .filter(|s| teams.is_empty() || s.teams.iter().any(|t| teams.contains(&t.as_str())))
        .filter(|s| {
            query
                .as_deref()
                .is_none_or(|q| s.name.to_lowercase().contains(q))
        });
    let rows = page
        .cut(schedules)
        .map(|s| references::schedule_v3(account, &s.id));
    Ok(rows.reply_without_total("schedules"))
}

pub(super) fn show(account: &Account, call: &Call, id: &str) -> Answer {
    let schedule = find(account, id)?;
    let (own, html) = references::links(account, "v3/schedules", "schedules", id);
    let rotations: Vec<Value> = schedule
        .rotations
        .iter()
        .map(|r| render_rotation(account, id, r))
        .collect();
    let users: Vec<Value> = schedule
        .user_ids(account.now)
        .into_iter()
        .map(|user| references::user(account, user))
        .collect();
    let feed = |scheme: &str| {
        let web = account.config.region.web_origin(&account.config.subdomain);
        format!(
            "{}/private/{}/feed/{id}",
            web.replacen("https", scheme, 1),
            schedule.feed
        )
    };
    let mut value = json!({
        "id": id, "type": "schedule_v3", "name": schedule.name, "summary": schedule.name,
        "time_zone": schedule.time_zone, "description": schedule.description,
        "teams": references::teams(account, &schedule.teams),
        "escalation_policies": references::policies_of_schedule(account, id),
        "users": users, "rotations": rotations, "http_cal_url": feed("https"),
        "web_cal_url": feed("webcal"), "self": own, "html_url": html,
    });
    if call.includes("final_schedule") {
        value["final_schedule"] = final_schedule(account, call, schedule)?;
    }
    Ok(Reply::ok(json!({"schedule": value})))
}

fn final_schedule(account: &Account, call: &Call, schedule: &ScheduleV3) -> Result<Value, Refusal> {
    let span = SignedDuration::from_hours(14 * 24);
    let (since, until) = match time::range(call, account.now, span)? {
        Some(range) => range,
        None => (
            account.now,
            account.now.checked_add(span).unwrap_or(Timestamp::MAX),
        ),
    };
    let zone = time::zone(call, &schedule.time_zone)?;
    let shifts = if call.flag("overflow") {
        schedule.overflowing_shifts(since, until)
    } else {
        schedule.final_shifts(since, until)
    };
    let rows: Vec<Value> = shifts
        .iter()
        .map(|shift| {
            json!({
                "type": "computed_shift_assignment", "start_time": time::in_zone(shift.start, &zone),
                "end_time": time::in_zone(shift.end, &zone), "member": member(&shift.member),
                "source": source(shift),
            })
        })
        .collect();
    Ok(json!({
        "type": "final_schedule", "rendered_coverage_percentage": covered(&shifts, since, until),
        "computed_shift_assignments": rows,
    }))
}

fn source(shift: &Shift) -> Value {
    match (&shift.scope, &shift.override_id) {
        (Scope::Rotation(id), None) => json!({"type": "schedule_rotation", "rotation_id": id}),
        (Scope::CustomShift(id), None) => json!({"type": "custom_shift", "shift_id": id}),
        (Scope::Rotation(id), Some(over)) => json!({
            "type": "schedule_rotation_override", "rotation_id": id, "override_id": over,
        }),
        (Scope::CustomShift(id), Some(over)) => json!({
            "type": "custom_shift_override", "shift_id": id, "override_id": over,
        }),
    }
}

/// The share of the range with anybody on call. Shifts come sorted by start.
fn covered(shifts: &[Shift], since: Timestamp, until: Timestamp) -> f64 {
    let total = until.duration_since(since).as_secs_f64();
    let (mut reached, mut sum) = (since, 0.0);
    for shift in shifts.iter().filter(|shift| shift.member.is_some()) {
        let start = shift.start.max(reached);
        let end = shift.end.min(until);
        if start < end {
            sum += end.duration_since(start).as_secs_f64();
            reached = end;
        }
    }
    if total > 0.0 {
        (sum / total * 10_000.0).round() / 100.0
    } else {
        0.0
    }
}

pub(super) fn member(member: &Member) -> Value {
    match member {
        Some(user) => json!({"type": "user_member", "user_id": user}),
        None => json!({"type": "empty_member"}),
    }
}

/// Reads a member; users have to exist.
pub(super) fn read_member(account: &Account, value: &Value) -> Result<Member, Refusal> {
    match text(value, "type") {
        Some("empty_member") => Ok(None),
        Some("user_member") => {
            let user = text(value, "user_id").and_then(|id| account.users.get(id));
            let unknown = || Refusal::invalid_field("members", "user not found").with_status(422);
            let user = user.ok_or_else(unknown)?;
            if user.role.is_stakeholder() {
                let reason = "Stakeholders cannot be added to schedules";
                return Err(Refusal::invalid_field("members", reason).with_status(422));
            }
            Ok(Some(user.id.clone()))
        }
        _ => Err(Refusal::invalid_field("members", "has an invalid type")),
    }
}

pub(super) fn read_time(value: &Value, name: &str) -> Result<Timestamp, Refusal> {
    text(value, name)
        .and_then(time::parse)
        .ok_or_else(|| Refusal::invalid_field(name, "is not a valid time"))
}

pub(super) fn find<'a>(account: &'a Account, id: &str) -> Result<&'a ScheduleV3, Refusal> {
    account.schedules_v3.get(id).ok_or_else(Refusal::not_found)
}

pub(super) fn find_mut<'a>(
    account: &'a mut Account,
    id: &str,
) -> Result<&'a mut ScheduleV3, Refusal> {
    account
        .schedules_v3
        .get_mut(id)
        .ok_or_else(Refusal::not_found)
}

pub(super) fn rotations(account: &Account, call: &Call, id: &str) -> Answer {
    let rows = page(call)?.cut(find(account, id)?.rotations.iter());
    Ok(rows
        .map(|r| render_rotation(account, id, r))
        .reply_without_total("rotations"))
}

pub(super) fn create_rotation(account: &mut Account, call: &Call, id: &str) -> Answer {
    if call.body.as_object().is_some_and(|body| !body.is_empty()) {
        return Err(Refusal::invalid_field(
            "rotation",
            "has no fields of its own",
        ));
    }
    let now = account.now;
    let active = |rotation: &&EventRotation| {
        rotation.events.is_empty() || rotation.events.iter().any(|event| !event.is_past(now))
    };
    if find(account, id)?.rotations.iter().filter(active).count() >= MOST_ROTATIONS {
        return Err(Refusal::invalid_field("rotations", "are at most 10"));
    }
    let rotation = EventRotation {
        id: account.ids.object(),
        events: Vec::new(),
    };
    let reply = json!({"rotation": render_rotation(account, id, &rotation)});
    find_mut(account, id)?.rotations.push(rotation);
    Ok(Reply::created(reply))
}

pub(super) fn rotation(account: &Account, id: &str, one: &str) -> Answer {
    let rotation = find_rotation(account, id, one)?;
    Ok(Reply::ok(
        json!({"rotation": render_rotation(account, id, rotation)}),
    ))
}

/// Past events stay, the active one ends now, future ones go.
pub(super) fn delete_rotation(account: &mut Account, id: &str, one: &str) -> Answer {
    let now = account.now;
    find_rotation(account, id, one)?;
    let schedule = find_mut(account, id)?;
    for rotation in schedule
        .rotations
        .iter_mut()
        .filter(|rotation| rotation.id == one)
    {
        end_events(&mut rotation.events, now, |_| true);
    }
    schedule
        .rotations
        .retain(|rotation| rotation.id != one || !rotation.events.is_empty());
    Ok(Reply::no_content())
}

fn end_events(events: &mut Vec<Event>, now: Timestamp, which: impl Fn(&Event) -> bool) {
    events.retain_mut(|event| {
        if !which(event) || event.is_past(now) {
            return true;
        }
        if event.effective_since >= now {
            return false;
        }
        event.effective_until = Some(now);
        true
    });
}

fn find_rotation<'a>(
    account: &'a Account,
    id: &str,
    one: &str,
) -> Result<&'a EventRotation, Refusal> {
    let mut rotations = find(account, id)?.rotations.iter();
    rotations
        .find(|rotation| rotation.id == one)
        .ok_or_else(Refusal::not_found)
}

fn find_event<'a>(
    account: &'a Account,
    id: &str,
    rotation: &str,
    one: &str,
) -> Result<&'a Event, Refusal> {
    let mut events = find_rotation(account, id, rotation)?.events.iter();
    events
        .find(|event| event.id == one)
        .ok_or_else(Refusal::not_found)
}

fn events_mut<'a>(
    account: &'a mut Account,
    id: &str,
    one: &str,
) -> Result<&'a mut Vec<Event>, Refusal> {
    find_mut(account, id)?
        .rotations
        .iter_mut()
        .find(|rotation| rotation.id == one)
        .map(|rotation| &mut rotation.events)
        .ok_or_else(Refusal::not_found)
}

pub(super) fn events(account: &Account, call: &Call, id: &str, one: &str) -> Answer {
    let mut events: Vec<&Event> = find_rotation(account, id, one)?.events.iter().collect();
    events.sort_by_key(|event| (event.start, event.effective_since));
    let rows = page(call)?.cut(events.into_iter());
    Ok(rows
        .map(|e| render_event(account, id, one, e))
        .reply_without_total("events"))
}

pub(super) fn event(account: &Account, id: &str, rotation: &str, one: &str) -> Answer {
    let event = find_event(account, id, rotation, one)?;
    Ok(Reply::ok(
        json!({"event": render_event(account, id, rotation, event)}),
    ))
}

pub(super) fn create_event(account: &mut Account, call: &Call, id: &str, rotation: &str) -> Answer {
    let now = account.now;
    find_rotation(account, id, rotation)?;
    let new_id = account.ids.object();
    let event = read_event(account, call.wrapped("event")?, new_id, None)?;
    let existing = &find_rotation(account, id, rotation)?.events;
    if existing.iter().filter(|event| !event.is_past(now)).count() >= MOST_EVENTS {
        return Err(Refusal::invalid_field(
            "events",
            "are at most 5 in a rotation",
        ));
    }
    if existing.iter().any(|other| other.overlaps(&event)) {
        return Err(Refusal::invalid_field("events", "must not overlap"));
    }
    let reply = json!({"event": render_event(account, id, rotation, &event)});
    events_mut(account, id, rotation)?.push(event);
    Ok(Reply::created(reply))
}

pub(super) fn update_event(
    account: &mut Account,
    call: &Call,
    id: &str,
    rotation: &str,
    one: &str,
) -> Answer {
    let now = account.now;
    let before = find_event(account, id, rotation, one)?.clone();
    if before.is_past(now) {
        return Err(Refusal::invalid_field(
            "event",
            "is past and cannot be modified",
        ));
    }
    let body = call.wrapped("event")?;
    let mut after = read_event(account, body, one.to_owned(), Some(&before))?;
    if !before.is_future(now) {
        // What differs beside the end is refused; what is sent back unchanged is not.
        after.effective_since = match text(body, "effective_since").and_then(time::parse) {
            Some(sent) if sent != before.effective_since => sent,
            _ => before.effective_since,
        };
        let same = Event {
            effective_until: before.effective_until,
            ..after.clone()
        };
        if render_event(account, id, rotation, &same)
            != render_event(account, id, rotation, &before)
        {
            let reason = "is active: only effective_until can be updated";
            return Err(Refusal::invalid_field("event", reason));
        }
        after.effective_until = after.effective_until.map(|until| until.max(now));
    }
    let others = &find_rotation(account, id, rotation)?.events;
    if others
        .iter()
        .any(|other| other.id != one && other.overlaps(&after))
    {
        return Err(Refusal::invalid_field("events", "must not overlap"));
    }
    for event in events_mut(account, id, rotation)?
        .iter_mut()
        .filter(|event| event.id == one)
    {
        *event = after.clone();
    }
    event(account, id, rotation, one)
}

/// An active event ends now and stays as history; a future one goes.
pub(super) fn delete_event(account: &mut Account, id: &str, rotation: &str, one: &str) -> Answer {
    let now = account.now;
    if find_event(account, id, rotation, one)?.is_past(now) {
        return Err(Refusal::invalid_field(
            "event",
            "is past and cannot be deleted",
        ));
    }
    end_events(events_mut(account, id, rotation)?, now, |event| {
        event.id == one
    });
    Ok(Reply::no_content())
}
