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

use super::parties::{Parties, listed, malformed, places_of, quoted, required, world_changed};
use super::step::{Draft, Drafts, Leaving, applied, unchanged};
use crate::errors::{ErrorCode, Result};
use crate::exports::iga::connector::offboarding::Applied;
use crate::iga::connector::types::Effect;
use crate::instants::Timestamp;
use crate::pagerduty::client::{Client, Request};
use crate::pagerduty::json::Json;
use crate::pagerduty::paging::{self, List};
use crate::pagerduty::schedule_events::{
    Definition, Event, Events, Members, Rotation, ShiftSchedule,
};
use crate::pagerduty::schedules::is_unknown;
use crate::pagerduty::schedules_v3::{self, ScheduleV3};
use crate::pagerduty::shifts_v3::{Once, Scope};

/// An heir takes the account's places.
pub const REPLACE: &str = "replace-in-shift-schedule";
/// The account goes, and nobody takes its places.
pub const REMOVE: &str = "remove-from-shift-schedule";

/// One step for each rotation that the account takes part in.
pub fn plan(client: &Client, leaving: &Leaving<'_>) -> Result<Drafts> {
    let mut drafts = Drafts::default();
    let schedules = all(client, &mut drafts.warnings)?;
    let requests = schedules
        .iter()
        .map(|schedule| schedules_v3::request(&schedule.id));
    let requests: Vec<Request> = requests.collect::<Result<_>>()?;
    for reply in client.send_all(requests) {
        let schedule = match reply.and_then(|reply| reply.one::<ShiftSchedule>()) {
            Ok(schedule) => schedule,
            // Gone since it was listed.
            Err(error) if error.code == ErrorCode::NotFound => continue,
            Err(error) => return Err(error),
        };
        for rotation in &schedule.rotations {
            if let Some(change) = Change::of(&schedule, rotation, leaving, client.now())? {
                change.warn(&mut drafts.warnings);
                drafts.steps.push(change.draft());
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
    let change = Change::read(payload)?;
    let now = client.now();
    let schedule = match ShiftSchedule::fetch(client, &change.schedule) {
        Ok(schedule) => schedule,
        Err(error) if is_unknown(&error) => return Ok(unchanged("already-gone")),
        Err(error) => return Err(error),
    };
    let mut rotations = schedule.rotations.iter();
    let Some(rotation) = rotations.find(|rotation| rotation.id == change.rotation) else {
        return Ok(unchanged("already-gone"));
    };
    let tasks = change
        .events
        .iter()
        .map(|part| change.task(part, rotation, now));
    let tasks: Vec<Option<Task<'_>>> = tasks.collect::<Result<_>>()?;

    let once = Once {
        client,
        schedule: &change.schedule,
    };
    let events = Events {
        client,
        schedule: &change.schedule,
        rotation: &change.rotation,
    };
    let scope = Scope::rotation(&change.rotation);
    // Those for the heir come first: until the events change they are without
    // effect, and afterwards not a moment is without them.
    let old_overrides = match change.stand_in() {
        Some(stand_in) => once.carry_over((&scope, &change.parties.from.id), (&scope, stand_in))?,
        None => Vec::new(),
    };
    let mut has_changed = !old_overrides.is_empty();
    let mut undo = Vec::new();
    for (part, task) in change.events.iter().zip(tasks) {
        let id = match task {
            None => continue,
            Some(Task::Change(event)) => events.change(event, &part.now)?,
            Some(Task::Create) => Some(events.create(&part.definition, &part.now)?),
        };
        has_changed = true;
        undo.extend(id.map(|id| part.undo(id)));
    }
    for id in &old_overrides {
        once.delete_override(id)?;
    }
    if !has_changed {
        return Ok(unchanged("already-done"));
    }
    Ok(applied(Effect::Updated, change.undo(undo)))
}

/// What a step is to do.
struct Change {
    schedule: String,
    name: String,
    rotation: String,
    parties: Parties,
    events: Vec<Part>,
}

/// What it is to do with an event.
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
    fn of(event: &Event, parties: &Parties, now: Timestamp) -> Self {
        let is_for_all = event.definition.is_for_all_at_once();
        let members = event
            .members
            .with(&parties.from.id, parties.to_id(), is_for_all);
        Self {
            id: event.id.clone(),
            had_begun: event.has_begun(now),
            definition: event.definition.clone(),
            was: event.members.clone(),
            now: members,
        }
    }

    fn write(&self) -> Json {
        Json::of([
            ("id", self.id.as_str().into()),
            ("begun", Json::Flag(self.had_begun)),
            ("event", self.definition.write()),
            ("was", self.was.write()),
            ("now", self.now.write()),
        ])
    }

    fn read(json: &Json) -> Option<Self> {
        Some(Self {
            id: json.text("id")?,
            had_begun: json.flag("begun")?,
            definition: Definition::read(json.object("event")?),
            was: Members::read(json, "was"),
            now: Members::read(json, "now"),
        })
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
}

impl Change {
    fn of(
        schedule: &ShiftSchedule,
        rotation: &Rotation,
        leaving: &Leaving<'_>,
        now: Timestamp,
    ) -> Result<Option<Self>> {
        let mut events = rotation
            .open_events(now)
            .filter(|event| event.members.have(&leaving.source.id))
            .peekable();
        if events.peek().is_none() {
            return Ok(None);
        }
        let parties = Parties::of(leaving);
        Ok(Some(Self {
            schedule: schedule.id.clone(),
            name: schedule.name.clone(),
            rotation: rotation.id.clone(),
            events: events.map(|event| Part::of(event, &parties, now)).collect(),
            parties,
        }))
    }

    fn draft(&self) -> Draft {
        let events = self.events.iter().map(Part::write).collect();
        let mut payload = vec![
            ("schedule".to_owned(), self.schedule.as_str().into()),
            ("name".to_owned(), self.name.as_str().into()),
            ("rotation".to_owned(), self.rotation.as_str().into()),
            ("events".to_owned(), Json::List(events)),
        ];
        self.parties.write(&mut payload);
        Draft {
            kind: if self.parties.to.is_some() {
                REPLACE
            } else {
                REMOVE
            },
            summary: self.summary(),
            payload: Json::Object(payload),
        }
    }

    fn read(payload: &Json) -> Result<Self> {
        let events = payload.objects("events").map(Part::read);
        Ok(Self {
            schedule: required(payload, "schedule")?,
            name: required(payload, "name")?,
            rotation: required(payload, "rotation")?,
            parties: Parties::read(payload)?,
            events: events.collect::<Option<_>>().ok_or_else(malformed)?,
        })
    }

    fn summary(&self) -> String {
        let from = &self.parties.from.name;
        let events = self.events.iter().map(|event| {
            let name = quoted(&event.definition.name());
            let places = event.was.places(&self.parties.from.id);
            let places = places_of(&places, event.was.0.len());
            match &self.parties.to {
                _ if event.now.are_nobody() => {
                    format!("{name} (nobody else is in it, so it ends)")
                }
                Some(to) if event.now.0.len() < event.was.0.len() => {
                    format!("{name} ({} is in it already)", to.name)
                }
                None if event.now.0.len() == event.was.0.len() => {
                    format!("{name} ({places}, empty from then on)")
                }
                _ => format!("{name} ({places})"),
            }
        });
        let events = listed(events.collect());
        let schedule = quoted(&self.name);
        match &self.parties.to {
            Some(to) => format!(
                "On shift-based schedule {schedule}, {} takes the place of {from} in {events}; \
                 nobody else's turns move",
                to.name
            ),
            None => format!(
                "On shift-based schedule {schedule}, {from} leaves {events}; nobody else's turns \
                 move"
            ),
        }
    }

    fn warn(&self, warnings: &mut Vec<String>) {
        for event in &self.events {
            let (was, now) = (event.was.0.len(), event.now.0.len());
            if self.parties.to.is_none() && (now == 0 || now == was) {
                warnings.push(format!(
                    "nobody takes over the turns of {} in {} of schedule {}: nobody is on call in \
                     them",
                    self.parties.from.name,
                    quoted(&event.definition.name()),
                    quoted(&self.name)
                ));
            }
        }
    }

    /// What is left to do for an event.
    fn task<'r>(
        &self,
        part: &Part,
        rotation: &'r Rotation,
        now: Timestamp,
    ) -> Result<Option<Task<'r>>> {
        if rotation.find(&part.definition, &part.now, now).is_some() {
            return Ok(None);
        }
        if let Some(event) = rotation.find(&part.definition, &part.was, now) {
            return Ok(Some(Task::Change(event)));
        }
        let is_it = |event: &&Event| event.id == part.id;
        let is_there = rotation.events.iter().any(|event| event.id == part.id);
        let from = &self.parties.from.id;
        let other = rotation
            .open_events(now)
            .find(is_it)
            .or_else(|| rotation.open_events(now).find(|event| event.has_begun(now)));
        match other {
            // Somebody else has changed it, or put another in its place.
            Some(event) if event.members.have(from) => Err(world_changed(format!(
                "{} of schedule {} is not as it was when the plan was made",
                quoted(&part.definition.name()),
                quoted(&self.name)
            ))),
            Some(_) => Ok(None),
            // It was to end, has run out, or was deleted before it began.
            None if part.now.are_nobody()
                || !part.definition.is_open(now)
                || !(part.had_begun || is_there) =>
            {
                Ok(None)
            }
            None => Ok(Some(Task::Create)),
        }
    }

    /// Who is in the places now, if the account is in none any more: somebody,
    /// or nobody.
    fn stand_in(&self) -> Option<Option<&str>> {
        let members = || self.events.iter().flat_map(|event| &event.now.0);
        let to = self.parties.to_id();
        let has_left = members().all(|member| member.as_ref() != Some(&self.parties.from.id));
        (has_left && members().any(|member| member.as_deref() == to)).then_some(to)
    }

    fn undo(&self, events: Vec<Part>) -> Option<Draft> {
        let undo = Self {
            schedule: self.schedule.clone(),
            name: self.name.clone(),
            rotation: self.rotation.clone(),
            parties: self.parties.reversed()?,
            events,
        };
        (!undo.events.is_empty()).then(|| undo.draft())
    }
}
