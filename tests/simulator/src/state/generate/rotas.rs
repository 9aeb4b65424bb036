//! Schedules of both kinds.

use jiff::civil::Time;

use super::{DAY, hours, midnight};
use crate::state::names::{TOPICS, ZONES};
use crate::state::rotation::{Restriction, Rotation};
use crate::state::schedules::{Layer, Override, Schedule};
use crate::state::schedules_v3::{
    CustomShift, Event, EventRotation, Member, OverrideV3, ScheduleV3, Scope, Strategy,
};
use crate::state::{Account, shift};

/// One of each kind that policies use, and one of each that they don't.
const FEWEST: usize = 4;

/// How many of so many schedules are shift-based: as of the usual ones.
fn shift_based(account: &Account, all: usize) -> usize {
    match account.config.plan.v3_schedules {
        true => all.max(FEWEST) * 2 / 7,
        false => 0,
    }
}

pub(super) fn schedules(account: &mut Account, people: &[String]) {
    let count = match account.config.schedules {
        Some(all) => all.max(FEWEST) - shift_based(account, all),
        None => (account.config.users / 60).max(3),
    };
    for n in 0..count {
        let id = account.ids.object();
        let name = format!("{} On-Call{}", TOPICS[n % TOPICS.len()], round(n));
        let mut schedule = Schedule::empty(&id, &name, ZONES[n % ZONES.len()]);
        schedule.description = Some(format!("On-call rotation {}", n + 1));
        let turn = if n % 2 == 0 { 7 * DAY } else { DAY };
        let size = 3 + account.ids.below(3);
        let first = layer(account, n * 4, size, turn, people);
        schedule.layers.push(first);
        let features = if n < 3 { n } else { account.ids.below(8) };
        match features {
            0 => {
                let second = layer(account, n * 4 + 2, 2, DAY, people);
                schedule.layers.push(second);
                if n == 0 {
                    overrides(account, &mut schedule, people);
                }
            }
            1 => {
                schedule.layers[0].current.end = Some(midnight(account, -20));
                let mut weekend = layer(account, n * 4 + 1, 3, 7 * DAY, people);
                weekend.current.restrictions = vec![Restriction {
                    start_day_of_week: Some(5),
                    start_time_of_day: Time::constant(17, 0, 0, 0),
                    duration_seconds: 63 * 3600,
                }];
                let weekdays = layer(account, n * 4 + 2, 3, DAY, people);
                schedule.layers.push(weekdays);
                schedule.layers.push(weekend);
            }
            2 => {
                schedule.layers[0].current.restrictions = vec![Restriction {
                    start_day_of_week: None,
                    start_time_of_day: Time::constant(9, 0, 0, 0),
                    duration_seconds: 8 * 3600,
                }];
            }
            _ => {}
        }
        for (at, layer) in schedule.layers.iter_mut().enumerate() {
            layer.name = format!("Layer {}", at + 1);
        }
        schedule.teams.extend(team(account, n));
        account.schedules.insert(schedule);
    }
}

fn layer(account: &mut Account, from: usize, size: usize, turn: i64, people: &[String]) -> Layer {
    let users = pick(people, from, size);
    let start = midnight(account, -90);
    Layer {
        id: account.ids.object(),
        name: String::new(),
        current: Rotation {
            start: start + hours(10),
            end: None,
            virtual_start: start,
            turn_seconds: turn,
            users,
            restrictions: Vec::new(),
        },
        past: Vec::new(),
    }
}

fn overrides(account: &mut Account, schedule: &mut Schedule, people: &[String]) {
    let now = account.now;
    let ranges = [
        (shift(now, -3600), shift(now, 3 * 3600)),
        (midnight(account, 3), midnight(account, 4)),
    ];
    for (n, (start, end)) in ranges.into_iter().enumerate() {
        let user = people[(people.len() - 1).saturating_sub(n)].clone();
        schedule.overrides.push(Override {
            id: account.ids.long(),
            start,
            end,
            user,
        });
    }
}

pub(super) fn schedules_v3(account: &mut Account, people: &[String]) {
    let count = match account.config.schedules {
        Some(all) => shift_based(account, all),
        None => (account.config.users / 150).max(2),
    };
    for n in 0..count {
        let zone = ZONES[n % ZONES.len()].to_owned();
        let begin = midnight(account, -60);
        let mut members: Vec<Member> = pick(people, 7 + n * 3, 3).into_iter().map(Some).collect();
        if n == 0 {
            members.push(None);
        }
        let event = Event {
            id: account.ids.object(),
            name: "Primary".to_owned(),
            start: begin,
            start_zone: zone.clone(),
            end: begin + hours(24),
            end_zone: zone.clone(),
            effective_since: begin,
            effective_until: None,
            recurrence: vec!["RRULE:FREQ=DAILY;INTERVAL=1".to_owned()],
            strategy: match n % 3 {
                2 => Strategy::Every,
                _ => Strategy::Rotating {
                    shifts_per_member: 1 + n % 2,
                },
            },
            members,
        };
        let rotation = EventRotation {
            id: account.ids.object(),
            events: vec![event],
        };
        let id = account.ids.object();
        let mut schedule = ScheduleV3 {
            feed: format!("secret-calendar-feed-{id}"),
            id,
            name: format!("{} Shifts{}", TOPICS[(n + 5) % TOPICS.len()], round(n)),
            description: format!("Shift-based schedule {}", n + 1),
            time_zone: zone,
            teams: team(account, n).into_iter().collect(),
            rotations: vec![rotation],
            custom_shifts: Vec::new(),
            overrides: Vec::new(),
        };
        if n == 0 {
            extras(account, &mut schedule, people);
        }
        account.schedules_v3.insert(schedule);
    }
}

/// A custom shift that runs now and an override to come.
fn extras(account: &mut Account, schedule: &mut ScheduleV3, people: &[String]) {
    let now = account.now;
    schedule.custom_shifts.push(CustomShift {
        id: account.ids.object(),
        assignment: account.ids.object(),
        start: shift(now, -2 * 3600),
        end: shift(now, 4 * 3600),
        member: people.last().cloned(),
    });
    let (start, end) = (midnight(account, 2), midnight(account, 8));
    let rotation = &schedule.rotations[0];
    schedule.overrides.push(OverrideV3 {
        id: account.ids.object(),
        scope: Scope::Rotation(rotation.id.clone()),
        start,
        end,
        overridden: rotation.events[0].members[0].clone(),
        overriding: people.last().cloned(),
    });
}

fn team(account: &Account, n: usize) -> Option<String> {
    let teams = account.teams.len().saturating_sub(1).max(1);
    account
        .teams
        .iter()
        .nth(n % teams)
        .map(|team| team.id.clone())
}

/// Different people, as many of `size` as there are.
fn pick(people: &[String], from: usize, size: usize) -> Vec<String> {
    (0..size.min(people.len()))
        .map(|n| people[(from + n) % people.len()].clone())
        .collect()
}

fn round(n: usize) -> String {
    match n / TOPICS.len() {
        0 => String::new(),
        round => format!(" {}", round + 1),
    }
}
