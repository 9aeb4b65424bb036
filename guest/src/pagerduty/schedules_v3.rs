//! Schedules with shifts (v3), which the list of v2 schedules does not show. A
//! schedule is in one of the two lists; a migrated one keeps its id.

use crate::errors::Result;
use crate::instants::Timestamp;
use crate::pagerduty::client::{Client, Request, checked_id};
use crate::pagerduty::json::{Json, Row};
use crate::pagerduty::schedules::{Turn, is_open};
use std::collections::BTreeSet;

/// The list. Its rows are bare references.
pub const PATH: &str = "/v3/schedules";

/// A schedule, or in the list a reference to one.
#[derive(Clone, Debug)]
pub struct ScheduleV3 {
    /// Vendor identifier; empty if there was none.
    pub id: String,
    name: Option<String>,
    summary: Option<String>,
    /// Free text.
    pub description: Option<String>,
    rotations: Vec<Rotation>,
    final_schedule: Option<FinalSchedule>,
}

impl Row for ScheduleV3 {
    const MANY: &'static str = "schedules";
    const ONE: &'static str = "schedule";

    fn read(json: &Json) -> Self {
        Self {
            id: json.id(),
            name: json.text("name"),
            summary: json.text("summary"),
            description: json.text("description"),
            rotations: json.objects("rotations").map(Rotation::read).collect(),
            final_schedule: json.object("final_schedule").map(FinalSchedule::read),
        }
    }
}

#[derive(Clone, Debug)]
struct Rotation {
    events: Vec<Event>,
}

impl Rotation {
    fn read(json: &Json) -> Self {
        Self {
            events: json.objects("events").map(Event::read).collect(),
        }
    }
}

#[derive(Clone, Debug)]
struct Event {
    effective_until: Option<String>,
    assignment_strategy: Option<Strategy>,
}

impl Event {
    fn read(json: &Json) -> Self {
        Self {
            effective_until: json.text("effective_until"),
            assignment_strategy: json.object("assignment_strategy").map(Strategy::read),
        }
    }
}

#[derive(Clone, Debug)]
struct Strategy {
    members: Vec<Member>,
}

impl Strategy {
    fn read(json: &Json) -> Self {
        Self {
            members: json.objects("members").map(Member::read).collect(),
        }
    }
}

#[derive(Clone, Debug)]
struct Member {
    kind: Option<String>,
    user_id: Option<String>,
}

impl Member {
    fn read(json: &Json) -> Self {
        Self {
            kind: json.text("type"),
            user_id: json.text("user_id"),
        }
    }
}

#[derive(Clone, Debug)]
struct FinalSchedule {
    computed_shift_assignments: Vec<Assignment>,
}

impl FinalSchedule {
    fn read(json: &Json) -> Self {
        Self {
            computed_shift_assignments: json.objects("computed_shift_assignments").map(Assignment::read).collect(),
        }
    }
}

#[derive(Clone, Debug)]
struct Assignment {
    member: Option<Member>,
    start_time: Option<String>,
    end_time: Option<String>,
}

impl Assignment {
    fn read(json: &Json) -> Self {
        Self {
            member: json.object("member").map(Member::read),
            start_time: json.text("start_time"),
            end_time: json.text("end_time"),
        }
    }
}

impl Member {
    /// None for a slot that nobody fills (`empty_member`).
    fn user(&self) -> Option<&str> {
        self.user_id
            .as_deref()
            .filter(|id| !id.is_empty() && self.kind.as_deref() == Some("user_member"))
    }
}

impl ScheduleV3 {
    /// Its name.
    pub fn label(&self) -> Option<&str> {
        self.name.as_deref().or(self.summary.as_deref())
    }

    /// Who is part of it: the users of events that are, or will be, in effect.
    pub fn members(&self, now: Timestamp) -> Vec<&str> {
        let users: BTreeSet<&str> = self
            .rotations
            .iter()
            .flat_map(|rotation| &rotation.events)
            .filter(|event| is_open(event.effective_until.as_deref(), now))
            .filter_map(|event| event.assignment_strategy.as_ref())
            .flat_map(|strategy| &strategy.members)
            .filter_map(Member::user)
            .collect();
        users.into_iter().collect()
    }
}

/// One schedule with its rotations. A v2 schedule's id gets a 400.
pub async fn get(client: &Client, id: &str) -> Result<ScheduleV3> {
    let path = format!("/v3/schedules/{}", checked_id(id)?);
    let schedule = client.fetch_one(&Request::get(path)).await?;
    Ok(schedule)
}

/// Who is on call on a schedule, overrides included.
pub async fn on_call(client: &Client, id: &str, at: Timestamp) -> Result<Vec<Turn>> {
    let request = Request::get(format!("/v3/schedules/{}", checked_id(id)?))
        .with("since", &at.to_rfc3339())
        .with("until", &at.plus(1).to_rfc3339())
        .with("overflow", "true")
        .with("include[]", "final_schedule");
    let schedule: ScheduleV3 = client.fetch_one(&request).await?;
    let shifts = schedule.final_schedule.unwrap_or_default();
    Ok(shifts
        .computed_shift_assignments
        .into_iter()
        .filter_map(|shift| {
            Some(Turn {
                user: shift.member.as_ref()?.user()?.to_owned(),
                start: shift.start_time.as_deref().and_then(Timestamp::parse),
                end: shift.end_time.as_deref().and_then(Timestamp::parse),
            })
        })
        .filter(|turn| turn.covers(at))
        .collect())
}
