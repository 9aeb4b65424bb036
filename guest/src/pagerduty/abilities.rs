//! Abilities: what the tenant's plan includes.

use crate::errors::Result;
use crate::pagerduty::client::{Client, Request};
use crate::pagerduty::json::Json;

/// What the plan includes, in PagerDuty's words.
#[derive(Clone, Debug)]
pub struct Abilities {
    abilities: Vec<String>,
}

impl Abilities {
    /// Picks the fields.
    pub fn read(json: &Json) -> Self {
        Self {
            abilities: json.texts("abilities"),
        }
    }
}

impl Abilities {
    /// Whether the plan includes that.
    pub fn has(&self, ability: &str) -> bool {
        self.abilities.iter().any(|have| have == ability)
    }
}

/// The abilities of the tenant.
pub async fn get(client: &Client) -> Result<Abilities> {
    client.fetch(&Request::get("/abilities")).await
}

/// The same, asked of another service region.
pub async fn get_from(client: &Client, origin: &str) -> Result<Abilities> {
    client.fetch_from(origin, &Request::get("/abilities")).await
}
