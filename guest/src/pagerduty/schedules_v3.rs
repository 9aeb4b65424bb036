//! Schedules with shifts (v3), which the list of v2 schedules does not show. A
//! schedule is in one of the two lists; a migrated one keeps its id.

use crate::errors::Result;
use crate::ids::unique;
use crate::instants::Timestamp;
use crate::pagerduty::client::{Request, checked_id};
use crate::pagerduty::json::{Instants as _, Json, Row};
use crate::pagerduty::schedules::{Turn, is_open};

/// The list. Its rows are bare references.
pub const PATH: &str = "/v3/schedules";

/// A schedule, or in the list a reference to one.
#[derive(Clone, Debug)]
pub struct ScheduleV3 {
    /// Vendor identifier; empty if there was none.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// Free text.
    pub description: Option<String>,
    events: Vec<Event>,
    turns: Vec<Turn>,
}

#[derive(Clone, Debug)]
struct Event {
    effective_until: Option<String>,
    users: Vec<String>,
}

impl Row for ScheduleV3 {
    const MANY: &'static str = "schedules";
    const ONE: &'static str = "schedule";

    fn read(json: &Json) -> Self {
        let events = json.objects("rotations").flat_map(|r| r.objects("events"));
        let events = events.map(|event| Event {
            effective_until: event.text("effective_until"),
            users: (event.get("assignment_strategy").objects("members"))
                .filter_map(user)
                .collect(),
        });
        let turns = json
            .get("final_schedule")
            .objects("computed_shift_assignments");
        let turns = turns.filter_map(|turn| {
            Some(Turn {
                user: user(turn.get("member"))?,
                start: turn.instant("start_time"),
                end: turn.instant("end_time"),
            })
        });
        Self {
            id: json.id(),
            // References have no more than a summary.
            name: json.text("name").or_else(|| json.text("summary")),
            description: json.text("description"),
            events: events.collect(),
            turns: turns.collect(),
        }
    }

    fn is_identified(json: &Json) -> bool {
        let turns = json.get("final_schedule");
        json.has_id()
            && json.each("rotations", &|rotation| {
                rotation.each("events", &has_its_people)
            })
            && turns.each("computed_shift_assignments", &|turn| {
                names_somebody(turn, "member")
            })
    }
}

/// Whether an event says who takes turns in it.
pub fn has_its_people(event: &Json) -> bool {
    event.get("assignment_strategy").each("members", &is_member)
}

/// Whether the member in a field, if there is one, says who it is.
pub fn names_somebody(json: &Json, name: &str) -> bool {
    json.object(name).is_none_or(is_member)
}

/// Whether a member says who it is, or that it is nobody.
fn is_member(member: &Json) -> bool {
    member.has_text("type") && (member.has_text("user_id") || !is_user(member))
}

fn is_user(member: &Json) -> bool {
    member.says("type", "user_member")
}

/// The user of a member; none for a slot that nobody fills (`empty_member`).
pub fn user(member: &Json) -> Option<String> {
    member
        .text("user_id")
        .filter(|id| !id.is_empty() && is_user(member))
}

impl ScheduleV3 {
    /// Who is on call at that time, if the request asked for it.
    pub fn on_call(self, at: Timestamp) -> Vec<Turn> {
        let turns = self.turns.into_iter();
        turns.filter(|turn| turn.covers(at)).collect()
    }

    /// Who is part of it: the users of events that are, or will be, in effect.
    pub fn members(&self, now: Timestamp) -> Vec<&str> {
        let users = self
            .events
            .iter()
            .filter(|event| is_open(event.effective_until.as_deref(), now))
            .flat_map(|event| event.users.iter().map(String::as_str));
        unique(users)
    }
}

/// Asks for one schedule with its rotations. A v2 schedule's id gets a 400.
pub fn request(id: &str) -> Result<Request> {
    Ok(Request::get(format!("/v3/schedules/{}", checked_id(id)?)))
}

/// Asks who is on call on a schedule, overrides included.
pub fn on_call_request(id: &str, at: Timestamp) -> Result<Request> {
    Ok(request(id)?
        .with("since", &at.to_rfc3339())
        .with("until", &at.plus(1).to_rfc3339())
        .with("overflow", "true")
        .with("include[]", "final_schedule"))
}
