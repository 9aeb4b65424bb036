//! Escalation policies.

use jiff::Timestamp;

use super::{Account, Row, shift};

/// Whom a rule notifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    User(String),
    Schedule(String),
    ScheduleV3(String),
}

/// One level of an escalation policy.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) delay_minutes: u32,
    pub(crate) targets: Vec<Target>,
}

/// An escalation policy. Its name is unique in the account.
#[derive(Clone, Debug)]
pub(crate) struct EscalationPolicy {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) loops: u32,
    pub(crate) rules: Vec<Rule>,
    pub(crate) teams: Vec<String>,
    pub(crate) handoff: String,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

impl Row for EscalationPolicy {
    fn id(&self) -> &str {
        &self.id
    }
}

impl EscalationPolicy {
    pub(crate) fn targets(&self) -> impl Iterator<Item = &Target> {
        self.rules.iter().flat_map(|rule| &rule.targets)
    }

    pub(crate) fn targets_user(&self, user: &str) -> bool {
        self.targets()
            .any(|t| matches!(t, Target::User(id) if id == user))
    }

    pub(crate) fn targets_schedule(&self, schedule: &str) -> bool {
        self.targets()
            .any(|t| matches!(t, Target::Schedule(id) | Target::ScheduleV3(id) if id == schedule))
    }

    pub(crate) fn schedule_ids(&self) -> Vec<String> {
        self.targets()
            .filter_map(|target| match target {
                Target::User(_) => None,
                Target::Schedule(id) | Target::ScheduleV3(id) => Some(id.clone()),
            })
            .collect()
    }
}

impl Account {
    /// The users on call now at the first level of a policy where anyone is.
    pub(crate) fn on_call_for(&self, policy: &str) -> Vec<String> {
        let Some(policy) = self.policies.get(policy) else {
            return Vec::new();
        };
        for rule in &policy.rules {
            let mut users: Vec<String> = Vec::new();
            for target in &rule.targets {
                let on_call: Vec<String> = match target {
                    Target::User(id) => vec![id.clone()],
                    Target::Schedule(id) => self.on_call_in(id),
                    Target::ScheduleV3(id) => self.on_call_in_v3(id),
                };
                for user in on_call {
                    if self.users.contains(&user) && !users.contains(&user) {
                        users.push(user);
                    }
                }
            }
            if !users.is_empty() {
                return users;
            }
        }
        Vec::new()
    }

    fn on_call_in(&self, schedule: &str) -> Vec<String> {
        self.schedules
            .get(schedule)
            .map_or_else(Vec::new, |schedule| {
                let entries = schedule.final_entries(self.now, shift(self.now, 1));
                entries.into_iter().map(|entry| entry.user).collect()
            })
    }

    fn on_call_in_v3(&self, schedule: &str) -> Vec<String> {
        self.schedules_v3
            .get(schedule)
            .map_or_else(Vec::new, |schedule| {
                let shifts = schedule.final_shifts(self.now, shift(self.now, 1));
                shifts.into_iter().filter_map(|s| s.member).collect()
            })
    }
}
