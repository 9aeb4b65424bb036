//! Teams and who is on them.

use crate::errors::Result;
use crate::pagerduty::client::vendor_id;
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
