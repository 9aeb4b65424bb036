//! Changing a v2 schedule.
//!
//! Layers come in the reverse of the order that GET shows. One with an id is
//! changed, one without is new, one that is left out stays: none can be deleted.

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{full, resource};
use crate::api::request::{reference_id, text};
use crate::api::{Answer, Call, Refusal, Reply, time};
use crate::config::LayerOrder;
use crate::state::Account;
use crate::state::audit::{FieldChange, ReferenceChange};
use crate::state::rotation::{Restriction, Rotation};
use crate::state::schedules::{Layer, Schedule};

/// Limits on the length of a turn: an hour to a year.
const TURNS: std::ops::RangeInclusive<i64> = 3600..=365 * 86_400;

pub(in crate::api) fn update(account: &mut Account, call: &Call, id: &str) -> Answer {
    let before = account
        .schedules
        .get(id)
        .cloned()
        .ok_or_else(Refusal::not_found)?;
    let after = changed(account, call.wrapped("schedule")?, before.clone())?;
    record(account, call, &before, &after);
    if let Some(schedule) = account.schedules.get_mut(id) {
        *schedule = after;
    }
    let schedule = account.schedules.get(id).ok_or_else(Refusal::not_found)?;
    Ok(Reply::ok(
        json!({"schedule": full(account, call, schedule)?}),
    ))
}

/// A dry run: what a schedule with this body would look like.
pub(in crate::api) fn preview(account: &mut Account, call: &Call) -> Answer {
    let body = call.wrapped("schedule")?;
    let base = reference_id(body)
        .and_then(|id| account.schedules.get(id))
        .cloned();
    let base = base.unwrap_or_else(|| {
        let mut new = Schedule::empty("PREVIEW", text(body, "name").unwrap_or(""), "Etc/UTC");
        new.feed = "secret-calendar-feed-preview".to_owned();
        new
    });
    let schedule = changed(account, body, base)?;
    Ok(Reply::ok(
        json!({"schedule": full(account, call, &schedule)?}),
    ))
}

fn changed(
    account: &mut Account,
    body: &Value,
    mut schedule: Schedule,
) -> Result<Schedule, Refusal> {
    let zone =
        text(body, "time_zone").ok_or_else(|| Refusal::invalid("Time zone can't be blank"))?;
    TimeZone::get(zone).map_err(|_| Refusal::invalid("Time zone is invalid"))?;
    schedule.time_zone = if zone == "UTC" {
        "Etc/UTC".to_owned()
    } else {
        zone.to_owned()
    };
    if let Some(name) = body.get("name") {
        let name = name.as_str().map(str::trim).filter(|name| !name.is_empty());
        name.ok_or_else(|| Refusal::invalid("Name can't be blank"))?
            .clone_into(&mut schedule.name);
    }
    if let Some(description) = body.get("description") {
        schedule.description = description.as_str().map(str::to_owned);
    }
    if let Some(teams) = body.get("teams").and_then(Value::as_array) {
        schedule.teams = teams
            .iter()
            .filter_map(reference_id)
            .map(str::to_owned)
            .collect();
        if !schedule
            .teams
            .iter()
            .all(|team| account.teams.contains(team))
        {
            return Err(Refusal::new(400, 6001, "Team Not Found"));
        }
    }
    if let Some(layers) = body.get("schedule_layers").and_then(Value::as_array) {
        let mut layers: Vec<&Value> = layers.iter().collect();
        if account.config.layer_order == LayerOrder::Same {
            layers.reverse();
        }
        apply_layers(account, &layers, &mut schedule)?;
    } else if schedule.layers.is_empty() {
        return Err(Refusal::new(400, 3001, "Invalid Schedule"));
    }
    Ok(schedule)
}

fn apply_layers(
    account: &mut Account,
    bodies: &[&Value],
    schedule: &mut Schedule,
) -> Result<(), Refusal> {
    let now = account.now;
    let mut mentioned: Vec<Layer> = Vec::new();
    let mut new: Vec<Layer> = Vec::new();
    // Where the mentioned layers are; they share out these places in their new order.
    let mut places: Vec<usize> = Vec::new();
    for body in bodies {
        let place = match reference_id(body) {
            None => None,
            Some(id) => {
                let place = schedule.layers.iter().position(|layer| layer.id == id);
                Some(place.ok_or_else(|| Refusal::invalid("Schedule layer not found"))?)
            }
        };
        let known = place
            .map(|at| schedule.layers[at].current.users.clone())
            .unwrap_or_default();
        let rotation = rotation(account, body, &known)?;
        let name = text(body, "name").map(str::to_owned);
        match place {
            Some(at) if places.contains(&at) => {
                return Err(Refusal::invalid("Schedule layer is listed twice"));
            }
            Some(at) => {
                let mut layer = schedule.layers[at].clone();
                layer.name = name.unwrap_or(layer.name);
                layer.change(rotation, now);
                places.push(at);
                mentioned.push(layer);
            }
            None => {
                let number = schedule.layers.len() + new.len() + 1;
                let start = rotation.start.max(now);
                new.push(Layer {
                    id: account.ids.object(),
                    name: name.unwrap_or_else(|| format!("Layer {number}")),
                    current: Rotation { start, ..rotation },
                    past: Vec::new(),
                });
            }
        }
    }
    let all_mentioned = mentioned.len() == schedule.layers.len();
    if all_mentioned {
        // The body's order is the new order, new layers in their place.
        let (mut mentioned, mut new) = (mentioned.into_iter(), new.into_iter());
        schedule.layers = bodies
            .iter()
            .filter_map(|body| match reference_id(body) {
                Some(_) => mentioned.next(),
                None => new.next(),
            })
            .collect();
    } else {
        places.sort_unstable();
        for (at, layer) in places.into_iter().zip(mentioned) {
            schedule.layers[at] = layer;
        }
        schedule.layers.extend(new);
    }
    Ok(())
}

/// Reads a layer's body. `known` are the users that it already has: the stub of
/// a deleted user may stay.
fn rotation(account: &Account, body: &Value, known: &[String]) -> Result<Rotation, Refusal> {
    let at = |name: &str| {
        let value = text(body, name).and_then(time::parse);
        value.ok_or_else(|| Refusal::invalid(&format!("Schedule layer {name} is invalid")))
    };
    let end = match body.get("end") {
        None | Some(Value::Null) => None,
        Some(_) => Some(at("end")?),
    };
    let turn = body
        .get("rotation_turn_length_seconds")
        .and_then(Value::as_i64);
    let turn_seconds = turn
        .filter(|turn| TURNS.contains(turn))
        .ok_or_else(|| Refusal::invalid("Rotation turn length seconds is invalid"))?;
    let members = body
        .get("users")
        .and_then(Value::as_array)
        .filter(|users| !users.is_empty());
    let members = members.ok_or_else(|| Refusal::invalid("Users can't be blank"))?;
    let mut users = Vec::new();
    for member in members {
        let id = member.get("user").unwrap_or(member);
        let id = reference_id(id).ok_or_else(|| Refusal::invalid("User not found"))?;
        let is_known = known.iter().any(|user| user == id);
        match account.users.get(id) {
            Some(user) if user.role.is_stakeholder() && !is_known => {
                return Err(Refusal::invalid(
                    "Stakeholders cannot be added to schedules",
                ));
            }
            None if !is_known => return Err(Refusal::invalid("User not found")),
            _ => users.push(id.to_owned()),
        }
    }
    let restrictions = match body.get("restrictions").and_then(Value::as_array) {
        None => Vec::new(),
        Some(list) => list.iter().map(restriction).collect::<Result<_, _>>()?,
    };
    let start: Timestamp = at("start")?;
    if end.is_some_and(|end| end <= start) {
        return Err(Refusal::invalid("Schedule layer must end after its start"));
    }
    Ok(Rotation {
        start,
        end,
        virtual_start: at("rotation_virtual_start")?,
        turn_seconds,
        users,
        restrictions,
    })
}

fn restriction(body: &Value) -> Result<Restriction, Refusal> {
    let wrong = || Refusal::invalid("Restrictions are invalid");
    let duration = body
        .get("duration_seconds")
        .and_then(Value::as_i64)
        .ok_or_else(wrong)?;
    let start = text(body, "start_time_of_day").and_then(|t| t.parse::<Time>().ok());
    let (day, most) = match text(body, "type") {
        Some("daily_restriction") => (None, 86_400),
        Some("weekly_restriction") => {
            let day = body.get("start_day_of_week").and_then(Value::as_i64);
            let day = day
                .and_then(|day| i8::try_from(day).ok())
                .filter(|day| (1..=7).contains(day));
            (Some(day.ok_or_else(wrong)?), 7 * 86_400)
        }
        _ => return Err(wrong()),
    };
    if !(1..most).contains(&duration) {
        return Err(wrong());
    }
    Ok(Restriction {
        start_day_of_week: day,
        start_time_of_day: start.ok_or_else(wrong)?,
        duration_seconds: duration,
    })
}

fn record(account: &mut Account, call: &Call, before: &Schedule, after: &Schedule) {
    let resources = |account: &Account, from: &Schedule, without: &Schedule| {
        let others = without.user_ids();
        let users = from.user_ids();
        users
            .into_iter()
            .filter(|user| !others.contains(user))
            .map(|user| account.user_resource(user))
            .collect::<Vec<_>>()
    };
    let users = ReferenceChange {
        name: "users",
        added: resources(account, after, before),
        removed: resources(account, before, after),
    };
    let fields = if before.name == after.name {
        Vec::new()
    } else {
        let (before, value) = (Some(before.name.clone()), Some(after.name.clone()));
        vec![FieldChange {
            name: "name",
            before,
            value,
        }]
    };
    let origin = call.caller.origin(account);
    account.record(&origin, resource(after), "update", fields, vec![users]);
}
