//! Steps that hand over or remove what puts an account on call once on v3
//! schedules, now or later: overrides of other people's shifts, and custom
//! shifts; one for each.
//!
//! What has not begun gets another member. What runs is history in part: the
//! heir's is created for the rest, then the account's own is ended. (Rotations
//! and overrides of the account's own shifts: `schedules_v3`.)

use super::parties::{Subject, quoted, required};
use super::schedules_v3::all;
use super::step::{Draft, Drafts, Leaving, applied, unchanged};
use crate::errors::Result;
use crate::exports::iga::connector::offboarding::Applied;
use crate::iga::connector::types::Effect;
use crate::instants::Timestamp;
use crate::pagerduty::client::Client;
use crate::pagerduty::json::Json;
use crate::pagerduty::schedule_events::ShiftSchedule;
use crate::pagerduty::schedules::is_unknown;
use crate::pagerduty::shifts_v3::{Kind, Once, Scope, Single, read_each};

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
    let ids: Vec<&str> = schedules.iter().map(|one| one.id.as_str()).collect();
    for kind in [Kind::Override, Kind::CustomShift] {
        for (at, one) in read_each(client, &ids, kind)? {
            if one.member.as_ref() == Some(&leaving.source.id)
                && one.end > client.now()
                && let Some(schedule) = schedules.get(at)
            {
                let name = schedule.name.as_deref().unwrap_or_default();
                let subject = Subject::of(&schedule.id, name, leaving);
                drafts.steps.push(draft(&subject, kind, &one));
            }
        }
    }
    Ok(drafts)
}

/// Applies a step about an override or a custom shift.
pub fn apply(client: &Client, kind: Kind, payload: &Json) -> Result<Applied> {
    let subject = Subject::read(payload)?;
    let id = required(payload, "id")?;
    let once = Once {
        client,
        schedule: &subject.schedule,
    };
    let own = match once.get(kind, &id) {
        Ok(own) => own,
        Err(error) if is_unknown(&error) => return without_it(client, &subject),
        Err(error) => return Err(error),
    };
    let from = &subject.parties.from.id;
    let now = once.now();
    if own.member.as_ref() != Some(from) || own.end <= now {
        return Ok(unchanged("already-done"));
    }
    let to = subject.parties.to_id();
    // An heir whose own shift it is has it again without an override.
    if to.is_none() || kind == Kind::Override && own.overridden.as_deref() == to {
        once.delete(kind, &id)?;
        return Ok(applied(Effect::Deleted, None));
    }
    let has_begun = own.start <= now;
    let mut heirs = Single {
        start: own.start.max(now),
        member: to.map(str::to_owned),
        ..own
    };
    if has_begun {
        let wanted = [heirs];
        once.create(kind, &wanted)?;
        let [created] = wanted;
        heirs = created;
        heirs.id = once.find(kind, &heirs)?;
    }
    let finish = || -> Result<()> {
        let mut overrides = Vec::new();
        if kind == Kind::CustomShift {
            let scope = |id: &str| Scope {
                is_shift: true,
                id: id.to_owned(),
            };
            overrides = once.carry_over((&scope(&id), from), (&scope(&heirs.id), to))?;
        }
        if has_begun {
            once.delete(kind, &id)?;
        } else {
            once.update(kind, &heirs)?;
        }
        for one in &overrides {
            once.delete(Kind::Override, one)?;
        }
        Ok(())
    };
    finish().map_err(|error| if has_begun { error.uncertain() } else { error })?;
    let undo = subject.reversed();
    Ok(applied(
        Effect::Updated,
        undo.map(|subject| draft(&subject, kind, &heirs)),
    ))
}

/// It is not there: somebody has deleted it, or the schedule is gone with it.
fn without_it(client: &Client, subject: &Subject) -> Result<Applied> {
    match ShiftSchedule::fetch(client, &subject.schedule) {
        Ok(_) => Ok(unchanged("already-done")),
        Err(error) if is_unknown(&error) => Ok(unchanged("already-gone")),
        Err(error) => Err(error),
    }
}

fn draft(subject: &Subject, kind: Kind, one: &Single) -> Draft {
    let (reassign, remove, what) = match kind {
        Kind::Override => (REASSIGN_OVERRIDE, REMOVE_OVERRIDE, "override"),
        Kind::CustomShift => (REASSIGN_SHIFT, REMOVE_SHIFT, "custom shift"),
    };
    let schedule = quoted(&subject.name);
    let range = between(one.start, one.end);
    let from = &subject.parties.from.name;
    let (kind, summary) = match &subject.parties.to {
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
        payload: subject.payload("id", one.id.as_str().into()),
    }
}

/// For a summary.
pub fn between(start: Timestamp, end: Timestamp) -> String {
    format!("from {} to {}", start.to_rfc3339(), end.to_rfc3339())
}
