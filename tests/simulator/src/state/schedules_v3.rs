//! Shift-based (v3) schedules.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Row;
use super::recurrence::Recurrence;

/// A user, or `None` for an intentionally empty slot.
pub(crate) type Member = Option<String>;

/// How members take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    Rotating { shifts_per_member: usize },
    Every,
}

/// A recurring shift within a rotation.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) start: Timestamp,
    pub(crate) start_zone: String,
    pub(crate) end: Timestamp,
    pub(crate) end_zone: String,
    pub(crate) effective_since: Timestamp,
    pub(crate) effective_until: Option<Timestamp>,
    pub(crate) recurrence: Vec<String>,
    pub(crate) strategy: Strategy,
    pub(crate) members: Vec<Member>,
}

impl Event {
    pub(crate) fn is_past(&self, now: Timestamp) -> bool {
        self.effective_until.is_some_and(|until| until <= now)
    }

    pub(crate) fn is_future(&self, now: Timestamp) -> bool {
        self.effective_since > now
    }

    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let ends = |event: &Self| event.effective_until.unwrap_or(Timestamp::MAX);
        self.effective_since < ends(other) && other.effective_since < ends(self)
    }

    /// The shifts that overlap a range, in full length.
    fn shifts(&self, since: Timestamp, until: Timestamp) -> Vec<(Timestamp, Timestamp, Member)> {
        let zone = TimeZone::get(&self.start_zone).unwrap_or(TimeZone::UTC);
        let Ok(recurrence) = Recurrence::parse(&self.recurrence, &zone) else {
            return Vec::new();
        };
        let length = self.end.duration_since(self.start);
        let mut shifts = Vec::new();
        for (n, start) in recurrence
            .starts(self.start, &zone, until)
            .into_iter()
            .enumerate()
        {
            let end = start.checked_add(length).unwrap_or(Timestamp::MAX);
            let start = start.max(self.effective_since);
            let end = self.effective_until.map_or(end, |limit| end.min(limit));
            if start >= end || end <= since || start >= until {
                continue;
            }
            match self.strategy {
                Strategy::Every => {
                    shifts.extend(self.members.iter().map(|m| (start, end, m.clone())));
                }
                // Turns are counted from the first shift, not from when the
                // event came into effect: a successor keeps the cadence.
                Strategy::Rotating { shifts_per_member } => {
                    let turn = n / shifts_per_member.max(1);
                    if let Some(member) = self.members.get(turn % self.members.len().max(1)) {
                        shifts.push((start, end, member.clone()));
                    }
                }
            }
        }
        shifts
    }
}

/// A rotation: its events do not overlap.
#[derive(Clone, Debug)]
pub(crate) struct EventRotation {
    pub(crate) id: String,
    pub(crate) events: Vec<Event>,
}

/// A one-off shift outside of all rotations.
#[derive(Clone, Debug)]
pub(crate) struct CustomShift {
    pub(crate) id: String,
    pub(crate) assignment: String,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) member: Member,
}

/// What an override replaces a member of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Rotation(String),
    CustomShift(String),
}

/// A temporary replacement of one member by another.
#[derive(Clone, Debug)]
pub(crate) struct OverrideV3 {
    pub(crate) id: String,
    pub(crate) scope: Scope,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) overridden: Member,
    pub(crate) overriding: Member,
}

/// A computed shift: who is on call, and where that comes from.
#[derive(Clone, Debug)]
pub(crate) struct Shift {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) member: Member,
    pub(crate) scope: Scope,
    pub(crate) override_id: Option<String>,
}

/// A v3 schedule.
#[derive(Clone, Debug)]
pub(crate) struct ScheduleV3 {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) time_zone: String,
    pub(crate) teams: Vec<String>,
    pub(crate) rotations: Vec<EventRotation>,
    pub(crate) custom_shifts: Vec<CustomShift>,
    pub(crate) overrides: Vec<OverrideV3>,
    /// The part of the calendar URLs that makes them secrets.
    pub(crate) feed: String,
}

impl Row for ScheduleV3 {
    fn id(&self) -> &str {
        &self.id
    }
}

impl ScheduleV3 {
    /// The users of all events that are not past, each once.
    pub(crate) fn user_ids(&self, now: Timestamp) -> Vec<&str> {
        let mut users: Vec<&str> = Vec::new();
        let members = self
            .rotations
            .iter()
            .flat_map(|rotation| &rotation.events)
            .filter(|event| !event.is_past(now))
            .flat_map(|event| event.members.iter().flatten());
        for user in members {
            if !users.contains(&user.as_str()) {
                users.push(user);
            }
        }
        users
    }

    pub(crate) fn counts_on(&self, user: &str, now: Timestamp) -> bool {
        self.user_ids(now).contains(&user)
            || self
                .custom_shifts
                .iter()
                .any(|s| s.end > now && s.member.as_deref() == Some(user))
            || self
                .overrides
                .iter()
                .any(|o| o.end > now && o.overriding.as_deref() == Some(user))
    }

    /// Who is on call in a range, cut to it. Gaps have no member.
    pub(crate) fn final_shifts(&self, since: Timestamp, until: Timestamp) -> Vec<Shift> {
        self.overflowing_shifts(since, until)
            .into_iter()
            .map(|s| Shift {
                start: s.start.max(since),
                end: s.end.min(until),
                ..s
            })
            .collect()
    }

    /// Who is on call in a range, in full length.
    pub(crate) fn overflowing_shifts(&self, since: Timestamp, until: Timestamp) -> Vec<Shift> {
        let rotations = self.rotations.iter().flat_map(|rotation| {
            let scope = Scope::Rotation(rotation.id.clone());
            rotation
                .events
                .iter()
                .flat_map(|event| event.shifts(since, until))
                .map(move |(start, end, member)| Shift {
                    start,
                    end,
                    member,
                    scope: scope.clone(),
                    override_id: None,
                })
        });
        let custom = self.custom_shifts.iter().map(|shift| Shift {
            start: shift.start,
            end: shift.end,
            member: shift.member.clone(),
            scope: Scope::CustomShift(shift.id.clone()),
            override_id: None,
        });
        let mut shifts: Vec<Shift> = rotations.chain(custom).collect();
        for over in &self.overrides {
            shifts = shifts
                .into_iter()
                .flat_map(|shift| over.apply(shift))
                .collect();
        }
        shifts.retain(|shift| shift.start < until && shift.end > since);
        shifts.sort_by_key(|shift| (shift.start, shift.end));
        shifts
    }
}

impl OverrideV3 {
    /// Splits a shift where the override replaces its member.
    fn apply(&self, shift: Shift) -> Vec<Shift> {
        let (start, end) = (self.start.max(shift.start), self.end.min(shift.end));
        if self.scope != shift.scope || self.overridden != shift.member || start >= end {
            return vec![shift];
        }
        let replaced = Shift {
            start,
            end,
            member: self.overriding.clone(),
            scope: shift.scope.clone(),
            override_id: Some(self.id.clone()),
        };
        let before = Shift {
            end: start,
            ..shift.clone()
        };
        let after = Shift {
            start: end,
            ..shift
        };
        [before, replaced, after]
            .into_iter()
            .filter(|s| s.start < s.end)
            .collect()
    }
}
