//! Schedules with layers (v2). Calendar feeds (`*_cal_url`) are secrets, and so
//! have no field here.

use crate::errors::{Error, ErrorCode, Result};
use crate::ids::unique;
use crate::instants::Timestamp;
use crate::pagerduty::client::{Request, checked_id};
use crate::pagerduty::json::{Instants as _, Json, Row};
use crate::pagerduty::paging::List;
use crate::pagerduty::references::Reference;

/// The list.
pub const PATH: &str = "/schedules";

/// A schedule.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Vendor identifier; empty if there was none.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// Free text.
    pub description: Option<String>,
    layers: Vec<Layer>,
    turns: Vec<Turn>,
}

#[derive(Clone, Debug)]
struct Layer {
    end: Option<String>,
    users: Vec<Reference>,
}

impl Row for Schedule {
    const MANY: &'static str = "schedules";
    const ONE: &'static str = "schedule";

    fn read(json: &Json) -> Self {
        let layers = json.objects("schedule_layers").map(|layer| Layer {
            end: layer.text("end"),
            users: (layer.objects("users"))
                .filter_map(|entry| entry.object("user").map(Reference::read))
                .collect(),
        });
        let turns = json
            .get("final_schedule")
            .objects("rendered_schedule_entries");
        Self {
            id: json.id(),
            name: json.text("name"),
            description: json.text("description"),
            layers: layers.collect(),
            turns: turns.filter_map(Turn::read).collect(),
        }
    }

    fn is_identified(json: &Json) -> bool {
        let turns = json.get("final_schedule");
        json.has_id()
            && json.each("schedule_layers", &has_its_people)
            && name_somebody(turns, "rendered_schedule_entries")
    }
}

/// Whether a layer says who takes turns in it.
pub fn has_its_people(layer: &Json) -> bool {
    name_somebody(layer, "users") && name_somebody(layer, "rendered_schedule_entries")
}

/// Whether each object in the list has a user with an id, or none.
fn name_somebody(json: &Json, name: &str) -> bool {
    json.each(name, &|one| one.points_at_something("user"))
}

/// Somebody is on call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Who.
    pub user: String,
    /// Since when.
    pub start: Option<Timestamp>,
    /// Until when.
    pub end: Option<Timestamp>,
}

impl Turn {
    /// From an object with `user`, `start` and `end`.
    pub fn read(json: &Json) -> Option<Self> {
        let user = json.object("user").map(Reference::read);
        Some(Self {
            user: user.filter(Reference::is_live)?.id,
            start: json.instant("start"),
            end: json.instant("end"),
        })
    }

    /// Whether it is on at that time.
    pub fn covers(&self, at: Timestamp) -> bool {
        self.start.is_none_or(|start| start <= at) && self.end.is_none_or(|end| at < end)
    }
}

impl Schedule {
    /// Who is on call at that time, if the request asked for it.
    pub fn on_call(self, at: Timestamp) -> Vec<Turn> {
        let turns = self.turns.into_iter();
        turns.filter(|turn| turn.covers(at)).collect()
    }

    /// Who is part of it: the users of layers that have not ended, each once.
    /// Layers can't be deleted, so an old schedule is full of ended ones.
    pub fn members(&self, now: Timestamp) -> Vec<&str> {
        let users = self
            .layers
            .iter()
            .filter(|layer| is_open(layer.end.as_deref(), now))
            .flat_map(|layer| &layer.users)
            .filter(|user| user.is_live())
            .map(|user| user.id.as_str());
        unique(users)
    }
}

/// Whether something that ends then, if it does, has not ended yet. What
/// can't be read counts as open: to leave out a membership is worse.
pub fn is_open(end: Option<&str>, now: Timestamp) -> bool {
    end.and_then(Timestamp::parse).is_none_or(|end| end > now)
}

/// Whether a schedule could not be read because it is none, or is one of the
/// other kind: a 404, or a 400 to who asks for a v2 schedule as a v3 one.
pub fn is_unknown(error: &Error) -> bool {
    matches!(error.code, ErrorCode::NotFound | ErrorCode::InvalidInput)
}

/// The list, with the layers that say who is part of each. Who needs no layers
/// asks for them all the same: one request does for all.
pub fn with_layers() -> List<'static> {
    List::all(PATH).with("include[]", "schedule_layers")
}

/// Asks who is on call on a schedule, overrides included.
pub fn on_call_request(id: &str, at: Timestamp) -> Result<Request> {
    Ok(Request::get(format!("/schedules/{}", checked_id(id)?))
        .with("since", &at.to_rfc3339())
        .with("until", &at.plus(1).to_rfc3339())
        // Or else the turns are cut to that one second.
        .with("overflow", "true"))
}
