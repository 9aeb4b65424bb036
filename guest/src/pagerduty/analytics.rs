//! Analytics: the only place that knows when a user signed in last. Its data
//! are up to a day old.

use crate::errors::{Error, Result};
use crate::ids::ById;
use crate::instants::Timestamp;
use crate::pagerduty::client::{Client, Reply, Request};
use crate::pagerduty::json::Json;

/// A POST that looks: the filters are in the body.
pub const PATH: &str = "/analytics/raw/users";
/// Users asked for at once: PagerDuty names no most. With one or two teams each
/// they fit into one page.
pub const MAX_USERS: usize = 500;
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

/// Asks for what analytics knows of these users, at most `MAX_USERS`.
pub fn request(users: &[&str]) -> Request {
    request_after(users, None)
}

/// Adds what analytics knows of them. Fetches further pages.
pub fn add_presence(
    client: &Client,
    users: &[&str],
    mut reply: Reply,
    known: &mut ById<Presence>,
) -> Result<()> {
    let mut after: Option<String> = None;
    for page in 1..=MAX_PAGES {
        let answer = reply.json()?;
        // The times carry no zone: they are in the answer's.
        if !matches!(answer.text("time_zone").as_deref(), Some("UTC" | "Etc/UTC")) {
            return Err(Error::invalid_response(
                "PagerDuty's analytics do not say that their times are in UTC",
            ));
        }
        for row in reply.list(&answer, "data")? {
            // A user has a row for each team.
            let presence = known.entry(&row.id(), Presence::default);
            let at = row.text("last_sign_in_at");
            let at = at.as_deref().and_then(Timestamp::parse_assuming_utc);
            presence.last_sign_in = presence.last_sign_in.max(at);
            presence.signed_up = presence.signed_up.max(row.flag("signed_up"));
        }
        match answer.text("last") {
            Some(last) if answer.flag("more") == Some(true) && after.as_ref() != Some(&last) => {
                if page < MAX_PAGES {
                    reply = client.send(request_after(users, Some(&last)))?;
                }
                after = Some(last);
            }
            _ => return Ok(()),
        }
    }
    Err(Error::invalid_response("PagerDuty's analytics do not end"))
}

fn request_after(users: &[&str], after: Option<&str>) -> Request {
    let users = users.iter().map(|user| Json::from(*user)).collect();
    let question = Json::of([
        ("filters", Json::of([("user_ids", Json::List(users))])),
        ("time_zone", "Etc/UTC".into()),
        ("limit", LIMIT.into()),
        ("starting_after", after.into()),
    ]);
    let mut body = String::new();
    question.write(&mut body);
    Request::search(PATH, body.into_bytes())
}
