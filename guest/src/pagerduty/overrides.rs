//! Overrides of a v2 schedule: somebody is on call for a while, whatever the
//! layers say. Where two overlap the one that was created last counts.

use crate::errors::{Error, ErrorCode, Result};
use crate::instants::{DAY, Timestamp};
use crate::pagerduty::client::{Change, Client, Reply, Request, vendor_id};
use crate::pagerduty::errors::clean;
use crate::pagerduty::json::{Instants as _, Json, Row};
use crate::pagerduty::schedules::Turn;

/// How far ahead to look: PagerDuty names no limit for this list.
const DAYS_AHEAD: i64 = 2 * 365;

/// An override.
pub struct Override {
    /// Vendor identifier.
    pub id: String,
    /// Who is on call; empty if the account is gone.
    pub user: String,
    /// From when.
    pub start: Timestamp,
    /// Until when.
    pub end: Timestamp,
}

impl Row for Override {
    const MANY: &'static str = "overrides";
    const ONE: &'static str = "override";

    fn read(json: &Json) -> Self {
        Self {
            id: json.id(),
            user: json.get("user").id(),
            start: json.instant("start").unwrap_or(Timestamp::MIN),
            // One that can't be read counts as over.
            end: json.instant("end").unwrap_or(Timestamp::MIN),
        }
    }

    fn is_identified(json: &Json) -> bool {
        json.has_id() && is_turn(json)
    }
}

/// Whether it says when it is, and whose.
fn is_turn(json: &Json) -> bool {
    json.points_at_something("user") && json.has_instant("start") && json.has_instant("end")
}

/// Asks for the overrides of a schedule that run or are to come. There are no
/// pages.
pub fn request(schedule: &str, now: Timestamp) -> Result<Request> {
    Ok(Request::get(path(schedule)?)
        .with("since", &now.to_rfc3339())
        .with("until", &now.plus(DAYS_AHEAD * DAY).to_rfc3339())
        // Or else they are cut to that range.
        .with("overflow", "true"))
}

/// The overrides of a schedule that run or are to come.
pub fn list(client: &Client, schedule: &str) -> Result<Vec<Override>> {
    read(&client.send(request(schedule, client.now())?)?)
}

/// The answer to `request`.
pub fn read(reply: &Reply) -> Result<Vec<Override>> {
    Ok(reply.page()?.rows.into_iter().flatten().collect())
}

/// When, from now until an override ends, its user is on call by it: where no
/// later override hides it.
pub fn visible(
    client: &Client,
    schedule: &str,
    one: &Override,
) -> Result<Vec<(Timestamp, Timestamp)>> {
    let since = one.start.max(client.now().whole_second());
    let request = Request::get(format!("/schedules/{}", vendor_id(schedule)?))
        .with("since", &since.to_rfc3339())
        .with("until", &one.end.to_rfc3339());
    let reply = client.send(request)?;
    let rendered = reply.json()?;
    let overrides = rendered.get("schedule").get("overrides_subschedule");
    if !overrides.each("rendered_schedule_entries", &is_turn) {
        return Err(Error::invalid_response(
            "PagerDuty does not say when an override is visible, or whose it is",
        ));
    }
    let turns = overrides
        .objects("rendered_schedule_entries")
        .filter_map(Turn::read)
        .filter(|turn| turn.user == one.user);
    Ok(turns
        .filter_map(|turn| Some((turn.start?.max(since), turn.end?.min(one.end))))
        .filter(|(start, end)| start < end)
        .collect())
}

/// Creates overrides of a user, one for each range, and returns them. The
/// answer is a success whatever becomes of the single ones.
pub fn create(
    client: &Client,
    schedule: &str,
    user: &str,
    ranges: &[(Timestamp, Timestamp)],
) -> Result<Vec<Override>> {
    let bodies = ranges.iter().map(|(start, end)| {
        let user = Json::of([("id", user.into()), ("type", "user_reference".into())]);
        Json::of([
            ("start", start.to_rfc3339().as_str().into()),
            ("end", end.to_rfc3339().as_str().into()),
            ("user", user),
            ("time_zone", "UTC".into()),
        ])
    });
    let body = Json::of([("overrides", Json::List(bodies.collect()))]);
    let had_changed = client.has_changed();
    let reply = client.change(Change::post(path(schedule)?, &body))?;
    let outcome = created(&reply.json()?);
    if (outcome.as_ref()).is_err_and(|error| !error.may_have_applied) {
        // It was a success in which every single one was refused.
        client.set_has_changed(had_changed);
    }
    outcome
}

/// `[{"status","override"}]` by the specification, `{"overrides":[..]}` by
/// PagerDuty's guide, `{"override":{..}}` from the deprecated form.
fn created(answer: &Json) -> Result<Vec<Override>> {
    let items: Vec<&Json> = match answer {
        Json::List(items) => items.iter().collect(),
        answer if answer.object("override").is_some() => vec![answer],
        answer => answer.objects("overrides").collect(),
    };
    let is_refused = |item: &&Json| item.number("status").is_some_and(|status| status >= 300);
    let (refused, made): (Vec<&Json>, Vec<&Json>) = items.into_iter().partition(is_refused);
    if let Some(item) = refused.first() {
        let mut error = Error::new(
            ErrorCode::Conflict,
            format!(
                "PagerDuty refused an override: {}",
                clean(&item.texts("errors").join("; "))
            ),
        );
        error.may_have_applied = !made.is_empty();
        return Err(error);
    }
    if made.is_empty() {
        return Err(
            Error::invalid_response("PagerDuty does not say what became of an override")
                .uncertain(),
        );
    }
    let made = made.into_iter();
    Ok(made
        .map(|item| Override::read(item.object("override").unwrap_or(item)))
        .collect())
}

/// Deletes an override: one to come goes, one that runs ends now. False if it
/// was gone already.
pub fn delete(client: &Client, schedule: &str, id: &str) -> Result<bool> {
    let path = format!("{}/{}", path(schedule)?, vendor_id(id)?);
    match client.change(Change::delete(path)) {
        Err(error) if error.code == ErrorCode::NotFound => Ok(error.may_have_applied),
        // To end what an attempt before has ended is refused.
        Err(error) if error.may_have_applied => {
            let is_open = |one: &Override| one.id == id && one.end > client.now();
            match list(client, schedule) {
                Ok(there) if !there.iter().any(is_open) => Ok(true),
                _ => Err(error),
            }
        }
        outcome => outcome.map(|_| true),
    }
}

fn path(schedule: &str) -> Result<String> {
    Ok(format!("/schedules/{}/overrides", vendor_id(schedule)?))
}
