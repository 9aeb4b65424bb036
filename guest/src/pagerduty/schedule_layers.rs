//! The layers of a v2 schedule, to be changed.
//!
//! Who is on call is computed from a layer's virtual start, turn length and
//! list of users: the n-th turn is that of the n-th user, counted around. So a
//! user who takes another's place in the list moves nobody's turns, and a list
//! that gets longer or shorter moves all of them.
//!
//! What is known of `PUT /schedules/{id}` (PagerDuty's own scripts and its
//! Terraform provider, but for what is marked):
//!
//! - A layer with an id is changed, one that is left out stays as it was.
//!   Layers can't be deleted, only ended; an empty list of users is refused.
//! - It wants the layers in the reverse of the order in which GET shows them,
//!   until PagerDuty mends that. The order is the layers' precedence.
//! - A `start` in the past comes back as now, and what was before is kept as
//!   history (recorded).
//! - `rotation_virtual_start` is kept if it is in UTC.

use crate::errors::{Error, ErrorCode, Result};
use crate::instants::Timestamp;
use crate::pagerduty::client::{Change, Client, vendor_id};
use crate::pagerduty::errors::clean;
use crate::pagerduty::json::{Field, Instants as _, Json, Row, field_to_static};
use crate::pagerduty::references::Reference;
use crate::pagerduty::schedules::{self, Turn, has_its_people, is_open};

/// Fields of a layer that are computed.
const COMPUTED: [&str; 2] = ["rendered_schedule_entries", "rendered_coverage_percentage"];
/// Fields of a layer that have one of their own in `Layer`.
const OWN: [&str; 4] = ["start", "end", "rotation_virtual_start", "users"];

/// A schedule that is read to be changed.
#[derive(Clone)]
pub struct LayeredSchedule {
    /// Vendor identifier; empty if there was none.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its layers, the one that has precedence over all others first.
    pub layers: Vec<Layer>,
    time_zone: Option<String>,
}

/// A layer.
#[derive(Clone)]
pub struct Layer {
    /// Vendor identifier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Who takes turns, in order. Some are stubs of deleted users.
    pub users: Vec<Reference>,
    start: Option<String>,
    end: Option<String>,
    virtual_start: Option<String>,
    /// Whose turn it is, if the request asked and a restriction does not hide it.
    in_turn: Option<String>,
    /// All else, as it was.
    rest: Vec<Field<'static>>,
}

impl Row for LayeredSchedule {
    const MANY: &'static str = "schedules";
    const ONE: &'static str = "schedule";

    fn read(json: &Json) -> Self {
        Self {
            id: json.id(),
            name: json.text("name").unwrap_or_default(),
            layers: json.objects("schedule_layers").map(Layer::read).collect(),
            time_zone: json.text("time_zone"),
        }
    }

    fn is_identified(json: &Json) -> bool {
        json.has_id()
            && json.has_text("name")
            && json.has_text("time_zone")
            && json.each("schedule_layers", &is_whole)
    }
}

/// Whether a layer says all that gives its users their turns.
fn is_whole(layer: &Json) -> bool {
    layer.has_id()
        && layer.is_text("name")
        && has_its_people(layer)
        && layer.has_instant("start")
        && layer.may_have_instant("end")
        && layer.has_instant("rotation_virtual_start")
        && layer.number("rotation_turn_length_seconds").is_some()
        && layer.each("restrictions", &|one| {
            one.has_text("type")
                && one.has_text("start_time_of_day")
                && one.number("duration_seconds").is_some()
                && (!one.says("type", "weekly_restriction")
                    || one.number("start_day_of_week").is_some())
        })
}

impl LayeredSchedule {
    /// Reads one, with whose turn it is in each layer.
    pub fn fetch(client: &Client, id: &str) -> Result<Self> {
        client.fetch_one(schedules::on_call_request(id, client.now())?)
    }

    /// The layers that have not ended. Ended ones are history, and an old
    /// schedule is full of them.
    pub fn open_layers(&self, now: Timestamp) -> impl Iterator<Item = &Layer> {
        let layers = self.layers.iter();
        layers.filter(move |layer| layer.is_open(now))
    }

    /// Writes changed layers back, and only those: what somebody else does to
    /// the other layers meanwhile is not undone, and they do not start anew.
    ///
    /// Then it looks whether the layers are still in the order they were in,
    /// and if not, writes all that are open in one order and, should that be
    /// the wrong one, in the other.
    pub fn save(&self, client: &Client, changed: &[Layer]) -> Result<()> {
        let now = client.now();
        let changed_in_order: Vec<&Layer> = changed.iter().rev().collect();
        let mut saved = match self.put(client, &changed_in_order) {
            Ok(saved) => saved,
            // Nobody knows whether it took effect: look.
            Err(error) if error.may_have_applied => {
                let found = Self::fetch(client, &self.id).map_err(Error::uncertain)?;
                let is_there = |layer: &Layer| found.has(layer, now);
                if !changed.iter().all(is_there) {
                    return Err(error);
                }
                found
            }
            Err(error) => return Err(self.explain(error, changed)),
        };
        for repair in [false, true] {
            if self.has_order_of(&saved, now) {
                return Ok(());
            }
            let mut layers: Vec<&Layer> = self
                .layers
                .iter()
                .filter_map(|old| saved.open_layers(now).find(|new| new.id == old.id))
                .collect();
            if repair {
                layers.reverse();
            }
            saved = self.put(client, &layers).map_err(Error::uncertain)?;
        }
        if self.has_order_of(&saved, now) {
            return Ok(());
        }
        Err(Error::new(
            ErrorCode::Conflict,
            format!(
                "the change is made, but PagerDuty has changed the order of the layers of \
                 schedule `{}`",
                clean(&self.name)
            ),
        )
        .hint("put the layers into their order again in PagerDuty: the order is the precedence")
        .uncertain())
    }

    fn put(&self, client: &Client, layers: &[&Layer]) -> Result<Self> {
        let layers = layers.iter().map(|layer| layer.write()).collect();
        // `description` and `teams` stay as they are if they are left out
        // (recorded); the zone is required.
        let schedule = Json::of([
            ("type", "schedule".into()),
            ("name", self.name.as_str().into()),
            ("time_zone", self.time_zone.as_deref().into()),
            ("schedule_layers", Json::List(layers)),
        ]);
        let path = format!("/schedules/{}", vendor_id(&self.id)?);
        let change = Change::put(path, &Json::of([("schedule", schedule)]));
        client.change(change)?.one()
    }

    /// Whether the open layers that both know are in the same order.
    fn has_order_of(&self, other: &Self, now: Timestamp) -> bool {
        let open = other.open_layers(now).map(|layer| layer.id.as_str());
        let open: Vec<&str> = open
            .filter(|id| self.layers.iter().any(|layer| layer.id == **id))
            .collect();
        let before = self.layers.iter().map(|layer| layer.id.as_str());
        before
            .filter(|id| open.contains(id))
            .eq(open.iter().copied())
    }

    fn has(&self, layer: &Layer, now: Timestamp) -> bool {
        let found = self.layers.iter().find(|found| found.id == layer.id);
        found.is_some_and(|found| {
            found.is_open(now) == layer.is_open(now) && found.user_ids().eq(layer.user_ids())
        })
    }

    fn explain(&self, mut error: Error, layers: &[Layer]) -> Error {
        let has_stubs = |layer: &&Layer| !layer.users.iter().all(Reference::is_live);
        if error.code == ErrorCode::InvalidInput
            && let Some(layer) = layers.iter().find(has_stubs)
        {
            error.hint = Some(format!(
                "layer `{}` of schedule `{}` holds users who have been deleted: take them off \
                 the layer in PagerDuty",
                clean(&layer.name),
                clean(&self.name)
            ));
        }
        error
    }
}

impl Layer {
    fn read(json: &Json) -> Self {
        let users = json
            .objects("users")
            .filter_map(|entry| entry.object("user"));
        let entries = json.objects("rendered_schedule_entries");
        let rest = json.fields().iter().filter(|(name, value)| {
            // Null also stands for what could not be read.
            let name = &**name;
            !COMPUTED.contains(&name) && !OWN.contains(&name) && *value != Json::Null
        });
        Self {
            id: json.id(),
            name: json.text("name").unwrap_or_default(),
            users: users.map(Reference::read).collect(),
            start: json.text("start"),
            end: json.text("end"),
            virtual_start: json.text("rotation_virtual_start"),
            in_turn: entries.filter_map(Turn::read).map(|turn| turn.user).next(),
            rest: rest.map(field_to_static).collect(),
        }
    }

    fn write(&self) -> Json<'static> {
        let users = self.users.iter().map(|user| {
            let user = Json::of([
                ("id", user.id.as_str().into()),
                ("type", "user_reference".into()),
            ]);
            Json::of([("user", user)])
        });
        let mut fields = self.rest.clone();
        fields.extend([
            ("start".into(), utc(self.start.as_deref())),
            // An explicit null says that it does not end.
            ("end".into(), utc(self.end.as_deref())),
            (
                "rotation_virtual_start".into(),
                utc(self.virtual_start.as_deref()),
            ),
            ("users".into(), Json::List(users.collect())),
        ]);
        Json::Object(fields)
    }

    /// Whether it has not ended yet.
    pub fn is_open(&self, now: Timestamp) -> bool {
        is_open(self.end.as_deref(), now)
    }

    /// The users' ids, in order.
    pub fn user_ids(&self) -> impl Iterator<Item = &str> {
        self.users.iter().map(|user| user.id.as_str())
    }

    /// Where in the list that user is, from 0.
    pub fn places(&self, user: &str) -> Vec<usize> {
        let users = self.user_ids().enumerate();
        users
            .filter(|(_, id)| *id == user)
            .map(|(at, _)| at)
            .collect()
    }

    /// Whether there is anybody else who could take a turn.
    pub fn has_others(&self, user: &str) -> bool {
        let mut users = self.users.iter();
        users.any(|other| other.is_live() && other.id != user)
    }

    /// What gives each place in the list its turns.
    pub fn cadence(&self) -> Json<'static> {
        let field = |name: &str| {
            let mut rest = self.rest.iter();
            let found = rest.find(|(field, _)| field == name);
            found.map_or(Json::Null, |(_, value)| value.clone())
        };
        Json::of([
            ("from", utc(self.virtual_start.as_deref())),
            ("turn", field("rotation_turn_length_seconds")),
            ("only", field("restrictions")),
            ("end", utc(self.end.as_deref())),
            (
                "users",
                Json::Number(self.users.len().try_into().unwrap_or(0)),
            ),
        ])
    }

    /// Puts a user into those places. Nobody else's turns move, so deleted
    /// users keep their places too.
    pub fn replace(&mut self, places: &[usize], by: &str) {
        for place in places {
            if let Some(user) = self.users.get_mut(*place) {
                *user = Reference::to_user(by);
            }
        }
    }

    /// Takes a user off the list. Who is on call stays so, unless it is that
    /// user; the order stays; later turns come earlier. If nobody is left the
    /// layer ends, since PagerDuty refuses an empty one, and `false` is
    /// returned.
    pub fn remove(&mut self, user: &str, now: Timestamp) -> bool {
        if !self.has_others(user) {
            self.finish(now);
            return false;
        }
        self.deal(now, |users| users.retain(|other| other.id != user));
        true
    }

    /// Puts a user on the list, to come after everybody else has had a turn.
    /// Until then nobody's turns move.
    pub fn add(&mut self, user: &str, now: Timestamp) {
        self.deal(now, |users| users.push(Reference::to_user(user)));
    }

    /// Changes the list as seen from whose turn it is, so that this one's turn
    /// goes on. That needs no other virtual start: a list can begin anywhere.
    /// The turns are dealt anew, and there are none for deleted users.
    fn deal(&mut self, now: Timestamp, change: impl FnOnce(&mut Vec<Reference>)) {
        let turn = self.turn(now);
        let mut users = std::mem::take(&mut self.users);
        let first = remainder(turn, users.len());
        users.rotate_left(first);
        users.retain(Reference::is_live);
        change(&mut users);
        let first = remainder(turn, users.len());
        users.rotate_right(first);
        self.users = users;
    }

    /// How many turns have ended since the virtual start.
    fn turn(&self, now: Timestamp) -> i64 {
        let start = self.start.as_deref().and_then(Timestamp::parse);
        let at = start.map_or(now, |start| start.max(now));
        let length = self.rest.iter().find_map(|(name, value)| match value {
            Json::Number(seconds) if name == "rotation_turn_length_seconds" => Some(*seconds),
            _ => None,
        });
        let first = self.virtual_start.as_deref().and_then(Timestamp::parse);
        let (Some(first), Some(length)) = (first, length.filter(|length| *length > 0)) else {
            return 0;
        };
        let turn = (at.millis() - first.millis())
            .div_euclid(1000)
            .div_euclid(length);
        // Turns of whole days end by the wall clock, which may be an hour off
        // since the virtual start: PagerDuty knows whose turn it is.
        let fits = |turn: &i64| {
            let user = self.users.get(remainder(*turn, self.users.len()));
            user.is_some_and(|user| Some(&user.id) == self.in_turn.as_ref())
        };
        [turn, turn + 1, turn - 1]
            .into_iter()
            .find(fits)
            .unwrap_or(turn)
    }

    /// Ends it. The users stay on it: it is history.
    fn finish(&mut self, now: Timestamp) {
        let now = now.whole_second();
        self.end = Some(now.to_rfc3339());
        // One that would have started only later has to end after its start
        // as well.
        let start = self.start.as_deref().and_then(Timestamp::parse);
        if start.is_none_or(|start| start >= now) {
            self.start = Some(now.plus(-1).to_rfc3339());
        }
    }
}

/// The same instant in UTC; what can't be read as it is.
fn utc(instant: Option<&str>) -> Json<'static> {
    let text = instant.map(|text| match Timestamp::parse(text) {
        Some(instant) => instant.to_rfc3339(),
        None => text.to_owned(),
    });
    text.as_deref().into()
}

fn remainder(turn: i64, users: usize) -> usize {
    let users = i64::try_from(users).unwrap_or(1).max(1);
    usize::try_from(turn.rem_euclid(users)).unwrap_or(0)
}
