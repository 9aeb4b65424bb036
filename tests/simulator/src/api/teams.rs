//! Teams and their members.

use serde_json::{Value, json};

use super::paging::Page;
use super::request::text;
use super::{Answer, Call, Refusal, Reply, references, users};
use crate::state::Account;
use crate::state::audit::{ReferenceChange, Resource};
use crate::state::teams::TeamRole;
use crate::state::users::Role;

pub(super) fn list(account: &Account, call: &Call) -> Answer {
    let page = Page::read(call)?;
    let query = call.param("query").map(str::to_lowercase);
    let teams = account.teams.iter().filter(|t| {
        query
            .as_deref()
            .is_none_or(|q| t.name.to_lowercase().contains(q))
    });
    let rows = page
        .cut_counted(teams)
        .map(|team| render(account, &team.id).unwrap_or_default());
    Ok(rows.reply("teams"))
}

pub(super) fn show(account: &Account, id: &str) -> Answer {
    let team = render(account, id).ok_or_else(Refusal::not_found)?;
    Ok(Reply::ok(json!({"team": team})))
}

/// The full team object.
pub(crate) fn render(account: &Account, id: &str) -> Option<Value> {
    let team = account.teams.get(id)?;
    let (own, html) = references::links(account, "teams", "teams", id);
    Some(json!({
        "id": id, "type": "team", "summary": team.name, "self": own, "html_url": html,
        "name": team.name, "description": team.description,
        "default_role": if team.private { "none" } else { "manager" },
        "parent": team.parent.as_deref().map(|parent| references::team(account, parent)),
    }))
}

pub(super) fn members(account: &Account, call: &Call, id: &str) -> Answer {
    let team = account.teams.get(id).ok_or_else(Refusal::not_found)?;
    let page = Page::with_limits(call, 100, 100)?;
    let expand = call.includes("users");
    let members: Vec<(&str, TeamRole)> = team.members().collect();
    let rows = page.cut_counted(members.into_iter()).map(|(user, role)| {
        let user = match account.users.get(user) {
            Some(full) if expand => users::render(account, full, call),
            _ => references::user(account, user),
        };
        json!({"user": user, "role": role.name()})
    });
    Ok(rows.reply("members"))
}

pub(super) fn put_member(account: &mut Account, call: &Call, team: &str, user: &str) -> Answer {
    let before = account
        .teams
        .get(team)
        .ok_or_else(Refusal::not_found)?
        .role(user);
    let base = account.users.get(user).ok_or_else(Refusal::not_found)?.role;
    if base == Role::ReadOnlyUser {
        return Err(Refusal::invalid("Stakeholders cannot be added to teams"));
    }
    let role = match text(&call.body, "role") {
        None => before.unwrap_or_else(|| base.default_team_role()),
        Some(name) => TeamRole::parse(name)
            .ok_or_else(|| Refusal::invalid("Role must be in observer, responder, manager"))?,
    };
    if base.fixed_team_role().is_some_and(|fixed| fixed != role) {
        return Err(Refusal::invalid(
            "User has a base role with a fixed team role",
        ));
    }
    account.put_member(team, user, role);
    if before.is_none() {
        record(account, call, team, user, true);
    }
    Ok(Reply::no_content())
}

pub(super) fn remove_member(account: &mut Account, call: &Call, team: &str, user: &str) -> Answer {
    let role = account
        .teams
        .get(team)
        .ok_or_else(Refusal::not_found)?
        .role(user);
    role.ok_or_else(Refusal::not_found)?;
    if account.is_held_by_policy(team, user) {
        return Err(Refusal::invalid(
            "User cannot be removed as they belong to an escalation policy on this team",
        ));
    }
    account.remove_member(team, user);
    record(account, call, team, user, false);
    Ok(Reply::no_content())
}

fn record(account: &mut Account, call: &Call, team: &str, user: &str, added: bool) {
    let name = account
        .teams
        .get(team)
        .map(|t| t.name.clone())
        .unwrap_or_default();
    let root = Resource {
        id: team.to_owned(),
        kind: "team_reference",
        summary: name,
    };
    let member = vec![account.user_resource(user)];
    let (added, removed) = if added {
        (member, Vec::new())
    } else {
        (Vec::new(), member)
    };
    let change = ReferenceChange {
        name: "members",
        added,
        removed,
    };
    let origin = call.caller.origin(account);
    account.record(&origin, root, "update", Vec::new(), vec![change]);
}
