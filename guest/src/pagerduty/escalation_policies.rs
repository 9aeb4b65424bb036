//! Escalation policies.

use crate::pagerduty::json::{self, Row};
use crate::pagerduty::references::Reference;
use serde::Deserialize;
use std::collections::BTreeSet;

/// The list.
pub const PATH: &str = "/escalation_policies";

/// Whom to notify, in which order.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct EscalationPolicy {
    /// Vendor identifier; empty if there was none.
    #[serde(deserialize_with = "json::id")]
    pub id: String,
    /// Its name.
    #[serde(deserialize_with = "json::text")]
    pub name: Option<String>,
    /// Free text.
    #[serde(deserialize_with = "json::text")]
    pub description: Option<String>,
    #[serde(deserialize_with = "json::list")]
    escalation_rules: Vec<Rule>,
}

impl Row for EscalationPolicy {
    const MANY: &'static str = "escalation_policies";
    const ONE: &'static str = "escalation_policy";
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Rule {
    #[serde(deserialize_with = "json::list")]
    targets: Vec<Reference>,
}

impl EscalationPolicy {
    /// The users that it names itself, each once. Those that it reaches by a
    /// schedule are members of the schedule.
    pub fn members(&self) -> Vec<&str> {
        let users: BTreeSet<&str> = self
            .escalation_rules
            .iter()
            .flat_map(|rule| &rule.targets)
            .filter(|target| target.is_live() && target.is_a("user"))
            .map(|target| target.id.as_str())
            .collect();
        users.into_iter().collect()
    }
}
