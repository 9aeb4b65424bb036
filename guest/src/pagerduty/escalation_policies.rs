//! Escalation policies.

use crate::pagerduty::json::{Json, Row};
use crate::pagerduty::references::{Reference, unique};

/// The list.
pub const PATH: &str = "/escalation_policies";

/// Whom to notify, in which order.
#[derive(Clone, Debug)]
pub struct EscalationPolicy {
    /// Vendor identifier; empty if there was none.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// Free text.
    pub description: Option<String>,
    targets: Vec<Reference>,
}

impl Row for EscalationPolicy {
    const MANY: &'static str = "escalation_policies";
    const ONE: &'static str = "escalation_policy";

    fn read(json: &Json) -> Self {
        Self {
            id: json.id(),
            name: json.text("name"),
            description: json.text("description"),
            targets: json
                .objects("escalation_rules")
                .flat_map(|rule| rule.objects("targets"))
                .map(Reference::read)
                .collect(),
        }
    }
}

impl EscalationPolicy {
    /// The users that it names itself, each once. Those that it reaches by a
    /// schedule are members of the schedule.
    pub fn members(&self) -> Vec<&str> {
        let users = self
            .targets
            .iter()
            .filter(|target| target.is_live() && target.is_a("user"))
            .map(|target| target.id.as_str());
        unique(users)
    }
}
