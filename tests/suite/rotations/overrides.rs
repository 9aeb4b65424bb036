//! Steps about single shifts: overrides of both kinds of schedules, and custom
//! shifts.

use std::time::Duration;

use host_harness::contract::{
    offboarding::Step,
    types::{Effect, ErrorCode},
};
use jiff::Timestamp;
use pagerduty_simulator::{Config, OverrideReply};
use serde_json::{Value, json};

use crate::rota::{Rota, Turn, id, on_call, rows};
use crate::rotations::handed_over;
use crate::support::{contract_error, run};
use crate::vendor::unchanged;

const NOW: &str = "2026-11-18T12:00:00Z";
const HOUR: u64 = 3600;

/// A v2 schedule of one layer and overrides.
struct Stage {
    rota: Rota,
    people: Vec<String>,
    schedule: String,
}

impl Stage {
    async fn set(config: Config) -> Self {
        let rota = Rota::open(NOW.parse().expect("a time"), config).await;
        let people = rota.people().await;
        let schedule = rota.schedules().await.remove(0);
        let layer = json!({
            "start": NOW, "rotation_virtual_start": NOW, "rotation_turn_length_seconds": 24 * HOUR,
            "users": [{"user": {"id": people[5], "type": "user_reference"}}],
        });
        rota.set_layers(&schedule, "Etc/UTC", &[layer]).await;
        Self {
            rota,
            people,
            schedule,
        }
    }

    fn path(&self) -> String {
        format!("/schedules/{}/overrides", self.schedule)
    }

    fn at(&self, hour: u64) -> Timestamp {
        let start: Timestamp = NOW.parse().expect("a time");
        start + Duration::from_secs(hour * HOUR)
    }

    /// An override of a person from one hour to another.
    async fn cover(&self, person: usize, from: u64, to: u64) {
        let body = json!({"overrides": [{
            "start": self.at(from).to_string(), "end": self.at(to).to_string(),
            "user": {"id": self.people[person], "type": "user_reference"},
        }]});
        self.rota.ask("POST", &self.path(), Some(body)).await;
    }

    async fn overrides(&self) -> Vec<Value> {
        let range = format!("since={}&until={}", self.rota.now, self.at(24 * 400));
        let list = self.rota.get(&format!("{}?{range}", self.path())).await;
        rows(&list["overrides"]).cloned().collect()
    }

    async fn steps(&self, to: Option<usize>) -> Vec<Step> {
        let to = to.map(|to| self.people[to].as_str());
        let plan = self.rota.plan(&self.people[0], to).await;
        let is_own = |step: &Step| step.kind.ends_with("-override");
        plan.steps.into_iter().filter(is_own).collect()
    }

    async fn turns(&self) -> Vec<Turn> {
        self.rota
            .turns(&self.schedule, self.rota.now, self.at(240))
            .await
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
fn the_heir_is_on_call_before_the_leavers_override_goes() {
    for (reply, starts) in [
        (OverrideReply::PerItem, 0),
        (OverrideReply::Wrapped, 4),
        (OverrideReply::Single, 4),
    ] {
        run(async {
            let mut stage = Stage::set(Config {
                override_reply: reply,
                ..Config::default()
            })
            .await;
            stage.cover(0, starts, 6).await;
            // It runs, or is to come.
            stage.rota.advance(Duration::from_secs(2 * HOUR));
            let before = stage.turns().await;
            let step = stage.steps(Some(1)).await.remove(0);
            assert_eq!(step.kind, "reassign-override");
            let [leaver, heir] = [stage.name(0).await, stage.name(1).await];
            let range = format!("from {} to {}", stage.at(starts), stage.at(6));
            let expected = format!("{heir} takes over the override of {leaver} {range}");
            assert!(step.summary.ends_with(&expected), "{}", step.summary);

            stage.rota.bench.simulator.keep_exchanges(true);
            let applied = stage.rota.apply(&step).await;
            assert_eq!(applied.effect, Effect::Updated);
            let exchanges = stage.rota.bench.simulator.exchanges();
            let writes: Vec<&str> = exchanges
                .iter()
                .map(|one| one.method.as_str())
                .filter(|method| *method != "GET")
                .collect();
            assert_eq!(writes, ["POST", "DELETE"]);
            let expected = handed_over(&before, &stage.people[0], Some(&stage.people[1]));
            assert_eq!(
                on_call(&stage.turns().await),
                on_call(&expected),
                "{reply:?}"
            );

            let undo = applied.undo.expect("a way back");
            stage.rota.apply(&undo).await;
            assert_eq!(on_call(&stage.turns().await), on_call(&before), "{reply:?}");
        });
    }
}

#[test]
fn a_later_override_of_somebody_else_stays_on_top() {
    run(async {
        let stage = Stage::set(Config::default()).await;
        stage.cover(0, 2, 10).await;
        stage.cover(2, 4, 6).await;
        stage.cover(0, 20, 22).await;
        stage.cover(3, 20, 22).await;
        let before = stage.turns().await;
        for step in stage.steps(Some(1)).await {
            stage.rota.apply(&step).await;
        }
        let expected = handed_over(&before, &stage.people[0], Some(&stage.people[1]));
        assert_eq!(on_call(&stage.turns().await), on_call(&expected));
        let of = |person: usize| {
            let id = &stage.people[person];
            move |one: &&Value| one["user"]["id"] == **id
        };
        let overrides = stage.overrides().await;
        assert_eq!(
            overrides.iter().filter(of(0)).count(),
            0,
            "hidden ones go too"
        );
        assert_eq!(
            overrides.iter().filter(of(1)).count(),
            2,
            "around the other's"
        );
    });
}

#[test]
fn a_removed_override_leaves_whoever_has_the_turn() {
    run(async {
        let stage = Stage::set(Config::default()).await;
        stage.cover(0, 2, 10).await;
        let step = stage.steps(None).await.remove(0);
        assert_eq!(step.kind, "remove-override");
        assert_eq!(stage.rota.apply(&step).await.effect, Effect::Deleted);
        assert_eq!(
            stage.rota.apply(&step).await.effect,
            unchanged("already-done")
        );
        let turns = stage.turns().await;
        assert!(
            turns
                .iter()
                .all(|turn| turn.user.as_ref() == Some(&stage.people[5]))
        );
    });
}

#[test]
fn an_override_that_is_over_or_gone_needs_no_step() {
    run(async {
        let mut stage = Stage::set(Config::default()).await;
        stage.cover(0, 2, 4).await;
        stage.cover(0, 20, 22).await;
        let steps = stage.steps(Some(1)).await;
        let path = format!("{}/{}", stage.path(), id(&stage.overrides().await[1]));
        stage.rota.ask("DELETE", &path, None).await;
        stage.rota.advance(Duration::from_secs(5 * HOUR));
        for step in steps {
            assert_eq!(
                stage.rota.apply(&step).await.effect,
                unchanged("already-done")
            );
        }
        assert_eq!(stage.overrides().await.len(), 0);
    });
}

#[test]
fn a_heir_who_is_refused_leaves_the_override_as_it_is() {
    run(async {
        let stage = Stage::set(Config::default()).await;
        stage.cover(0, 2, 4).await;
        let before = stage.turns().await;
        let step = stage.steps(Some(1)).await.remove(0);
        let body = json!([{
            "status": 400, "errors": ["Stakeholders cannot be added to schedules"], "override": {},
        }]);
        stage
            .rota
            .bench
            .simulator
            .faults()
            .add(pagerduty_simulator::Fault {
                when: pagerduty_simulator::Match {
                    method: Some("POST".to_owned()),
                    path: Some(stage.path()),
                    ..Default::default()
                },
                effect: pagerduty_simulator::Effect::Status {
                    status: 201,
                    body: Some(body),
                    headers: Vec::new(),
                },
            });
        let error = contract_error(stage.rota.tenant.apply(step).await);
        assert_eq!(error.code, ErrorCode::Conflict);
        assert!(
            error.message.contains("Stakeholders cannot be added"),
            "{}",
            error.message
        );
        assert!(!error.may_have_applied);
        assert_eq!(on_call(&stage.turns().await), on_call(&before));
    });
}

#[test]
fn changes_whose_answers_are_all_lost_are_made_once() {
    for fault in [
        "POST PATH status-after-applied=502",
        "DELETE PATH* status-after-applied=502",
    ] {
        run(async {
            let mut stage = Stage::set(Config::default()).await;
            // One that runs: to end it twice is refused.
            stage.cover(0, 0, 4).await;
            stage.rota.advance(Duration::from_secs(HOUR));
            let before = stage.turns().await;
            let step = stage.steps(Some(1)).await.remove(0);
            let fault = fault.replace("PATH", &stage.path());
            stage
                .rota
                .bench
                .simulator
                .faults()
                .add(fault.parse().expect("a fault"));
            let applied = stage.rota.apply(&step).await;
            assert_eq!(applied.effect, Effect::Updated);
            let left = stage.overrides().await;
            assert_eq!(left.len(), 1, "{fault}");
            assert_eq!(left[0]["user"]["id"], stage.people[1]);
            stage.rota.bench.simulator.faults().clear();
            stage.rota.apply(&applied.undo.expect("a way back")).await;
            assert_eq!(on_call(&stage.turns().await), on_call(&before));
        });
    }
}

#[test]
fn shifts_that_run_are_cut_and_shifts_to_come_change_hands() {
    run(async {
        let mut rota = Rota::open(NOW.parse().expect("a time"), Config::default()).await;
        let people = rota.people().await;
        let schedule = rota.schedules_v3().await.remove(0);
        rota.set_rotations(&schedule, &[]).await;
        let start: Timestamp = NOW.parse().expect("a time");
        let at = |hour: u64| (start + Duration::from_secs(hour * HOUR)).to_string();
        let member = |person: usize| json!({"type": "user_member", "user_id": people[person]});
        let shifts: Vec<Value> = [(1, 6), (20, 22)]
            .map(|(from, to)| {
                json!({
                    "type": "custom_shift", "start_time": at(from), "end_time": at(to),
                    "assignments": [{"type": "shift_assignment", "member": member(0)}],
                })
            })
            .into();
        let base = format!("/v3/schedules/{schedule}");
        let made = rota
            .ask(
                "POST",
                &format!("{base}/custom_shifts"),
                Some(json!({ "custom_shifts": shifts })),
            )
            .await;
        // Somebody covers for an hour of each.
        let overrides: Vec<Value> = rows(&made["custom_shifts"]).zip([4, 21]).map(|(shift, hour)| json!({
            "type": "override_shift", "custom_shift_id": id(shift), "start_time": at(hour),
            "end_time": at(hour + 1), "overridden_member": member(0), "overriding_member": member(2),
        })).collect();
        rota.ask(
            "POST",
            &format!("{base}/overrides"),
            Some(json!({ "overrides": overrides })),
        )
        .await;
        rota.advance(Duration::from_secs(3 * HOUR));

        let until = rota.now + Duration::from_secs(48 * HOUR);
        let since = start - Duration::from_secs(HOUR);
        let before = rota.shifts(&schedule, rota.now, until).await;
        let past = rota.shifts(&schedule, since, rota.now).await;
        let plan = rota.plan(&people[0], Some(&people[1])).await;
        let steps: Vec<Step> = plan
            .steps
            .into_iter()
            .filter(|step| step.kind == "reassign-custom-shift")
            .collect();
        assert_eq!(steps.len(), 2);
        // To end what has ended is refused, also if the answer was lost.
        let lost = format!("DELETE {base}/custom_shifts* status-after-applied=502");
        let faults = rota.bench.simulator.faults();
        faults.add(lost.parse().expect("a fault"));
        let mut undo = Vec::new();
        for step in &steps {
            undo.extend(rota.apply(step).await.undo);
            assert_eq!(rota.apply(step).await.effect, unchanged("already-done"));
        }
        let expected = handed_over(&before, &people[0], Some(&people[1]));
        assert_eq!(
            on_call(&rota.shifts(&schedule, rota.now, until).await),
            on_call(&expected)
        );
        assert_eq!(
            on_call(&rota.shifts(&schedule, since, rota.now).await),
            on_call(&past)
        );
        for step in &undo {
            rota.apply(step).await;
        }
        assert_eq!(
            on_call(&rota.shifts(&schedule, rota.now, until).await),
            on_call(&before)
        );
    });
}
