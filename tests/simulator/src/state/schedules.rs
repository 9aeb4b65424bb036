//! Layer-based (v2) schedules.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::rotation::{Entry, Rotation, clip, overlay};
use super::{Row, shift};

/// How far beyond a range entries are computed when their full length counts.
const OVERFLOW_SECONDS: i64 = 14 * 86_400;

/// A layer: as it is, and as it was before each change.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) current: Rotation,
    pub(crate) past: Vec<Rotation>,
}

impl Layer {
    pub(crate) fn has_ended(&self, now: Timestamp) -> bool {
        self.current.end.is_some_and(|end| end <= now)
    }

    /// Puts a new configuration in force from now on; what was, stays on record.
    pub(crate) fn change(&mut self, mut next: Rotation, now: Timestamp) {
        // An ended layer is history: sending it back does not revive or move it.
        if self.has_ended(now) && next.end.is_some_and(|end| end <= now) {
            return;
        }
        // Ending a layer keeps its start; anything else starts over at now.
        if next.end.is_some_and(|end| end <= now) {
            self.current.end = Some(now);
            self.current.start = self.current.start.min(now);
            return;
        }
        next.start = next.start.max(now);
        let mut before = std::mem::replace(&mut self.current, next);
        if before.start < now {
            before.end = Some(before.end.map_or(now, |end| end.min(now)));
            self.past.push(before);
        }
    }

    pub(crate) fn entries(
        &self,
        zone: &TimeZone,
        since: Timestamp,
        until: Timestamp,
    ) -> Vec<Entry> {
        self.past
            .iter()
            .chain([&self.current])
            .flat_map(|rotation| rotation.entries(zone, since, until))
            .collect()
    }
}

/// A temporary replacement of whoever the layers put on call.
#[derive(Clone, Debug)]
pub(crate) struct Override {
    pub(crate) id: String,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) user: String,
}

/// A v2 schedule.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) time_zone: String,
    /// In the order that PUT wants, lowest precedence first. GET shows the reverse.
    pub(crate) layers: Vec<Layer>,
    /// In order of creation; the last one wins.
    pub(crate) overrides: Vec<Override>,
    pub(crate) teams: Vec<String>,
    /// The part of the calendar URLs that makes them secrets.
    pub(crate) feed: String,
}

impl Row for Schedule {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Schedule {
    pub(crate) fn empty(id: &str, name: &str, time_zone: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            description: Some(String::new()),
            time_zone: time_zone.to_owned(),
            layers: Vec::new(),
            overrides: Vec::new(),
            teams: Vec::new(),
            feed: format!("secret-calendar-feed-{id}"),
        }
    }

    pub(crate) fn zone(&self) -> TimeZone {
        TimeZone::get(&self.time_zone).unwrap_or(TimeZone::UTC)
    }

    /// The users of all layers, ended ones included, each once.
    pub(crate) fn user_ids(&self) -> Vec<&str> {
        let mut users: Vec<&str> = Vec::new();
        for user in self
            .layers
            .iter()
            .rev()
            .flat_map(|layer| &layer.current.users)
        {
            if !users.contains(&user.as_str()) {
                users.push(user);
            }
        }
        users
    }

    /// Whether the user is in a layer that has not ended, or in an override to come.
    pub(crate) fn counts_on(&self, user: &str, now: Timestamp) -> bool {
        let layered = self
            .layers
            .iter()
            .any(|l| !l.has_ended(now) && l.current.users.iter().any(|u| u == user));
        layered || self.overrides.iter().any(|o| o.user == user && o.end > now)
    }

    /// The overrides of a range as they are visible, the last created on top.
    pub(crate) fn override_entries(&self, since: Timestamp, until: Timestamp) -> Vec<Entry> {
        overlay(
            self.overrides
                .iter()
                .rev()
                .filter(|o| o.start < until && o.end > since)
                .map(|o| {
                    vec![Entry {
                        start: o.start,
                        end: o.end,
                        user: o.user.clone(),
                    }]
                }),
        )
    }

    /// Who is on call in a range; entries are cut to it.
    pub(crate) fn final_entries(&self, since: Timestamp, until: Timestamp) -> Vec<Entry> {
        clip(self.overlaid(since, until), since, until)
    }

    /// Who is on call in a range; entries keep their full length.
    pub(crate) fn overflowing_entries(&self, since: Timestamp, until: Timestamp) -> Vec<Entry> {
        let reach = self
            .layers
            .iter()
            .map(|layer| layer.current.turn_seconds)
            .max()
            .unwrap_or(0)
            .min(OVERFLOW_SECONDS);
        self.overlaid(shift(since, -reach), shift(until, reach))
            .into_iter()
            .filter(|entry| entry.start < until && entry.end > since)
            .collect()
    }

    fn overlaid(&self, since: Timestamp, until: Timestamp) -> Vec<Entry> {
        let zone = self.zone();
        let layers = self
            .layers
            .iter()
            .rev()
            .map(|layer| layer.entries(&zone, since, until));
        overlay(
            [self.override_entries(since, until)]
                .into_iter()
                .chain(layers),
        )
    }
}
