//! Who is on call when, in one layer of a v2 schedule.
//!
//! Turns of whole days are counted on the wall clock of the schedule's zone, so
//! that a hand-off at nine stays at nine over a change to summer time. Shorter
//! turns are counted in real seconds.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

const DAY: i64 = 86_400;

/// A stretch of time that one user is on call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) user: String,
}

/// When within a day or a week a layer is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Restriction {
    /// 1 (Monday) to 7 for a weekly restriction.
    pub(crate) start_day_of_week: Option<i8>,
    pub(crate) start_time_of_day: Time,
    pub(crate) duration_seconds: i64,
}

/// A layer as it was configured during some time.
#[derive(Clone, Debug)]
pub(crate) struct Rotation {
    pub(crate) start: Timestamp,
    pub(crate) end: Option<Timestamp>,
    pub(crate) virtual_start: Timestamp,
    pub(crate) turn_seconds: i64,
    pub(crate) users: Vec<String>,
    pub(crate) restrictions: Vec<Restriction>,
}

impl Rotation {
    /// The entries that overlap `since..until`, in full length.
    pub(crate) fn entries(
        &self,
        zone: &TimeZone,
        since: Timestamp,
        until: Timestamp,
    ) -> Vec<Entry> {
        let from = since.max(self.start);
        let to = self.end.map_or(until, |end| until.min(end));
        let mut entries = Vec::new();
        if from >= to || self.users.is_empty() {
            return entries;
        }
        let windows = self.windows(zone, from, to);
        let mut turn = self.turn_at(zone, from);
        loop {
            let (start, end) = (self.turn_start(zone, turn), self.turn_start(zone, turn + 1));
            if start >= to {
                return entries;
            }
            let user = &self.users[turn.rem_euclid(self.users.len() as i64) as usize];
            let start = start.max(self.start);
            let end = self.end.map_or(end, |limit| end.min(limit));
            match &windows {
                None => push(&mut entries, start, end, user, since, until),
                Some(windows) => {
                    let first = windows.partition_point(|(_, close)| *close <= start);
                    for (open, close) in windows[first..].iter().take_while(|(open, _)| *open < end)
                    {
                        push(
                            &mut entries,
                            start.max(*open),
                            end.min(*close),
                            user,
                            since,
                            until,
                        );
                    }
                }
            }
            turn += 1;
        }
    }

    fn turn_start(&self, zone: &TimeZone, turn: i64) -> Timestamp {
        let seconds = turn.saturating_mul(self.turn_seconds);
        if self.turn_seconds % DAY != 0 {
            return super::shift(self.virtual_start, seconds);
        }
        let wall = zone.to_datetime(self.virtual_start);
        wall.checked_add(SignedDuration::from_secs(seconds))
            .ok()
            .and_then(|wall| zone.to_timestamp(wall).ok())
            .unwrap_or(Timestamp::MAX)
    }

    fn turn_at(&self, zone: &TimeZone, at: Timestamp) -> i64 {
        let elapsed = at.duration_since(self.virtual_start).as_secs();
        let mut turn = elapsed.div_euclid(self.turn_seconds);
        // The estimate ignores changes of the zone's offset.
        while self.turn_start(zone, turn) > at {
            turn -= 1;
        }
        while self.turn_start(zone, turn + 1) <= at {
            turn += 1;
        }
        turn
    }

    /// The merged windows of all restrictions around a range; `None` without any.
    fn windows(
        &self,
        zone: &TimeZone,
        from: Timestamp,
        to: Timestamp,
    ) -> Option<Vec<(Timestamp, Timestamp)>> {
        if self.restrictions.is_empty() {
            return None;
        }
        let mut windows = Vec::new();
        // A turn can begin before the range, a weekly window up to a week before it.
        let reach = self.turn_seconds + 8 * DAY;
        let mut day = zone.to_datetime(super::shift(from, -reach)).date();
        let last = zone
            .to_datetime(super::shift(to, self.turn_seconds + DAY))
            .date();
        while day <= last {
            for restriction in &self.restrictions {
                windows.extend(restriction.window(zone, day));
            }
            match day.checked_add(1.day()) {
                Ok(next) => day = next,
                Err(_) => break,
            }
        }
        windows.sort_unstable();
        let mut merged: Vec<(Timestamp, Timestamp)> = Vec::new();
        for (open, close) in windows {
            match merged.last_mut() {
                Some(last) if open <= last.1 => last.1 = last.1.max(close),
                _ => merged.push((open, close)),
            }
        }
        Some(merged)
    }
}

impl Restriction {
    fn window(&self, zone: &TimeZone, day: Date) -> Option<(Timestamp, Timestamp)> {
        let applies = self
            .start_day_of_week
            .is_none_or(|weekday| day.weekday().to_monday_one_offset() == weekday);
        if !applies {
            return None;
        }
        let open = DateTime::from_parts(day, self.start_time_of_day);
        let close = open
            .checked_add(SignedDuration::from_secs(self.duration_seconds))
            .ok()?;
        Some((
            zone.to_timestamp(open).ok()?,
            zone.to_timestamp(close).ok()?,
        ))
    }
}

fn push(
    entries: &mut Vec<Entry>,
    start: Timestamp,
    end: Timestamp,
    user: &str,
    since: Timestamp,
    until: Timestamp,
) {
    if start < end && start < until && end > since {
        entries.push(Entry {
            start,
            end,
            user: user.to_owned(),
        });
    }
}

/// Lays sources over each other: an earlier one hides what lies below it.
pub(crate) fn overlay(sources: impl IntoIterator<Item = Vec<Entry>>) -> Vec<Entry> {
    let mut visible: Vec<Entry> = Vec::new();
    for source in sources {
        let mut uncovered = Vec::new();
        for entry in source {
            let mut start = entry.start;
            let first = visible.partition_point(|above| above.end <= entry.start);
            for above in visible[first..]
                .iter()
                .take_while(|above| above.start < entry.end)
            {
                if start < above.start {
                    uncovered.push(Entry {
                        start,
                        end: above.start,
                        user: entry.user.clone(),
                    });
                }
                start = start.max(above.end);
            }
            if start < entry.end {
                uncovered.push(Entry { start, ..entry });
            }
        }
        visible.extend(uncovered);
        visible.sort_by_key(|entry| entry.start);
    }
    visible
}

/// Cuts entries to a range.
pub(crate) fn clip(entries: Vec<Entry>, since: Timestamp, until: Timestamp) -> Vec<Entry> {
    entries
        .into_iter()
        .map(|e| Entry {
            start: e.start.max(since),
            end: e.end.min(until),
            user: e.user,
        })
        .filter(|e| e.start < e.end)
        .collect()
}

/// The share of a range that entries cover, in percent.
pub(crate) fn coverage(entries: &[Entry], since: Timestamp, until: Timestamp) -> f64 {
    let total = until.duration_since(since).as_secs_f64();
    if total <= 0.0 {
        return 0.0;
    }
    let covered: f64 = entries
        .iter()
        .map(|e| {
            e.end
                .min(until)
                .duration_since(e.start.max(since))
                .as_secs_f64()
                .max(0.0)
        })
        .sum();
    (covered / total * 10_000.0).round() / 100.0
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test says where")]
mod tests {
    use super::*;
    use crate::state::schedules::{Layer, Override, Schedule};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn rotation(users: &[&str], turn_seconds: i64, restrictions: Vec<Restriction>) -> Rotation {
        Rotation {
            start: at("2026-03-01T00:00:00Z"),
            end: None,
            virtual_start: at("2026-02-02T08:30:00Z"),
            turn_seconds,
            users: users.iter().map(|&u| u.to_owned()).collect(),
            restrictions,
        }
    }

    /// Steps turn by turn from the virtual start and looks at the wall clock.
    fn slow_on_call(rotation: &Rotation, zone: &TimeZone, now: Timestamp) -> Option<String> {
        if now < rotation.start || rotation.end.is_some_and(|end| now >= end) {
            return None;
        }
        let days = rotation.turn_seconds / DAY;
        let mut turn = 0;
        loop {
            let end = if rotation.turn_seconds % DAY == 0 {
                let first = rotation.virtual_start.to_zoned(zone.clone());
                first
                    .checked_add(((turn + 1) * days).days())
                    .unwrap()
                    .timestamp()
            } else {
                let seconds = (turn + 1) * rotation.turn_seconds;
                rotation.virtual_start + SignedDuration::from_secs(seconds)
            };
            if now < end {
                break;
            }
            turn += 1;
        }
        let wall = zone.to_datetime(now);
        let inside = rotation.restrictions.is_empty()
            || rotation.restrictions.iter().any(|r| {
                (0..8).any(|back| {
                    let day = wall.date() - back.days();
                    let fits = r
                        .start_day_of_week
                        .is_none_or(|d| day.weekday().to_monday_one_offset() == d);
                    let open = day.to_datetime(r.start_time_of_day);
                    let passed = wall.duration_since(open).as_secs();
                    fits && (0..r.duration_seconds).contains(&passed)
                })
            });
        inside.then(|| rotation.users[turn as usize % rotation.users.len()].clone())
    }

    #[test]
    fn on_call_at_an_instant_equals_a_slow_computation() {
        let daily = Restriction {
            start_day_of_week: None,
            start_time_of_day: Time::constant(20, 0, 0, 0),
            duration_seconds: 10 * 3600,
        };
        let weekly = Restriction {
            start_day_of_week: Some(5),
            start_time_of_day: Time::constant(17, 0, 0, 0),
            duration_seconds: 63 * 3600,
        };
        let night = rotation(&["C", "D"], 7 * DAY, vec![daily]);
        let weekend = rotation(&["E", "F", "G"], 7 * DAY, vec![weekly]);
        let mut ended = rotation(&["H"], DAY, vec![]);
        ended.end = Some(at("2026-03-20T12:00:00Z"));
        for zone in [
            "Etc/UTC",
            "Europe/Berlin",
            "America/New_York",
            "Asia/Kolkata",
        ] {
            let layers = [
                rotation(&["A", "B", "C"], DAY, vec![]),
                rotation(&["I", "J"], 12 * 3600, vec![night.restrictions[0].clone()]),
                night.clone(),
                weekend.clone(),
                ended.clone(),
            ];
            let overrides = [
                ("2026-03-28T10:00:00Z", "2026-03-29T10:00:00Z", "X"),
                ("2026-03-29T00:30:00Z", "2026-03-29T04:00:00Z", "Y"),
            ];
            let schedule = Schedule {
                layers: layers
                    .iter()
                    .enumerate()
                    .map(|(n, current)| Layer {
                        id: format!("L{n}"),
                        name: format!("Layer {n}"),
                        current: current.clone(),
                        past: vec![],
                    })
                    .collect(),
                overrides: overrides
                    .iter()
                    .map(|(start, end, user)| Override {
                        id: (*user).to_owned(),
                        start: at(start),
                        end: at(end),
                        user: (*user).to_owned(),
                    })
                    .collect(),
                ..Schedule::empty("PSCHED1", "All", zone)
            };
            let zone = TimeZone::get(zone).unwrap();
            let (since, until) = (at("2026-02-27T00:00:00Z"), at("2026-04-07T00:00:00Z"));
            let rendered = schedule.final_entries(since, until);
            let mut now = since;
            while now < until {
                let fast = rendered
                    .iter()
                    .find(|e| e.start <= now && now < e.end)
                    .map(|e| e.user.clone());
                let slow = overrides
                    .iter()
                    .rev()
                    .find(|(start, end, _)| at(start) <= now && now < at(end))
                    .map(|(_, _, user)| (*user).to_owned())
                    .or_else(|| {
                        layers
                            .iter()
                            .rev()
                            .find_map(|l| slow_on_call(l, &zone, now))
                    });
                assert_eq!(fast, slow, "{now}");
                now += SignedDuration::from_mins(17);
            }
        }
    }
}
