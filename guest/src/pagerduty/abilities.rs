//! Abilities: what the tenant's plan includes.

use crate::errors::Result;
use crate::pagerduty::client::{Client, Request};

/// What the plan includes, in PagerDuty's words.
#[derive(Clone, Debug)]
pub struct Abilities(Vec<String>);

impl Abilities {
    /// Whether the plan includes that.
    pub fn has(&self, ability: &str) -> bool {
        self.0.iter().any(|have| have == ability)
    }
}

/// The abilities of the tenant.
pub async fn get(client: &Client) -> Result<Abilities> {
    get_from(client, &client.settings().base_url).await
}

/// The same, asked of another place than the settings say.
pub async fn get_from(client: &Client, base_url: &str) -> Result<Abilities> {
    let request = Request::get("/abilities");
    let answer = client.fetch_from(base_url, &request).await?;
    request.list(&answer, "abilities")?;
    Ok(Abilities(answer.texts("abilities")))
}
