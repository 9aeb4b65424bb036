//! Resources: the tenant, teams, schedules, escalation policies.

use super::outline::{Outline, Parts, Position};
use super::{ESCALATION_POLICY, SCHEDULE, TEAM, TENANT, page_size, position};
use crate::errors::{Error, Result};
use crate::exports::iga::connector::directory::ResourcePage;
use crate::ids::Ids;
use crate::iga::connector::types::{PageRequest, Resource};
use crate::page_token::{self, Cursor, Function};
use crate::pagerduty::client::Client;
use crate::pagerduty::escalation_policies::{self, EscalationPolicy};
use crate::pagerduty::json::Json;
use crate::pagerduty::paging::List;
use crate::pagerduty::schedules::{self, Schedule};
use crate::pagerduty::schedules_v3::{self, ScheduleV3};
use crate::pagerduty::teams::{self, Team};
use crate::pagerduty::users;

const PHASES: u8 = 5;

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

/// Some of the resources.
pub fn list_resources(client: &Client, page: &PageRequest) -> Result<ResourcePage> {
    let size = page_size(client, page)?;
    let At(mut at) = position(Function::Resources, page)?;
    let mut outline = Outline::new(client, size);
    let mut schedules_seen = Ids::default();
    while !outline.is_done() {
        let is_through = match at.phase {
            0 => {
                let tenant = tenant(client)?;
                outline.add_known([tenant], &mut at)
            }
            1 => {
                let list = List::all(teams::PATH);
                let teams = outline.add_rows(&list, &mut at, &mut |team: &Team, skip| {
                    one(TEAM, &team.id, &team.name, &team.description, skip)
                });
                match teams {
                    Ok(is_through) => is_through,
                    Err(error) => {
                        outline.leave_out_teams(error)?;
                        true
                    }
                }
            }
            2 => {
                let list = schedules::with_layers();
                outline.add_rows(&list, &mut at, &mut |schedule: &Schedule, skip| {
                    schedules_seen.insert(&schedule.id);
                    let Schedule {
                        id,
                        name,
                        description,
                        ..
                    } = schedule;
                    one(SCHEDULE, id, name, description, skip)
                })?
            }
            3 => {
                let list = List::all(schedules_v3::PATH);
                let schedules = outline.add_rows(&list, &mut at, &mut |row: &ScheduleV3, skip| {
                    // The lists are disjoint. Should a migration happen between
                    // them, the schedule was listed already.
                    if schedules_seen.contains(&row.id) {
                        return Parts::all([], 0);
                    }
                    one(SCHEDULE, &row.id, &row.name, &row.description, skip)
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
                    let EscalationPolicy {
                        id,
                        name,
                        description,
                        ..
                    } = policy;
                    one(ESCALATION_POLICY, id, name, description, skip)
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
    let next = page_token::encode(Function::Resources, &At(at))?;
    Ok(outline.into_page(Some(next)))
}

impl Outline<'_, Resource> {
    fn into_page(self, next: Option<String>) -> ResourcePage {
        ResourcePage {
            items: self.items,
            next,
            notices: self.notices,
        }
    }
}

impl<T> Outline<'_, T> {
    /// Goes on without teams if the plan or the credential has none.
    pub fn leave_out_teams(&mut self, error: Error) -> Result<()> {
        self.leave_out(error, "plan-lacks-teams", "teams are left out")
    }

    /// Goes on without v3 schedules if they are out of reach.
    pub fn leave_out_schedules_v3(&mut self, error: Error) -> Result<()> {
        self.leave_out(
            error,
            "schedules-v3-not-available",
            "shift-based schedules are left out",
        )
    }
}

/// The tenant is no object of PagerDuty's API: all that is known is its
/// subdomain, from the address of a user's page.
fn tenant(client: &Client) -> Result<Resource> {
    let (user, _) = users::first(client)?;
    let label = user.as_ref().and_then(|user| user.subdomain());
    Ok(Resource {
        id: String::new(),
        resource_type: TENANT.to_owned(),
        label: label.unwrap_or("PagerDuty").to_owned(),
        description: None,
    })
}

fn one(
    resource_type: &str,
    id: &str,
    label: &Option<String>,
    description: &Option<String>,
    skip: u32,
) -> Parts<Resource> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let resource = (!id.is_empty()).then(|| Resource {
        id: id.to_owned(),
        resource_type: resource_type.to_owned(),
        label: given(label).unwrap_or_else(|| id.to_owned()),
        description: given(description),
    });
    Parts::all(resource, skip)
}
