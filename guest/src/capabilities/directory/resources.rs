//! Resources: the tenant, teams, schedules, escalation policies.

use super::outline::{Outline, Parts, Position};
use super::{ESCALATION_POLICY, SCHEDULE, TEAM, TENANT, page_size, position};
use crate::errors::{Error, Result};
use crate::exports::iga::connector::directory::ResourcePage;
use crate::iga::connector::types::{PageRequest, Resource};
use crate::page_token::{self, Cursor, Function};
use crate::pagerduty::client::Client;
use crate::pagerduty::escalation_policies::{self, EscalationPolicy};
use crate::pagerduty::paging::List;
use crate::pagerduty::schedules::{self, Schedule};
use crate::pagerduty::schedules_v3::{self, ScheduleV3};
use crate::pagerduty::teams::{self, Team};
use crate::pagerduty::users;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::BTreeSet;

const PHASES: u8 = 5;

#[derive(Default, Serialize, Deserialize)]
struct At(Position);

impl Cursor for At {
    fn is_valid(&self) -> bool {
        self.0.is_valid(PHASES)
    }
}

/// Some of the resources.
pub async fn list_resources(client: &Client, page: &PageRequest) -> Result<ResourcePage> {
    let size = page_size(client, page)?;
    let At(mut at) = position(Function::Resources, page)?;
    let mut outline = Outline::new(client, size);
    let schedules_seen = RefCell::new(BTreeSet::new());
    while !outline.is_done() {
        let is_through = match at.phase {
            0 => {
                let tenant = tenant(client).await?;
                outline.add_known([tenant], &mut at)
            }
            1 => {
                let list = List::all(teams::PATH);
                let teams = outline.add_rows(&list, &mut at, async |team: Team, skip| {
                    Ok(one(TEAM, team.id, team.name, team.description, skip))
                });
                match teams.await {
                    Ok(is_through) => is_through,
                    Err(error) => {
                        outline.leave_out_teams(error)?;
                        true
                    }
                }
            }
            2 => {
                let list = List::all(schedules::PATH);
                outline
                    .add_rows(&list, &mut at, async |schedule: Schedule, skip| {
                        schedules_seen.borrow_mut().insert(schedule.id.clone());
                        let Schedule {
                            id,
                            name,
                            description,
                            ..
                        } = schedule;
                        Ok(one(SCHEDULE, id, name, description, skip))
                    })
                    .await?
            }
            3 => {
                let list = List::all(schedules_v3::PATH);
                let schedules = outline.add_rows(&list, &mut at, async |row: ScheduleV3, skip| {
                    // The lists are disjoint. Should a migration happen between
                    // them, the schedule was listed already.
                    if schedules_seen.borrow().contains(&row.id) {
                        return Ok(Parts::all([], 0));
                    }
                    Ok(one(SCHEDULE, row.id, row.name, row.description, skip))
                });
                match schedules.await {
                    Ok(is_through) => is_through,
                    Err(error) => {
                        outline.leave_out_schedules_v3(error)?;
                        true
                    }
                }
            }
            _ => {
                let list = List::all(escalation_policies::PATH);
                outline
                    .add_rows(&list, &mut at, async |policy: EscalationPolicy, skip| {
                        let EscalationPolicy {
                            id,
                            name,
                            description,
                            ..
                        } = policy;
                        Ok(one(ESCALATION_POLICY, id, name, description, skip))
                    })
                    .await?
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
async fn tenant(client: &Client) -> Result<Resource> {
    let (user, _) = users::first(client).await?;
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
    id: String,
    label: Option<String>,
    description: Option<String>,
    skip: u32,
) -> Parts<Resource> {
    let resource = (!id.is_empty()).then(|| Resource {
        label: label
            .filter(|l| !l.is_empty())
            .unwrap_or_else(|| id.clone()),
        id,
        resource_type: resource_type.to_owned(),
        description: description.filter(|text| !text.is_empty()),
    });
    Parts::all(resource, skip)
}
