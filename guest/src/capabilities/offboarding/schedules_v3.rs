//! Steps that take an account out of the rotations of v3 schedules, one for
//! each rotation.
//!
//! An heir, or an empty place, takes the account's place in each event that is
//! or will be in effect, so that nobody else's turns move. Where all members
//! are on call at once an account needs no replacement by an empty place, or by
//! somebody who is a member already. An event with nobody left ends.
//!
//! To change an event in effect means to end it and to create its successor. A
//! step that was cut off in between is applied again: it finds the event ended
//! and nothing in its place, and creates the successor. (It can't tell this
//! from somebody having ended the event on purpose after the plan was made.)
//!
//! Somebody else may have taken single shifts of the account by an override.
//! Overrides name whom they replace, so they are made anew for the heir, or for
//! the empty place, and the old ones, then without effect, are deleted.

use super::parties::{Subject, listed, malformed, places_of, quoted, required, world_changed};
use super::step::{Draft, Drafts, Leaving, applied, unchanged};
use crate::errors::{ErrorCode, Result};
use crate::exports::iga::connector::offboarding::Applied;
use crate::iga::connector::types::Effect;
use crate::instants::Timestamp;
use crate::pagerduty::client::Client;
use crate::pagerduty::json::Json;
use crate::pagerduty::paging::{self, List};
use crate::pagerduty::schedule_events::{
    Definition, Event, Events, Members, Rotation, ShiftSchedule,
};
use crate::pagerduty::schedules::is_unknown;
use crate::pagerduty::schedules_v3::{self, ScheduleV3};
use crate::pagerduty::shifts_v3::{Kind, Once, Scope};

/// An heir takes the account's places.
pub const REPLACE: &str = "replace-in-shift-schedule";
/// The account goes, and nobody takes its places.
pub const REMOVE: &str = "remove-from-shift-schedule";

/// One step for each rotation that the account takes part in.
pub fn plan(client: &Client, leaving: &Leaving<'_>) -> Result<Drafts> {
    let mut drafts = Drafts::default();
    let mut requests = Vec::new();
    for schedule in all(client, &mut drafts.warnings)? {
        requests.push(schedules_v3::request(&schedule.id)?);
    }
    for reply in client.send_all(requests) {
        let schedule: ShiftSchedule = match reply {
            // Gone since it was listed.
            Err(error) if error.code == ErrorCode::NotFound => continue,
            reply => reply?.one()?,
        };
        let subject = Subject::of(&schedule.id, &schedule.name, leaving);
        for rotation in &schedule.rotations {
            let mut parts = Vec::new();
            for event in rotation.open_events(client.now()) {
                if event.members.have(&leaving.source.id) {
                    parts.push(Part::of(event, &subject, client.now()));
                }
            }
            if !parts.is_empty() {
                warn(&subject, &parts, &mut drafts.warnings);
                drafts.steps.push(draft(&subject, &rotation.id, &parts));
            }
        }
    }
    Ok(drafts)
}

/// All v3 schedules, by reference. If they are out of reach for the tenant or
/// the credential the plan goes on without them, and says so.
pub fn all(client: &Client, warnings: &mut Vec<String>) -> Result<Vec<ScheduleV3>> {
    match paging::read_all::<ScheduleV3>(client, &List::all(schedules_v3::PATH)) {
        Ok(mut rows) => {
            rows.retain(|row| !row.id.is_empty());
            Ok(rows)
        }
        Err(error) if error.is_out_of_reach() => {
            warnings.push(format!(
                "shift-based schedules are left out: {}",
                error.message
            ));
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

/// Applies a step of either kind.
pub fn apply(client: &Client, payload: &Json) -> Result<Applied> {
    let subject = Subject::read(payload)?;
    let id = required(payload.get("what"), "rotation")?;
    let parts = Part::read(payload.get("what"))?;
    let schedule = match ShiftSchedule::fetch(client, &subject.schedule) {
        Ok(schedule) => schedule,
        Err(error) if is_unknown(&error) => return Ok(unchanged("already-gone")),
        Err(error) => return Err(error),
    };
    let mut rotations = schedule.rotations.iter();
    let Some(rotation) = rotations.find(|rotation| rotation.id == id) else {
        return Ok(unchanged("already-gone"));
    };
    let mut tasks = Vec::new();
    for part in &parts {
        tasks.extend(
            part.task(&subject, rotation, client.now())?
                .map(|task| (part, task)),
        );
    }

    let once = Once {
        client,
        schedule: &subject.schedule,
    };
    let events = Events {
        client,
        schedule: &subject.schedule,
        rotation: &id,
    };
    let scope = Scope {
        is_shift: false,
        id: id.clone(),
    };
    // Those for the heir come first: until the events change they are without
    // effect, and afterwards not a moment is without them.
    let mut overrides = Vec::new();
    if let Some(stand_in) = stand_in(&subject, &parts) {
        overrides = once.carry_over((&scope, &subject.parties.from.id), (&scope, stand_in))?;
    }
    if tasks.is_empty() && overrides.is_empty() {
        return Ok(unchanged("already-done"));
    }
    let mut undo = Vec::new();
    for (part, task) in tasks {
        let id = match task {
            Task::Change(event) => events.change(event, &part.now)?,
            Task::Create => Some(events.create(&part.definition, &part.now)?),
        };
        undo.extend(id.map(|id| part.undo(id)));
    }
    for one in &overrides {
        once.delete(Kind::Override, one)?;
    }
    let back = subject.reversed().filter(|_| !undo.is_empty());
    Ok(applied(
        Effect::Updated,
        back.map(|back| draft(&back, &id, &undo)),
    ))
}

/// What a step is to do with an event.
struct Part {
    id: String,
    had_begun: bool,
    definition: Definition,
    was: Members,
    /// Nobody if the event is to end.
    now: Members,
}

/// What is left to do.
enum Task<'a> {
    Change(&'a Event),
    Create,
}

impl Part {
    fn of(event: &Event, subject: &Subject, now: Timestamp) -> Self {
        let is_for_all = event.definition.is_for_all_at_once();
        let (from, to) = (&subject.parties.from.id, subject.parties.to_id());
        Self {
            id: event.id.clone(),
            had_begun: event.has_begun(now),
            definition: event.definition.clone(),
            was: event.members.clone(),
            now: event.members.with(from, to, is_for_all),
        }
    }

    fn write(&self) -> Json<'static> {
        Json::of([
            ("id", self.id.as_str().into()),
            ("begun", Json::Flag(self.had_begun)),
            ("event", self.definition.write()),
            ("was", self.was.write()),
            ("now", self.now.write()),
        ])
    }

    fn read(what: &Json) -> Result<Vec<Self>> {
        let mut parts = Vec::new();
        for event in what.objects("events") {
            parts.push(Self {
                id: event.id(),
                had_begun: event.flag("begun").ok_or_else(malformed)?,
                definition: Definition::read(event.object("event").ok_or_else(malformed)?),
                was: Members::read(event, "was"),
                now: Members::read(event, "now"),
            });
        }
        Ok(parts)
    }

    fn undo(&self, id: String) -> Self {
        Self {
            id,
            had_begun: self.had_begun,
            definition: self.definition.clone(),
            was: self.now.clone(),
            now: self.was.clone(),
        }
    }

    /// What is left to do for it.
    fn task<'r>(
        &self,
        subject: &Subject,
        rotation: &'r Rotation,
        now: Timestamp,
    ) -> Result<Option<Task<'r>>> {
        if rotation.find(&self.definition, &self.now, now).is_some() {
            return Ok(None);
        }
        if let Some(event) = rotation.find(&self.definition, &self.was, now) {
            return Ok(Some(Task::Change(event)));
        }
        let is_it = |event: &&Event| event.id == self.id;
        let is_there = rotation.events.iter().any(|event| event.id == self.id);
        let other = rotation
            .open_events(now)
            .find(is_it)
            .or_else(|| rotation.open_events(now).find(|event| event.has_begun(now)));
        match other {
            // Somebody else has changed it, or put another in its place.
            Some(event) if event.members.have(&subject.parties.from.id) => {
                Err(world_changed(format!(
                    "{} of schedule {} is not as it was when the plan was made",
                    quoted(&self.definition.name()),
                    quoted(&subject.name)
                )))
            }
            Some(_) => Ok(None),
            // It was to end, has run out, or was deleted before it began.
            None if self.now.are_nobody()
                || !self.definition.is_open(now)
                || !(self.had_begun || is_there) =>
            {
                Ok(None)
            }
            None => Ok(Some(Task::Create)),
        }
    }
}

/// Who is in the places now, if the account is in none any more: somebody, or
/// nobody.
fn stand_in<'s>(subject: &'s Subject, parts: &[Part]) -> Option<Option<&'s str>> {
    let to = subject.parties.to_id();
    let from = &subject.parties.from.id;
    let has_left = !parts.iter().any(|part| part.now.have(from));
    let is_in = |part: &Part| part.now.0.iter().any(|member| member.as_deref() == to);
    (has_left && parts.iter().any(is_in)).then_some(to)
}

fn draft(subject: &Subject, rotation: &str, parts: &[Part]) -> Draft {
    let events = parts.iter().map(Part::write).collect();
    let what = Json::of([
        ("rotation", rotation.into()),
        ("events", Json::List(events)),
    ]);
    let from = &subject.parties.from;
    let mut events = Vec::new();
    for part in parts {
        let of = part.was.0.len();
        let is_shorter = part.now.0.len() < of;
        let note = match &subject.parties.to {
            _ if part.now.are_nobody() => "nobody else is in it, so it ends".to_owned(),
            Some(to) if is_shorter => format!("{} is in it already", to.name),
            to => {
                let places = places_of(&part.was.places(&from.id), of);
                let is_empty = to.is_none() && !is_shorter;
                format!(
                    "{places}{}",
                    if is_empty { ", empty from then on" } else { "" }
                )
            }
        };
        events.push(format!("{} ({note})", quoted(&part.definition.name())));
    }
    let (kind, change) = match &subject.parties.to {
        Some(to) => (
            REPLACE,
            format!("{} takes the place of {} in", to.name, from.name),
        ),
        None => (REMOVE, format!("{} leaves", from.name)),
    };
    Draft {
        kind,
        summary: format!(
            "On shift-based schedule {}, {change} {}; nobody else's turns move",
            quoted(&subject.name),
            listed(events)
        ),
        payload: subject.payload("what", what),
    }
}

fn warn(subject: &Subject, parts: &[Part], warnings: &mut Vec<String>) {
    for part in parts {
        let (was, now) = (part.was.0.len(), part.now.0.len());
        if subject.parties.to.is_none() && (now == 0 || now == was) {
            warnings.push(format!(
                "nobody takes over the turns of {} in {} of schedule {}: nobody is on call in them",
                subject.parties.from.name,
                quoted(&part.definition.name()),
                quoted(&subject.name)
            ));
        }
    }
}
