//! On-call: who is reached by which escalation policy.

use crate::pagerduty::json::{Json, Row};
use crate::pagerduty::schedules::Turn;

/// The list. PagerDuty allows 125 requests of it a minute.
pub const PATH: &str = "/oncalls";

/// One way to be on call.
#[derive(Clone, Debug)]
pub struct OnCall {
    /// Who, from when, until when. None for the stub of a deleted user.
    pub turn: Option<Turn>,
    /// On which schedule; none where the policy names the user.
    pub schedule: Option<String>,
    /// By which policy.
    pub policy: Option<String>,
    /// Level of the policy, from 1.
    pub level: Option<u32>,
}

impl Row for OnCall {
    const MANY: &'static str = "oncalls";
    const ONE: &'static str = "oncall";

    fn read(json: &Json) -> Self {
        Self {
            turn: Turn::read(json),
            schedule: json.get("schedule").text("id"),
            policy: json.get("escalation_policy").text("id"),
            level: json.count("escalation_level"),
        }
    }

    fn is_identified(json: &Json) -> bool {
        json.points_at_something("user")
            && json.points_at_something("schedule")
            && json.points_at_something("escalation_policy")
    }
}
