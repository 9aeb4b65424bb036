//! On-call: who is reached by which escalation policy.

use crate::instants::Timestamp;
use crate::pagerduty::json::{self, Row};
use crate::pagerduty::references::Reference;
use crate::pagerduty::schedules::Turn;
use serde::Deserialize;

/// The list. PagerDuty allows 125 requests of it a minute.
pub const PATH: &str = "/oncalls";

/// One way to be on call: a policy, a level, and a schedule or none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct OnCall {
    #[serde(deserialize_with = "json::object")]
    user: Option<Reference>,
    #[serde(deserialize_with = "json::object")]
    schedule: Option<Reference>,
    #[serde(deserialize_with = "json::object")]
    escalation_policy: Option<Reference>,
    /// Level of the policy, from 1.
    #[serde(deserialize_with = "json::count")]
    pub escalation_level: Option<u32>,
    #[serde(deserialize_with = "json::text")]
    start: Option<String>,
    #[serde(deserialize_with = "json::text")]
    end: Option<String>,
}

impl Row for OnCall {
    const MANY: &'static str = "oncalls";
    const ONE: &'static str = "oncall";
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
