//! Traces of sign-ins: OAuth delegations, and the deprecated sessions.

use crate::errors::Result;
use crate::instants::Timestamp;
use crate::pagerduty::client::{Client, Request, checked_id};

/// A user has a handful; a list that goes on for so many pages is a loop.
const MAX_PAGES: usize = 50;

/// When a user last got a delegation for the web or the mobile app. Revoked
/// ones count: signing out does not undo having been there.
pub async fn last_delegation(client: &Client, user: &str) -> Result<Option<Timestamp>> {
    let path = format!("/users/{}/oauth_delegations", checked_id(user)?);
    let mut latest = None;
    let mut cursor: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let mut request = Request::get(path.as_str())
            .with("delegation_type", "web,mobile")
            .with("status", "issued,revoked")
            .with("limit", "100");
        if let Some(cursor) = &cursor {
            request = request.with("cursor", cursor);
        }
        let answer = client.fetch(&request).await?;
        let delegations = request.list(&answer, "oauth_delegations")?.iter();
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
            Some(next) if !next.is_empty() && cursor.as_ref() != Some(&next) => cursor = Some(next),
            _ => break,
        }
    }
    Ok(latest)
}

/// When the youngest of a user's active sessions began. A user who has signed
/// out has none.
pub async fn last_session(client: &Client, user: &str) -> Result<Option<Timestamp>> {
    let path = format!("/users/{}/sessions", checked_id(user)?);
    let request = Request::get(path);
    let answer = client.fetch(&request).await?;
    let sessions = request.list(&answer, "user_sessions")?.iter();
    Ok(sessions
        .filter_map(|session| session.instant("created_at"))
        .max())
}
