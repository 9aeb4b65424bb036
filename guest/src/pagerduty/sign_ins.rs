//! Traces of sign-ins: OAuth delegations, and the deprecated sessions.

use crate::errors::Result;
use crate::instants::Timestamp;
use crate::pagerduty::client::{Client, Request, checked_id};
use crate::pagerduty::json::{Json, Row};

/// A user has a handful; a list that goes on for so many pages is a loop.
const MAX_PAGES: usize = 50;

#[derive(Clone, Debug)]
struct Trace {
    created_at: Option<String>,
    delegation_type: Option<String>,
    /// The specification's example has this where its schema has the other.
    kind: Option<String>,
}

impl Row for Trace {
    const MANY: &'static str = "user_sessions";
    const ONE: &'static str = "user_session";

    fn read(json: &Json) -> Self {
        Self {
            created_at: json.text("created_at"),
            delegation_type: json.text("delegation_type"),
            kind: json.text("type"),
        }
    }
}

struct Delegations {
    oauth_delegations: Vec<Trace>,
    next_cursor: Option<String>,
}

impl Delegations {
    fn read(json: &Json) -> Self {
        Self {
            oauth_delegations: json.objects("oauth_delegations").map(Trace::read).collect(),
            next_cursor: json.text("next_cursor"),
        }
    }
}

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
        let page: Delegations = client.fetch(&request).await?;
        let sign_ins = page.oauth_delegations.iter().filter(|delegation| {
            let kind = delegation.delegation_type.as_ref();
            // Integrations act without the user being there.
            kind.or(delegation.kind.as_ref())
                .is_none_or(|kind| kind != "integration")
        });
        latest = latest.max(sign_ins.filter_map(Trace::at).max());
        match page.next_cursor {
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
    let page = client.fetch_page::<Trace>(&Request::get(path)).await?;
    Ok(page.rows.iter().flatten().filter_map(Trace::at).max())
}

impl Trace {
    fn at(&self) -> Option<Timestamp> {
        Timestamp::parse(self.created_at.as_deref()?)
    }
}
