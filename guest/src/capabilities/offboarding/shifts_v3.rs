//! Steps that hand over or remove what puts an account on call once on v3
//! schedules, now or later: overrides of other people's shifts, and custom
//! shifts; one for each.
//!
//! What has not begun gets another member. What runs is history in part: the
//! heir's is created for the rest, then the account's own is ended. (Rotations
//! and overrides of the account's own shifts: `schedules_v3`.)

use super::overrides::between;
use super::parties::{Parties, malformed, quoted, required};
use super::schedules_v3::all;
use super::step::{Draft, Drafts, Leaving, applied, unchanged};
use crate::errors::{Error, ErrorCode, Result};
use crate::exports::iga::connector::offboarding::Applied;
use crate::iga::connector::types::Effect;
use crate::instants::Timestamp;
use crate::pagerduty::client::Client;
use crate::pagerduty::json::{Json, Row};
use crate::pagerduty::paging::{self, List};
use crate::pagerduty::schedules::is_unknown;
use crate::pagerduty::schedules_v3::ScheduleV3;
use crate::pagerduty::shifts_v3::{
    CustomShift, Once, Range, Scope, ShiftOverride, custom_shifts_path, overrides_path,
};

/// An heir gets the account's override.
pub const REASSIGN_OVERRIDE: &str = "reassign-shift-override";
/// The account's override goes; whoever has the shift is on call.
pub const REMOVE_OVERRIDE: &str = "remove-shift-override";
/// An heir gets the account's custom shift.
pub const REASSIGN_SHIFT: &str = "reassign-custom-shift";
/// The account's custom shift goes.
pub const REMOVE_SHIFT: &str = "remove-custom-shift";

/// One step for each override and custom shift that runs or is to come. Takes
/// two requests for each v3 schedule.
pub fn plan(client: &Client, leaving: &Leaving<'_>) -> Result<Drafts> {
    let mut drafts = Drafts::default();
    // What is out of reach, `schedules_v3` has said.
    let schedules = all(client, &mut Vec::new())?;
    let source = Some(leaving.source.id.as_str());
    for (schedule, one) in read_each::<ShiftOverride>(client, &schedules, overrides_path)? {
        if one.overriding.as_deref() == source && one.end > client.now() {
            let kinds = (REASSIGN_OVERRIDE, REMOVE_OVERRIDE);
            let what = Thing::of(schedule, &one.id, one.start, one.end, leaving)?;
            drafts.steps.push(what.draft(kinds));
        }
    }
    for (schedule, one) in read_each::<CustomShift>(client, &schedules, custom_shifts_path)? {
        if one.member.as_deref() == source && one.end > client.now() {
            let kinds = (REASSIGN_SHIFT, REMOVE_SHIFT);
            let what = Thing::of(schedule, &one.id, one.start, one.end, leaving)?;
            drafts.steps.push(what.draft(kinds));
        }
    }
    Ok(drafts)
}

/// One kind of thing on all schedules, each with the schedule it is on.
fn read_each<'s, T: Row>(
    client: &Client,
    schedules: &'s [ScheduleV3],
    path: fn(&str) -> Result<String>,
) -> Result<Vec<(&'s ScheduleV3, T)>> {
    let range = Range::ahead(client);
    let paths = schedules.iter().map(|schedule| path(&schedule.id));
    let paths: Vec<String> = paths.collect::<Result<_>>()?;
    let lists: Vec<List<'_>> = paths.iter().map(|path| range.list(path)).collect();
    let mut all = Vec::new();
    for (schedule, rows) in schedules.iter().zip(paging::read_each::<T>(client, &lists)) {
        match rows {
            Ok(rows) => all.extend(rows.into_iter().map(|row| (schedule, row))),
            // Gone since it was listed.
            Err(error) if error.code == ErrorCode::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

/// Applies a step with an override.
pub fn apply_override(client: &Client, payload: &Json) -> Result<Applied> {
    let what = Thing::read(payload)?;
    let once = what.once(client);
    let one = match once.get_override(&what.id) {
        Ok(one) => one,
        Err(error) if is_unknown(&error) => return Ok(unchanged("already-done")),
        Err(error) => return Err(error),
    };
    let from = &what.parties.from.id;
    if one.overriding.as_ref() != Some(from) || one.end <= once.now() {
        return Ok(unchanged("already-done"));
    }
    let to = what.parties.to_id().map(str::to_owned);
    // An heir whose own shift it is has it again without an override.
    if to.is_none() || one.overridden == to {
        once.delete_override(&what.id)?;
        return Ok(applied(Effect::Deleted, None));
    }
    let has_begun = one.start <= once.now();
    let heirs = ShiftOverride {
        start: one.start.max(once.now()),
        overriding: to,
        ..one
    };
    let id = if has_begun {
        let id = once.create_override(heirs)?;
        once.delete_override(&what.id).map_err(Error::uncertain)?;
        id
    } else {
        once.update_override(&heirs)?;
        what.id.clone()
    };
    let kinds = (REASSIGN_OVERRIDE, REMOVE_OVERRIDE);
    Ok(applied(Effect::Updated, what.undo(id, kinds)))
}

/// Applies a step with a custom shift.
pub fn apply_shift(client: &Client, payload: &Json) -> Result<Applied> {
    let what = Thing::read(payload)?;
    let once = what.once(client);
    let one = match once.custom_shift(&what.id) {
        Ok(one) => one,
        Err(error) if is_unknown(&error) => return Ok(unchanged("already-done")),
        Err(error) => return Err(error),
    };
    let from = &what.parties.from.id;
    if one.member.as_ref() != Some(from) || one.end <= once.now() {
        return Ok(unchanged("already-done"));
    }
    let Some(to) = what.parties.to_id() else {
        once.delete_custom_shift(&what.id)?;
        return Ok(applied(Effect::Deleted, None));
    };
    let has_begun = one.start <= once.now();
    let heirs = CustomShift {
        start: one.start.max(once.now()),
        member: Some(to.to_owned()),
        ..one
    };
    let id = if has_begun {
        once.create_custom_shift(&heirs)?
    } else {
        what.id.clone()
    };
    let scopes = (Scope::custom_shift(&what.id), Scope::custom_shift(&id));
    let old = once
        .carry_over((&scopes.0, from), (&scopes.1, Some(to)))
        .map_err(|error| if has_begun { error.uncertain() } else { error })?;
    if has_begun {
        once.delete_custom_shift(&what.id)
            .map_err(Error::uncertain)?;
    } else {
        once.update_custom_shift(&heirs)?;
    }
    for one in &old {
        once.delete_override(one).map_err(Error::uncertain)?;
    }
    let kinds = (REASSIGN_SHIFT, REMOVE_SHIFT);
    Ok(applied(Effect::Updated, what.undo(id, kinds)))
}

/// What a step is about.
struct Thing {
    schedule: String,
    name: String,
    id: String,
    start: Timestamp,
    end: Timestamp,
    parties: Parties,
}

impl Thing {
    fn of(
        schedule: &ScheduleV3,
        id: &str,
        start: Timestamp,
        end: Timestamp,
        leaving: &Leaving<'_>,
    ) -> Result<Self> {
        Ok(Self {
            schedule: schedule.id.clone(),
            name: schedule.name.clone().unwrap_or_default(),
            id: id.to_owned(),
            start,
            end,
            parties: Parties::of(leaving),
        })
    }

    fn once<'a>(&'a self, client: &'a Client) -> Once<'a> {
        Once {
            client,
            schedule: &self.schedule,
        }
    }

    fn draft(&self, (reassign, remove): (&'static str, &'static str)) -> Draft {
        let mut payload = vec![
            ("schedule".to_owned(), self.schedule.as_str().into()),
            ("name".to_owned(), self.name.as_str().into()),
            ("id".to_owned(), self.id.as_str().into()),
            ("start".to_owned(), self.start.to_rfc3339().as_str().into()),
            ("end".to_owned(), self.end.to_rfc3339().as_str().into()),
        ];
        self.parties.write(&mut payload);
        let what = match reassign {
            REASSIGN_OVERRIDE => "override",
            _ => "custom shift",
        };
        let schedule = quoted(&self.name);
        let range = between(self.start, self.end);
        let from = &self.parties.from.name;
        let (kind, summary) = match &self.parties.to {
            Some(to) => (
                reassign,
                format!(
                    "On shift-based schedule {schedule}, {} takes over the {what} of {from} {range}",
                    to.name
                ),
            ),
            None => (
                remove,
                format!("On shift-based schedule {schedule}, the {what} of {from} {range} goes"),
            ),
        };
        Draft {
            kind,
            summary,
            payload: Json::Object(payload),
        }
    }

    fn read(payload: &Json) -> Result<Self> {
        Ok(Self {
            schedule: required(payload, "schedule")?,
            name: required(payload, "name")?,
            id: required(payload, "id")?,
            start: payload.instant("start").ok_or_else(malformed)?,
            end: payload.instant("end").ok_or_else(malformed)?,
            parties: Parties::read(payload)?,
        })
    }

    fn undo(&self, id: String, kinds: (&'static str, &'static str)) -> Option<Draft> {
        let undo = Self {
            schedule: self.schedule.clone(),
            name: self.name.clone(),
            id,
            parties: self.parties.reversed()?,
            ..*self
        };
        Some(undo.draft(kinds))
    }
}
