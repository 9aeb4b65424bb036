//! What the walk needs of PagerDuty's objects, and the rows that they come to.

use jiff::Timestamp;
use serde::Deserialize;

use crate::contract::{
    activity::{ActivityKind, LastActivity},
    types::{Account, AccountKind, AccountStatus, Entitlement, EntitlementRef, Grant, Resource},
};

/// Base roles: the API's word, PagerDuty's name for people.
const ROLES: [(&str, &str); 8] = [
    ("owner", "Account Owner"),
    ("admin", "Global Admin"),
    ("user", "Manager"),
    ("limited_user", "Responder"),
    ("observer", "Observer"),
    ("restricted_access", "Restricted Access"),
    ("read_only_user", "Full Stakeholder"),
    ("read_only_limited_user", "Limited Stakeholder"),
];

/// Roles on a team.
const TEAM_ROLES: [(&str, &str); 3] = [
    ("manager", "Manager"),
    ("responder", "Responder"),
    ("observer", "Observer"),
];

#[derive(Debug, Deserialize)]
pub(super) struct Me {
    pub(super) user: User,
}

#[derive(Debug, Deserialize)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
    pub(super) role: Option<String>,
    pub(super) html_url: Option<String>,
    invitation_sent: Option<bool>,
    job_title: Option<String>,
    time_zone: Option<String>,
    description: Option<String>,
    locale: Option<String>,
    billed: Option<bool>,
    created_via_sso: Option<bool>,
}

impl User {
    /// What people call the tenant: the first label of the user's page.
    pub(super) fn tenant(&self) -> &str {
        let page = self.html_url.as_deref().unwrap_or_default();
        let host = page.split_once("://").map_or(page, |(_, rest)| rest);
        host.split_once('.').map_or("PagerDuty", |(label, _)| label)
    }

    pub(super) fn into_account(self) -> Account {
        let flag = |flag: Option<bool>| flag.map(|flag| flag.to_string());
        let attributes = [
            ("billed", flag(self.billed)),
            ("created-via-sso", flag(self.created_via_sso)),
            ("description", self.description),
            ("job-title", self.job_title),
            ("locale", self.locale),
            ("role", self.role),
            ("time-zone", self.time_zone),
        ];
        Account {
            display_name: self.name.unwrap_or_else(|| self.id.clone()),
            id: self.id,
            email: self.email,
            given_name: None,
            family_name: None,
            status: match self.invitation_sent {
                Some(true) => AccountStatus::Pending,
                _ => AccountStatus::Active,
            },
            kind: AccountKind::User,
            attributes: attributes
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                .collect(),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Abilities {
    pub(super) abilities: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct License {
    id: String,
    name: Option<String>,
    description: Option<String>,
    allocations_available: Option<u32>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Reference {
    id: String,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Allocation {
    license: Reference,
    user: Reference,
    allocated_at: Option<String>,
}

/// A team, or any other thing with a name.
#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub(super) id: String,
    name: Option<String>,
    summary: Option<String>,
    description: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Member {
    user: Reference,
    role: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Schedule {
    #[serde(flatten)]
    pub(super) named: Named,
    #[serde(default)]
    schedule_layers: Vec<Layer>,
}

#[derive(Debug, Deserialize)]
struct Layer {
    end: Option<Timestamp>,
    #[serde(default)]
    users: Vec<LayerUser>,
}

#[derive(Debug, Deserialize)]
struct LayerUser {
    user: Reference,
}

#[derive(Debug, Deserialize)]
pub(super) struct ShiftScheduleAnswer {
    pub(super) schedule: ShiftSchedule,
}

#[derive(Debug, Deserialize)]
pub(super) struct ShiftSchedule {
    id: String,
    #[serde(default)]
    rotations: Vec<Rotation>,
}

#[derive(Debug, Deserialize)]
struct Rotation {
    #[serde(default)]
    events: Vec<ShiftEvent>,
}

#[derive(Debug, Deserialize)]
struct ShiftEvent {
    effective_until: Option<Timestamp>,
    assignment_strategy: Strategy,
}

#[derive(Debug, Deserialize)]
struct Strategy {
    #[serde(default)]
    members: Vec<ShiftMember>,
}

#[derive(Debug, Deserialize)]
struct ShiftMember {
    user_id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Policy {
    #[serde(flatten)]
    pub(super) named: Named,
    #[serde(default)]
    escalation_rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
struct Rule {
    #[serde(default)]
    targets: Vec<Reference>,
}

/// What analytics knows of a user within a team.
#[derive(Debug, Deserialize)]
pub(super) struct Presence {
    pub(super) id: String,
    pub(super) last_sign_in_at: Option<String>,
    pub(super) signed_up: Option<bool>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Delegation {
    pub(super) created_at: Option<String>,
}

pub(super) fn resource(kind: &str, thing: &Named) -> Resource {
    let name = thing.name.clone().or_else(|| thing.summary.clone());
    Resource {
        id: thing.id.clone(),
        resource_type: kind.to_owned(),
        label: name.unwrap_or_else(|| thing.id.clone()),
        description: thing.description.clone().filter(|text| !text.is_empty()),
    }
}

pub(super) fn roles() -> impl Iterator<Item = Entitlement> {
    ROLES.into_iter().map(|(id, label)| {
        let mut role = entitlement(reference("role", id, "tenant", ""), label);
        role.assignable = id != "owner";
        role
    })
}

pub(super) fn license(license: &License) -> Entitlement {
    let name = license.name.as_deref().unwrap_or(&license.id);
    Entitlement {
        description: license.description.clone(),
        assignable: license.allocations_available != Some(0),
        available: license.allocations_available,
        ..entitlement(reference("license", &license.id, "tenant", ""), name)
    }
}

pub(super) fn team_entitlements(team: &Named) -> impl Iterator<Item = Entitlement> {
    TEAM_ROLES
        .into_iter()
        .map(|(id, label)| entitlement(reference("team-membership", id, "team", &team.id), label))
}

pub(super) fn member_entitlement(kind: &str, of: &Named) -> Entitlement {
    entitlement(member_of(kind, &of.id), "Member")
}

fn entitlement(named: EntitlementRef, label: &str) -> Entitlement {
    Entitlement {
        description: Some(format!("{label} of the {}", named.resource_type)),
        ref_: named,
        label: label.to_owned(),
        assignable: true,
        available: None,
    }
}

pub(super) fn role_grant(account: &str, role: &str) -> Grant {
    grant(account, reference("role", role, "tenant", ""), None)
}

pub(super) fn license_grant(allocation: Allocation) -> Grant {
    let license = reference("license", &allocation.license.id, "tenant", "");
    grant(&allocation.user.id, license, allocation.allocated_at)
}

pub(super) fn team_grant(team: &str, member: &Member) -> Grant {
    let role = reference("team-membership", &member.role, "team", team);
    grant(&member.user.id, role, None)
}

/// Of the layers that have not ended.
pub(super) fn schedule_grants(schedule: &Schedule, now: Timestamp) -> Vec<Grant> {
    let layers = schedule.schedule_layers.iter();
    let open = layers.filter(|layer| layer.end.is_none_or(|end| end > now));
    let users = open.flat_map(|layer| layer.users.iter().map(|user| user.user.id.as_str()));
    members("schedule", &schedule.named.id, users.collect())
}

/// Of the events that have not ended.
pub(super) fn shift_grants(schedule: &ShiftSchedule, now: Timestamp) -> Vec<Grant> {
    let events = schedule
        .rotations
        .iter()
        .flat_map(|rotation| &rotation.events);
    let open = events.filter(|event| event.effective_until.is_none_or(|until| until > now));
    let users = open.flat_map(|event| &event.assignment_strategy.members);
    let users = users.filter_map(|member| member.user_id.as_deref());
    members("schedule", &schedule.id, users.collect())
}

/// Of the users that it names itself.
pub(super) fn policy_grants(policy: &Policy) -> Vec<Grant> {
    let targets = policy
        .escalation_rules
        .iter()
        .flat_map(|rule| &rule.targets);
    let users =
        targets.filter(|target| matches!(target.kind.as_deref(), Some("user" | "user_reference")));
    let users = users.map(|user| user.id.as_str());
    members("escalation-policy", &policy.named.id, users.collect())
}

/// When somebody signed in last, as analytics has it: in UTC, without saying so.
pub(super) fn last_sign_in(account: &str, at: &str) -> LastActivity {
    last_activity(account, format!("{at}Z"), "analytics")
}

pub(super) fn last_activity(account: &str, at: String, source: &str) -> LastActivity {
    LastActivity {
        account: account.to_owned(),
        kind: ActivityKind::LastLogin,
        at,
        source: source.to_owned(),
    }
}

fn members(kind: &str, id: &str, mut users: Vec<&str>) -> Vec<Grant> {
    users.sort_unstable();
    users.dedup();
    let grants = users.into_iter();
    grants
        .map(|user| grant(user, member_of(kind, id), None))
        .collect()
}

/// The only entitlement of a schedule or an escalation policy.
fn member_of(kind: &str, id: &str) -> EntitlementRef {
    reference(&format!("{kind}-membership"), "member", kind, id)
}

fn reference(entitlement_type: &str, id: &str, resource_type: &str, of: &str) -> EntitlementRef {
    EntitlementRef {
        entitlement_type: entitlement_type.to_owned(),
        id: id.to_owned(),
        resource_type: resource_type.to_owned(),
        resource: of.to_owned(),
    }
}

fn grant(account: &str, entitlement: EntitlementRef, since: Option<String>) -> Grant {
    Grant {
        account: account.to_owned(),
        entitlement,
        since,
    }
}
