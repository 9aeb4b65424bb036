//! The rotations and events of a v3 schedule, to be changed.
//!
//! Of an event in effect only its end can be changed. So who is in it changes
//! by a successor: the event is deleted, which ends it and keeps what was, and
//! one with the same name, shifts and recurrence is created that is in effect
//! from now on. Turns are counted from the first shift, so they go on as they
//! were (PagerDuty's guide to upgrading schedules). Events that are not in
//! effect yet are changed as they are.
//!
//! Limits: 5 events in a rotation, which must not overlap; 20 members in an
//! event.

use crate::errors::{Error, ErrorCode, Result};
use crate::instants::Timestamp;
use crate::pagerduty::client::{Change, Client, vendor_id};
use crate::pagerduty::errors::clean;
use crate::pagerduty::json::{Instants as _, Json, Row};
use crate::pagerduty::schedules::is_open;
use crate::pagerduty::schedules_v3::{self, has_its_people, user};

/// Members that an event can have.
pub const MAX_MEMBERS: usize = 20;

/// A caller whose call broke off repeats it within so many seconds. Later, an
/// event that ended is one that somebody wanted to end.
const REPEATED_WITHIN: i64 = 3600;

/// The strategy of events whose members are all on call at once.
const FOR_ALL_AT_ONCE: &str = "every_member_assignment_strategy";

/// A schedule that is read to be changed.
pub struct ShiftSchedule {
    /// Vendor identifier; empty if there was none.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its rotations.
    pub rotations: Vec<Rotation>,
}

/// A rotation: its events follow each other.
pub struct Rotation {
    /// Vendor identifier.
    pub id: String,
    /// Past, present and future ones.
    pub events: Vec<Event>,
}

/// A recurring shift.
pub struct Event {
    /// Vendor identifier.
    pub id: String,
    /// Who takes turns.
    pub members: Members,
    /// All else.
    pub definition: Definition,
    since: Option<Timestamp>,
}

/// Who takes turns, in order. Some places may be empty.
#[derive(Clone, PartialEq)]
pub struct Members(pub Vec<Option<String>>);

/// What an event is, but for its id, its members and when it took effect.
#[derive(Clone)]
pub struct Definition(Json<'static>);

impl Row for ShiftSchedule {
    const MANY: &'static str = "schedules";
    const ONE: &'static str = "schedule";

    fn read(json: &Json) -> Self {
        let rotations = json.objects("rotations").map(|rotation| Rotation {
            id: rotation.id(),
            events: rotation.objects("events").map(Event::read).collect(),
        });
        Self {
            id: json.id(),
            name: json.text("name").unwrap_or_default(),
            rotations: rotations.collect(),
        }
    }

    fn is_identified(json: &Json) -> bool {
        json.has_id()
            && json.has_text("name")
            && json.each("rotations", &|rotation| {
                rotation.has_id() && rotation.each("events", &is_whole)
            })
    }
}

/// Whether an event says all that its successor takes over.
fn is_whole(event: &Json) -> bool {
    let strategy = event.get("assignment_strategy");
    let at = |name: &str| {
        let at = event.get(name);
        at.has_text("date_time") && at.has_text("time_zone")
    };
    event.has_id()
        && event.is_text("name")
        && at("start_time")
        && at("end_time")
        && event.has_instant("effective_since")
        && event.may_have_instant("effective_until")
        && strategy.has_text("type")
        && (strategy.says("type", FOR_ALL_AT_ONCE)
            || strategy.number("shifts_per_member").is_some())
        && has_its_people(event)
}

impl ShiftSchedule {
    /// Reads one. A v2 schedule's id gets a 400.
    pub fn fetch(client: &Client, id: &str) -> Result<Self> {
        client.fetch_one(schedules_v3::request(id)?)
    }
}

impl Rotation {
    /// The events that are, or will be, in effect.
    pub fn open_events(&self, now: Timestamp) -> impl Iterator<Item = &Event> {
        let events = self.events.iter();
        events.filter(move |event| event.is_open(now))
    }

    /// Events that a change of their members has ended without going on to
    /// their successors, as far as that can be seen: it was lately, nothing of
    /// that name follows, and there were several people in them. (One who was
    /// alone may have been taken off.)
    pub fn cut_off(&self, now: Timestamp) -> impl Iterator<Item = &Event> {
        let events = self.events.iter();
        events.filter(move |event| {
            event.ended_lately(now)
                && event.members.are_several()
                && !self.events.iter().any(|other| other.follows(event))
        })
    }

    /// An event in effect, now or later, with these members.
    pub fn find(&self, what: &Definition, members: &Members, now: Timestamp) -> Option<&Event> {
        let mut events = self.open_events(now);
        events.find(|event| event.members == *members && event.definition.is(what))
    }
}

impl Event {
    fn read(json: &Json) -> Self {
        let strategy = json.get("assignment_strategy");
        Self {
            id: json.id(),
            members: Members(strategy.objects("members").map(user).collect()),
            definition: Definition(Json::of([
                ("name", json.text("name").as_deref().into()),
                ("start_time", json.get("start_time").to_static()),
                ("end_time", json.get("end_time").to_static()),
                (
                    "effective_until",
                    json.text("effective_until").as_deref().into(),
                ),
                ("recurrence", json.get("recurrence").to_static()),
                ("type", strategy.text("type").as_deref().into()),
                (
                    "shifts_per_member",
                    strategy.get("shifts_per_member").to_static(),
                ),
            ])),
            since: json.instant("effective_since"),
        }
    }

    /// Whether it is, or will be, in effect.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.definition.is_open(now)
    }

    fn until(&self) -> Option<Timestamp> {
        self.definition.0.instant("effective_until")
    }

    fn ended_lately(&self, now: Timestamp) -> bool {
        let lately = now.plus(-REPEATED_WITHIN);
        self.until()
            .is_some_and(|until| until <= now && until > lately)
    }

    fn follows(&self, other: &Self) -> bool {
        // One that is open lasts the longest.
        let ends = |event: &Self| event.until().map_or(i64::MAX, Timestamp::millis);
        self.definition.name() == other.definition.name()
            && (ends(self), self.since) > (ends(other), other.since)
    }

    /// Whether it has come into effect.
    pub fn has_begun(&self, now: Timestamp) -> bool {
        self.since.is_none_or(|since| since <= now)
    }
}

impl Members {
    /// Whether that user is among them.
    pub fn have(&self, id: &str) -> bool {
        self.0.iter().any(|member| member.as_deref() == Some(id))
    }

    /// Whether there are two people or more.
    fn are_several(&self) -> bool {
        let people: Vec<&str> = self.0.iter().flatten().map(String::as_str).collect();
        people.iter().any(|person| Some(person) != people.first())
    }

    /// Whether there is nobody.
    pub fn are_nobody(&self) -> bool {
        self.0.is_empty()
    }

    /// Where that user is, from 0.
    pub fn places(&self, id: &str) -> Vec<usize> {
        let members = self.0.iter().enumerate();
        let own = members.filter(|(_, member)| member.as_deref() == Some(id));
        own.map(|(at, _)| at).collect()
    }

    /// With somebody else, or an empty place, in that user's places. Where all
    /// are on call at once there is no need for an empty place, or for somebody
    /// who is there already. Without any user nobody is left.
    pub fn with(&self, user: &str, by: Option<&str>, is_for_all_at_once: bool) -> Self {
        let mut members = self.0.clone();
        if is_for_all_at_once && by.is_none_or(|by| self.have(by)) {
            members.retain(|member| member.as_deref() != Some(user));
        }
        for member in &mut members {
            if member.as_deref() == Some(user) {
                *member = by.map(str::to_owned);
            }
        }
        if members.iter().all(Option::is_none) {
            members.clear();
        }
        Self(members)
    }

    /// For a request or a step's payload.
    pub fn write(&self) -> Json<'static> {
        let members = self.0.iter().map(|member| member_of(member.as_deref()));
        Json::List(members.collect())
    }

    /// From a step's payload.
    pub fn read(json: &Json, name: &str) -> Self {
        Self(json.objects(name).map(user).collect())
    }
}

/// A user, or an empty place.
pub fn member_of(user: Option<&str>) -> Json<'static> {
    let kind = match user {
        Some(_) => "user_member",
        None => "empty_member",
    };
    Json::of([("type", kind.into()), ("user_id", user.into())])
}

impl Definition {
    /// For a step's payload.
    pub fn write(&self) -> Json<'static> {
        self.0.clone()
    }

    /// From a step's payload.
    pub fn read(json: &Json) -> Self {
        Self(json.to_static())
    }

    /// What people call it.
    pub fn name(&self) -> String {
        clean(&self.0.text("name").unwrap_or_default())
    }

    /// The same without an end: of an event that was cut off, the end says when
    /// that was, and whether another one was planned is lost.
    pub fn open_ended(&self) -> Self {
        let Json::Object(fields) = &self.0 else {
            return self.clone();
        };
        let fields = fields.iter().filter(|(name, _)| name != "effective_until");
        Self(Json::Object(fields.cloned().collect()))
    }

    /// Whether it has not run out.
    pub fn is_open(&self, now: Timestamp) -> bool {
        is_open(self.0.text("effective_until").as_deref(), now)
    }

    /// Whether all members are on call at once, rather than in turns.
    pub fn is_for_all_at_once(&self) -> bool {
        self.0.says("type", FOR_ALL_AT_ONCE)
    }

    /// Whether it is the same, however the instants are written.
    fn is(&self, other: &Self) -> bool {
        let same = |name: &str| self.0.get(name) == other.0.get(name);
        let instant = |json: &Json, name: &str| {
            let text = json.text(name);
            text.as_deref().and_then(Timestamp::parse)
        };
        let same_wall_clock = |name: &str| {
            let (a, b) = (self.0.get(name), other.0.get(name));
            let at = instant(a, "date_time");
            a == b
                || at.is_some()
                    && at == instant(b, "date_time")
                    && a.get("time_zone") == b.get("time_zone")
        };
        ["name", "recurrence", "type", "shifts_per_member"]
            .into_iter()
            .all(same)
            && ["start_time", "end_time"].into_iter().all(same_wall_clock)
            && (same("effective_until")
                || instant(&self.0, "effective_until") == instant(&other.0, "effective_until"))
    }

    fn body(&self, members: &Members, since: Timestamp) -> Json<'static> {
        let field = |name: &str| self.0.get(name).clone();
        let strategy = Json::of([
            ("type", field("type")),
            ("shifts_per_member", field("shifts_per_member")),
            ("members", members.write()),
        ]);
        let event = Json::of([
            ("name", field("name")),
            ("start_time", field("start_time")),
            ("end_time", field("end_time")),
            ("effective_since", since.to_rfc3339().as_str().into()),
            ("effective_until", field("effective_until")),
            ("recurrence", field("recurrence")),
            ("assignment_strategy", strategy),
        ]);
        Json::of([("event", event)])
    }
}

/// Where the events of a rotation are.
pub struct Events<'a> {
    /// The call's client.
    pub client: &'a Client,
    /// The schedule's id.
    pub schedule: &'a str,
    /// The rotation's id.
    pub rotation: &'a str,
}

impl Events<'_> {
    /// Gives an event other members; none end it. Returns the id of the event
    /// that has them.
    pub fn change(&self, event: &Event, members: &Members) -> Result<Option<String>> {
        let now = self.client.now().whole_second();
        let path = format!("{}/{}", self.path()?, vendor_id(&event.id)?);
        if !members.are_nobody() && !event.has_begun(now) {
            let since = event.since.unwrap_or(now);
            let body = event.definition.body(members, since);
            let changed = self.client.change(Change::put(path, &body));
            let is_there = |found: &Rotation| found.find(&event.definition, members, now).is_some();
            self.confirmed(changed.map(drop), &is_there)?;
            return Ok(Some(event.id.clone()));
        }
        let had_changed = self.client.has_changed();
        let deleted = self.client.change(Change::delete(path));
        let is_over = |found: &Rotation| !found.open_events(now).any(|open| open.id == event.id);
        match self.confirmed(deleted.map(drop), &is_over) {
            Err(error) if error.code == ErrorCode::NotFound => {}
            outcome => outcome?,
        }
        if members.are_nobody() {
            return Ok(None);
        }
        self.create(&event.definition, members)
            .map(Some)
            .map_err(|error| self.put_back(event, &error, had_changed))
    }

    /// Creates an event that is in effect from now on.
    pub fn create(&self, what: &Definition, members: &Members) -> Result<String> {
        let now = self.client.now().whole_second();
        let path = self.path()?;
        let body = what.body(members, now);
        let mut is_last = false;
        loop {
            let reply = self.client.change(Change::post(path.as_str(), &body));
            let created = reply.and_then(|reply| Ok(reply.json()?.get("event").id()));
            let error = match created {
                Err(error) if error.may_have_applied => error,
                outcome => return outcome,
            };
            // Nobody knows whether it is there: look before doing it again.
            let Some(found) = self.look() else {
                return Err(error);
            };
            if let Some(event) = found.find(what, members, now) {
                return Ok(event.id.clone());
            }
            if is_last {
                return Err(error);
            }
            is_last = true;
        }
    }

    /// A change whose fate is not known took effect if the rotation looks so.
    /// (To end what an attempt before has ended is refused.)
    fn confirmed(&self, outcome: Result<()>, is_done: &dyn Fn(&Rotation) -> bool) -> Result<()> {
        match outcome {
            Err(error) if error.may_have_applied && self.look().is_some_and(|it| is_done(&it)) => {
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// The rotation as it is now, if it can be read.
    fn look(&self) -> Option<Rotation> {
        let schedule = ShiftSchedule::fetch(self.client, self.schedule).ok()?;
        let mut rotations = schedule.rotations.into_iter();
        rotations.find(|rotation| rotation.id == self.rotation)
    }

    /// After the event was ended and its successor refused: rather the old
    /// members than nobody on call.
    fn put_back(&self, event: &Event, error: &Error, had_changed: bool) -> Error {
        let name = event.definition.name();
        let is_back = !error.may_have_applied
            && error.code != ErrorCode::BudgetExhausted
            && self.create(&event.definition, &event.members).is_ok();
        let (state, hint) = if is_back {
            self.client.set_has_changed(had_changed);
            (
                "so it is in effect again as it was",
                "a rotation has room for 5 events that don't overlap: look at it in PagerDuty",
            )
        } else {
            (
                "and it has ended, so that nobody is on call in it",
                "apply the step again, or create the event in PagerDuty",
            )
        };
        let mut explained = error.reworded(
            Error::new(
                error.code,
                format!(
                    "event `{name}` could not be followed by one with other members, {state}: {}",
                    error.message
                ),
            )
            .hint(hint),
        );
        explained.retry_after = error.retry_after;
        explained.may_have_applied = !is_back;
        explained
    }

    fn path(&self) -> Result<String> {
        Ok(format!(
            "/v3/schedules/{}/rotations/{}/events",
            vendor_id(self.schedule)?,
            vendor_id(self.rotation)?
        ))
    }
}
