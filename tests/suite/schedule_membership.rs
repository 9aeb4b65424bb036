//! Membership of a schedule, given and taken.

use std::time::Duration;

use host_harness::{
    CallError,
    contract::types::{Effect, ErrorCode},
};
use jiff::Timestamp;
use pagerduty_simulator::{Config, Fault, LayerOrder};
use serde_json::{Value, json};

use crate::rota::{Rota, Turn, id, on_call};
use crate::support::{contract_error, run};
use crate::vendor::{on_schedule, unchanged, user_of_role};

const NOW: &str = "2026-10-20T12:34:56Z";
const DAY: u64 = 86_400;

struct Stage {
    rota: Rota,
    people: Vec<String>,
}

impl Stage {
    async fn set(config: Config) -> Self {
        let rota = Rota::open(NOW.parse().expect("a time"), config).await;
        Self {
            people: rota.people().await,
            rota,
        }
    }

    /// A v2 schedule with layers, the one with precedence first.
    async fn layered(&mut self, layers: &[&[usize]]) -> String {
        let schedule = self.rota.schedules().await.remove(1);
        let layers: Vec<Value> = layers
            .iter()
            .map(|users| {
                json!({
                    "start": NOW, "rotation_virtual_start": "2026-10-05T07:00:00Z",
                    "rotation_turn_length_seconds": DAY,
                    "users": users.iter().map(|&n| json!({
                        "user": {"id": self.people[n], "type": "user_reference"},
                    })).collect::<Vec<_>>(),
                })
            })
            .collect();
        self.rota
            .set_layers(&schedule, "Europe/Berlin", &layers)
            .await;
        self.rota.advance(Duration::from_secs(5 * DAY));
        schedule
    }

    /// A v3 schedule with rotations of an event each.
    async fn rotating(&mut self, rotations: &[&[Option<usize>]]) -> (String, Vec<String>) {
        let schedule = self.rota.schedules_v3().await.remove(0);
        let wall = |date: &str| json!({"date_time": date, "time_zone": "Europe/Berlin"});
        let member = |n: &Option<usize>| match n {
            Some(n) => json!({"type": "user_member", "user_id": self.people[*n]}),
            None => json!({"type": "empty_member"}),
        };
        let rotations: Vec<Vec<Value>> = rotations
            .iter()
            .map(|members| {
                vec![json!({
                    "name": "Primary", "start_time": wall("2026-10-01T09:00:00+02:00"),
                    "end_time": wall("2026-10-02T09:00:00+02:00"), "effective_since": NOW,
                    "recurrence": ["RRULE:FREQ=DAILY"],
                    "assignment_strategy": {
                        "type": "rotating_member_assignment_strategy", "shifts_per_member": 1,
                        "members": members.iter().map(member).collect::<Vec<_>>(),
                    },
                })]
            })
            .collect();
        let ids = self.rota.set_rotations(&schedule, &rotations).await;
        self.rota.advance(Duration::from_secs(5 * DAY));
        (schedule, ids)
    }

    async fn assign(&self, person: usize, schedule: &str) -> Result<Effect, CallError> {
        self.rota
            .tenant
            .assign(&self.people[person], on_schedule(schedule))
            .await
    }

    async fn unassign(&self, person: usize, schedule: &str) -> Result<Effect, CallError> {
        self.rota
            .tenant
            .unassign(&self.people[person], on_schedule(schedule))
            .await
    }

    /// Who is on the open layers, by number.
    async fn members(&self, schedule: &str) -> Vec<Vec<usize>> {
        let layers = self.rota.members(schedule).await;
        let number = |id: &String| {
            self.people
                .iter()
                .position(|one| one == id)
                .expect("a person")
        };
        layers
            .iter()
            .map(|users| users.iter().map(number).collect())
            .collect()
    }

    /// Who is in the events in effect, by number.
    async fn event_members(&self, schedule: &str, rotation: &str) -> Vec<Vec<Option<usize>>> {
        let events = self.rota.events(schedule, rotation).await;
        let number = |member: &Value| {
            let id = member["user_id"].as_str()?;
            self.people.iter().position(|one| one == id)
        };
        let members = |event: &Value| {
            let members = event["assignment_strategy"]["members"]
                .as_array()
                .expect("members")
                .clone();
            members.iter().map(number).collect()
        };
        events.iter().map(members).collect()
    }

    async fn turns(&self, schedule: &str) -> Vec<Turn> {
        self.rota
            .turns(schedule, self.rota.now, self.days_on(60))
            .await
    }

    fn days_on(&self, days: u64) -> Timestamp {
        self.rota.now + Duration::from_secs(days * DAY)
    }

    /// Who has the turns, by number, in order.
    async fn order(&self, schedule: &str, count: usize) -> Vec<usize> {
        let number = |user: &str| {
            self.people
                .iter()
                .position(|one| one == user)
                .expect("a person")
        };
        let turns = on_call(&self.turns(schedule).await);
        turns
            .iter()
            .take(count)
            .filter_map(|(_, users)| users.first())
            .map(|user| number(user))
            .collect()
    }
}

#[test]
fn a_new_member_comes_after_everybody_has_had_a_turn() {
    // For each of the people on call when it happens, and on both sides of the
    // end of summer time, when a turn has 25 hours.
    for hours in (0..24 * 9).step_by(17) {
        run(async {
            let mut stage = Stage::set(Config::default()).await;
            let schedule = stage.layered(&[&[2, 3, 4]]).await;
            stage.rota.advance(Duration::from_secs(hours * 3600));
            let before = stage.turns(&schedule).await;
            let order = stage.order(&schedule, 3).await;
            assert_eq!(
                stage.assign(0, &schedule).await.expect("it is assigned"),
                Effect::Created
            );
            let after = stage.turns(&schedule).await;
            assert_eq!(
                on_call(&after)[..3],
                on_call(&before)[..3],
                "nobody's next turn moves"
            );
            let round = [order.clone(), vec![0], order].concat();
            assert_eq!(stage.order(&schedule, 7).await, round, "{hours} hours on");
            let again = stage.assign(0, &schedule).await.expect("it is assigned");
            assert_eq!(again, unchanged("already-assigned"));
        });
    }
}

#[test]
fn a_member_who_goes_is_skipped_and_whoever_is_on_call_stays_so() {
    for hours in (0..24 * 9).step_by(23) {
        run(async {
            let mut stage = Stage::set(Config::default()).await;
            let schedule = stage.layered(&[&[0, 2, 3, 4]]).await;
            stage.rota.advance(Duration::from_secs(hours * 3600));
            let mut order = stage.order(&schedule, 4).await;
            assert_eq!(
                stage.unassign(0, &schedule).await.expect("it is taken"),
                Effect::Deleted
            );
            order.retain(|person| *person != 0);
            assert_eq!(stage.order(&schedule, 3).await, order, "{hours} hours on");
            let again = stage.unassign(0, &schedule).await.expect("it is taken");
            assert_eq!(again, unchanged("not-assigned"));
        });
    }
}

#[test]
fn a_layer_ends_with_its_last_member_and_the_others_keep_their_order() {
    for layer_order in [LayerOrder::Reversed, LayerOrder::Same] {
        run(async {
            let mut layers: Vec<&[usize]> = vec![&[0, 2], &[3, 4], &[0], &[5, 0]];
            if layer_order == LayerOrder::Same {
                layers.reverse();
            }
            let config = Config {
                layer_order,
                ..Config::default()
            };
            let mut stage = Stage::set(config).await;
            let schedule = stage.layered(&layers).await;
            assert_eq!(
                stage.unassign(0, &schedule).await.expect("it is taken"),
                Effect::Deleted
            );
            assert_eq!(
                stage.members(&schedule).await,
                [vec![2], vec![3, 4], vec![5]]
            );
        });
    }
}

#[test]
fn a_layer_that_has_not_begun_ends_as_well() {
    run(async {
        let mut stage = Stage::set(Config::default()).await;
        let schedule = stage.layered(&[&[2, 3]]).await;
        let start = stage.days_on(10).to_string();
        let layer = json!({
            "start": start, "rotation_virtual_start": start, "rotation_turn_length_seconds": DAY,
            "users": [{"user": {"id": stage.people[0], "type": "user_reference"}}],
        });
        let body = json!({"schedule": {
            "type": "schedule", "time_zone": "Europe/Berlin", "schedule_layers": [layer],
        }});
        stage
            .rota
            .ask("PUT", &format!("/schedules/{schedule}"), Some(body))
            .await;
        assert_eq!(stage.members(&schedule).await.len(), 2);
        assert_eq!(
            stage.unassign(0, &schedule).await.expect("it is taken"),
            Effect::Deleted
        );
        assert_eq!(stage.members(&schedule).await, [[2, 3]]);
        let leaver = Some(&stage.people[0]);
        assert!(
            stage
                .turns(&schedule)
                .await
                .iter()
                .all(|turn| turn.user.as_ref() != leaver)
        );
    });
}

#[test]
fn where_nothing_says_which_layer_or_rotation_is_meant_it_is_a_conflict() {
    run(async {
        let mut stage = Stage::set(Config::default()).await;
        let schedule = stage.layered(&[&[2, 3], &[4]]).await;
        let error = contract_error(stage.assign(0, &schedule).await);
        assert_eq!(error.code, ErrorCode::Conflict);
        assert!(error.message.contains("has 2 layers"), "{}", error.message);
        assert_eq!(
            error.hint.as_deref(),
            Some("put the account on the layer that is meant in PagerDuty")
        );
        let (schedule, _) = stage.rotating(&[&[Some(2)], &[Some(3)]]).await;
        let error = contract_error(stage.assign(0, &schedule).await);
        assert_eq!(error.code, ErrorCode::Conflict);
        assert!(
            error.message.contains("has 2 rotations"),
            "{}",
            error.message
        );
        let (schedule, _) = stage.rotating(&[]).await;
        let error = contract_error(stage.assign(0, &schedule).await);
        assert_eq!(error.code, ErrorCode::Conflict);
        assert!(
            error.message.contains("no rotation that is in effect"),
            "{}",
            error.message
        );
    });
}

#[test]
fn an_empty_place_is_filled_first_and_left_again() {
    run(async {
        let mut stage = Stage::set(Config::default()).await;
        let (schedule, rotations) = stage.rotating(&[&[Some(2), None, Some(3)]]).await;
        let rotation = &rotations[0];
        let now = stage.rota.now;
        let mut expected = stage.rota.shifts(&schedule, now, stage.days_on(30)).await;
        for turn in &mut expected {
            turn.user.get_or_insert(stage.people[0].clone());
        }
        assert_eq!(
            stage.assign(0, &schedule).await.expect("it is assigned"),
            Effect::Created
        );
        assert_eq!(
            stage.event_members(&schedule, rotation).await,
            [[Some(2), Some(0), Some(3)]]
        );
        let again = stage.assign(0, &schedule).await.expect("it is assigned");
        assert_eq!(again, unchanged("already-assigned"));
        let found = stage.rota.shifts(&schedule, now, stage.days_on(30)).await;
        assert_eq!(
            on_call(&found),
            on_call(&expected),
            "nobody else's turns move"
        );
        // No place is empty any more.
        assert_eq!(
            stage.assign(4, &schedule).await.expect("it is assigned"),
            Effect::Created
        );
        let all = [Some(2), Some(0), Some(3), Some(4)];
        assert_eq!(stage.event_members(&schedule, rotation).await, [all]);
        assert_eq!(
            stage.unassign(4, &schedule).await.expect("it is taken"),
            Effect::Deleted
        );

        assert_eq!(
            stage.unassign(0, &schedule).await.expect("it is taken"),
            Effect::Deleted
        );
        let left = [Some(2), None, Some(3), None];
        assert_eq!(stage.event_members(&schedule, rotation).await, [left]);
        let again = stage.unassign(0, &schedule).await.expect("it is taken");
        assert_eq!(again, unchanged("not-assigned"));
        for person in [2, 3] {
            stage
                .unassign(person, &schedule)
                .await
                .expect("it is taken");
        }
        assert!(
            stage.event_members(&schedule, rotation).await.is_empty(),
            "nobody is left"
        );
    });
}

/// An event can only be ended and followed by another: what comes between must
/// not leave a hole.
#[test]
fn a_change_that_broke_off_between_two_events_is_completed_by_repeating_it() {
    run(async {
        let mut stage = Stage::set(Config::default()).await;
        let (schedule, rotations) = stage.rotating(&[&[Some(2), Some(3)]]).await;
        let events = format!("/v3/schedules/{schedule}/rotations/{}/events", rotations[0]);
        let broken: Fault = format!("POST {events} reset").parse().expect("a fault");
        let faults = stage.rota.bench.simulator.clone();

        faults.faults().add(broken.clone());
        contract_error(stage.assign(0, &schedule).await);
        let members = stage.event_members(&schedule, &rotations[0]).await;
        assert!(members.is_empty(), "it broke off");
        faults.faults().clear();
        stage.rota.advance(Duration::from_mins(10));
        let again = stage.assign(0, &schedule).await.expect("it is completed");
        assert_eq!(again, Effect::Created);
        let all = [Some(2), Some(3), Some(0)];
        let members = stage.event_members(&schedule, &rotations[0]).await;
        assert_eq!(members, [all]);

        stage.rota.advance(Duration::from_mins(10));
        faults.faults().add(broken);
        contract_error(stage.unassign(3, &schedule).await);
        faults.faults().clear();
        stage.rota.advance(Duration::from_mins(10));
        let again = stage.unassign(3, &schedule).await.expect("it is completed");
        assert_eq!(again, Effect::Deleted);
        let members = stage.event_members(&schedule, &rotations[0]).await;
        assert_eq!(members, [[Some(2), None, Some(0)]]);
        let twice = stage.unassign(3, &schedule).await.expect("nothing to do");
        assert_eq!(twice, unchanged("not-assigned"));
    });
}

#[test]
fn an_event_that_was_ended_long_ago_is_not_brought_back() {
    run(async {
        let mut stage = Stage::set(Config::default()).await;
        let (schedule, rotations) = stage.rotating(&[&[Some(2), Some(3)]]).await;
        let path = format!("/v3/schedules/{schedule}/rotations/{}/events", rotations[0]);
        let event = id(&stage.rota.events(&schedule, &rotations[0]).await[0]);
        let end = stage.rota.ask("DELETE", &format!("{path}/{event}"), None);
        end.await;
        stage.rota.advance(Duration::from_hours(2));
        let gone = stage.unassign(3, &schedule).await.expect("nothing to do");
        assert_eq!(gone, unchanged("not-assigned"));
        let error = contract_error(stage.assign(0, &schedule).await);
        assert_eq!(error.code, ErrorCode::Conflict);
        let members = stage.event_members(&schedule, &rotations[0]).await;
        assert!(members.is_empty());
    });
}

#[test]
fn a_rotation_that_is_full_is_a_conflict() {
    run(async {
        let mut stage = Stage::set(Config::default()).await;
        let members: Vec<Option<usize>> = (1..21).map(Some).collect();
        let (schedule, _) = stage.rotating(&[&members]).await;
        let error = contract_error(stage.assign(0, &schedule).await);
        assert_eq!(error.code, ErrorCode::Conflict);
        assert!(error.message.contains("20 members"), "{}", error.message);
    });
}

#[test]
fn who_can_not_be_on_a_schedule_and_what_is_none_are_refused() {
    run(async {
        let mut stage = Stage::set(Config::default()).await;
        let schedule = stage.layered(&[&[2, 3]]).await;
        let stakeholder = user_of_role(&stage.rota.bench.simulator, "read_only_user").await;
        let refused = stage
            .rota
            .tenant
            .assign(&stakeholder, on_schedule(&schedule))
            .await;
        let error = contract_error(refused);
        assert_eq!(error.code, ErrorCode::Conflict);
        assert!(
            error.message.contains("is a stakeholder"),
            "{}",
            error.message
        );
        let error = contract_error(stage.assign(0, "PGONE99").await);
        assert_eq!(error.code, ErrorCode::NotFound);
        assert_eq!(error.message, "there is no schedule `PGONE99`");
        let gone = stage.unassign(0, "PGONE99").await.expect("nothing to take");
        assert_eq!(gone, unchanged("already-gone"));
    });
}
