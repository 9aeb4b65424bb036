//! Escalation policies, services, incidents and the audit trail so far.

use super::{DAY, days_ago};
use crate::state::audit::{AuditRecord, FieldChange, Resource};
use crate::state::incidents::{Incident, Status};
use crate::state::names::{JOB_TITLES, TOPICS, TROUBLES};
use crate::state::policies::{EscalationPolicy, Rule, Target};
use crate::state::users::Role;
use crate::state::{Account, Service, shift};

pub(super) fn policies(account: &mut Account, people: &[String]) {
    let count = (account.config.users / 60).max(3);
    let schedules: Vec<String> = account.schedules.iter().map(|s| s.id.clone()).collect();
    let shift_based: Vec<String> = account.schedules_v3.iter().map(|s| s.id.clone()).collect();
    // The last schedule of each kind is used by no policy.
    let schedules = &schedules[..schedules.len().saturating_sub(1)];
    let shift_based = &shift_based[..shift_based.len().saturating_sub(1)];
    let teams: Vec<String> = account.teams.iter().map(|t| t.id.clone()).collect();
    for n in 0..count {
        let user = |at: usize| Target::User(people[at % people.len()].clone());
        let schedule = Target::Schedule(schedules[n % schedules.len()].clone());
        let first = match n {
            0 => vec![schedule, user(3)],
            1 => vec![user(5)],
            _ => vec![schedule],
        };
        let mut levels = vec![first];
        if let Some(id) = shift_based.get(n % shift_based.len().max(1))
            && n % 3 == 0
        {
            let mut targets = vec![Target::ScheduleV3(id.clone())];
            if n == 0 {
                targets.push(user(4));
            }
            levels.push(targets);
        }
        if n > 1 {
            levels.push(vec![user(n * 11 + 9)]);
        }
        let rules = levels
            .into_iter()
            .map(|targets| Rule {
                id: account.ids.object(),
                delay_minutes: 30,
                targets,
            })
            .collect();
        let team = teams
            .get(n % teams.len().saturating_sub(1).max(1))
            .filter(|_| n % 2 == 0);
        let created_at = days_ago(account, 100, 900);
        let policy = EscalationPolicy {
            id: account.ids.object(),
            name: format!("{} Escalation {}", TOPICS[n % TOPICS.len()], n + 1),
            description: Some(String::new()),
            loops: 2,
            rules,
            teams: team.into_iter().cloned().collect(),
            handoff: "if_has_services".to_owned(),
            created_at,
            updated_at: created_at,
        };
        join_teams(account, &policy);
        if n + 1 < count {
            account.services.push(Service {
                id: account.ids.object(),
                name: format!("{} Service {}", TOPICS[n % TOPICS.len()], n + 1),
                policy: policy.id.clone(),
                created_at,
            });
        }
        account.policies.insert(policy);
    }
}

/// Users that a team's policy targets are members of the team.
fn join_teams(account: &mut Account, policy: &EscalationPolicy) {
    for team in &policy.teams {
        for target in policy.targets() {
            let Target::User(user) = target else {
                continue;
            };
            let role = account.users.get(user).map(|u| u.role.default_team_role());
            let is_member = account
                .teams
                .get(team)
                .is_some_and(|t| t.role(user).is_some());
            if let Some(role) = role
                && !is_member
            {
                account.put_member(team, user, role);
            }
        }
    }
}

pub(super) fn incidents(account: &mut Account, people: &[String]) {
    let open = (account.config.users / 20).max(2);
    let resolved = (account.config.users / 30).max(1);
    for n in 0..open + resolved {
        let service = &account.services[n % account.services.len()];
        let (policy, name) = (service.policy.clone(), service.name.clone());
        let service = service.id.clone();
        let snapshot_schedules = account
            .policies
            .get(&policy)
            .map(EscalationPolicy::schedule_ids)
            .unwrap_or_default();
        // Some open incidents are older than the month that lists show by default.
        let created_at = match n % 5 {
            4 => days_ago(account, 35, 200),
            _ => days_ago(account, 0, 20),
        };
        let status = match n {
            n if n >= open => Status::Resolved,
            n if n % 3 == 1 => Status::Acknowledged,
            _ => Status::Triggered,
        };
        let mut assignees = Vec::new();
        if status != Status::Resolved {
            let first = account.ids.below(people.len());
            assignees.push(people[first].clone());
            if n % 5 == 1 && people.len() > 1 {
                assignees.push(people[(first + 1) % people.len()].clone());
            }
        }
        let assignments: Vec<_> = assignees
            .into_iter()
            .map(|user| (created_at, user))
            .collect();
        let trouble = TROUBLES[account.ids.below(TROUBLES.len())];
        account.incidents.insert(Incident {
            id: account.ids.long(),
            number: n + 1,
            title: format!("{name}: {trouble}"),
            key: account.ids.secret(32).to_lowercase(),
            status,
            high_urgency: n % 4 != 3,
            service,
            policy,
            snapshot_schedules,
            acknowledgers: match status {
                Status::Acknowledged => assignments.clone(),
                Status::Triggered | Status::Resolved => Vec::new(),
            },
            assignments,
            created_at,
            updated_at: created_at,
            resolved_at: (status == Status::Resolved).then(|| shift(created_at, 3600)),
        });
    }
}

/// Changes of the last 13 months, of which 12 can be read. Who is listed was
/// created at some time; the rest are changes of job titles.
pub(super) fn history(account: &mut Account) {
    let owner = account
        .owner()
        .map(|owner| account.user_resource(&owner.id));
    let users: Vec<_> = account
        .users
        .iter()
        .filter(|user| user.role != Role::Owner)
        .map(|user| (user.id.clone(), user.name.clone(), user.created_at))
        .collect();
    let mut records = Vec::new();
    for (id, name, created_at) in users {
        let age = account.now.duration_since(created_at).as_secs();
        let root = Resource {
            id,
            kind: "user_reference",
            summary: name.clone(),
        };
        let mut add = |account: &mut Account, at, action, field: FieldChange| {
            records.push(AuditRecord {
                id: account.ids.secret(24),
                at,
                actor: owner.clone(),
                method: "browser",
                truncated_token: None,
                root: root.clone(),
                action,
                fields: vec![field],
                references: Vec::new(),
            });
        };
        if age < 395 * DAY {
            let field = FieldChange {
                name: "name",
                before: None,
                value: Some(name),
            };
            add(account, created_at, "create", field);
        }
        if account.ids.chance(10) {
            let at = shift(
                account.now,
                -(account.ids.below(age.min(395 * DAY) as usize) as i64),
            );
            let title = account.ids.below(JOB_TITLES.len());
            let field = FieldChange {
                name: "job_title",
                before: Some(JOB_TITLES[(title + 1) % JOB_TITLES.len()].to_owned()),
                value: Some(JOB_TITLES[title].to_owned()),
            };
            add(account, at, "update", field);
        }
    }
    records.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    account.audit = records;
}
