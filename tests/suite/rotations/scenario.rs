//! Random schedules of both kinds, with everything that puts people on call.

use std::{collections::BTreeSet, ops::Range, time::Duration};

use jiff::{SignedDuration, Timestamp};
use pagerduty_simulator::Config;
use proptest::{
    prelude::*,
    sample::select,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};

use crate::{
    rota::{Rota, Turn},
    support::run,
};

const DAY: i64 = 86_400;
/// How much of the time before and after a hand-over is compared.
const BEFORE: i64 = 10 * DAY;
const AFTER: i64 = 42 * DAY;
/// The people in random rotations, by number: who leaves, who takes over, others.
pub const LEAVER: usize = 0;
pub const HEIR: usize = 1;
const PEOPLE: Range<usize> = 0..6;

/// A schedule in words that a strategy can make up. Times are in seconds after
/// `start`.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub start: Timestamp,
    pub time_zone: &'static str,
    /// When the hand-over is.
    pub handed_over: i64,
    pub layers: Vec<Layer>,
    pub overrides: Vec<Override>,
    pub rotations: Vec<Rotation>,
    pub custom_shifts: Vec<Override>,
}

#[derive(Clone, Debug)]
pub struct Layer {
    pub users: Vec<usize>,
    turn: i64,
    virtual_start: i64,
    start: i64,
    end: Option<i64>,
    restrictions: Vec<Value>,
}

#[derive(Clone, Debug)]
pub struct Override {
    start: i64,
    length: i64,
    pub user: usize,
}

#[derive(Clone, Debug)]
pub struct Rotation {
    /// The second one follows the first.
    pub events: Vec<Event>,
    successor_at: i64,
    pub overrides: Vec<(Override, usize)>,
}

#[derive(Clone, Debug)]
pub struct Event {
    pub is_for_all: bool,
    shifts_per_member: u32,
    pub members: Vec<Option<usize>>,
    recurrence: &'static str,
    start: i64,
    length: i64,
}

fn scenarios() -> impl Strategy<Value = Scenario> {
    let zones = [
        "Etc/UTC",
        "Europe/Berlin",
        "America/New_York",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
    ];
    // Any time of the year, changes to summer time and back included.
    let start = (1_767_225_600_i64..1_798_761_600)
        .prop_map(|second| Timestamp::from_second(second).expect("in range"));
    (
        start,
        select(zones.to_vec()),
        0..20 * DAY,
        prop::collection::vec(layers(), 1..5),
        prop::collection::vec(overrides(), 0..6),
        prop::collection::vec(rotations(), 1..3),
        prop::collection::vec(overrides(), 0..3),
    )
        .prop_map(
            |(start, time_zone, handed_over, layers, overrides, rotations, custom_shifts)| {
                Scenario {
                    start,
                    time_zone,
                    handed_over,
                    layers,
                    overrides,
                    rotations,
                    custom_shifts,
                }
            },
        )
}

fn layers() -> impl Strategy<Value = Layer> {
    let turn = prop_oneof![
        select(vec![3600, DAY / 2, DAY, DAY, 7 * DAY, 7 * DAY, 14 * DAY]),
        3600..10 * DAY,
    ];
    let end = prop_oneof![3 => Just(None), 1 => (DAY..40 * DAY).prop_map(Some)];
    let start = prop_oneof![3 => Just(0), 1 => 0..40 * DAY];
    let restrictions = prop_oneof![
        2 => Just(Vec::new()),
        1 => (time_of_day(), 1..DAY).prop_map(|(at, length)| vec![json!({
            "type": "daily_restriction", "start_time_of_day": at, "duration_seconds": length,
        })]),
        1 => prop::collection::vec((1..8, time_of_day(), 1..7 * DAY), 1..3).prop_map(|windows| {
            windows.into_iter().map(|(day, at, length)| json!({
                "type": "weekly_restriction", "start_day_of_week": day, "start_time_of_day": at,
                "duration_seconds": length,
            })).collect()
        }),
    ];
    let users = prop::collection::vec(person(), 1..7);
    (users, turn, -400 * DAY..DAY, start, end, restrictions).prop_map(
        |(users, turn, virtual_start, start, end, restrictions)| Layer {
            users,
            turn,
            virtual_start,
            start,
            end: end.map(|end| start + end),
            restrictions,
        },
    )
}

fn time_of_day() -> impl Strategy<Value = String> {
    (0..24, 0..60, 0..60)
        .prop_map(|(hour, minute, second)| format!("{hour:02}:{minute:02}:{second:02}"))
}

/// Rather somebody who matters than anybody.
fn person() -> impl Strategy<Value = usize> {
    prop_oneof![2 => Just(LEAVER), 3 => PEOPLE]
}

fn overrides() -> impl Strategy<Value = Override> {
    (0..45 * DAY, 1..4 * DAY, person()).prop_map(|(start, length, user)| Override {
        start,
        length,
        user,
    })
}

fn rotations() -> impl Strategy<Value = Rotation> {
    let who = (overrides(), person());
    (
        prop::collection::vec(events(), 1..3),
        DAY..40 * DAY,
        prop::collection::vec(who, 0..4),
    )
        .prop_map(|(events, successor_at, mut overrides)| {
            let members: BTreeSet<usize> = events
                .iter()
                .flat_map(|e| &e.members)
                .flatten()
                .copied()
                .collect();
            let is_for_all = events.iter().any(|event| event.is_for_all);
            // One after the other: an override of an override is another matter.
            let mut free_from = 0;
            for (one, _) in &mut overrides {
                one.start = one.start / 2 + free_from;
                free_from = one.start + one.length;
            }
            overrides.retain(|(one, overridden)| {
                // Who covers for the heir covers for all of the heir's shifts,
                // and where all are on call at once two of them become one.
                let is_about_two = *overridden == HEIR && members.contains(&LEAVER)
                    || is_for_all && [LEAVER, HEIR].contains(overridden);
                one.user != *overridden && !is_about_two
            });
            Rotation {
                events,
                successor_at,
                overrides,
            }
        })
}

fn events() -> impl Strategy<Value = Event> {
    let shapes = vec![
        ("RRULE:FREQ=DAILY", DAY),
        ("RRULE:FREQ=DAILY;INTERVAL=2", DAY),
        ("RRULE:FREQ=WEEKLY", 7 * DAY),
        ("RRULE:FREQ=WEEKLY;BYDAY=MO,WE,FR", 8 * 3600),
        ("RRULE:FREQ=HOURLY;INTERVAL=7", 7 * 3600),
        ("RRULE:FREQ=MONTHLY", 5 * DAY),
    ];
    let member = prop_oneof![5 => person().prop_map(Some), 1 => Just(None)];
    (
        prop::bool::weighted(0.3),
        1..4_u32,
        prop::collection::vec(member, 1..6),
        select(shapes),
        -60 * DAY..3 * DAY,
    )
        .prop_map(
            |(is_for_all, shifts_per_member, mut members, (recurrence, length), start)| {
                if is_for_all {
                    let mut seen = BTreeSet::new();
                    members.retain(|member| member.is_some() && seen.insert(*member));
                    if members.is_empty() {
                        members.push(Some(LEAVER));
                    }
                }
                Event {
                    is_for_all,
                    shifts_per_member,
                    members,
                    recurrence,
                    start,
                    length,
                }
            },
        )
}

impl Scenario {
    /// Somebody else in all places of a person.
    pub fn without(&mut self, person: usize) {
        let other = PEOPLE.end;
        let replace = |one: &mut usize| {
            if *one == person {
                *one = other;
            }
        };
        self.layers
            .iter_mut()
            .flat_map(|layer| &mut layer.users)
            .for_each(replace);
        for one in self.overrides.iter_mut().chain(&mut self.custom_shifts) {
            replace(&mut one.user);
        }
        for rotation in &mut self.rotations {
            let members = rotation
                .events
                .iter_mut()
                .flat_map(|event| &mut event.members);
            members.flatten().for_each(replace);
            for (one, overridden) in &mut rotation.overrides {
                replace(&mut one.user);
                replace(overridden);
            }
        }
    }

    /// Nobody covers for the leaver where the leaver is alone: with nobody left
    /// an event ends, and so there is nothing to cover for.
    pub fn without_cover_of_the_lonely(&mut self) {
        for rotation in &mut self.rotations {
            let is_lonely =
                |event: &Event| event.members.iter().flatten().all(|one| *one == LEAVER);
            if rotation.events.iter().any(is_lonely) {
                rotation
                    .overrides
                    .retain(|(_, overridden)| *overridden != LEAVER);
            }
        }
    }
}

/// The scenario in a simulated tenant, at the time of the hand-over.
pub struct Stage {
    pub rota: Rota,
    pub people: Vec<String>,
    /// The id of the v2 schedule.
    pub layered: String,
    /// The id of the v3 schedule.
    pub shifts: String,
}

impl Scenario {
    pub async fn stage(&self) -> Stage {
        let config = Config {
            users: 20,
            ..Config::default()
        };
        let mut rota = Rota::open(self.start, config).await;
        let people = rota.people().await;
        let layered = rota.schedules().await.remove(0);
        let shifts = rota.schedules_v3().await.remove(0);
        let at = |second: i64| self.at(second).to_string();
        let user = |person: usize| json!({"id": people[person], "type": "user_reference"});
        let member = |person: Option<usize>| match person {
            Some(person) => json!({"type": "user_member", "user_id": people[person]}),
            None => json!({"type": "empty_member"}),
        };

        let layers: Vec<Value> = self.layers.iter().map(|layer| json!({
            "start": at(layer.start), "end": layer.end.map(at),
            "rotation_virtual_start": at(layer.virtual_start),
            "rotation_turn_length_seconds": layer.turn,
            "restrictions": layer.restrictions,
            "users": layer.users.iter().map(|&person| json!({"user": user(person)})).collect::<Vec<_>>(),
        })).collect();
        rota.set_layers(&layered, self.time_zone, &layers).await;
        let overrides: Vec<Value> = self.overrides.iter().map(|one| json!({
            "start": at(one.start), "end": at(one.start + one.length), "user": user(one.user),
        })).collect();
        let path = format!("/schedules/{layered}/overrides");
        rota.ask("POST", &path, Some(json!({ "overrides": overrides })))
            .await;

        let rotations: Vec<Vec<Value>> = self.rotations.iter().map(|rotation| {
            let count = rotation.events.len();
            rotation.events.iter().enumerate().map(|(n, event)| {
                let wall = |second: i64| json!({"date_time": at(second), "time_zone": self.time_zone});
                let strategy = if event.is_for_all {
                    json!({"type": "every_member_assignment_strategy"})
                } else {
                    json!({
                        "type": "rotating_member_assignment_strategy",
                        "shifts_per_member": event.shifts_per_member,
                    })
                };
                let mut body = json!({
                    "name": format!("Event {n}"), "start_time": wall(event.start),
                    "end_time": wall(event.start + event.length),
                    "effective_since": at(if n == 0 { 0 } else { rotation.successor_at }),
                    "recurrence": [event.recurrence], "assignment_strategy": strategy,
                });
                body["assignment_strategy"]["members"] = event.members.iter().copied().map(member).collect();
                if n + 1 < count {
                    body["effective_until"] = json!(at(rotation.successor_at));
                }
                body
            }).collect()
        }).collect();
        let ids = rota.set_rotations(&shifts, &rotations).await;
        let base = format!("/v3/schedules/{shifts}");
        let overrides: Vec<Value> = self.rotations.iter().zip(&ids).flat_map(|(rotation, id)| {
            rotation.overrides.iter().map(move |(one, overridden)| (one, *overridden, id))
        }).map(|(one, overridden, id)| json!({
            "type": "override_shift", "rotation_id": id, "start_time": at(one.start),
            "end_time": at(one.start + one.length), "overridden_member": member(Some(overridden)),
            "overriding_member": member(Some(one.user)),
        })).collect();
        rota.ask(
            "POST",
            &format!("{base}/overrides"),
            Some(json!({ "overrides": overrides })),
        )
        .await;
        let custom: Vec<Value> = self.custom_shifts.iter().map(|one| json!({
            "type": "custom_shift", "start_time": at(one.start), "end_time": at(one.start + one.length),
            "assignments": [{"type": "shift_assignment", "member": member(Some(one.user))}],
        })).collect();
        rota.ask(
            "POST",
            &format!("{base}/custom_shifts"),
            Some(json!({ "custom_shifts": custom })),
        )
        .await;

        rota.advance(Duration::from_secs(self.handed_over.unsigned_abs()));
        Stage {
            rota,
            people,
            layered,
            shifts,
        }
    }

    fn at(&self, second: i64) -> Timestamp {
        self.start + SignedDuration::from_secs(second)
    }
}

impl Stage {
    /// The turns of both schedules, weeks before and after the present.
    pub async fn turns(&self) -> [Vec<Turn>; 2] {
        let since = self.rota.now - SignedDuration::from_secs(BEFORE);
        let until = self.rota.now + SignedDuration::from_secs(AFTER);
        [
            self.rota.turns(&self.layered, since, until).await,
            self.rota.shifts(&self.shifts, since, until).await,
        ]
    }
}

/// Runs a property on random scenarios, the same ones each time.
pub fn check(cases: u32, property: &impl AsyncFn(&Scenario)) {
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let outcome = runner.run(&scenarios(), |scenario| {
        run(property(&scenario));
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
