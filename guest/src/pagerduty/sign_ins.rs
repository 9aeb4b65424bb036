//! Traces of sign-ins: OAuth delegations, and the deprecated sessions.

use crate::errors::Result;
use crate::instants::Timestamp;
use crate::pagerduty::client::{Change, Client, Reply, Request, checked_id};
use crate::pagerduty::json::Instants as _;

/// A user has a handful; a list that goes on for so many pages is a loop.
const MAX_PAGES: usize = 50;

/// Asks for the delegations that a user got for the web or the mobile app.
/// Revoked ones count: signing out does not undo having been there.
pub fn delegations_request(user: &str) -> Result<Request> {
    Ok(
        Request::get(format!("/users/{}/oauth_delegations", checked_id(user)?))
            .with("delegation_type", "web,mobile")
            .with("status", "issued,revoked")
            .with("limit", "100"),
    )
}

/// When the last of them was. Fetches further pages, which are rare.
pub fn last_delegation(client: &Client, user: &str, mut reply: Reply) -> Result<Option<Timestamp>> {
    let mut latest = None;
    let mut cursor: Option<String> = None;
    for page in 1..=MAX_PAGES {
        let answer = reply.json()?;
        let delegations = reply.list(&answer, "oauth_delegations")?.iter();
        let sign_ins = delegations.filter(|delegation| {
            // The specification's example has `type` where its schema has the
            // other.
            let kind = delegation.text("delegation_type");
            let kind = kind.or_else(|| delegation.text("type"));
            // Integrations act without the user being there.
            kind.as_deref() != Some("integration")
        });
        latest = latest.max(sign_ins.filter_map(|d| d.instant("created_at")).max());
        match answer.text("next_cursor") {
            Some(next)
                if page < MAX_PAGES && !next.is_empty() && cursor.as_ref() != Some(&next) =>
            {
                reply = client.send(delegations_request(user)?.with("cursor", &next))?;
                cursor = Some(next);
            }
            _ => break,
        }
    }
    Ok(latest)
}

/// Asks for a user's active sessions. A user who has signed out has none.
pub fn sessions_request(user: &str) -> Result<Request> {
    Ok(Request::get(format!(
        "/users/{}/sessions",
        checked_id(user)?
    )))
}

/// When the youngest of them began.
pub fn last_session(reply: &Reply) -> Result<Option<Timestamp>> {
    let answer = reply.json()?;
    let sessions = reply.list(&answer, "user_sessions")?.iter();
    Ok(sessions
        .filter_map(|session| session.instant("created_at"))
        .max())
}

/// Whether a user is signed in to the web or the mobile app, or could go on
/// using it.
pub fn is_signed_in(client: &Client, user: &str) -> Result<bool> {
    let request = Request::get(format!("/users/{}/oauth_delegations", checked_id(user)?))
        .with("delegation_type", "web,mobile")
        .with("status", "issued");
    let reply = client.send(request)?;
    let answer = reply.json()?;
    Ok(!reply.list(&answer, "oauth_delegations")?.is_empty())
}

/// Signs a user out of the web and the mobile app. Done when it returns:
/// synchronous since 2025-08-25.
pub fn sign_out(client: &Client, user: &str) -> Result<()> {
    let change = Change::delete("/oauth_delegations")
        .with("user_id", checked_id(user)?)
        .with("type", "mobile,web");
    client.change(change).map(drop)
}
