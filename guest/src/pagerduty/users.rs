//! Users.

use crate::errors::Result;
use crate::pagerduty::client::{Client, Request, checked_id};
use crate::pagerduty::json::{self, Row, Single};
use crate::pagerduty::references::Reference;
use serde::Deserialize;

/// The list.
pub const PATH: &str = "/users";

/// A user. PagerDuty lists those that can sign in; deleted ones are gone.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct User {
    /// Vendor identifier; empty if there was none.
    #[serde(deserialize_with = "json::id")]
    pub id: String,
    /// Full name.
    #[serde(deserialize_with = "json::text")]
    pub name: Option<String>,
    /// As the user or the single sign-on spelled it.
    #[serde(deserialize_with = "json::text")]
    pub email: Option<String>,
    /// The API's word for the base role.
    #[serde(deserialize_with = "json::text")]
    pub role: Option<String>,
    /// Whether an invitation has not been answered yet.
    #[serde(deserialize_with = "json::flag")]
    pub invitation_sent: Option<bool>,
    /// Job title.
    #[serde(deserialize_with = "json::text")]
    pub job_title: Option<String>,
    /// Name of the time zone.
    #[serde(deserialize_with = "json::text")]
    pub time_zone: Option<String>,
    /// Free text.
    #[serde(deserialize_with = "json::text")]
    pub description: Option<String>,
    /// Language, for example `en-US`. Not documented.
    #[serde(deserialize_with = "json::text")]
    pub locale: Option<String>,
    /// Whether the user takes a paid seat. Not documented.
    #[serde(deserialize_with = "json::flag")]
    pub billed: Option<bool>,
    /// Whether single sign-on made the user.
    #[serde(deserialize_with = "json::flag")]
    pub created_via_sso: Option<bool>,
    /// Teams that the user is on.
    #[serde(deserialize_with = "json::list")]
    pub teams: Vec<Reference>,
    #[serde(deserialize_with = "json::text")]
    html_url: Option<String>,
}

impl Row for User {
    const MANY: &'static str = "users";
    const ONE: &'static str = "user";
}

impl User {
    /// The tenant's subdomain: the first label of the host of the user's page,
    /// `acme.pagerduty.com` or `acme.eu.pagerduty.com`.
    pub fn subdomain(&self) -> Option<&str> {
        let (_, rest) = self.html_url.as_deref()?.split_once("://")?;
        let (label, _) = rest.split('/').next()?.split_once('.')?;
        (!label.is_empty()).then_some(label)
    }

    /// The e-mail address, for comparing.
    pub fn lower_email(&self) -> String {
        self.email.as_deref().unwrap_or_default().to_lowercase()
    }
}

/// One user.
pub async fn get(client: &Client, id: &str) -> Result<User> {
    let path = format!("/users/{}", checked_id(id)?);
    let Single(user) = client.fetch(&Request::get(path)).await?;
    Ok(user)
}

/// The user behind the credential. An account-level key has none and gets a
/// 400.
pub async fn me(client: &Client) -> Result<User> {
    let Single(user) = client.fetch(&Request::get("/users/me")).await?;
    Ok(user)
}

/// Any user, which there is in every tenant, and how many there are.
pub async fn first(client: &Client) -> Result<(Option<User>, Option<u32>)> {
    let request = Request::get(PATH).with("limit", "1").with("total", "true");
    let page: json::Page<User> = client.fetch(&request).await?;
    Ok((page.rows.into_iter().flatten().next(), page.total))
}
