//! Teams and who is on them.

use crate::errors::Result;
use crate::pagerduty::client::{Change, Client, checked_id, vendor_id};
use crate::pagerduty::json::{Json, Row};
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
}

/// Where a team's members are listed.
pub fn members_path(team: &str) -> Result<String> {
    Ok(format!("/teams/{}/members", vendor_id(team)?))
}

/// Puts a user on a team, in that role.
pub fn put_member(client: &Client, team: &str, user: &str, role: &str) -> Result<()> {
    let body = Json::of([("role", role.into())]);
    let change = Change::put(member_path(team, user)?, &body);
    client.change(change).map(drop)
}

/// Takes a user off a team. PagerDuty refuses with a 400 while one of the
/// team's escalation policies names the user.
pub fn remove_member(client: &Client, team: &str, user: &str) -> Result<()> {
    let change = Change::delete(member_path(team, user)?);
    client.change(change).map(drop)
}

fn member_path(team: &str, user: &str) -> Result<String> {
    Ok(format!(
        "/teams/{}/users/{}",
        checked_id(team)?,
        checked_id(user)?
    ))
}
