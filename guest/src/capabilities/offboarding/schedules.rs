//! Steps that take an account off v2 schedules, one for each schedule.
//!
//! An heir takes the account's places in the lists of users, so that nobody
//! else's turns move; one who is on a list already then has several turns of a
//! round. Without an heir the list gets shorter and the turns of the others
//! come earlier, which PagerDuty has no way around; a layer with nobody left
//! ends.
//!
//! A step goes on if it finds other people in the other places: the turns in
//! question are the same. It stops if the layer's turns are others than the
//! plan showed: another number of users, turn length, virtual start,
//! restriction or end.

use super::parties::{Subject, listed, malformed, places_of, quoted, world_changed};
use super::step::{Draft, Drafts, Leaving, applied, unchanged};
use crate::errors::{ErrorCode, Result};
use crate::exports::iga::connector::offboarding::Applied;
use crate::iga::connector::types::Effect;
use crate::instants::Timestamp;
use crate::pagerduty::client::Client;
use crate::pagerduty::json::Json;
use crate::pagerduty::paging;
use crate::pagerduty::schedule_events::ShiftSchedule;
use crate::pagerduty::schedule_layers::{Layer, LayeredSchedule};
use crate::pagerduty::schedules::{self, is_unknown};

/// An heir takes the account's places.
pub const REPLACE: &str = "replace-in-schedule";
/// The account goes, and nobody takes its places.
pub const REMOVE: &str = "remove-from-schedule";

/// One step for each schedule with a layer that the account has turns in.
pub fn plan(client: &Client, leaving: &Leaving<'_>) -> Result<Drafts> {
    let mut drafts = Drafts::default();
    let from = leaving.source.id.as_str();
    for schedule in paging::read_all::<LayeredSchedule>(client, &schedules::with_layers())? {
        let mut own = Vec::new();
        for layer in schedule.open_layers(client.now()) {
            let places = layer.places(from);
            if !places.is_empty() {
                own.push((layer, places));
            }
        }
        if own.is_empty() {
            continue;
        }
        let subject = Subject::of(&schedule.id, &schedule.name, leaving);
        let summary = match subject.parties.to_id() {
            Some(to) => replacement(&subject, to, &own),
            None => removal(&subject, &own, &mut drafts.warnings),
        };
        drafts.steps.push(draft(&subject, summary, &own, true));
    }
    Ok(drafts)
}

fn replacement(subject: &Subject, to: &str, own: &[(&Layer, Vec<usize>)]) -> String {
    let mut layers = Vec::new();
    for (layer, places) in own {
        let of = layer.users.len();
        let then = match layer.places(to).len() {
            0 => String::new(),
            before => format!(", then {} of {of} turns", before + places.len()),
        };
        let places = places_of(places, of);
        layers.push(format!("layer {} ({places}{then})", quoted(&layer.name)));
    }
    let heir = subject.parties.to.as_ref().map_or(to, |to| &to.name);
    format!(
        "On schedule {}, {heir} takes the place of {} in {}; nobody else's turns move",
        quoted(&subject.name),
        subject.parties.from.name,
        listed(layers)
    )
}

fn removal(subject: &Subject, own: &[(&Layer, Vec<usize>)], warnings: &mut Vec<String>) -> String {
    let schedule = quoted(&subject.name);
    let from = &subject.parties.from;
    let mut layers = Vec::new();
    let mut turns_move = false;
    for (layer, places) in own {
        let name = quoted(&layer.name);
        if layer.has_others(&from.id) {
            turns_move = true;
            let places = places_of(places, layer.users.len());
            layers.push(format!(
                "layer {name} ({places}; the turns of the others move)"
            ));
        } else {
            layers.push(format!("layer {name} (nobody else is on it, so it ends)"));
            warnings.push(format!(
                "nobody takes over layer {name} of schedule {schedule} from {}, so it ends",
                from.name
            ));
        }
    }
    if turns_move {
        warnings.push(format!(
            "when {} leaves schedule {schedule} the turns of the others move, since nobody takes \
             over",
            from.name
        ));
    }
    format!(
        "On schedule {schedule}, {} leaves {}",
        from.name,
        listed(layers)
    )
}

/// A step that leaves the account in no other layer either if `is_all`.
fn draft(subject: &Subject, summary: String, own: &[(&Layer, Vec<usize>)], is_all: bool) -> Draft {
    let mut layers = Vec::new();
    for (layer, places) in own {
        let places = places.iter().filter_map(|place| i64::try_from(*place).ok());
        layers.push(Json::of([
            ("id", layer.id.as_str().into()),
            ("places", Json::List(places.map(Json::Number).collect())),
            (
                "others",
                Json::Flag(layer.has_others(&subject.parties.from.id)),
            ),
            ("cadence", layer.cadence()),
        ]));
    }
    let what = Json::of([("layers", Json::List(layers)), ("all", Json::Flag(is_all))]);
    Draft {
        kind: match subject.parties.to {
            Some(_) => REPLACE,
            None => REMOVE,
        },
        summary,
        payload: subject.payload("what", what),
    }
}

/// Applies a step of either kind.
pub fn apply(client: &Client, payload: &Json) -> Result<Applied> {
    let subject = Subject::read(payload)?;
    let parts = Part::read(payload.get("what"))?;
    let schedule = match LayeredSchedule::fetch(client, &subject.schedule) {
        Ok(schedule) => schedule,
        Err(error) if is_unknown(&error) => return without_schedule(client, &subject),
        Err(error) => return Err(error),
    };
    let layers = edit(&subject, &parts, &schedule, client.now())?;
    if layers.is_empty() {
        return Ok(unchanged("already-done"));
    }
    schedule.save(client, &layers)?;
    let undo = subject.reversed().map(|back| undo(&back, &parts, &layers));
    Ok(applied(Effect::Updated, undo))
}

/// There is no such v2 schedule.
fn without_schedule(client: &Client, subject: &Subject) -> Result<Applied> {
    match ShiftSchedule::fetch(client, &subject.schedule) {
        // PagerDuty's upgrade keeps the id.
        Ok(_) => Err(world_changed(format!(
            "schedule {} has been upgraded to shifts since the plan was made",
            quoted(&subject.name)
        ))),
        Err(error) if error.code == ErrorCode::NotFound => Ok(unchanged("already-gone")),
        Err(error) => Err(error),
    }
}

/// What a step is to do in a layer.
struct Part {
    id: String,
    /// Where the account is.
    places: Vec<usize>,
    /// Whether somebody else is there.
    has_others: bool,
    /// What gives the places their turns.
    cadence: Json<'static>,
    /// Whether the account is not to stay in any other layer.
    is_all: bool,
}

impl Part {
    fn read(what: &Json) -> Result<Vec<Self>> {
        let is_all = what.flag("all").ok_or_else(malformed)?;
        let mut parts = Vec::new();
        for layer in what.objects("layers") {
            let mut places = Vec::new();
            for place in layer.list("places").unwrap_or_default() {
                if let Json::Number(place) = place {
                    places.extend(usize::try_from(*place));
                }
            }
            parts.push(Self {
                id: layer.id(),
                places,
                has_others: layer.flag("others").ok_or_else(malformed)?,
                cadence: layer.get("cadence").to_static(),
                is_all,
            });
        }
        match parts.is_empty() {
            true => Err(malformed()),
            false => Ok(parts),
        }
    }

    /// Whether these are the account's places. To give them back it may have
    /// others too.
    fn is_at(&self, places: &[usize]) -> bool {
        if self.is_all {
            return self.places == places;
        }
        self.places.iter().all(|place| places.contains(place))
    }
}

/// The layers that have to change, changed. None of them is if one is not as
/// the plan saw it.
fn edit(
    subject: &Subject,
    parts: &[Part],
    schedule: &LayeredSchedule,
    now: Timestamp,
) -> Result<Vec<Layer>> {
    let from = &subject.parties.from.id;
    let mut changed = Vec::new();
    for layer in schedule.open_layers(now) {
        let places = layer.places(from);
        let part = parts.iter().find(|part| part.id == layer.id);
        if places.is_empty() || part.is_none() && parts.iter().all(|part| !part.is_all) {
            continue;
        }
        let mut edited = layer.clone();
        let is_as_planned = match (part, subject.parties.to_id()) {
            (None, _) => false,
            (Some(part), Some(to)) => {
                if !part.is_all && part.is_at(&layer.places(to)) {
                    continue;
                }
                edited.replace(&part.places, to);
                part.cadence == layer.cadence() && part.is_at(&places)
            }
            (Some(part), None) => {
                let has_others = edited.remove(from, now);
                has_others || !part.has_others
            }
        };
        if !is_as_planned {
            return Err(world_changed(format!(
                "layer {} of schedule {} is not as it was when the plan was made",
                quoted(&layer.name),
                quoted(&subject.name)
            )));
        }
        changed.push(edited);
    }
    Ok(changed)
}

/// Gives the places back.
fn undo(back: &Subject, parts: &[Part], changed: &[Layer]) -> Draft {
    let mut own = Vec::new();
    for layer in changed {
        if let Some(part) = parts.iter().find(|part| part.id == layer.id) {
            own.push((layer, part.places.clone()));
        }
    }
    let to = back.parties.to_id().unwrap_or_default();
    let summary = replacement(back, to, &own);
    draft(back, summary, &own, false)
}
