//! Teams and who is on them.

use crate::errors::Result;
use crate::pagerduty::client::{Change, Client, Request, checked_id, vendor_id};
use crate::pagerduty::json::{Json, Row};
use crate::pagerduty::paging::{self, List};
use crate::pagerduty::references::Reference;

/// The list.
pub const PATH: &str = "/teams";

/// A team.
#[derive(Clone, Debug)]
pub struct Team {
    /// Vendor identifier; empty if there was none.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// Free text.
    pub description: Option<String>,
}

impl Row for Team {
    const MANY: &'static str = "teams";
    const ONE: &'static str = "team";

    fn read(json: &Json) -> Self {
        Self {
            id: json.id(),
            name: json.text("name"),
            description: json.text("description"),
        }
    }
}

/// A user's place on a team.
#[derive(Clone, Debug)]
pub struct Member {
    /// Who.
    pub user: Option<Reference>,
    /// `manager`, `responder` or `observer`.
    pub role: Option<String>,
}

impl Row for Member {
    const MANY: &'static str = "members";
    const ONE: &'static str = "member";

    fn read(json: &Json) -> Self {
        Self {
            user: json.object("user").map(Reference::read),
            role: json.text("role"),
        }
    }

    fn is_identified(json: &Json) -> bool {
        json.points_at_something("user") && json.has_text("role")
    }
}

/// One team.
pub fn get(client: &Client, id: &str) -> Result<Team> {
    client.fetch_one(Request::get(format!("/teams/{}", checked_id(id)?)))
}

/// The role that a user has on a team; none if it is not on it.
pub fn role_of(client: &Client, team: &str, user: &str) -> Result<Option<String>> {
    let path = members_path(team)?;
    let members = paging::read_all::<Member>(client, &List::all(&path))?;
    let is_user = |member: &Member| member.user.as_ref().is_some_and(|found| found.id == user);
    Ok((members.into_iter().find(is_user)).map(|member| member.role.unwrap_or_default()))
}

/// Puts a user on a team, or changes the role of one who is there. Team roles
/// are read from a copy that lags behind: Terraform's provider has seen the old
/// one for two minutes.
pub fn put_member(client: &Client, team: &str, user: &str, role: &str) -> Result<()> {
    let body = Json::of([("role", role.into())]);
    client.change(Change::put(member_path(team, user)?, &body))?;
    Ok(())
}

/// Takes a user off a team. PagerDuty refuses with a 400 while one of the
/// team's escalation policies names the user.
pub fn remove_member(client: &Client, team: &str, user: &str) -> Result<()> {
    client.change(Change::delete(member_path(team, user)?))?;
    Ok(())
}

fn member_path(team: &str, user: &str) -> Result<String> {
    Ok(format!(
        "/teams/{}/users/{}",
        checked_id(team)?,
        checked_id(user)?
    ))
}

/// Where a team's members are listed.
pub fn members_path(team: &str) -> Result<String> {
    Ok(format!("/teams/{}/members", vendor_id(team)?))
}
