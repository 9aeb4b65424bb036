//! The part of RFC 5545 that shift-based schedules use: one `RRULE` with
//! `FREQ`, `INTERVAL`, `BYDAY`, `COUNT` and `UNTIL`, plus `EXDATE` and `RDATE`.

use jiff::civil::{DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp, ToSpan as _};

/// More occurrences than this are not looked at: over 10 years of hourly shifts.
const MOST_OCCURRENCES: usize = 100_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frequency {
    Hourly,
    Daily,
    Weekly,
    Monthly,
}

/// A recurrence, read from its lines.
#[derive(Clone, Debug)]
pub(crate) struct Recurrence {
    frequency: Frequency,
    interval: i64,
    days: Vec<Weekday>,
    count: Option<usize>,
    until: Option<Timestamp>,
    excluded: Vec<Timestamp>,
    added: Vec<Timestamp>,
}

impl Recurrence {
    /// Reads the lines; the error is a message for the API's caller.
    pub(crate) fn parse(lines: &[String], zone: &TimeZone) -> Result<Self, String> {
        let mut rule = None;
        let (mut excluded, mut added) = (Vec::new(), Vec::new());
        for line in lines {
            if let Some(text) = line.strip_prefix("RRULE:") {
                if rule.is_some() {
                    return Err("must contain exactly one RRULE".to_owned());
                }
                rule = Some(Self::parse_rule(text, zone)?);
            } else if line.starts_with("EXDATE") {
                excluded.extend(parse_dates(line, zone)?);
            } else if line.starts_with("RDATE") {
                added.extend(parse_dates(line, zone)?);
            } else {
                return Err(format!("has an unknown line {line}"));
            }
        }
        let rule = rule.ok_or("must contain exactly one RRULE")?;
        Ok(Self {
            excluded,
            added,
            ..rule
        })
    }

    fn parse_rule(text: &str, zone: &TimeZone) -> Result<Self, String> {
        let mut frequency = None;
        let mut rule = Self {
            frequency: Frequency::Daily,
            interval: 1,
            days: Vec::new(),
            count: None,
            until: None,
            excluded: Vec::new(),
            added: Vec::new(),
        };
        for part in text.split(';').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or("has a malformed RRULE")?;
            let wrong = || format!("has an invalid {name} in its RRULE");
            match name {
                "FREQ" => {
                    frequency = Some(match value {
                        "HOURLY" => Frequency::Hourly,
                        "DAILY" => Frequency::Daily,
                        "WEEKLY" => Frequency::Weekly,
                        "MONTHLY" => Frequency::Monthly,
                        _ => return Err(wrong()),
                    });
                }
                "INTERVAL" => {
                    rule.interval = value
                        .parse()
                        .ok()
                        .filter(|n| (1..=1000).contains(n))
                        .ok_or_else(wrong)?;
                }
                "COUNT" => rule.count = Some(value.parse().map_err(|_| wrong())?),
                "UNTIL" => rule.until = Some(parse_date(value, zone).ok_or_else(wrong)?),
                "BYDAY" => {
                    for day in value.split(',') {
                        rule.days.push(weekday(day).ok_or_else(wrong)?);
                    }
                }
                "WKST" => {}
                _ => return Err(format!("does not support {name} in its RRULE")),
            }
        }
        rule.frequency = frequency.ok_or("needs FREQ in its RRULE")?;
        Ok(rule)
    }

    /// The starts of all occurrences before `before`, from the first one on.
    pub(crate) fn starts(
        &self,
        first: Timestamp,
        zone: &TimeZone,
        before: Timestamp,
    ) -> Vec<Timestamp> {
        let wall = zone.to_datetime(first);
        let limit = self
            .until
            .map_or(before, |until| before.min(super::shift(until, 1)));
        let mut starts: Vec<Timestamp> = Vec::new();
        let mut seen = 0;
        // A week's days lie up to six days before or behind its base.
        let last = super::shift(limit, 7 * 86_400);
        'steps: for step in 0..MOST_OCCURRENCES as i64 {
            let Some(base) = self.step(wall, first, zone, step) else {
                break;
            };
            if zone.to_timestamp(base).is_ok_and(|at| at >= last) {
                break;
            }
            for start in self.days_of(base, zone) {
                if start < first || start >= limit {
                    continue;
                }
                if self.count.is_some_and(|count| seen >= count) {
                    break 'steps;
                }
                seen += 1;
                starts.push(start);
            }
        }
        starts.extend(self.added.iter().filter(|at| **at < before));
        starts.retain(|start| !self.excluded.contains(start));
        starts.sort_unstable();
        starts.dedup();
        starts
    }

    fn step(
        &self,
        wall: DateTime,
        first: Timestamp,
        zone: &TimeZone,
        step: i64,
    ) -> Option<DateTime> {
        let steps = step * self.interval;
        let span: Span = match self.frequency {
            Frequency::Hourly => {
                let at = first.checked_add(SignedDuration::from_hours(steps)).ok()?;
                return Some(zone.to_datetime(at));
            }
            Frequency::Daily => steps.days(),
            Frequency::Weekly => steps.weeks(),
            Frequency::Monthly => steps.months(),
        };
        wall.checked_add(span).ok()
    }

    /// The occurrences of one step: several in a week with `BYDAY`.
    fn days_of(&self, base: DateTime, zone: &TimeZone) -> Vec<Timestamp> {
        let walls: Vec<DateTime> = if self.days.is_empty() {
            vec![base]
        } else if self.frequency == Frequency::Weekly {
            let back = i64::from(base.date().weekday().to_monday_zero_offset());
            (0..7)
                .filter_map(|day| base.checked_add((day - back).days()).ok())
                .filter(|wall| self.days.contains(&wall.date().weekday()))
                .collect()
        } else if self.days.contains(&base.date().weekday()) {
            vec![base]
        } else {
            Vec::new()
        };
        walls
            .into_iter()
            .filter_map(|wall| zone.to_timestamp(wall).ok())
            .collect()
    }
}

fn weekday(name: &str) -> Option<Weekday> {
    Some(match name {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        _ => return None,
    })
}

fn parse_dates(line: &str, zone: &TimeZone) -> Result<Vec<Timestamp>, String> {
    let (_, dates) = line.split_once(':').ok_or("has a malformed date line")?;
    dates
        .split(',')
        .map(|date| parse_date(date, zone).ok_or_else(|| format!("has an invalid date {date}")))
        .collect()
}

fn parse_date(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    match text.strip_suffix('Z') {
        Some(utc) => TimeZone::UTC
            .to_timestamp(utc.parse::<DateTime>().ok()?)
            .ok(),
        None => zone.to_timestamp(text.parse::<DateTime>().ok()?).ok(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test says where")]
mod tests {
    use super::*;

    fn starts(rule: &str, before: &str) -> Vec<String> {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let rule = Recurrence::parse(&[rule.to_owned()], &zone).unwrap();
        rule.starts(
            "2026-03-25T08:00:00Z".parse().unwrap(),
            &zone,
            before.parse().unwrap(),
        )
        .iter()
        .map(ToString::to_string)
        .collect()
    }

    #[test]
    fn daily_shifts_keep_their_wall_clock_time_over_summer_time() {
        assert_eq!(
            starts("RRULE:FREQ=DAILY;INTERVAL=4", "2026-04-03T00:00:00Z"),
            [
                "2026-03-25T08:00:00Z",
                "2026-03-29T07:00:00Z",
                "2026-04-02T07:00:00Z"
            ]
        );
    }

    #[test]
    fn days_of_the_week_before_the_first_shift_do_not_count() {
        assert_eq!(
            starts(
                "RRULE:FREQ=WEEKLY;BYDAY=MO,FR;COUNT=3",
                "2027-01-01T00:00:00Z"
            ),
            [
                "2026-03-27T08:00:00Z",
                "2026-03-30T07:00:00Z",
                "2026-04-03T07:00:00Z"
            ]
        );
        assert_eq!(starts("RRULE:FREQ=WEEKLY", "2026-03-26T00:00:00Z").len(), 1);
    }
}
