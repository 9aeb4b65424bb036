//! Teams and who is on them.

use crate::errors::Result;
use crate::pagerduty::client::{Client, vendor_id};
use crate::pagerduty::json::{Json, Row};
use crate::pagerduty::paging::{self, List, Place, Stretch};
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

/// Some of a team's members.
pub async fn members(
    client: &Client,
    team: &str,
    place: &Place,
    want: usize,
) -> Result<Stretch<Member>> {
    let path = members_path(team)?;
    paging::read(client, &List::all(&path), place, want).await
}

/// All members of a team.
pub async fn all_members(client: &Client, team: &str) -> Result<Vec<Member>> {
    let path = members_path(team)?;
    paging::read_all(client, &List::all(&path)).await
}

fn members_path(team: &str) -> Result<String> {
    Ok(format!("/teams/{}/members", vendor_id(team)?))
}
