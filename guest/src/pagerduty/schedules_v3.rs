//! Schedules with shifts (v3), which the list of v2 schedules does not show. A
//! schedule is in one of the two lists; a migrated one keeps its id.

use crate::errors::Result;
use crate::instants::Timestamp;
use crate::pagerduty::client::{Client, Request, checked_id};
use crate::pagerduty::json::{self, Row, Single};
use crate::pagerduty::schedules::{Turn, is_open};
use serde::Deserialize;
use std::collections::BTreeSet;

/// The list. Its rows are bare references.
pub const PATH: &str = "/v3/schedules";

/// A schedule, or in the list a reference to one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ScheduleV3 {
    /// Vendor identifier; empty if there was none.
    #[serde(deserialize_with = "json::id")]
    pub id: String,
    #[serde(deserialize_with = "json::text")]
    name: Option<String>,
    #[serde(deserialize_with = "json::text")]
    summary: Option<String>,
    /// Free text.
    #[serde(deserialize_with = "json::text")]
    pub description: Option<String>,
    #[serde(deserialize_with = "json::list")]
    rotations: Vec<Rotation>,
    #[serde(deserialize_with = "json::object")]
    final_schedule: Option<FinalSchedule>,
}

impl Row for ScheduleV3 {
    const MANY: &'static str = "schedules";
    const ONE: &'static str = "schedule";
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Rotation {
    #[serde(deserialize_with = "json::list")]
    events: Vec<Event>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    #[serde(deserialize_with = "json::text")]
    effective_until: Option<String>,
    #[serde(deserialize_with = "json::object")]
    assignment_strategy: Option<Strategy>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Strategy {
    #[serde(deserialize_with = "json::list")]
    members: Vec<Member>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Member {
    #[serde(rename = "type", deserialize_with = "json::text")]
    kind: Option<String>,
    #[serde(deserialize_with = "json::text")]
    user_id: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct FinalSchedule {
    #[serde(deserialize_with = "json::list")]
    computed_shift_assignments: Vec<Assignment>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Assignment {
    #[serde(deserialize_with = "json::object")]
    member: Option<Member>,
    #[serde(deserialize_with = "json::text")]
    start_time: Option<String>,
    #[serde(deserialize_with = "json::text")]
    end_time: Option<String>,
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
    let Single(schedule) = client.fetch(&Request::get(path)).await?;
    Ok(schedule)
}

/// Who is on call on a schedule, overrides included.
pub async fn on_call(client: &Client, id: &str, at: Timestamp) -> Result<Vec<Turn>> {
    let request = Request::get(format!("/v3/schedules/{}", checked_id(id)?))
        .with("since", &at.to_rfc3339())
        .with("until", &at.plus(1).to_rfc3339())
        .with("overflow", "true")
        .with("include[]", "final_schedule");
    let Single::<ScheduleV3>(schedule) = client.fetch(&request).await?;
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
