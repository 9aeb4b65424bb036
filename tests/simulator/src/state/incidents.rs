//! Incidents and who is assigned to them.

use jiff::Timestamp;

use super::{Account, Row, shift};

/// The state of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Triggered,
    Acknowledged,
    Resolved,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Triggered => "triggered",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Triggered, Self::Acknowledged, Self::Resolved]
            .into_iter()
            .find(|status| status.name() == name)
    }
}

/// An incident.
#[derive(Clone, Debug)]
pub(crate) struct Incident {
    pub(crate) id: String,
    pub(crate) number: usize,
    pub(crate) title: String,
    pub(crate) key: String,
    pub(crate) status: Status,
    pub(crate) high_urgency: bool,
    pub(crate) service: String,
    pub(crate) policy: String,
    /// Schedules of the policy as it was at trigger time: an open incident
    /// keeps that snapshot.
    pub(crate) snapshot_schedules: Vec<String>,
    pub(crate) assignments: Vec<(Timestamp, String)>,
    pub(crate) acknowledgers: Vec<(Timestamp, String)>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) resolved_at: Option<Timestamp>,
}

impl Row for Incident {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Incident {
    pub(crate) fn is_open(&self) -> bool {
        self.status != Status::Resolved
    }

    pub(crate) fn is_assigned_to(&self, user: &str) -> bool {
        self.assignments
            .iter()
            .any(|(_, assignee)| assignee == user)
    }
}

impl Account {
    /// Opens incidents, one second apart, that are all assigned to the same
    /// users; every third is acknowledged, and every fifth is older than the
    /// month that lists show by default. None without a service.
    pub(crate) fn open_incidents(&mut self, assignees: &[&str], count: usize) -> Vec<String> {
        let first = self.incidents.iter().map(|i| i.number).max().unwrap_or(0) + 1;
        let mut ids = Vec::new();
        for n in 0..count {
            let Some(service) = self.services.get(n % self.services.len().max(1)) else {
                break;
            };
            let (service, policy) = (service.id.clone(), service.policy.clone());
            let schedules = self.policies.get(&policy);
            let snapshot_schedules = schedules
                .map(super::policies::EscalationPolicy::schedule_ids)
                .unwrap_or_default();
            let age = if n % 5 == 4 { 40 * 86_400 } else { 0 };
            let created_at = shift(self.now, n as i64 - count as i64 - age);
            let assignments: Vec<_> = assignees
                .iter()
                .map(|user| (created_at, (*user).to_owned()))
                .collect();
            let is_acknowledged = n % 3 == 1;
            let incident = Incident {
                id: self.ids.long(),
                number: first + n,
                title: format!("Something is wrong ({})", first + n),
                key: self.ids.secret(32).to_lowercase(),
                status: if is_acknowledged {
                    Status::Acknowledged
                } else {
                    Status::Triggered
                },
                high_urgency: true,
                service,
                policy,
                snapshot_schedules,
                acknowledgers: if is_acknowledged {
                    assignments.clone()
                } else {
                    Vec::new()
                },
                assignments,
                created_at,
                updated_at: created_at,
                resolved_at: None,
            };
            ids.push(incident.id.clone());
            self.incidents.insert(incident);
        }
        ids
    }

    /// Gives an open incident to these users instead of those it had.
    pub(crate) fn reassign(&mut self, incident: &str, assignees: &[String]) {
        let now = self.now;
        let until = self.reassignment_done_at();
        let Some(incident) = self.incidents.get_mut(incident) else {
            return;
        };
        for (_, user) in &incident.assignments {
            if !assignees.contains(user) {
                self.cleanups.insert(user.clone(), until);
            }
        }
        incident.assignments = assignees
            .iter()
            .map(|user| {
                let since = incident.assignments.iter().find(|(_, u)| u == user);
                (since.map_or(now, |(at, _)| *at), user.clone())
            })
            .collect();
        incident.updated_at = now;
    }

    pub(crate) fn set_status(&mut self, incident: &str, status: Status, by: Option<&str>) {
        let now = self.now;
        if status == Status::Resolved {
            self.reassign(incident, &[]);
        }
        if status == Status::Acknowledged
            && let Some(user) = by
        {
            self.reassign(incident, &[user.to_owned()]);
        }
        let Some(incident) = self.incidents.get_mut(incident) else {
            return;
        };
        incident.status = status;
        incident.updated_at = now;
        match status {
            Status::Triggered => incident.acknowledgers.clear(),
            Status::Acknowledged => {
                if let Some(user) = by {
                    incident.acknowledgers.push((now, user.to_owned()));
                }
            }
            Status::Resolved => incident.resolved_at = Some(now),
        }
    }

    /// Restarts a deleted user's open incidents on their escalation policies.
    pub(super) fn hand_back_incidents(&mut self, user: &str) {
        let incidents: Vec<(String, String)> = self
            .incidents
            .iter()
            .filter(|i| i.is_open() && i.is_assigned_to(user))
            .map(|i| (i.id.clone(), i.policy.clone()))
            .collect();
        for (incident, policy) in incidents {
            let on_call = self.on_call_for(&policy);
            self.reassign(&incident, &on_call);
            self.set_status(&incident, Status::Triggered, None);
        }
    }
}
