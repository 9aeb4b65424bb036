//! Licences, and who holds which. There is no request that gives or takes one:
//! a licence is a field of the user.

use crate::errors::{ErrorCode, Result};
use crate::instants::Timestamp;
use crate::pagerduty::client::{Client, Request, checked_id};
use crate::pagerduty::json::{Instants as _, Json, Row};
use crate::pagerduty::references::Reference;

/// The list of who holds which.
pub const ALLOCATIONS_PATH: &str = "/license_allocations";

/// A kind of seat.
#[derive(Clone, Debug)]
pub struct License {
    /// Vendor identifier; empty if there was none.
    pub id: String,
    /// Its name. Two licences may share it.
    pub name: Option<String>,
    /// The add-ons that come with it.
    pub description: Option<String>,
    /// Seats left; none if there is no limit.
    pub allocations_available: Option<u32>,
    /// Roles that may hold it.
    pub valid_roles: Vec<String>,
}

impl Row for License {
    const MANY: &'static str = "licenses";
    const ONE: &'static str = "license";

    fn read(json: &Json) -> Self {
        Self {
            id: json.id(),
            name: json.text("name"),
            description: json.text("description"),
            allocations_available: json.count("allocations_available"),
            valid_roles: json.texts("valid_roles"),
        }
    }
}

impl License {
    /// Whether an account with that role may hold it. One that lists no roles
    /// says nothing.
    pub fn fits(&self, role: &str) -> bool {
        self.valid_roles.is_empty() || self.valid_roles.iter().any(|valid| valid == role)
    }

    /// Whether there is a seat left.
    pub fn has_seat(&self) -> bool {
        self.allocations_available != Some(0)
    }
}

/// A user holds a licence.
#[derive(Clone, Debug)]
pub struct Allocation {
    license: Option<Reference>,
    user: Option<Reference>,
    /// Since when.
    pub since: Option<Timestamp>,
}

impl Row for Allocation {
    const MANY: &'static str = "license_allocations";
    const ONE: &'static str = "license_allocation";

    fn read(json: &Json) -> Self {
        Self {
            license: json.object("license").map(Reference::read),
            user: json.object("user").map(Reference::read),
            since: json.instant("allocated_at"),
        }
    }

    fn is_identified(json: &Json) -> bool {
        json.points_at_something("user") && json.points_at_something("license")
    }
}

impl Allocation {
    /// Who holds which.
    pub fn user_and_license(&self) -> Option<(&str, &str)> {
        let user = self.user.as_ref().filter(|user| user.is_live())?;
        let license = self.license.as_ref().filter(|l| !l.id.is_empty())?;
        Some((&user.id, &license.id))
    }
}

/// The licence that a user holds; none if it holds none, or is gone.
pub fn of_user(client: &Client, user: &str) -> Result<Option<License>> {
    match client.fetch_one::<License>(request_of_user(user)?) {
        Ok(license) => Ok(Some(license)),
        Err(error) if error.code == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// All licences of the tenant. The list has no pages.
pub fn all(client: &Client) -> Result<Vec<License>> {
    let page = client.fetch_page::<License>(Request::get("/licenses"))?;
    Ok(page.rows.into_iter().flatten().collect())
}

/// Asks for the licence of one user.
pub fn request_of_user(user: &str) -> Result<Request> {
    Ok(Request::get(format!(
        "/users/{}/license",
        checked_id(user)?
    )))
}
