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

use super::parties::{Parties, listed, malformed, quoted, required};
use super::step::{Draft, Drafts, Leaving, applied, unchanged};
use crate::errors::{Error, ErrorCode, Result};
use crate::exports::iga::connector::offboarding::Applied;
use crate::iga::connector::types::Effect;
use crate::instants::Timestamp;
use crate::pagerduty::client::{Client, Request};
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
    let requests = all
        .iter()
        .map(|schedule| overrides::request(&schedule.id, now));
    let requests: Vec<Request> = requests.collect::<Result<_>>()?;
    for (schedule, reply) in all.iter().zip(client.send_all(requests)) {
        let found = match reply.and_then(|reply| overrides::read(&reply)) {
            Ok(found) => found,
            // Gone since it was listed.
            Err(error) if error.code == ErrorCode::NotFound => continue,
            Err(error) => return Err(error),
        };
        for one in found {
            if one.user == leaving.source.id && one.end > now {
                let change = Change {
                    schedule: schedule.id.clone(),
                    name: schedule.name.clone().unwrap_or_default(),
                    parties: Parties::of(leaving),
                    overrides: vec![one],
                };
                drafts.steps.push(change.draft());
            }
        }
    }
    Ok(drafts)
}

/// Applies a step of either kind.
pub fn apply(client: &Client, payload: &Json) -> Result<Applied> {
    let change = Change::read(payload)?;
    let now = client.now();
    let request = overrides::request(&change.schedule, now)?;
    let there = match client
        .send(request)
        .and_then(|reply| overrides::read(&reply))
    {
        Ok(there) => there,
        Err(error) if error.code == ErrorCode::NotFound => return Ok(unchanged("already-gone")),
        Err(error) => return Err(error),
    };
    let mut made = Vec::new();
    let mut is_deleted = false;
    for one in &change.overrides {
        // One that has ended or is gone needs nobody; nobody can change the
        // others.
        if !there
            .iter()
            .any(|there| there.id == one.id && there.end > now)
        {
            continue;
        }
        if let Some(to) = &change.parties.to {
            made.extend(change.create(client, one, &to.id)?);
        }
        is_deleted |= match overrides::delete(client, &change.schedule, &one.id) {
            Err(error) if !made.is_empty() => return Err(error.uncertain()),
            outcome => outcome?,
        };
    }
    if !is_deleted && made.is_empty() {
        return Ok(unchanged("already-done"));
    }
    let effect = match change.parties.to {
        Some(_) => Effect::Updated,
        None => Effect::Deleted,
    };
    Ok(applied(effect, change.undo(made)))
}

/// What a step is to do.
struct Change {
    schedule: String,
    name: String,
    parties: Parties,
    /// One, or several to give back what was visible of one.
    overrides: Vec<Override>,
}

impl Change {
    /// Creates the heir's for when the account's own is visible.
    fn create(&self, client: &Client, one: &Override, to: &str) -> Result<Vec<Override>> {
        let mut failure: Option<Error> = None;
        loop {
            let ranges = overrides::visible(client, &self.schedule, one)?;
            if ranges.is_empty() {
                // It is hidden, or an attempt of uncertain end has hidden it.
                return Ok(Vec::new());
            }
            if let Some(failure) = failure {
                return Err(failure);
            }
            match overrides::create(client, &self.schedule, to, &ranges) {
                Err(error) if error.may_have_applied => failure = Some(error),
                outcome => return outcome,
            }
        }
    }

    fn draft(&self) -> Draft {
        let overrides = self.overrides.iter().map(|one| {
            Json::of([
                ("id", one.id.as_str().into()),
                ("start", one.start.to_rfc3339().as_str().into()),
                ("end", one.end.to_rfc3339().as_str().into()),
            ])
        });
        let mut payload = vec![
            ("schedule".to_owned(), self.schedule.as_str().into()),
            ("name".to_owned(), self.name.as_str().into()),
            ("overrides".to_owned(), Json::List(overrides.collect())),
        ];
        self.parties.write(&mut payload);
        let ranges = self.overrides.iter().map(|one| between(one.start, one.end));
        let ranges = listed(ranges.collect());
        let schedule = quoted(&self.name);
        let from = &self.parties.from.name;
        let (kind, summary) = match &self.parties.to {
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
                    "On schedule {schedule}, the override of {from} {ranges} goes, and whoever \
                     has the turn is on call"
                ),
            ),
        };
        Draft {
            kind,
            summary,
            payload: Json::Object(payload),
        }
    }

    fn read(payload: &Json) -> Result<Self> {
        let parties = Parties::read(payload)?;
        let overrides = payload.objects("overrides").map(|one| {
            Some(Override {
                id: one.text("id")?,
                user: parties.from.id.clone(),
                start: one.instant("start")?,
                end: one.instant("end")?,
            })
        });
        Ok(Self {
            schedule: required(payload, "schedule")?,
            name: required(payload, "name")?,
            overrides: overrides.collect::<Option<_>>().ok_or_else(malformed)?,
            parties,
        })
    }

    fn undo(&self, made: Vec<Override>) -> Option<Draft> {
        let undo = Self {
            schedule: self.schedule.clone(),
            name: self.name.clone(),
            parties: self.parties.reversed()?,
            overrides: made,
        };
        (!undo.overrides.is_empty()).then(|| undo.draft())
    }
}

/// For a summary.
pub fn between(start: Timestamp, end: Timestamp) -> String {
    format!("from {} to {}", start.to_rfc3339(), end.to_rfc3339())
}
