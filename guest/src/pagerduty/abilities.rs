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
pub fn get(client: &Client) -> Result<Abilities> {
    fetch(client, Request::get(PATH))
}

/// The same, asked of another place than the settings say.
pub fn get_from(client: &Client, base_url: &'static str) -> Result<Abilities> {
    fetch(client, Request::get(PATH).to(base_url))
}

const PATH: &str = "/abilities";

fn fetch(client: &Client, request: Request) -> Result<Abilities> {
    let reply = client.send(request)?;
    let answer = reply.json()?;
    reply.list(&answer, "abilities")?;
    Ok(Abilities(answer.texts("abilities")))
}
