//! What one account holds: the rows of `list-grants` that are its own.

use super::grants::{
    license_grant, policy_grants, role_grant, schedule_grants, schedule_v3_grants, team_grant,
    team_notice,
};
use super::outline::Outline;
use crate::errors::{ErrorCode, Result};
use crate::exports::iga::connector::directory::AccountGrantsResult;
use crate::iga::connector::types::Grant;
use crate::pagerduty::client::Client;
use crate::pagerduty::escalation_policies::{self, EscalationPolicy};
use crate::pagerduty::licenses;
use crate::pagerduty::paging::{self, List};
use crate::pagerduty::schedules::{self, Schedule};
use crate::pagerduty::schedules_v3::{self, ScheduleV3};
use crate::pagerduty::teams;
use crate::pagerduty::users::{self, User};
use std::collections::BTreeSet;

/// All grants of one account.
pub async fn account_grants(client: &Client, id: &str) -> Result<AccountGrantsResult> {
    let user = users::get(client, id).await?;
    let mut outline = Outline::new(client, usize::MAX);
    outline.items.extend(role_grant(&user));
    match licenses::of_user(client, id).await {
        Ok(license) if license.id.is_empty() => {}
        Ok(license) => outline.items.push(license_grant(id, &license.id, None)),
        Err(error) if error.code == ErrorCode::NotFound => {}
        Err(error) => outline.leave_out_licenses(error)?,
    }
    add_teams(&mut outline, &user).await?;
    let schedules = paging::read_all::<Schedule>(client, &schedules::with_layers()).await?;
    let mut seen = BTreeSet::new();
    for schedule in schedules {
        outline.add_of(id, schedule_grants(&schedule, client));
        seen.insert(schedule.id);
    }
    match schedules_v3_of(client, &seen).await {
        Ok(grants) => outline.add_of(id, grants),
        Err(error) => outline.leave_out_schedules_v3(error)?,
    }
    let policies = List::all(escalation_policies::PATH).with("user_ids[]", id);
    for policy in paging::read_all::<EscalationPolicy>(client, &policies).await? {
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

async fn add_teams(outline: &mut Outline<'_, Grant>, user: &User) -> Result<()> {
    let client = outline.client;
    let memberships = user.teams.iter().filter(|team| team.is_live());
    let memberships =
        memberships.map(
            async |team| match teams::all_members(client, &team.id).await {
                Ok(members) => Ok(members
                    .iter()
                    .filter_map(|member| team_grant(&team.id, member))
                    .filter(|grant| grant.account == user.id)
                    .map(Ok)
                    .collect()),
                Err(error) if error.code == ErrorCode::NotFound => Ok(Vec::new()),
                Err(error) if error.is_out_of_reach() => {
                    Ok(vec![Err(team_notice(&team.id, error))])
                }
                Err(error) => Err(error),
            },
        );
    for outcome in client.all(memberships).await?.into_iter().flatten() {
        match outcome {
            Ok(grant) => outline.items.push(grant),
            Err(notice) => outline.notices.push(notice),
        }
    }
    Ok(())
}

async fn schedules_v3_of(client: &Client, seen: &BTreeSet<String>) -> Result<Vec<Grant>> {
    let list = List::all(schedules_v3::PATH);
    let rows = paging::read_all::<ScheduleV3>(client, &list).await?;
    let rows = rows.iter().filter(|row| !seen.contains(&row.id));
    let grants = rows.map(async |row| schedule_v3_grants(client, &row.id).await);
    Ok(client.all(grants).await?.into_iter().flatten().collect())
}
