//! Membership of a schedule.
//!
//! A v2 schedule with one layer takes the account at the end of the round: who
//! is on call stays so, and everybody has the next turn they would have had;
//! after it, turns come later by one each round. A schedule with several layers
//! is refused: only a person can say which of them is meant, and they differ in
//! when the account is woken. A layer of its own would put the account on call
//! around the clock.
//!
//! A v3 schedule with one rotation takes it into an empty place, which moves
//! nobody's turns, or else at the end.
//!
//! An event of a v3 schedule that is in effect can only be ended and followed by
//! another. A call that came no further than to end it, or a host that died in
//! between, leaves nobody on call: the same call, repeated within the hour, goes
//! on from there.
//!
//! Taken off, the account leaves every layer and rotation. In a v2 layer the
//! turns of the others move up, one with nobody left ends; in a v3 rotation an
//! empty place is left, unless all members are on call at once.

use super::unchanged;
use crate::errors::{Error, ErrorCode, Result};
use crate::iga::connector::types::Effect;
use crate::pagerduty::client::Client;
use crate::pagerduty::errors::clean;
use crate::pagerduty::schedule_events::{
    Event, Events, MAX_MEMBERS, Members, Rotation, ShiftSchedule,
};
use crate::pagerduty::schedule_layers::{Layer, LayeredSchedule};
use crate::pagerduty::schedules::is_unknown;
use crate::pagerduty::users;

/// Puts an account on a schedule.
pub fn assign(client: &Client, account: &str, schedule: &str) -> Result<Effect> {
    let user = users::get(client, account)?;
    if user.is_stakeholder()? {
        return Err(Error::new(
            ErrorCode::Conflict,
            format!(
                "{} is a stakeholder, who can't be on a schedule",
                user.called()
            ),
        )
        .hint("assign a role with a full licence first"));
    }
    match read(client, schedule)? {
        Found::Layered(schedule) => assign_to_layer(client, account, &schedule),
        Found::Shifts(schedule) => assign_to_rotation(client, account, &schedule),
    }
}

/// Takes an account off a schedule.
pub fn unassign(client: &Client, account: &str, schedule: &str) -> Result<Effect> {
    users::get(client, account)?;
    let is_changed = match read(client, schedule)? {
        Found::Layered(schedule) => leave_layers(client, account, &schedule)?,
        Found::Shifts(schedule) => leave_rotations(client, account, &schedule)?,
    };
    Ok(if is_changed {
        Effect::Deleted
    } else {
        unchanged("not-assigned")
    })
}

enum Found {
    Layered(LayeredSchedule),
    Shifts(ShiftSchedule),
}

/// A schedule of either kind: nothing about its id tells which.
fn read(client: &Client, id: &str) -> Result<Found> {
    let error = match LayeredSchedule::fetch(client, id) {
        Ok(schedule) => return Ok(Found::Layered(schedule)),
        Err(error) if is_unknown(&error) => error,
        Err(error) => return Err(error),
    };
    match ShiftSchedule::fetch(client, id) {
        Ok(schedule) => Ok(Found::Shifts(schedule)),
        Err(other) if is_unknown(&other) => {
            let unknown = format!("there is no schedule `{id}`");
            Err(error.reworded(Error::new(ErrorCode::NotFound, unknown)))
        }
        Err(other) => Err(other),
    }
}

fn assign_to_layer(client: &Client, account: &str, schedule: &LayeredSchedule) -> Result<Effect> {
    let layers: Vec<&Layer> = schedule.open_layers(client.now()).collect();
    if layers.iter().any(|layer| !layer.places(account).is_empty()) {
        return Ok(unchanged("already-assigned"));
    }
    let [layer] = layers.as_slice() else {
        return Err(not_one(&schedule.name, layers.len(), "layer"));
    };
    let mut layer = Layer::clone(layer);
    layer.add(account, client.now());
    schedule.save(client, &[layer])?;
    Ok(Effect::Created)
}

fn leave_layers(client: &Client, account: &str, schedule: &LayeredSchedule) -> Result<bool> {
    let mut changed = Vec::new();
    for layer in schedule.open_layers(client.now()) {
        if !layer.places(account).is_empty() {
            let mut layer = layer.clone();
            layer.remove(account, client.now());
            changed.push(layer);
        }
    }
    if !changed.is_empty() {
        schedule.save(client, &changed)?;
    }
    Ok(!changed.is_empty())
}

fn assign_to_rotation(client: &Client, account: &str, schedule: &ShiftSchedule) -> Result<Effect> {
    let now = client.now();
    let is_open = |rotation: &&Rotation| {
        rotation.open_events(now).next().is_some() || rotation.cut_off(now).next().is_some()
    };
    let rotations: Vec<&Rotation> = schedule.rotations.iter().filter(is_open).collect();
    let mut events = rotations
        .iter()
        .flat_map(|rotation| rotation.open_events(now));
    if events.any(|event| event.members.have(account)) {
        return Ok(unchanged("already-assigned"));
    }
    let [rotation] = rotations.as_slice() else {
        return Err(not_one(&schedule.name, rotations.len(), "rotation"));
    };
    let events = Events {
        client,
        schedule: &schedule.id,
        rotation: &rotation.id,
    };
    let joined = |event: &Event| joined(event, account, &schedule.name);
    // All of it is looked at before anything is changed.
    let open: Vec<_> = (rotation.open_events(now))
        .map(|event| Ok((event, joined(event)?)))
        .collect::<Result<_>>()?;
    // What an earlier call came no further than to end.
    let cut_off: Vec<_> = (rotation.cut_off(now))
        .map(|event| Ok((event, joined(event)?)))
        .collect::<Result<_>>()?;
    for (event, members) in open {
        events.change(event, &members)?;
    }
    for (event, members) in cut_off {
        events.create(&event.definition.open_ended(), &members)?;
    }
    Ok(Effect::Created)
}

/// Who takes turns once the account does.
fn joined(event: &Event, account: &str, schedule: &str) -> Result<Members> {
    let mut members = event.members.clone();
    if members.have(account) {
        return Ok(members);
    }
    let empty = members.0.iter().position(Option::is_none);
    if empty.is_none() && members.0.len() >= MAX_MEMBERS {
        return Err(Error::new(
            ErrorCode::Conflict,
            format!(
                "`{}` of schedule `{}` has {MAX_MEMBERS} members, which is as many as PagerDuty \
                 takes",
                event.definition.name(),
                clean(schedule)
            ),
        )
        .hint("take somebody off it first"));
    }
    let member = Some(account.to_owned());
    match empty.and_then(|at| members.0.get_mut(at)) {
        Some(empty) => *empty = member,
        None => members.0.push(member),
    }
    Ok(members)
}

fn leave_rotations(client: &Client, account: &str, schedule: &ShiftSchedule) -> Result<bool> {
    let mut is_changed = false;
    for rotation in &schedule.rotations {
        let events = Events {
            client,
            schedule: &schedule.id,
            rotation: &rotation.id,
        };
        for event in rotation.open_events(client.now()) {
            if event.members.have(account) {
                let is_for_all = event.definition.is_for_all_at_once();
                let members = event.members.with(account, None, is_for_all);
                events.change(event, &members)?;
                is_changed = true;
            }
        }
        // An earlier call came no further than to end it.
        for event in rotation.cut_off(client.now()) {
            if event.members.have(account) {
                let is_for_all = event.definition.is_for_all_at_once();
                let members = event.members.with(account, None, is_for_all);
                events.create(&event.definition.open_ended(), &members)?;
                is_changed = true;
            }
        }
    }
    Ok(is_changed)
}

/// Several layers or rotations, or none.
fn not_one(schedule: &str, count: usize, what: &str) -> Error {
    let schedule = clean(schedule);
    let message = match count {
        0 => format!("schedule `{schedule}` has no {what} that is in effect"),
        count => format!(
            "schedule `{schedule}` has {count} {what}s, and nothing says which one is meant"
        ),
    };
    Error::new(ErrorCode::Conflict, message).hint(format!(
        "put the account on the {what} that is meant in PagerDuty"
    ))
}
