//! Analytics: the only place that knows when a user signed in last. Its data
//! are up to a day old.

use crate::errors::{Error, ErrorCode, Result};
use crate::instants::Timestamp;
use crate::pagerduty::client::{Client, Request};
use serde::Serialize;
use std::collections::BTreeMap;

/// A POST that looks: the filters are in the body.
pub const PATH: &str = "/analytics/raw/users";
/// Users asked for at once.
pub const MAX_USERS: usize = 100;
/// PagerDuty's largest page.
const LIMIT: u32 = 1000;
/// A row for each team of each of `MAX_USERS` users: more pages than that are
/// a loop.
const MAX_PAGES: usize = 50;

/// What analytics knows of a user.
#[derive(Clone, Copy, Debug, Default)]
pub struct Presence {
    /// The latest sign-in.
    pub last_sign_in: Option<Timestamp>,
    /// False for somebody who never came.
    pub signed_up: Option<bool>,
}

#[derive(Serialize)]
struct Question<'a> {
    filters: Filters<'a>,
    time_zone: &'static str,
    limit: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    starting_after: Option<&'a str>,
}

#[derive(Serialize)]
struct Filters<'a> {
    user_ids: &'a [&'a str],
}

/// What analytics knows of these users, at most `MAX_USERS`.
pub async fn presence(client: &Client, users: &[&str]) -> Result<BTreeMap<String, Presence>> {
    let mut known: BTreeMap<String, Presence> = BTreeMap::new();
    let mut after: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let question = Question {
            filters: Filters { user_ids: users },
            time_zone: "Etc/UTC",
            limit: LIMIT,
            starting_after: after.as_deref(),
        };
        let body = serde_json::to_vec(&question)
            .map_err(|error| Error::new(ErrorCode::Internal, error.to_string()))?;
        let request = Request::search(PATH, body);
        let answer = client.fetch(&request).await?;
        // The times carry no zone: they are in the answer's.
        if !matches!(answer.text("time_zone").as_deref(), Some("UTC" | "Etc/UTC")) {
            return Err(Error::invalid_response(
                "PagerDuty's analytics do not say that their times are in UTC",
            ));
        }
        for row in request.list(&answer, "data")? {
            // A user has a row for each team.
            let presence = known.entry(row.id()).or_default();
            let at = row.text("last_sign_in_at");
            let at = at.as_deref().and_then(Timestamp::parse_assuming_utc);
            presence.last_sign_in = presence.last_sign_in.max(at);
            presence.signed_up = presence.signed_up.max(row.flag("signed_up"));
        }
        match answer.text("last") {
            Some(last) if answer.flag("more") == Some(true) && after.as_ref() != Some(&last) => {
                after = Some(last);
            }
            _ => return Ok(known),
        }
    }
    Err(Error::invalid_response("PagerDuty's analytics do not end"))
}
