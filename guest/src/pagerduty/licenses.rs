//! Licences, and who holds which. There is no request that gives or takes one:
//! a licence is a field of the user.

use crate::errors::Result;
use crate::instants::Timestamp;
use crate::pagerduty::client::{Client, Request, checked_id};
use crate::pagerduty::json::{self, Page, Row, Single};
use crate::pagerduty::references::Reference;
use serde::Deserialize;

/// The list of who holds which.
pub const ALLOCATIONS_PATH: &str = "/license_allocations";

/// A kind of seat.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct License {
    /// Vendor identifier; empty if there was none.
    #[serde(deserialize_with = "json::id")]
    pub id: String,
    /// Its name. Two licences may share it.
    #[serde(deserialize_with = "json::text")]
    pub name: Option<String>,
    /// The add-ons that come with it.
    #[serde(deserialize_with = "json::text")]
    pub description: Option<String>,
    /// Seats left; none if there is no limit.
    #[serde(deserialize_with = "json::count")]
    pub allocations_available: Option<u32>,
    /// Roles that may hold it.
    #[serde(deserialize_with = "json::texts")]
    pub valid_roles: Vec<String>,
}

impl Row for License {
    const MANY: &'static str = "licenses";
    const ONE: &'static str = "license";
}

/// A user holds a licence.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Allocation {
    #[serde(deserialize_with = "json::object")]
    license: Option<Reference>,
    #[serde(deserialize_with = "json::object")]
    user: Option<Reference>,
    #[serde(deserialize_with = "json::text")]
    allocated_at: Option<String>,
}

impl Row for Allocation {
    const MANY: &'static str = "license_allocations";
    const ONE: &'static str = "license_allocation";
}

impl Allocation {
    /// Who holds which.
    pub fn user_and_license(&self) -> Option<(&str, &str)> {
        let user = self.user.as_ref().filter(|user| user.is_live())?;
        let license = self.license.as_ref().filter(|l| !l.id.is_empty())?;
        Some((&user.id, &license.id))
    }

    /// Since when.
    pub fn since(&self) -> Option<Timestamp> {
        Timestamp::parse(self.allocated_at.as_deref()?)
    }
}

/// All licences of the tenant. The list has no pages.
pub async fn all(client: &Client) -> Result<Vec<License>> {
    let page: Page<License> = client.fetch(&Request::get("/licenses")).await?;
    let licenses = page.rows.into_iter().flatten();
    Ok(licenses.filter(|license| !license.id.is_empty()).collect())
}

/// The licence of one user.
pub async fn of_user(client: &Client, user: &str) -> Result<License> {
    let path = format!("/users/{}/license", checked_id(user)?);
    let Single(license) = client.fetch(&Request::get(path)).await?;
    Ok(license)
}
