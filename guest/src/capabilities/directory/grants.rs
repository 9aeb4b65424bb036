//! Grants: who holds what.

use super::entitlements::member_of;
use super::outline::{Outline, Parts, Position};
use super::{
    ESCALATION_POLICY, ESCALATION_POLICY_MEMBERSHIP, LICENSE, ROLE, SCHEDULE, SCHEDULE_MEMBERSHIP,
    TEAM, TEAM_MEMBERSHIP, TENANT, grant, page_size, position, reference,
};
use crate::errors::{Error, ErrorCode, Result};
use crate::exports::iga::connector::directory::GrantPage;
use crate::ids::Ids;
use crate::iga::connector::types::{Grant, Notice, PageRequest};
use crate::page_token::{self, Cursor, Function};
use crate::pagerduty::client::{Client, Reply, Request};
use crate::pagerduty::escalation_policies::{self, EscalationPolicy};
use crate::pagerduty::json::Json;
use crate::pagerduty::licenses::{self, Allocation, License};
use crate::pagerduty::paging::{self, End, List, Place};
use crate::pagerduty::schedules::{self, Schedule};
use crate::pagerduty::schedules_v3::{self, ScheduleV3};
use crate::pagerduty::teams::{self, Member, Team};
use crate::pagerduty::user_walk;
use crate::pagerduty::users::User;

const ROLES: u8 = 0;
const ALLOCATIONS: u8 = 1;
const UNLISTED_ALLOCATIONS: u8 = 2;
const TEAMS: u8 = 3;
const SCHEDULES: u8 = 4;
const SCHEDULES_V3: u8 = 5;
const PHASES: u8 = 7;

/// Users whose licences are looked up one by one before anybody looks at the clock:
/// a page of PagerDuty's, and a tenth of a minute's requests.
const LOOKUPS: usize = 100;
/// Most of them in a call: not everybody has a licence, and a host bounds the requests
/// of a call.
const MAX_LOOKUPS: usize = 1000;

#[derive(Default)]
struct At {
    position: Position,
    /// Where in the walk over all users, in the phases that take one.
    users: Option<user_walk::Cursor>,
}

impl Cursor for At {
    fn write(&self) -> Json<'static> {
        let users = self.users.as_ref().map(user_walk::Cursor::write);
        Json::of([("o", self.position.write()), ("u", users.into())])
    }

    fn read(json: &Json) -> Option<Self> {
        Some(Self {
            position: Position::read(json.get("o"))?,
            users: match json.object("u") {
                Some(users) => Some(user_walk::Cursor::read(users)?),
                None => None,
            },
        })
    }

    fn is_valid(&self) -> bool {
        self.position.is_valid(PHASES)
            && self.users.as_ref().is_none_or(user_walk::Cursor::is_valid)
    }
}

/// Some of the grants.
pub fn list_grants(client: &Client, page: &PageRequest) -> Result<GrantPage> {
    let size = page_size(client, page)?;
    let At {
        position: mut at,
        mut users,
    } = position(Function::Grants, page)?;
    let mut outline = Outline::new(client, size);
    while !outline.is_done() {
        let is_through = match at.phase {
            ROLES => outline.add_roles(&mut users)?,
            ALLOCATIONS => match outline.add_allocations(&mut at) {
                Ok(Some(End::Complete)) => {
                    // Nobody is left for the next phase.
                    at.phase = UNLISTED_ALLOCATIONS;
                    true
                }
                Ok(end) => end.is_some(),
                Err(error) => {
                    outline.leave_out_licenses(error)?;
                    at.phase = UNLISTED_ALLOCATIONS;
                    true
                }
            },
            UNLISTED_ALLOCATIONS => match outline.add_unlisted_allocations(&mut users) {
                Ok(is_through) => is_through,
                Err(error) => {
                    outline.leave_out_licenses(error)?;
                    true
                }
            },
            TEAMS => match outline.add_team_members(&mut at) {
                Ok(is_through) => is_through,
                Err(error) => {
                    outline.leave_out_teams(error)?;
                    true
                }
            },
            SCHEDULES => {
                let mut expand =
                    |schedule: &Schedule, skip| Parts::all(schedule_grants(schedule, client), skip);
                let list = schedules::with_layers();
                outline.add_rows(&list, &mut at, &mut expand)?
            }
            SCHEDULES_V3 => match outline.add_schedules_v3(&mut at) {
                Ok(is_through) => is_through,
                Err(error) => {
                    outline.leave_out_schedules_v3(error)?;
                    true
                }
            },
            _ => {
                let mut expand =
                    |policy: &EscalationPolicy, skip| Parts::all(policy_grants(policy), skip);
                let list = List::all(escalation_policies::PATH);
                outline.add_rows(&list, &mut at, &mut expand)?
            }
        };
        if is_through {
            at.next_phase();
            users = None;
            if at.phase == PHASES {
                return Ok(outline.into_page(None));
            }
        }
    }
    let next = At {
        position: at,
        users,
    };
    let next = page_token::encode(Function::Grants, &next)?;
    Ok(outline.into_page(Some(next)))
}

impl Outline<'_, Grant> {
    fn add_roles(&mut self, users: &mut Option<user_walk::Cursor>) -> Result<bool> {
        let cursor = users.take().unwrap_or_default();
        let (found, next) = user_walk::next(self.client, cursor, self.room())?;
        self.items.extend(found.iter().filter_map(role_grant));
        *users = next;
        Ok(users.is_none())
    }

    fn add_allocations(&mut self, at: &mut Position) -> Result<Option<End>> {
        let list = List::all(licenses::ALLOCATIONS_PATH);
        let want = self.room();
        let stretch = paging::read::<Allocation>(self.client, &list, &at.place, want)?;
        at.place.total = stretch.total;
        // A user has one licence, whatever the list says.
        let mut seen = Ids::default();
        for row in stretch.rows {
            if self.room() == 0 {
                return Ok(None);
            }
            at.place.at += 1;
            let Some((user, license)) = row.as_ref().and_then(Allocation::user_and_license) else {
                continue;
            };
            if seen.insert(user) {
                let since = row.as_ref().and_then(|row| row.since);
                self.items.push(license_grant(user, license, since));
            }
        }
        Ok(stretch.end)
    }

    /// Beyond 10,000 rows the allocations can't be listed. Whoever is not in
    /// the list is asked for one by one. Each call reads the list again: the
    /// alternative is to carry 10,000 ids in a page token.
    fn add_unlisted_allocations(&mut self, users: &mut Option<user_walk::Cursor>) -> Result<bool> {
        let list = List::all(licenses::ALLOCATIONS_PATH);
        let mut listed = Ids::default();
        paging::see_reachable::<Allocation>(self.client, &list, &mut |row| {
            if let Some((user, _)) = row.user_and_license() {
                listed.insert(user);
            }
        })?;
        let mut lookups = 0;
        loop {
            let want = self.room().min(LOOKUPS);
            let cursor = users.take().unwrap_or_default();
            let (found, next) = user_walk::next(self.client, cursor, want)?;
            *users = next;
            let unlisted = found.iter().filter(|user| !listed.contains(&user.id));
            let unlisted: Vec<&str> = unlisted.map(|user| user.id.as_str()).collect();
            let requests = unlisted.iter().map(|id| licenses::request_of_user(id));
            let requests: Vec<Request> = requests.collect::<Result<_>>()?;
            for (user, reply) in unlisted.iter().zip(self.client.send_all(requests)) {
                self.items.extend(held_license(user, reply)?);
            }
            if users.is_none() {
                return Ok(true);
            }
            lookups += unlisted.len();
            let is_enough = lookups >= MAX_LOOKUPS || self.client.time_is_mostly_used();
            if self.is_done() || is_enough {
                // Not through; a page may be shorter than asked for.
                self.size = self.items.len();
                return Ok(false);
            }
        }
    }

    fn add_team_members(&mut self, at: &mut Position) -> Result<bool> {
        let client = self.client;
        let want = self.room();
        let mut notices = Vec::new();
        let ask = |team: &Team, skip| {
            let path = teams::members_path(&team.id).ok()?;
            paging::first_request(&List::all(&path), skip)
        };
        let mut expand = |team: &Team, skip, reply| {
            team_parts(client, &team.id, skip, want, reply, &mut notices)
        };
        let result = self.add_asking(&List::all(teams::PATH), at, &ask, &mut expand);
        self.notices.extend(notices);
        result
    }

    fn add_schedules_v3(&mut self, at: &mut Position) -> Result<bool> {
        let client = self.client;
        let list = List::all(schedules_v3::PATH);
        let ask = |row: &ScheduleV3, _| schedules_v3::request(&row.id).ok();
        let mut expand = |row: &ScheduleV3, skip, reply| {
            let grants = schedule_v3_grants(client, &row.id, reply)?;
            Ok(Parts::all(grants, skip))
        };
        self.add_asking(&list, at, &ask, &mut expand)
    }

    fn into_page(self, next: Option<String>) -> GrantPage {
        GrantPage {
            items: self.items,
            next,
            notices: self.notices,
        }
    }
}

/// The role of a user.
pub fn role_grant(user: &User) -> Option<Grant> {
    let role = user.role.as_deref().filter(|role| !role.is_empty())?;
    Some(grant(&user.id, reference(ROLE, role, TENANT, ""), None))
}

/// A user's licence.
pub fn license_grant(
    user: &str,
    license: &str,
    since: Option<crate::instants::Timestamp>,
) -> Grant {
    grant(user, reference(LICENSE, license, TENANT, ""), since)
}

/// A user's role on a team.
pub fn team_grant(team: &str, member: &Member) -> Option<Grant> {
    let user = member.user.as_ref().filter(|user| user.is_live())?;
    let role = member.role.as_deref().filter(|role| !role.is_empty())?;
    let entitlement = reference(TEAM_MEMBERSHIP, role, TEAM, team);
    Some(grant(&user.id, entitlement, None))
}

/// The members of a v2 schedule.
pub fn schedule_grants(schedule: &Schedule, client: &Client) -> Vec<Grant> {
    let entitlement = member_of(SCHEDULE_MEMBERSHIP, SCHEDULE, &schedule.id);
    match schedule.id.as_str() {
        "" => Vec::new(),
        _ => members(&schedule.members(client.now()), &entitlement),
    }
}

/// The members of a v3 schedule: the list does not tell. `reply` is the answer
/// to `schedules_v3::request`, where that could be asked.
pub fn schedule_v3_grants(
    client: &Client,
    id: &str,
    reply: Option<Result<Reply>>,
) -> Result<Vec<Grant>> {
    if id.is_empty() {
        return Ok(Vec::new());
    }
    let reply = reply.unwrap_or_else(|| client.send(schedules_v3::request(id)?));
    let schedule = match reply.and_then(|reply| reply.one::<ScheduleV3>()) {
        Ok(schedule) => schedule,
        // Gone since it was listed.
        Err(error) if error.code == ErrorCode::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let entitlement = member_of(SCHEDULE_MEMBERSHIP, SCHEDULE, id);
    Ok(members(&schedule.members(client.now()), &entitlement))
}

/// The users that an escalation policy names.
pub fn policy_grants(policy: &EscalationPolicy) -> Vec<Grant> {
    let entitlement = member_of(ESCALATION_POLICY_MEMBERSHIP, ESCALATION_POLICY, &policy.id);
    match policy.id.as_str() {
        "" => Vec::new(),
        _ => members(&policy.members(), &entitlement),
    }
}

/// Says that the members of a team could not be read.
pub fn team_notice(team: &str, error: Error) -> Notice {
    let what = format!("the members of team {team} are left out");
    error.into_notice("team-members-not-readable", &what)
}

fn members(
    users: &[&str],
    entitlement: &crate::iga::connector::types::EntitlementRef,
) -> Vec<Grant> {
    users
        .iter()
        .map(|user| grant(user, entitlement.clone(), None))
        .collect()
}

/// The licence that one user holds, by the answer to
/// `licenses::request_of_user`.
pub fn held_license(user: &str, reply: Result<Reply>) -> Result<Option<Grant>> {
    match reply.and_then(|reply| reply.one::<License>()) {
        Ok(license) if license.id.is_empty() => Ok(None),
        Ok(license) => Ok(Some(license_grant(user, &license.id, None))),
        // The user left, or has none.
        Err(error) if error.code == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn team_parts(
    client: &Client,
    team: &str,
    skip: u32,
    want: usize,
    reply: Option<Result<Reply>>,
    notices: &mut Vec<Notice>,
) -> Result<Parts<Grant>> {
    if team.is_empty() {
        return Ok(Parts::all([], 0));
    }
    let path = teams::members_path(team)?;
    let list = List::all(&path);
    let place = Place {
        at: skip,
        total: None,
    };
    let stretch = match paging::read_after::<Member>(client, &list, &place, want, reply) {
        Ok(stretch) => stretch,
        // Gone since it was listed.
        Err(error) if error.code == ErrorCode::NotFound => return Ok(Parts::all([], 0)),
        // A private team that the credential's user is not on.
        Err(error) if error.is_out_of_reach() => {
            notices.push(team_notice(team, error));
            return Ok(Parts::all([], 0));
        }
        Err(error) => return Err(error),
    };
    if stretch.end == Some(End::Capped) && stretch.rows.is_empty() {
        return Err(paging::capped("/teams/{id}/members"));
    }
    let rows = stretch.rows.into_iter();
    Ok(Parts {
        parts: rows
            .map(|row| row.and_then(|member| team_grant(team, &member)))
            .collect(),
        more: stretch.end != Some(End::Complete),
    })
}
