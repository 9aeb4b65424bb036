//! Entitlements: all access that can be held.

use super::outline::{Outline, Parts, Position};
use super::{
    ESCALATION_POLICY, ESCALATION_POLICY_MEMBERSHIP, LICENSE, MEMBER, ROLE, SCHEDULE,
    SCHEDULE_MEMBERSHIP, TEAM, TEAM_MEMBERSHIP, TENANT, page_size, position, reference,
};
use crate::errors::Result;
use crate::exports::iga::connector::directory::EntitlementPage;
use crate::ids::Ids;
use crate::iga::connector::types::{Entitlement, EntitlementRef, PageRequest};
use crate::page_token::{self, Cursor, Function};
use crate::pagerduty::abilities;
use crate::pagerduty::client::Client;
use crate::pagerduty::escalation_policies::{self, EscalationPolicy};
use crate::pagerduty::json::Json;
use crate::pagerduty::licenses::{self, License};
use crate::pagerduty::paging::List;
use crate::pagerduty::schedules::{self, Schedule};
use crate::pagerduty::schedules_v3::{self, ScheduleV3};
use crate::pagerduty::teams::{self, Team};

const PHASES: u8 = 6;

/// Base roles: the API's word, PagerDuty's name for people, what it allows, and
/// the ability that a plan needs for it.
pub const ROLES: [(&str, &str, &str, Option<&str>); 8] = [
    (
        "owner",
        "Account Owner",
        "Everything, billing included; can only be handed over in PagerDuty",
        None,
    ),
    (
        "admin",
        "Global Admin",
        "Everything but billing; manager of every team",
        None,
    ),
    (
        "user",
        "Manager",
        "Changes all objects; called User without advanced permissions",
        None,
    ),
    (
        "limited_user",
        "Responder",
        "Takes incidents; called Limited User without advanced permissions",
        None,
    ),
    (
        "observer",
        "Observer",
        "Looks, and acts where a team role allows; needs advanced permissions \
         (ability `advanced_permissions`)",
        None,
    ),
    (
        "restricted_access",
        "Restricted Access",
        "Nothing but what a team role allows; needs advanced permissions \
         (ability `advanced_permissions`)",
        None,
    ),
    (
        "read_only_user",
        "Full Stakeholder",
        "Sees everything; needs the ability `read_only_users`",
        Some("read_only_users"),
    ),
    (
        "read_only_limited_user",
        "Limited Stakeholder",
        "Sees what its teams see; needs the ability `read_only_users`",
        Some("read_only_users"),
    ),
];

/// Roles on a team: the API's word, and the name for people.
pub const TEAM_ROLES: [(&str, &str); 3] = [
    ("manager", "Manager"),
    ("responder", "Responder"),
    ("observer", "Observer"),
];

#[derive(Default)]
struct At(Position);

impl Cursor for At {
    fn write(&self) -> Json<'static> {
        self.0.write()
    }

    fn read(json: &Json) -> Option<Self> {
        Position::read(json).map(Self)
    }

    fn is_valid(&self) -> bool {
        self.0.is_valid(PHASES)
    }
}

/// Some of the entitlements.
pub fn list_entitlements(client: &Client, page: &PageRequest) -> Result<EntitlementPage> {
    let size = page_size(client, page)?;
    let At(mut at) = position(Function::Entitlements, page)?;
    let mut outline = Outline::new(client, size);
    let mut schedules_seen = Ids::default();
    while !outline.is_done() {
        let is_through = match at.phase {
            0 => outline.add_roles(&mut at)?,
            1 => match licenses::all(client) {
                Ok(licenses) => outline.add_known(license_entitlements(licenses), &mut at),
                Err(error) => {
                    outline.leave_out_licenses(error)?;
                    true
                }
            },
            2 => {
                let list = List::all(teams::PATH);
                let teams = outline.add_rows(&list, &mut at, &mut |team: &Team, skip| {
                    team_entitlements(team, skip)
                });
                match teams {
                    Ok(is_through) => is_through,
                    Err(error) => {
                        outline.leave_out_teams(error)?;
                        true
                    }
                }
            }
            3 => {
                let list = schedules::with_layers();
                outline.add_rows(&list, &mut at, &mut |schedule: &Schedule, skip| {
                    schedules_seen.insert(&schedule.id);
                    member_entitlement(
                        (SCHEDULE_MEMBERSHIP, SCHEDULE),
                        &schedule.id,
                        "Takes turns on the schedule",
                        skip,
                    )
                })?
            }
            4 => {
                let list = List::all(schedules_v3::PATH);
                let schedules = outline.add_rows(&list, &mut at, &mut |row: &ScheduleV3, skip| {
                    if schedules_seen.contains(&row.id) {
                        return Parts::all([], 0);
                    }
                    member_entitlement(
                        (SCHEDULE_MEMBERSHIP, SCHEDULE),
                        &row.id,
                        "Takes turns on the schedule",
                        skip,
                    )
                });
                match schedules {
                    Ok(is_through) => is_through,
                    Err(error) => {
                        outline.leave_out_schedules_v3(error)?;
                        true
                    }
                }
            }
            _ => {
                let list = List::all(escalation_policies::PATH);
                outline.add_rows(&list, &mut at, &mut |policy: &EscalationPolicy, skip| {
                    member_entitlement(
                        (ESCALATION_POLICY_MEMBERSHIP, ESCALATION_POLICY),
                        &policy.id,
                        "Is notified by the escalation policy, by name",
                        skip,
                    )
                })?
            }
        };
        if is_through {
            at.next_phase();
            if at.phase == PHASES {
                return Ok(outline.into_page(None));
            }
        }
    }
    let next = page_token::encode(Function::Entitlements, &At(at))?;
    Ok(outline.into_page(Some(next)))
}

impl Outline<'_, Entitlement> {
    fn add_roles(&mut self, at: &mut Position) -> Result<bool> {
        let abilities = match abilities::get(self.client) {
            Ok(abilities) => Some(abilities),
            Err(error) => {
                self.leave_out(
                    error,
                    "abilities-not-readable",
                    "which roles the plan includes is not known",
                )?;
                None
            }
        };
        let roles = ROLES.map(|(id, label, description, ability)| Entitlement {
            ref_: reference(ROLE, id, TENANT, ""),
            #[cfg(not(feature = "second-version"))]
            label: label.to_owned(),
            #[cfg(feature = "second-version")]
            label: crate::second_version::label(label),
            description: Some(description.to_owned()),
            assignable: id != "owner"
                && ability
                    .is_none_or(|ability| abilities.as_ref().is_some_and(|have| have.has(ability))),
            available: None,
        });
        Ok(self.add_known(roles, at))
    }

    fn into_page(self, next: Option<String>) -> EntitlementPage {
        EntitlementPage {
            items: self.items,
            next,
            notices: self.notices,
        }
    }
}

impl<T> Outline<'_, T> {
    /// Goes on without licences if the credential may not read them.
    pub fn leave_out_licenses(&mut self, error: crate::errors::Error) -> Result<()> {
        self.leave_out(error, "licenses-not-readable", "licences are left out")
    }
}

fn license_entitlements(licenses: Vec<License>) -> Vec<Entitlement> {
    let names: Vec<Option<String>> = licenses.iter().map(|l| l.name.clone()).collect();
    let is_ambiguous = |name| names.iter().filter(|other| **other == name).count() > 1;
    let entitlement = |license: License| {
        let name = license.name.clone().unwrap_or_else(|| license.id.clone());
        // Two licences of one name differ in their add-ons.
        let label = match &license.description {
            Some(add_ons) if !add_ons.is_empty() && is_ambiguous(license.name) => {
                format!("{name} ({add_ons})")
            }
            _ => name,
        };
        let description = match (license.description, license.valid_roles.join(", ")) {
            (Some(text), roles) if !text.is_empty() => format!("{text}. For the roles {roles}"),
            (_, roles) => format!("For the roles {roles}"),
        };
        Entitlement {
            ref_: reference(LICENSE, &license.id, TENANT, ""),
            label,
            description: Some(description),
            assignable: license.allocations_available.is_none_or(|left| left > 0),
            available: license.allocations_available,
        }
    };
    licenses.into_iter().map(entitlement).collect()
}

fn team_entitlements(team: &Team, skip: u32) -> Parts<Entitlement> {
    if team.id.is_empty() {
        return Parts::all([], 0);
    }
    let roles = TEAM_ROLES.map(|(id, label)| Entitlement {
        ref_: reference(TEAM_MEMBERSHIP, id, TEAM, &team.id),
        label: label.to_owned(),
        description: Some(format!("{label} of the team")),
        assignable: true,
        available: None,
    });
    Parts::all(roles, skip)
}

fn member_entitlement(
    (kind, resource_type): (&str, &str),
    resource: &str,
    description: &str,
    skip: u32,
) -> Parts<Entitlement> {
    let entitlement = (!resource.is_empty()).then(|| Entitlement {
        ref_: member_of(kind, resource_type, resource),
        label: "Member".to_owned(),
        description: Some(description.to_owned()),
        assignable: true,
        available: None,
    });
    Parts::all(entitlement, skip)
}

/// The only entitlement of a schedule or an escalation policy.
pub fn member_of(kind: &str, resource_type: &str, resource: &str) -> EntitlementRef {
    reference(kind, MEMBER, resource_type, resource)
}
