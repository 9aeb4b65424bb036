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

use super::parties::{Parties, listed, malformed, places_of, quoted, required, world_changed};
use super::step::{Draft, Drafts, Leaving, applied, unchanged};
use crate::errors::{Error, ErrorCode, Result};
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
    let now = client.now();
    for schedule in paging::read_all::<LayeredSchedule>(client, &schedules::with_layers())? {
        let layers: Vec<&Layer> = schedule
            .open_layers(now)
            .filter(|layer| layer.user_ids().any(|id| id == leaving.source.id))
            .collect();
        if layers.is_empty() {
            continue;
        }
        let change = Change {
            schedule: schedule.id.clone(),
            name: schedule.name.clone(),
            parties: Parties::of(leaving),
            layers: layers
                .iter()
                .map(|layer| Part::of(layer, &leaving.source.id))
                .collect(),
            is_all: true,
        };
        change.warn(&mut drafts.warnings);
        drafts.steps.push(change.draft());
    }
    Ok(drafts)
}

/// Applies a step of either kind.
pub fn apply(client: &Client, payload: &Json) -> Result<Applied> {
    let change = Change::read(payload)?;
    let schedule = match LayeredSchedule::fetch(client, &change.schedule) {
        Ok(schedule) => schedule,
        Err(error) if is_unknown(&error) => return change.without_schedule(client),
        Err(error) => return Err(error),
    };
    let layers = change.edit(&schedule, client.now())?;
    if layers.is_empty() {
        return Ok(unchanged("already-done"));
    }
    schedule.save(client, &layers)?;
    Ok(applied(Effect::Updated, change.undo(&layers)))
}

/// What a step is to do.
struct Change {
    schedule: String,
    name: String,
    parties: Parties,
    layers: Vec<Part>,
    /// Whether the account is not to stay in any other layer.
    is_all: bool,
}

/// What it is to do in a layer.
struct Part {
    id: String,
    name: String,
    /// Where the account is.
    places: Vec<usize>,
    of: usize,
    /// Whether somebody else is there.
    has_others: bool,
    /// What gives the places their turns.
    cadence: Json,
    /// How many of the places are the heir's already.
    users: Vec<String>,
}

impl Part {
    fn of(layer: &Layer, user: &str) -> Self {
        Self {
            id: layer.id.clone(),
            name: layer.name.clone(),
            places: layer.places(user),
            of: layer.users.len(),
            has_others: layer.has_others(user),
            cadence: layer.cadence(),
            users: layer.user_ids().map(str::to_owned).collect(),
        }
    }

    fn write(&self) -> Json {
        let places = self
            .places
            .iter()
            .map(|place| Json::Number(i64::try_from(*place).unwrap_or(i64::MAX)));
        Json::of([
            ("id", self.id.as_str().into()),
            ("name", self.name.as_str().into()),
            ("places", Json::List(places.collect())),
            ("others", Json::Flag(self.has_others)),
            ("cadence", self.cadence.clone()),
        ])
    }

    fn read(json: &Json) -> Option<Self> {
        let places = json.list("places")?.iter().map(|place| match place {
            Json::Number(place) => usize::try_from(*place).ok(),
            _ => None,
        });
        Some(Self {
            id: json.text("id")?,
            name: json.text("name").unwrap_or_default(),
            places: places.collect::<Option<_>>()?,
            of: 0,
            has_others: json.flag("others")?,
            cadence: json.get("cadence").clone(),
            users: Vec::new(),
        })
    }
}

impl Change {
    fn draft(&self) -> Draft {
        let mut payload = vec![
            ("schedule".to_owned(), self.schedule.as_str().into()),
            ("name".to_owned(), self.name.as_str().into()),
            (
                "layers".to_owned(),
                Json::List(self.layers.iter().map(Part::write).collect()),
            ),
            ("all".to_owned(), Json::Flag(self.is_all)),
        ];
        self.parties.write(&mut payload);
        Draft {
            kind: if self.parties.to.is_some() {
                REPLACE
            } else {
                REMOVE
            },
            summary: self.summary(),
            payload: Json::Object(payload),
        }
    }

    fn read(payload: &Json) -> Result<Self> {
        let layers = payload.objects("layers").map(Part::read);
        Ok(Self {
            schedule: required(payload, "schedule")?,
            name: required(payload, "name")?,
            parties: Parties::read(payload)?,
            layers: layers.collect::<Option<_>>().ok_or_else(malformed)?,
            is_all: payload.flag("all").unwrap_or(false),
        })
    }

    fn summary(&self) -> String {
        let schedule = quoted(&self.name);
        let from = &self.parties.from.name;
        let Some(to) = &self.parties.to else {
            let layers = self.layers.iter().map(|layer| {
                let places = places_of(&layer.places, layer.of);
                let layer_name = quoted(&layer.name);
                if layer.has_others {
                    format!("layer {layer_name} ({places}; the turns of the others move)")
                } else {
                    format!("layer {layer_name} (nobody else is on it, so it ends)")
                }
            });
            return format!(
                "On schedule {schedule}, {from} leaves {}",
                listed(layers.collect())
            );
        };
        let layers = self.layers.iter().map(|layer| {
            let places = places_of(&layer.places, layer.of);
            let own = layer.users.iter().filter(|id| **id == to.id).count();
            let then = match own {
                0 => String::new(),
                own => format!(", then {} of {} turns", own + layer.places.len(), layer.of),
            };
            format!("layer {} ({places}{then})", quoted(&layer.name))
        });
        format!(
            "On schedule {schedule}, {} takes the place of {from} in {}; nobody else's turns move",
            to.name,
            listed(layers.collect())
        )
    }

    fn warn(&self, warnings: &mut Vec<String>) {
        if self.parties.to.is_some() {
            return;
        }
        let schedule = quoted(&self.name);
        let from = &self.parties.from.name;
        if self.layers.iter().any(|layer| layer.has_others) {
            warnings.push(format!(
                "when {from} leaves schedule {schedule} the turns of the others move, since \
                 nobody takes over"
            ));
        }
        for layer in self.layers.iter().filter(|layer| !layer.has_others) {
            warnings.push(format!(
                "nobody takes over layer {} of schedule {schedule} from {from}, so it ends",
                quoted(&layer.name)
            ));
        }
    }

    /// The layers that have to change, changed. None of them is if one is not
    /// as the plan saw it.
    fn edit(&self, schedule: &LayeredSchedule, now: Timestamp) -> Result<Vec<Layer>> {
        let from = &self.parties.from.id;
        let mut changed = Vec::new();
        for layer in schedule.open_layers(now) {
            let places = layer.places(from);
            if places.is_empty() {
                continue;
            }
            let mut layer = layer.clone();
            match (
                self.layers.iter().find(|part| part.id == layer.id),
                self.parties.to_id(),
            ) {
                (Some(part), Some(to)) => {
                    if !self.is_all && part.are_at(&layer.places(to)) {
                        continue;
                    }
                    if part.cadence != layer.cadence() || !part.fits(&places, self.is_all) {
                        return Err(self.has_changed(&layer));
                    }
                    layer.replace(&part.places, to);
                }
                (Some(part), None) => {
                    if part.has_others && !layer.has_others(from) {
                        return Err(self.has_changed(&layer));
                    }
                    layer.remove(from, now);
                }
                (None, _) if self.is_all => return Err(self.has_changed(&layer)),
                (None, _) => continue,
            }
            changed.push(layer);
        }
        Ok(changed)
    }

    fn has_changed(&self, layer: &Layer) -> Error {
        world_changed(format!(
            "layer {} of schedule {} is not as it was when the plan was made",
            quoted(&layer.name),
            quoted(&self.name)
        ))
    }

    /// There is no such v2 schedule.
    fn without_schedule(&self, client: &Client) -> Result<Applied> {
        match ShiftSchedule::fetch(client, &self.schedule) {
            // PagerDuty's upgrade keeps the id.
            Ok(_) => Err(world_changed(format!(
                "schedule {} has been upgraded to shifts since the plan was made",
                quoted(&self.name)
            ))),
            Err(error) if error.code == ErrorCode::NotFound => Ok(unchanged("already-gone")),
            Err(error) => Err(error),
        }
    }

    /// Gives the places back.
    fn undo(&self, changed: &[Layer]) -> Option<Draft> {
        let parties = self.parties.reversed()?;
        let layers = changed.iter().filter_map(|layer| {
            let part = self.layers.iter().find(|part| part.id == layer.id)?;
            Some(Part {
                places: part.places.clone(),
                ..Part::of(layer, &parties.from.id)
            })
        });
        let undo = Self {
            schedule: self.schedule.clone(),
            name: self.name.clone(),
            layers: layers.collect(),
            parties,
            is_all: false,
        };
        Some(undo.draft())
    }
}

impl Part {
    /// Whether the account is where it was; to give places back it may be in
    /// others too.
    fn fits(&self, places: &[usize], is_all: bool) -> bool {
        if is_all {
            self.places == places
        } else {
            self.are_at(places)
        }
    }

    fn are_at(&self, places: &[usize]) -> bool {
        self.places.iter().all(|place| places.contains(place))
    }
}
