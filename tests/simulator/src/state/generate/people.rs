//! Users, licences and teams.

use super::{DAY, days_ago};
use crate::state::licenses::License;
use crate::state::names::{COLORS, FAMILY, GIVEN, JOB_TITLES, TOPICS, ZONES};
use crate::state::teams::Team;
use crate::state::users::{Role, User};
use crate::state::{Account, shift};

pub(super) fn licenses(account: &mut Account) {
    let without_owner = Role::FULL.into_iter().filter(|role| *role != Role::Owner);
    // Two licences with one name, as the API's own documentation shows.
    let mut kinds = vec![
        (
            "Business (Full User)",
            "Incident Management",
            Role::FULL.to_vec(),
            "FullUser",
        ),
        (
            "Business (Full User)",
            "Event Intelligence",
            without_owner.collect(),
            "FullUser",
        ),
    ];
    if account.config.plan.stakeholders {
        let roles = Role::STAKEHOLDERS.to_vec();
        kinds.push(("Stakeholder", "Stakeholder Licenses", roles, "Stakeholder"));
    }
    for (name, description, valid_roles, role_group) in kinds {
        let id = account.ids.object();
        account.licenses.push(License {
            id,
            name,
            description,
            valid_roles,
            role_group,
            used: 0,
            seats: None,
        });
    }
}

/// Sets the seats from what is used: some room, little room, no limit.
pub(super) fn seats(account: &mut Account) {
    let users = account.config.users;
    let left = account.config.full_seats;
    for (at, license) in account.licenses.iter_mut().enumerate() {
        license.seats = match at {
            0 => Some(license.used + left.unwrap_or(10 + users / 10)),
            1 => Some(license.used + left.unwrap_or(3)),
            _ => None,
        };
    }
}

pub(super) fn users(account: &mut Account) {
    for n in 0..account.config.users {
        let role = role(account, n);
        let user = user(account, n, role);
        if let Some(license) = account.license_mut(&user.license) {
            license.used += 1;
        }
        account.add_user(user);
    }
}

/// The first few roles are fixed, so that small accounts have one of each kind.
fn role(account: &mut Account, n: usize) -> Role {
    let role = match n {
        0 => return Role::Owner,
        1 => return Role::LimitedUser,
        2 => Role::Admin,
        3 => Role::ReadOnlyUser,
        4 => Role::Observer,
        5 => Role::RestrictedAccess,
        6 => Role::ReadOnlyLimitedUser,
        7 => Role::User,
        _ => match account.ids.below(100) {
            0..2 => Role::Admin,
            2..18 => Role::User,
            18..25 => Role::ReadOnlyUser,
            25..28 => Role::ReadOnlyLimitedUser,
            28..33 => Role::Observer,
            33..36 => Role::RestrictedAccess,
            _ => Role::LimitedUser,
        },
    };
    let plan = account.config.plan;
    let offered = match role {
        Role::ReadOnlyUser | Role::ReadOnlyLimitedUser => plan.stakeholders,
        Role::Observer | Role::RestrictedAccess => plan.advanced_permissions,
        Role::Owner | Role::Admin | Role::User | Role::LimitedUser => true,
    };
    if offered { role } else { Role::LimitedUser }
}

fn user(account: &mut Account, n: usize, role: Role) -> User {
    let (given, given_ascii) = GIVEN[account.ids.below(GIVEN.len())];
    let (family, family_ascii) = FAMILY[account.ids.below(FAMILY.len())];
    let mut local = format!("{given_ascii}.{family_ascii}{n}");
    if n % 37 == 5 {
        // Some addresses are stored in mixed case; they still compare equal.
        local = format!("{}{}", local[..1].to_uppercase(), &local[1..]).replace(".l", ".L");
    }
    let pending = n == 8 || (n > 8 && account.ids.chance(4));
    let created_at = days_ago(account, 1, 4 * 365);
    let last_sign_in_at = if pending || account.ids.chance(5) {
        None
    } else {
        let age = account
            .now
            .duration_since(created_at)
            .as_secs()
            .min(200 * DAY);
        Some(shift(
            account.now,
            -(account.ids.below(age as usize) as i64),
        ))
    };
    let license = license_of(account, n, role);
    let ids = &mut account.ids;
    User {
        id: ids.object(),
        name: format!("{given} {family}"),
        email: format!("{local}@{}.example", account.config.subdomain),
        role,
        time_zone: ZONES[ids.below(ZONES.len())].to_owned(),
        color: COLORS[ids.below(COLORS.len())],
        job_title: ids
            .chance(85)
            .then(|| JOB_TITLES[n % JOB_TITLES.len()].to_owned()),
        description: None,
        invitation_sent: pending,
        created_via_sso: ids.chance(30),
        created_at,
        last_sign_in_at,
        web_revoked_at: None,
        mobile_revoked_at: None,
        license,
        allocated_at: created_at,
        teams: Vec::new(),
        contact_method: ids.object(),
        notification_rules: [ids.object(), ids.object()],
    }
}

fn license_of(account: &Account, n: usize, role: Role) -> String {
    let at = match role {
        role if role.is_stakeholder() => 2,
        Role::Owner => 0,
        _ => usize::from(n % 7 == 4),
    };
    account.licenses[at].id.clone()
}

pub(super) fn teams(account: &mut Account) {
    let users = account.config.users;
    let usual = if users >= 20 { (users / 40).max(4) } else { 1 };
    let count = account.config.teams.unwrap_or(usual).max(1);
    let mut ids = Vec::with_capacity(count);
    for n in 0..count {
        let topic = TOPICS[n % TOPICS.len()];
        let name = match n / TOPICS.len() {
            0 => topic.to_owned(),
            round => format!("{topic} {}", round + 1),
        };
        let id = account.ids.object();
        let parent = (n == 1).then(|| ids.first().cloned()).flatten();
        account
            .teams
            .insert(Team::new(id.clone(), name, n % 4 == 2, parent));
        ids.push(id);
    }
    // The last of several teams stays empty.
    let joinable = if count > 1 { count - 1 } else { 1 };
    let people: Vec<(String, Role)> = account
        .users
        .iter()
        .map(|user| (user.id.clone(), user.role))
        .collect();
    for (user, role) in people {
        if role == Role::ReadOnlyUser || account.ids.chance(15) {
            continue;
        }
        let first = account.ids.below(joinable);
        account.put_member(&ids[first], &user, role.default_team_role());
        if account.ids.chance(20) {
            let second = account.ids.below(joinable);
            account.put_member(&ids[second], &user, role.default_team_role());
        }
    }
}

/// Who can be on call: everybody but stakeholders and those who have not joined yet.
pub(super) fn on_call_candidates(account: &Account) -> Vec<String> {
    account
        .users
        .iter()
        .filter(|user| !user.role.is_stakeholder() && !user.invitation_sent)
        .map(|user| user.id.clone())
        .collect()
}
