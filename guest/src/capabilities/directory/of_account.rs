//! What one account holds: the rows of `list-grants` that are its own.

use super::grants::{
    held_license, policy_grants, role_grant, schedule_grants, schedule_v3_grants, team_grant,
    team_notice,
};
use super::outline::Outline;
use crate::errors::{ErrorCode, Result};
use crate::exports::iga::connector::directory::AccountGrantsResult;
use crate::ids::Ids;
use crate::iga::connector::types::Grant;
use crate::pagerduty::client::{Client, Request};
use crate::pagerduty::escalation_policies::{self, EscalationPolicy};
use crate::pagerduty::licenses;
use crate::pagerduty::paging::{self, List};
use crate::pagerduty::schedules::{self, Schedule};
use crate::pagerduty::schedules_v3::{self, ScheduleV3};
use crate::pagerduty::teams::{self, Member};
use crate::pagerduty::users::{self, User};

/// All grants of one account.
pub fn account_grants(client: &Client, id: &str) -> Result<AccountGrantsResult> {
    let user = users::get(client, id)?;
    let mut outline = Outline::new(client, usize::MAX);
    outline.items.extend(role_grant(&user));
    match held_license(id, client.send(licenses::request_of_user(id)?)) {
        Ok(license) => outline.items.extend(license),
        Err(error) => outline.leave_out_licenses(error)?,
    }
    add_teams(&mut outline, &user)?;
    let schedules = paging::read_all::<Schedule>(client, &schedules::with_layers())?;
    let mut seen = Ids::default();
    for schedule in schedules {
        outline.add_of(id, schedule_grants(&schedule, client));
        seen.insert(&schedule.id);
    }
    match schedules_v3_of(client, &seen) {
        Ok(grants) => outline.add_of(id, grants),
        Err(error) => outline.leave_out_schedules_v3(error)?,
    }
    let policies = List::all(escalation_policies::PATH).with("user_ids[]", id);
    for policy in paging::read_all::<EscalationPolicy>(client, &policies)? {
        outline.add_of(id, policy_grants(&policy));
    }
    Ok(AccountGrantsResult {
        items: outline.items,
        notices: outline.notices,
    })
}

impl Outline<'_, Grant> {
    fn add_of(&mut self, account: &str, grants: Vec<Grant>) {
        let own = grants.into_iter().filter(|grant| grant.account == account);
        self.items.extend(own);
    }
}

fn add_teams(outline: &mut Outline<'_, Grant>, user: &User) -> Result<()> {
    let teams = user.teams.iter().filter(|team| team.is_live());
    let teams: Vec<&str> = teams.map(|team| team.id.as_str()).collect();
    let paths = teams.iter().map(|team| teams::members_path(team));
    let paths: Vec<String> = paths.collect::<Result<_>>()?;
    let lists: Vec<List<'_>> = paths.iter().map(|path| List::all(path)).collect();
    for (team, members) in teams
        .iter()
        .zip(paging::read_each::<Member>(outline.client, &lists))
    {
        match members {
            Ok(members) => {
                let grants = members.iter().filter_map(|member| team_grant(team, member));
                outline.add_of(&user.id, grants.collect());
            }
            Err(error) if error.code == ErrorCode::NotFound => {}
            Err(error) if error.is_out_of_reach() => outline.notices.push(team_notice(team, error)),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn schedules_v3_of(client: &Client, seen: &Ids) -> Result<Vec<Grant>> {
    let list = List::all(schedules_v3::PATH);
    let rows = paging::read_all::<ScheduleV3>(client, &list)?;
    let ids = rows.iter().map(|row| row.id.as_str());
    let ids: Vec<&str> = ids
        .filter(|id| !id.is_empty() && !seen.contains(id))
        .collect();
    let requests = ids.iter().map(|id| schedules_v3::request(id));
    let requests: Vec<Request> = requests.collect::<Result<_>>()?;
    let mut grants = Vec::new();
    for (id, reply) in ids.iter().zip(client.send_all(requests)) {
        grants.extend(schedule_v3_grants(client, id, Some(reply))?);
    }
    Ok(grants)
}
