//! Incidents that are not resolved yet, and whose they are.

use crate::errors::Result;
use crate::pagerduty::client::{Change, Client};
use crate::pagerduty::json::{Json, Row};
use crate::pagerduty::paging::{self, End, List};
use crate::pagerduty::references::Reference;

/// The list.
pub const PATH: &str = "/incidents";
/// The most that one request may change; more is a 413.
pub const MAX_CHANGES: usize = 250;

/// An incident.
#[derive(Clone, Debug)]
pub struct Incident {
    /// Vendor identifier; empty if there was none.
    pub id: String,
    /// Who is assigned, in PagerDuty's order.
    pub assignees: Vec<Reference>,
    /// The escalation policy that it follows.
    pub policy: Option<String>,
}

impl Row for Incident {
    const MANY: &'static str = "incidents";
    const ONE: &'static str = "incident";

    fn read(json: &Json) -> Self {
        let assignees = json.objects("assignments");
        let assignees = assignees.filter_map(|assignment| assignment.object("assignee"));
        Self {
            id: json.id(),
            assignees: assignees.map(Reference::read).collect(),
            policy: json.object("escalation_policy").map(Json::id),
        }
    }

    fn is_identified(json: &Json) -> bool {
        json.has_id()
            && json.points_at_something("escalation_policy")
            && json.each("assignments", &|one| one.points_at_something("assignee"))
    }
}

impl Incident {
    /// Whether it is assigned to that user, who may be gone.
    pub fn is_assigned_to(&self, user: &str) -> bool {
        self.assignees.iter().any(|assignee| assignee.id == user)
    }

    /// Who is assigned beside that user.
    pub fn others(&self, than: &str) -> Vec<String> {
        let mut others = self.live_assignees();
        others.retain(|assignee| assignee != than);
        others
    }

    /// Who could be assigned again: deleted users can't.
    pub fn live_assignees(&self) -> Vec<String> {
        let live = self.assignees.iter().filter(|assignee| assignee.is_live());
        live.map(|assignee| assignee.id.clone()).collect()
    }
}

/// What is to become of an incident.
#[derive(Clone, Debug, PartialEq)]
pub struct Handover {
    /// The incident.
    pub id: String,
    /// Who is assigned now.
    pub before: Vec<String>,
    /// Who is to be.
    pub to: Assignees,
}

/// Whose an incident is to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Assignees {
    /// These, and nobody else.
    Users(Vec<String>),
    /// Whoever is on call by this escalation policy, from its first level on.
    Policy(String),
}

impl Assignees {
    /// The users; none where a policy decides.
    pub fn users(&self) -> Option<&[String]> {
        match self {
            Self::Users(users) => Some(users),
            Self::Policy(_) => None,
        }
    }
}

/// The unresolved incidents that are assigned to any of these users, the oldest
/// first, and whether there are more than PagerDuty lists. Without
/// `date_range=all` it would list those of the last month.
pub fn unresolved(client: &Client, users: &[&str]) -> Result<(Vec<Incident>, End)> {
    let mut list = List::all(PATH)
        .with("date_range", "all")
        .with("statuses[]", "triggered")
        .with("statuses[]", "acknowledged")
        // So that new ones come at the end, where they move none of the others.
        .with("sort_by", "created_at:asc");
    for user in users {
        list = list.with("user_ids[]", user);
    }
    let (mut incidents, end) = paging::read_reachable::<Incident>(client, &list)?;
    // A filter that was not understood would give away everybody's.
    let is_meant = |incident: &Incident| users.iter().any(|user| incident.is_assigned_to(user));
    incidents.retain(|incident| !incident.id.is_empty() && is_meant(incident));
    Ok((incidents, end))
}

/// Changes whose incidents are, in the name of the user with that e-mail
/// address: all of them, or none if PagerDuty refuses one. The status stays,
/// but an escalation policy starts anew.
pub fn hand_over(client: &Client, from: &str, handovers: &[Handover]) -> Result<()> {
    let incidents = handovers.iter().map(|handover| {
        let id = ("id", handover.id.as_str().into());
        let kind = ("type", "incident_reference".into());
        match &handover.to {
            // Replaces the whole list.
            Assignees::Users(users) => {
                let users = users.iter().map(|user| {
                    let assignee = Reference::to_user(user).write();
                    Json::of([("assignee", assignee)])
                });
                Json::of([id, kind, ("assignments", Json::List(users.collect()))])
            }
            Assignees::Policy(policy) => {
                let policy = Json::of([
                    ("id", policy.as_str().into()),
                    ("type", "escalation_policy_reference".into()),
                ]);
                Json::of([id, kind, ("escalation_policy", policy)])
            }
        }
    });
    let body = Json::of([("incidents", Json::List(incidents.collect()))]);
    client.change(Change::put(PATH, &body).from(from)).map(drop)
}
