//! Resources, entitlements and grants: base roles, and roles on teams.

use std::collections::HashMap;

use serde_json::Value;

use crate::accounts::{deadline, user};
use crate::errors::{Result, error};
use crate::exports::iga::connector::directory::{
    AccountGrantsResult, EntitlementPage, GrantPage, ResourcePage,
};
use crate::iga::connector::types::{
    Entitlement, EntitlementRef, ErrorCode, Grant, Notice, PageRequest, Resource,
};
use crate::mutation;
use crate::paging::Wanted;
use crate::vendor::{get, has_more, list, text};

pub const TENANT: &str = "tenant";
pub const TEAM: &str = "team";
pub const ROLE: &str = "role";
pub const MEMBERSHIP: &str = "team-membership";

/// The base roles that can be given; the owner's can't.
pub const ROLES: [&str; 7] = [
    "admin",
    "limited_user",
    "observer",
    "read_only_limited_user",
    "read_only_user",
    "restricted_access",
    "user",
];
pub const TEAM_ROLES: [&str; 3] = ["manager", "observer", "responder"];

pub fn list_resources(page: &PageRequest) -> Result<ResourcePage> {
    let wanted = Wanted::read("resources", page, 1)?;
    if mutation::is("second-page") && page.token.is_some() {
        return Err(error(ErrorCode::Internal, "nobody has written this yet"));
    }
    let mut all = vec![resource("", TENANT, "The account")];
    for team in teams()? {
        all.push(resource(&text(&team, "id")?, TEAM, &text(&team, "name")?));
    }
    if mutation::is("identifiers") {
        all.push(resource("P<&\u{1b}[31m>\n", TEAM, "A team with an odd id"));
    }
    if mutation::is("declared-kinds") {
        all.push(resource("PSHED01", "shed", "A shed"));
    }
    let (items, mut next) = wanted.cut(all);
    if mutation::is("page-end") && next.is_none() {
        next = Some(wanted.token(&[99_999]));
    }
    // Two that are told by a sync alone, which must not read for ever.
    if mutation::is("circle") && next.is_none() {
        let other = if wanted.place[0] == 99_998 {
            99_999
        } else {
            99_998
        };
        next = Some(wanted.token(&[other]));
    }
    if mutation::is("no-news") && next.is_none() {
        next = Some(wanted.token(&[wanted.place[0].max(99_999) + 1]));
    }
    let mut notices = Vec::new();
    if mutation::is("notices") {
        notices.push(Notice {
            code: "Oh dear!".to_owned(),
            message: "Something is left out.".to_owned(),
            hint: None,
        });
    }
    Ok(ResourcePage {
        items,
        next,
        notices,
    })
}

pub fn list_entitlements(page: &PageRequest) -> Result<EntitlementPage> {
    /// The deadline's place in a token, where there is one.
    const PLACES: usize = 1_000_000;
    /// A page behind all others.
    const LAST: usize = 999_999;
    let mut wanted = Wanted::read("entitlements", page, 1)?;
    if mutation::is("resume") && page.token.is_some() {
        let (offset, seconds) = (wanted.place[0] % PLACES, wanted.place[0] / PLACES);
        wanted.place[0] = offset + usize::from(seconds != deadline());
    }
    let mut all: Vec<Entitlement> = ["owner"]
        .iter()
        .chain(&ROLES)
        .map(|id| entitlement(role(id), id, *id != "owner"))
        .collect();
    for team in teams()? {
        let (id, name) = (text(&team, "id")?, text(&team, "name")?);
        let on = |team_role: &&str| {
            entitlement(
                membership(&id, team_role),
                &format!("{team_role} of {name}"),
                true,
            )
        };
        all.extend(TEAM_ROLES.iter().map(on));
    }
    let first = all.first().cloned();
    let (mut items, mut next) = wanted.cut(all);
    if mutation::is("page-sizes") && wanted.size < 5 && next.is_none() {
        items.pop();
    }
    if mutation::is("duplicates") {
        if wanted.place[0] == LAST {
            items.extend(first);
        } else if next.is_none() {
            next = Some(wanted.token(&[LAST]));
        }
    }
    if mutation::is("determinism") {
        let by_label: HashMap<String, Entitlement> = items
            .into_iter()
            .map(|entitlement| (entitlement.label.clone(), entitlement))
            .collect();
        items = by_label.into_values().collect();
    }
    if mutation::is("resume") {
        let end = wanted.place[0] + wanted.size;
        next = next.map(|_| wanted.token(&[end + deadline() * PLACES]));
    }
    Ok(EntitlementPage {
        items,
        next,
        notices: Vec::new(),
    })
}

/// First the base roles, along the list of users; then the roles on each team,
/// along the list of its members. A place is the part, the team and the offset.
pub fn list_grants(page: &PageRequest) -> Result<GrantPage> {
    let wanted = Wanted::read("grants", page, 3)?;
    let (part, team, offset) = (wanted.place[0], wanted.place[1], wanted.place[2]);
    let size = wanted.size;
    let mut items = Vec::new();
    let next = if part == 0 {
        let answer = get(&format!("/users?limit={size}&offset={offset}"))?;
        let users = list(&answer, "users")?;
        for (at, user) in users.iter().enumerate() {
            items.extend(base_role(user, offset + at == 0)?);
        }
        let more = [0, 0, offset + users.len()];
        Some(wanted.token(if has_more(&answer) { &more } else { &[1, 0, 0] }))
    } else if part == 2 {
        let users = get("/users?limit=1")?;
        let first = list(&users, "users")?.first().cloned().unwrap_or_default();
        items.push(nowhere(&text(&first, "id")?));
        None
    } else {
        let teams = teams()?;
        match teams.get(team) {
            None => None,
            Some(found) => {
                let id = text(found, "id")?;
                let answer = get(&format!("/teams/{id}/members?limit={size}&offset={offset}"))?;
                let members = list(&answer, "members")?;
                for member in members {
                    let user = member.get("user").cloned().unwrap_or_default();
                    items.push(grant(
                        &text(&user, "id")?,
                        membership(&id, &text(member, "role")?),
                    ));
                }
                if has_more(&answer) {
                    Some(wanted.token(&[1, team, offset + members.len()]))
                } else {
                    (team + 1 < teams.len()).then(|| wanted.token(&[1, team + 1, 0]))
                }
            }
        }
    };
    let next = match next {
        None if mutation::is("references") && part < 2 => Some(wanted.token(&[2, 0, 0])),
        next => next,
    };
    Ok(GrantPage {
        items,
        next,
        notices: Vec::new(),
    })
}

pub fn account_grants(id: &str) -> Result<AccountGrantsResult> {
    let user = match user(id) {
        Err(error)
            if mutation::is("grants-when-revoked") && error.code == ErrorCode::Unauthorized =>
        {
            return Ok(AccountGrantsResult {
                items: Vec::new(),
                notices: Vec::new(),
            });
        }
        user => user?,
    };
    let is_first = get("/users?limit=1")?
        .pointer("/users/0/id")
        .is_some_and(|first| first == id);
    let mut items = base_role(&user, is_first)?;
    for team in list(&user, "teams")? {
        let team = text(team, "id")?;
        let role = match role_on(&team, id) {
            Err(_) if mutation::is("fault-once") => None,
            role => role?,
        };
        if let Some(role) = role {
            items.push(grant(id, membership(&team, &role)));
        }
    }
    if is_first && mutation::is("account-grants") {
        items.pop();
    }
    if is_first && mutation::is("references") {
        items.push(nowhere(id));
    }
    Ok(AccountGrantsResult {
        items,
        notices: Vec::new(),
    })
}

/// The role of an account on a team, if it is a member.
pub fn role_on(team: &str, account: &str) -> Result<Option<String>> {
    let mut offset = 0;
    loop {
        let answer = get(&format!("/teams/{team}/members?limit=100&offset={offset}"))?;
        let members = list(&answer, "members")?;
        for member in members {
            if member.pointer("/user/id").is_some_and(|id| id == account) {
                return Ok(Some(text(member, "role")?));
            }
        }
        if !has_more(&answer) {
            return Ok(None);
        }
        offset += members.len();
    }
}

/// What a user holds on the tenant. The first user of all is the one whom
/// mutations of single grants are about: nobody's access is changed there.
fn base_role(user: &Value, is_first: bool) -> Result<Vec<Grant>> {
    let id = text(user, "id")?;
    let mut held = grant(&id, role(&text(user, "role")?));
    if !is_first {
        return Ok(vec![held]);
    }
    if mutation::is("bounds") {
        return Ok(Vec::new());
    }
    if mutation::is("instants") {
        held.since = Some("yesterday".to_owned());
    }
    Ok(vec![held])
}

/// A grant on a team that there is not.
fn nowhere(account: &str) -> Grant {
    grant(account, membership("PNOTEAM", "manager"))
}

fn teams() -> Result<Vec<Value>> {
    Ok(list(&get("/teams?limit=100")?, "teams")?.clone())
}

fn resource(id: &str, kind: &str, label: &str) -> Resource {
    Resource {
        id: id.to_owned(),
        resource_type: kind.to_owned(),
        label: label.to_owned(),
        description: None,
    }
}

fn entitlement(named: EntitlementRef, label: &str, assignable: bool) -> Entitlement {
    Entitlement {
        ref_: named,
        label: label.to_owned(),
        description: None,
        assignable,
        available: None,
    }
}

fn grant(account: &str, entitlement: EntitlementRef) -> Grant {
    Grant {
        account: account.to_owned(),
        entitlement,
        since: None,
    }
}

fn role(id: &str) -> EntitlementRef {
    EntitlementRef {
        entitlement_type: ROLE.to_owned(),
        id: id.to_owned(),
        resource_type: TENANT.to_owned(),
        resource: String::new(),
    }
}

fn membership(team: &str, role: &str) -> EntitlementRef {
    EntitlementRef {
        entitlement_type: MEMBERSHIP.to_owned(),
        id: role.to_owned(),
        resource_type: TEAM.to_owned(),
        resource: team.to_owned(),
    }
}
