//! On-call: who is reached by which escalation policy.

use crate::instants::Timestamp;
use crate::pagerduty::json::{Json, Row};
use crate::pagerduty::references::Reference;
use crate::pagerduty::schedules::Turn;

/// The list. PagerDuty allows 125 requests of it a minute.
pub const PATH: &str = "/oncalls";

/// One way to be on call: a policy, a level, and a schedule or none.
#[derive(Clone, Debug)]
pub struct OnCall {
    user: Option<Reference>,
    schedule: Option<Reference>,
    escalation_policy: Option<Reference>,
    /// Level of the policy, from 1.
    pub escalation_level: Option<u32>,
    start: Option<String>,
    end: Option<String>,
}

impl Row for OnCall {
    const MANY: &'static str = "oncalls";
    const ONE: &'static str = "oncall";

    fn read(json: &Json) -> Self {
        Self {
            user: json.object("user").map(Reference::read),
            schedule: json.object("schedule").map(Reference::read),
            escalation_policy: json.object("escalation_policy").map(Reference::read),
            escalation_level: json.count("escalation_level"),
            start: json.text("start"),
            end: json.text("end"),
        }
    }
}

impl OnCall {
    /// Who, from when, until when.
    pub fn turn(&self) -> Option<Turn> {
        let user = self.user.as_ref().filter(|user| user.is_live())?;
        Some(Turn {
            user: user.id.clone(),
            start: self.start.as_deref().and_then(Timestamp::parse),
            end: self.end.as_deref().and_then(Timestamp::parse),
        })
    }

    /// On which schedule; none where the policy names the user.
    pub fn schedule(&self) -> Option<&str> {
        identity(self.schedule.as_ref())
    }

    /// By which policy.
    pub fn policy(&self) -> Option<&str> {
        identity(self.escalation_policy.as_ref())
    }
}

fn identity(reference: Option<&Reference>) -> Option<&str> {
    reference
        .map(|reference| reference.id.as_str())
        .filter(|id| !id.is_empty())
}
