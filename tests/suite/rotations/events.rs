//! Steps about the rotations of v3 schedules. An event in effect is ended and
//! gets a successor; what may happen in between, and before.

use std::time::Duration;

use host_harness::contract::{
    offboarding::Step,
    types::{Effect, ErrorCode},
};
use pagerduty_simulator::Config;
use serde_json::{Value, json};

use crate::rota::{Rota, Turn, cut, on_call};
use crate::rotations::handed_over;
use crate::support::{contract_error, run};
use crate::vendor::unchanged;

const NOW: &str = "2026-11-18T12:34:56Z";
const DAY: u64 = 86_400;

/// A v3 schedule with one rotation.
struct Stage {
    rota: Rota,
    people: Vec<String>,
    schedule: String,
    rotation: String,
}

fn event(people: &[String], members: &[Option<usize>]) -> Value {
    let member = |n: &Option<usize>| match n {
        Some(n) => json!({"type": "user_member", "user_id": people[*n]}),
        None => json!({"type": "empty_member"}),
    };
    let wall = |date: &str| json!({"date_time": date, "time_zone": "Europe/Berlin"});
    json!({
        "name": "Primary", "start_time": wall("2026-10-01T09:00:00+02:00"),
        "end_time": wall("2026-10-02T09:00:00+02:00"), "effective_since": NOW,
        "recurrence": ["RRULE:FREQ=DAILY"],
        "assignment_strategy": {
            "type": "rotating_member_assignment_strategy", "shifts_per_member": 1,
            "members": members.iter().map(member).collect::<Vec<_>>(),
        },
    })
}

impl Stage {
    /// An event in effect, with these members by number.
    async fn set(members: &[Option<usize>]) -> Self {
        let mut rota = Rota::open(NOW.parse().expect("a time"), Config::default()).await;
        let people = rota.people().await;
        let schedule = rota.schedules_v3().await.remove(0);
        let rotations = [vec![event(&people, members)]];
        let rotation = rota.set_rotations(&schedule, &rotations).await.remove(0);
        rota.advance(Duration::from_secs(5 * DAY));
        Self {
            rota,
            people,
            schedule,
            rotation,
        }
    }

    async fn plan(&self, to: Option<usize>) -> (Step, Vec<String>) {
        let to = to.map(|to| self.people[to].as_str());
        let plan = self.rota.plan(&self.people[0], to).await;
        let is_own = |step: &Step| step.payload.contains(&self.rotation);
        let step = plan.steps.into_iter().find(is_own);
        (step.expect("a step about the rotation"), plan.warnings)
    }

    /// The members of the events that are, or will be, in effect, by number.
    async fn members(&self) -> Vec<Vec<Option<usize>>> {
        let number = |member: &Value| {
            let id = member["user_id"].as_str()?;
            self.people.iter().position(|person| person == id)
        };
        let events = self.rota.events(&self.schedule, &self.rotation).await;
        events
            .iter()
            .map(|event| {
                let members = &event["assignment_strategy"]["members"];
                members
                    .as_array()
                    .expect("members")
                    .iter()
                    .map(number)
                    .collect()
            })
            .collect()
    }

    async fn turns(&self) -> Vec<Turn> {
        let until = self.rota.now + Duration::from_secs(60 * DAY);
        self.rota.shifts(&self.schedule, self.rota.now, until).await
    }

    fn events(&self) -> String {
        format!(
            "/v3/schedules/{}/rotations/{}/events",
            self.schedule, self.rotation
        )
    }

    /// Ends the event in effect, as somebody else would, and puts another in
    /// its place if there is one.
    async fn follow_by(&self, next: Option<Value>) {
        let event = self
            .rota
            .events(&self.schedule, &self.rotation)
            .await
            .remove(0);
        let path = format!("{}/{}", self.events(), crate::rota::id(&event));
        self.rota.ask("DELETE", &path, None).await;
        if let Some(next) = next {
            self.rota
                .ask("POST", &self.events(), Some(json!({ "event": next })))
                .await;
        }
    }

    fn fault(&self, fault: &str) {
        let fault = fault.replace("EVENTS", &self.events());
        let faults = self.rota.bench.simulator.faults();
        faults.add(fault.parse().expect("a fault"));
    }

    async fn name(&self, person: usize) -> String {
        let user = self
            .rota
            .get(&format!("/users/{}", self.people[person]))
            .await;
        user["user"]["name"].as_str().expect("a name").to_owned()
    }
}

#[test]
fn an_empty_place_is_left_where_nobody_takes_over_and_nobody_elses_turns_move() {
    run(async {
        let stage = Stage::set(&[Some(2), Some(0), None, Some(3)]).await;
        let before = stage.turns().await;
        let (step, warnings) = stage.plan(None).await;
        let leaver = stage.name(0).await;
        assert_eq!(step.kind, "remove-from-shift-schedule");
        let expected = format!(
            "{leaver} leaves `Primary` (2nd of 4, empty from then on); nobody else's turns move"
        );
        assert!(step.summary.ends_with(&expected), "{}", step.summary);
        let expected = format!("nobody takes over the turns of {leaver} in `Primary`");
        assert!(
            warnings
                .iter()
                .any(|warning| warning.starts_with(&expected)),
            "{warnings:?}"
        );
        stage.rota.apply(&step).await;
        assert_eq!(stage.members().await, [[Some(2), None, None, Some(3)]]);
        let expected = handed_over(&before, &stage.people[0], None);
        assert_eq!(on_call(&stage.turns().await), on_call(&expected));
    });
}

#[test]
fn whoever_covers_for_the_leaver_covers_for_the_heir_and_only_then() {
    for to in [Some(1), None] {
        run(async {
            // The heir, or the empty place, has a turn of its own in between.
            let stage = Stage::set(&[Some(0), to, Some(2)]).await;
            let [start, end] = [1, 8].map(|day| stage.rota.now + Duration::from_secs(day * DAY));
            let member = |n: usize| json!({"type": "user_member", "user_id": stage.people[n]});
            let one = json!({
                "type": "override_shift", "rotation_id": stage.rotation,
                "start_time": start.to_string(), "end_time": end.to_string(),
                "overridden_member": member(0), "overriding_member": member(4),
            });
            let path = format!("/v3/schedules/{}/overrides", stage.schedule);
            stage
                .rota
                .ask("POST", &path, Some(json!({ "overrides": [one] })))
                .await;
            let before = stage.turns().await;
            let (step, _) = stage.plan(to).await;
            stage.rota.apply(&step).await;
            assert_eq!(
                stage.rota.apply(&step).await.effect,
                unchanged("already-done")
            );
            let heir = to.map(|to| stage.people[to].as_str());
            let expected = handed_over(&before, &stage.people[0], heir);
            assert_eq!(on_call(&stage.turns().await), on_call(&expected), "{to:?}");
        });
    }
}

#[test]
fn an_event_with_nobody_left_ends() {
    run(async {
        let stage = Stage::set(&[Some(0), None]).await;
        let (step, _) = stage.plan(None).await;
        assert!(
            step.summary.contains("nobody else is in it, so it ends"),
            "{}",
            step.summary
        );
        assert_eq!(stage.rota.apply(&step).await.effect, Effect::Updated);
        assert!(stage.members().await.is_empty());
        assert_eq!(
            stage.rota.apply(&step).await.effect,
            unchanged("already-done")
        );
    });
}

#[test]
fn a_step_that_was_cut_off_between_two_events_goes_on_where_it_was() {
    run(async {
        let mut stage = Stage::set(&[Some(2), Some(0), Some(3)]).await;
        let before = stage.turns().await;
        let (step, _) = stage.plan(Some(1)).await;
        // What a crash of the host comes to: the event is ended, and no request
        // for its successor gets through.
        stage.fault("POST EVENTS reset");
        let error = contract_error(stage.rota.tenant.apply(step.clone()).await);
        assert_eq!(error.code, ErrorCode::ConnectionFailed);
        assert!(error.may_have_applied);
        assert!(
            error.message.contains("nobody is on call in it"),
            "{}",
            error.message
        );
        assert!(stage.members().await.is_empty(), "cut off in between");

        stage.rota.bench.simulator.faults().clear();
        stage.rota.advance(Duration::from_secs(3600));
        assert_eq!(stage.rota.apply(&step).await.effect, Effect::Updated);
        assert_eq!(stage.members().await, [[Some(2), Some(1), Some(3)]]);
        let expected = handed_over(&before, &stage.people[0], Some(&stage.people[1]));
        let expected = cut(&expected, stage.rota.now).1;
        let until = expected.last().expect("turns").end;
        let found = stage
            .rota
            .shifts(&stage.schedule, stage.rota.now, until)
            .await;
        assert_eq!(on_call(&found), on_call(&expected));
        assert_eq!(
            stage.rota.apply(&step).await.effect,
            unchanged("already-done")
        );
    });
}

#[test]
fn changes_whose_answers_are_all_lost_are_made_once() {
    for fault in [
        "POST EVENTS status-after-applied=503",
        "DELETE EVENTS* status-after-applied=503",
        "DELETE EVENTS* reset-after-applied times=1",
    ] {
        run(async {
            let stage = Stage::set(&[Some(2), Some(0), Some(3)]).await;
            let (step, _) = stage.plan(Some(1)).await;
            stage.fault(fault);
            assert_eq!(stage.rota.apply(&step).await.effect, Effect::Updated);
            assert_eq!(
                stage.members().await,
                [[Some(2), Some(1), Some(3)]],
                "{fault}"
            );
        });
    }
}

#[test]
fn an_event_to_come_is_changed_as_it_is() {
    run(async {
        let mut stage = Stage::set(&[Some(2)]).await;
        let from = stage.rota.now + Duration::from_secs(3 * DAY);
        let event_now = stage
            .rota
            .events(&stage.schedule, &stage.rotation)
            .await
            .remove(0);
        let path = format!("{}/{}", stage.events(), crate::rota::id(&event_now));
        let body = json!({"event": {"effective_until": from.to_string()}});
        stage.rota.ask("PUT", &path, Some(body)).await;
        let mut next = event(&stage.people, &[Some(3), Some(0)]);
        next["effective_since"] = json!(from.to_string());
        stage
            .rota
            .ask("POST", &stage.events(), Some(json!({ "event": next })))
            .await;
        let (step, _) = stage.plan(Some(1)).await;
        stage.rota.bench.simulator.keep_exchanges(true);
        stage.fault("PUT EVENTS* status-after-applied=503");
        let applied = stage.rota.apply(&step).await;
        assert_eq!(
            stage.members().await,
            [vec![Some(2)], vec![Some(3), Some(1)]]
        );
        let exchanges = stage.rota.bench.simulator.exchanges();
        assert!(
            exchanges
                .iter()
                .all(|one| ["GET", "PUT"].contains(&one.method.as_str()))
        );
        // By the time it is taken back it has come into effect.
        stage.rota.bench.simulator.faults().clear();
        stage.rota.advance(Duration::from_secs(4 * DAY));
        stage.rota.apply(&applied.undo.expect("a way back")).await;
        assert_eq!(stage.members().await, [[Some(3), Some(0)]]);
    });
}

#[test]
fn a_successor_that_is_refused_leaves_the_event_as_it_was() {
    run(async {
        let stage = Stage::set(&[Some(2), Some(0), Some(3)]).await;
        let before = stage.turns().await;
        let (step, _) = stage.plan(Some(1)).await;
        stage.fault("POST EVENTS status=400 times=1");
        let error = contract_error(stage.rota.tenant.apply(step.clone()).await);
        assert!(
            error.message.contains("it is in effect again as it was"),
            "{}",
            error.message
        );
        assert!(!error.may_have_applied);
        assert_eq!(on_call(&stage.turns().await), on_call(&before));
        // It is another event now, and the step finds it all the same.
        assert_eq!(stage.rota.apply(&step).await.effect, Effect::Updated);
        assert_eq!(stage.members().await, [[Some(2), Some(1), Some(3)]]);
    });
}

#[test]
fn an_event_that_somebody_has_changed_since_the_plan_is_left_alone() {
    run(async {
        let with = |stage: &Stage, members: &[Option<usize>]| Some(event(&stage.people, members));
        // The leaver is in it: the summary would not be true any more.
        let stage = Stage::set(&[Some(2), Some(0), Some(3)]).await;
        let (step, _) = stage.plan(Some(1)).await;
        stage.follow_by(with(&stage, &[Some(0), Some(4)])).await;
        let error = contract_error(stage.rota.tenant.apply(step).await);
        assert_eq!(error.code, ErrorCode::Conflict);
        assert!(
            error.message.starts_with("`Primary` of schedule"),
            "{}",
            error.message
        );
        assert_eq!(stage.members().await, [[Some(0), Some(4)]]);

        // The leaver is not: nothing is left to do.
        let stage = Stage::set(&[Some(2), Some(0), Some(3)]).await;
        let (step, _) = stage.plan(Some(1)).await;
        stage.follow_by(with(&stage, &[Some(2), Some(4)])).await;
        assert_eq!(
            stage.rota.apply(&step).await.effect,
            unchanged("already-done")
        );
        assert_eq!(stage.members().await, [[Some(2), Some(4)]]);
    });
}

#[test]
fn an_event_that_has_run_out_is_not_revived() {
    run(async {
        let mut stage = Stage::set(&[Some(2), Some(0), Some(3)]).await;
        let event = stage
            .rota
            .events(&stage.schedule, &stage.rotation)
            .await
            .remove(0);
        let until = stage.rota.now + Duration::from_secs(2 * DAY);
        let path = format!("{}/{}", stage.events(), crate::rota::id(&event));
        let body = json!({"event": {"effective_until": until.to_string()}});
        stage.rota.ask("PUT", &path, Some(body)).await;
        let (step, _) = stage.plan(Some(1)).await;
        stage.rota.advance(Duration::from_secs(3 * DAY));
        assert_eq!(
            stage.rota.apply(&step).await.effect,
            unchanged("already-done")
        );
        assert!(stage.members().await.is_empty());
    });
}

#[test]
fn a_rotation_or_a_schedule_that_is_gone_needs_no_step() {
    run(async {
        let stage = Stage::set(&[Some(2), Some(0), Some(3)]).await;
        let (step, _) = stage.plan(Some(1)).await;
        for id in [&stage.schedule, &stage.rotation] {
            let payload = step.payload.replace(id.as_str(), "PGONE99");
            let gone = Step {
                payload,
                ..step.clone()
            };
            assert_eq!(
                stage.rota.apply(&gone).await.effect,
                unchanged("already-gone")
            );
        }
    });
}

#[test]
fn an_heir_who_is_on_call_with_the_leaver_is_not_put_there_twice() {
    run(async {
        let stage = Stage::set(&[Some(2)]).await;
        let mut all = event(&stage.people, &[Some(2), Some(0), Some(1)]);
        let strategy = &mut all["assignment_strategy"];
        strategy["type"] = json!("every_member_assignment_strategy");
        strategy
            .as_object_mut()
            .expect("an object")
            .remove("shifts_per_member");
        stage.follow_by(Some(all)).await;
        let (step, _) = stage.plan(Some(1)).await;
        let heir = stage.name(1).await;
        let expected = format!("`Primary` ({heir} is in it already)");
        assert!(step.summary.contains(&expected), "{}", step.summary);
        stage.rota.apply(&step).await;
        assert_eq!(stage.members().await, [[Some(2), Some(1)]]);
    });
}
