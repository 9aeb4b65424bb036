//! Steps that hand over or remove the overrides of v2 schedules that put an
//! account on call, now or later; one for each override.
//!
//! They are looked for on every schedule, one request each: an account needs
//! no part in a schedule's layers to have an override on it. (The list of
//! schedules can show the overrides of a hundred schedules at once, but without
//! ids, and without those that a later override hides; these would come to
//! light again with nobody behind them.)
//!
//! The last override that is created counts. So the heir's are created only for
//! when the account's own is visible, or they would hide later ones of others.
//! They are created before the account's own is deleted, so that there is no
//! gap, and a step that was cut off in between finds nothing visible any more.

use super::parties::{Subject, listed, malformed, quoted};
use super::shifts_v3::between;
use super::step::{Draft, Drafts, Leaving, applied, unchanged};
use crate::errors::{ErrorCode, Result};
use crate::exports::iga::connector::offboarding::Applied;
use crate::iga::connector::types::Effect;
use crate::pagerduty::client::Client;
use crate::pagerduty::json::Json;
use crate::pagerduty::overrides::{self, Override};
use crate::pagerduty::paging::{self, List};
use crate::pagerduty::schedules::{self, Schedule};

/// An heir gets the account's override.
pub const REASSIGN: &str = "reassign-override";
/// The account's override goes; whoever the layers say is on call.
pub const REMOVE: &str = "remove-override";

/// One step for each override of the account that runs or is to come.
pub fn plan(client: &Client, leaving: &Leaving<'_>) -> Result<Drafts> {
    let mut drafts = Drafts::default();
    let now = client.now();
    let mut all = paging::read_all::<Schedule>(client, &List::all(schedules::PATH))?;
    all.retain(|schedule| !schedule.id.is_empty());
    let mut requests = Vec::new();
    for schedule in &all {
        requests.push(overrides::request(&schedule.id, now)?);
    }
    for (schedule, reply) in all.iter().zip(client.send_all(requests)) {
        let mut found = match reply {
            // Gone since it was listed.
            Err(error) if error.code == ErrorCode::NotFound => continue,
            reply => overrides::read(&reply?)?,
        };
        found.retain(|one| one.user == leaving.source.id && one.end > now);
        for one in found {
            let name = schedule.name.as_deref().unwrap_or_default();
            let subject = Subject::of(&schedule.id, name, leaving);
            drafts.steps.push(draft(&subject, &[one]));
        }
    }
    Ok(drafts)
}

/// Applies a step of either kind.
pub fn apply(client: &Client, payload: &Json) -> Result<Applied> {
    let subject = Subject::read(payload)?;
    let now = client.now();
    let there = match overrides::list(client, &subject.schedule) {
        Err(error) if error.code == ErrorCode::NotFound => return Ok(unchanged("already-gone")),
        there => there?,
    };
    let mut made = Vec::new();
    let mut is_deleted = false;
    for planned in payload.objects("overrides") {
        let id = planned.text("id").ok_or_else(malformed)?;
        // One that has ended or is gone needs nobody; an override can't be
        // changed.
        let is_it = |one: &&Override| one.id == id && one.end > now;
        let Some(one) = there.iter().find(is_it) else {
            continue;
        };
        if let Some(to) = subject.parties.to_id() {
            made.extend(create(client, &subject.schedule, one, to)?);
        }
        is_deleted |= match overrides::delete(client, &subject.schedule, &id) {
            Err(error) if !made.is_empty() => return Err(error.uncertain()),
            outcome => outcome?,
        };
    }
    if !is_deleted && made.is_empty() {
        return Ok(unchanged("already-done"));
    }
    let undo = subject.reversed().filter(|_| !made.is_empty());
    let effect = match subject.parties.to {
        Some(_) => Effect::Updated,
        None => Effect::Deleted,
    };
    Ok(applied(effect, undo.map(|undo| draft(&undo, &made))))
}

/// Creates the heir's for when the account's own is visible.
fn create(client: &Client, schedule: &str, one: &Override, to: &str) -> Result<Vec<Override>> {
    let ranges = overrides::visible(client, schedule, one)?;
    if ranges.is_empty() {
        // Others hide it, or the heir's do, which a step that was cut off made.
        return Ok(Vec::new());
    }
    let mut is_last = false;
    loop {
        let error = match overrides::create(client, schedule, to, &ranges) {
            Err(error) if error.may_have_applied => error,
            outcome => return outcome,
        };
        // Nobody knows whether they are there: look before doing it again.
        let Ok(mut there) = overrides::list(client, schedule) else {
            return Err(error);
        };
        there.retain(|one| one.user == to && ranges.contains(&(one.start, one.end)));
        if there.len() >= ranges.len() {
            return Ok(there);
        }
        if is_last {
            return Err(error);
        }
        is_last = true;
    }
}

/// For one, or for several to give back what was visible of one.
fn draft(subject: &Subject, overrides: &[Override]) -> Draft {
    let mut ids = Vec::new();
    let mut ranges = Vec::new();
    for one in overrides {
        ids.push(Json::of([("id", one.id.as_str().into())]));
        ranges.push(between(one.start, one.end));
    }
    let ranges = listed(ranges);
    let schedule = quoted(&subject.name);
    let from = &subject.parties.from.name;
    let (kind, summary) = match &subject.parties.to {
        Some(to) => (
            REASSIGN,
            format!(
                "On schedule {schedule}, {} takes over the override of {from} {ranges}",
                to.name
            ),
        ),
        None => (
            REMOVE,
            format!(
                "On schedule {schedule}, the override of {from} {ranges} goes, and whoever has \
                 the turn is on call"
            ),
        ),
    };
    Draft {
        kind,
        summary,
        payload: subject.payload("overrides", Json::List(ids)),
    }
}
