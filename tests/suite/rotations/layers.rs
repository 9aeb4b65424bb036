//! Steps about the layers of v2 schedules, and what may get between a plan and
//! its steps.

use std::time::Duration;

use host_harness::contract::{
    offboarding::Step,
    types::{Effect, ErrorCode},
};
use pagerduty_simulator::{Config, Effect as Fate, Fault, LayerOrder, Match, Meanwhile, Plan};
use serde_json::{Value, json};

use crate::rota::{Rota, rows};
use crate::support::{contract_error, run};
use crate::vendor::unchanged;

const NOW: &str = "2026-11-18T12:34:56Z";
const DAY: u64 = 86_400;

/// A schedule with layers, and who is on them by number.
struct Stage {
    rota: Rota,
    people: Vec<String>,
    schedule: String,
}

impl Stage {
    /// Layers of one-day turns, the one with precedence first.
    async fn set(config: Config, layers: &[&[usize]]) -> Self {
        let mut rota = Rota::open(NOW.parse().expect("a time"), config).await;
        let people = rota.people().await;
        // The second one has no overrides.
        let schedule = rota.schedules().await.remove(1);
        let layers: Vec<Value> = layers
            .iter()
            .enumerate()
            .map(|(n, users)| {
                let users = users
                    .iter()
                    .map(|&n| json!({"user": {"id": people[n], "type": "user_reference"}}));
                json!({
                    "name": format!("Layer {n}"), "start": NOW,
                    "rotation_virtual_start": "2026-11-01T09:00:00+01:00",
                    "rotation_turn_length_seconds": DAY, "users": users.collect::<Vec<_>>(),
                    "restrictions": [{
                        "type": "daily_restriction", "start_time_of_day": "08:00:00",
                        "duration_seconds": 3600 * (n + 5),
                    }],
                })
            })
            .collect();
        rota.set_layers(&schedule, "Europe/Berlin", &layers).await;
        rota.advance(Duration::from_secs(5 * DAY));
        Self {
            rota,
            people,
            schedule,
        }
    }

    /// The step of a transfer from the first to the second that is about the
    /// schedule.
    async fn step(&self) -> Step {
        let plan = self.rota.plan(&self.people[0], Some(&self.people[1])).await;
        self.own(plan.steps)
    }

    fn own(&self, steps: Vec<Step>) -> Step {
        let mut own = steps.into_iter().filter(|step| {
            step.kind.ends_with("-schedule") && step.payload.contains(&self.schedule)
        });
        own.next().expect("a step about the schedule")
    }

    /// Who is on the open layers, by number.
    async fn members(&self) -> Vec<Vec<usize>> {
        let number = |id: &String| self.people.iter().position(|person| person == id);
        let layers = self.rota.members(&self.schedule).await;
        layers
            .iter()
            .map(|users| {
                users
                    .iter()
                    .map(|id| number(id).expect("a person"))
                    .collect()
            })
            .collect()
    }

    /// Changes the first layer, as somebody else would.
    async fn edit(&self, change: impl FnOnce(&mut Value)) {
        let body = self.edited(change).await;
        let path = format!("/schedules/{}", self.schedule);
        self.rota.ask("PUT", &path, Some(body)).await;
    }

    async fn edited(&self, change: impl FnOnce(&mut Value)) -> Value {
        let mut layer = self.rota.schedule(&self.schedule).await["schedule_layers"][0].take();
        change(&mut layer);
        json!({"schedule": {
            "type": "schedule", "time_zone": "Europe/Berlin", "schedule_layers": [layer],
        }})
    }

    fn user(&self, person: usize) -> Value {
        json!({"user": {"id": self.people[person], "type": "user_reference"}})
    }

    /// The step, as if it were about another schedule.
    fn about(&self, step: &Step, schedule: &str) -> Step {
        Step {
            payload: step.payload.replace(&self.schedule, schedule),
            ..step.clone()
        }
    }

    async fn conflict(&self, step: &Step) -> String {
        let before = self.members().await;
        let error = contract_error(self.rota.tenant.apply(step.clone()).await);
        assert_eq!(error.code, ErrorCode::Conflict, "{error:?}");
        assert_eq!(
            error.hint.as_deref(),
            Some("make a new plan: it goes by what is there now")
        );
        assert_eq!(self.members().await, before, "nothing is changed");
        error.message
    }
}

#[test]
fn an_heir_takes_the_places_and_nothing_else_about_the_layers_changes() {
    run(async {
        let stage = Stage::set(Config::default(), &[&[2, 0, 3], &[0, 1, 2, 0]]).await;
        let before = stage.rota.schedule(&stage.schedule).await;
        let step = stage.step().await;
        let [leaver, heir] = [0, 1].map(|n| name(&stage, n));
        let [leaver, heir] = [leaver.await, heir.await];
        assert_eq!(step.kind, "replace-in-schedule");
        assert_eq!(
            step.summary,
            format!(
                "On schedule `{}`, {heir} takes the place of {leaver} in layer `Layer 0` (2nd of \
                 3) and layer `Layer 1` (1st and 4th of 4, then 3 of 4 turns); nobody else's turns \
                 move",
                before["name"].as_str().expect("a name")
            )
        );
        assert_eq!(stage.rota.apply(&step).await.effect, Effect::Updated);
        assert_eq!(stage.members().await, [vec![2, 1, 3], vec![1, 1, 2, 1]]);
        let after = stage.rota.schedule(&stage.schedule).await;
        for field in ["name", "description", "time_zone", "teams"] {
            assert_eq!(after[field], before[field], "{field}");
        }
        let layers = rows(&before["schedule_layers"]).zip(rows(&after["schedule_layers"]));
        for (before, after) in layers {
            for field in [
                "id",
                "name",
                "end",
                "rotation_virtual_start",
                "rotation_turn_length_seconds",
                "restrictions",
            ] {
                assert_eq!(after[field], before[field], "{field}");
            }
        }
    });
}

async fn name(stage: &Stage, person: usize) -> String {
    let user = stage
        .rota
        .get(&format!("/users/{}", stage.people[person]))
        .await;
    user["user"]["name"].as_str().expect("a name").to_owned()
}

#[test]
fn the_layers_keep_their_order_whichever_order_the_vendor_takes() {
    for (order, puts) in [(LayerOrder::Reversed, 1), (LayerOrder::Same, 2)] {
        run(async {
            let config = Config {
                layer_order: order,
                ..Config::default()
            };
            let mut layers: Vec<&[usize]> = vec![&[2, 0], &[3, 4], &[0, 5], &[0, 6, 7]];
            if order == LayerOrder::Same {
                // `set` writes them as PagerDuty wants them today.
                layers.reverse();
            }
            let stage = Stage::set(config, &layers).await;
            stage.rota.bench.simulator.keep_exchanges(true);
            stage.rota.apply(&stage.step().await).await;
            assert_eq!(
                stage.members().await,
                [vec![2, 1], vec![3, 4], vec![1, 5], vec![1, 6, 7]],
                "{order:?}"
            );
            let exchanges = stage.rota.bench.simulator.exchanges();
            let sent = exchanges
                .iter()
                .filter(|exchange| exchange.method == "PUT")
                .count();
            assert_eq!(sent, puts, "{order:?}");
        });
    }
}

#[test]
fn what_does_not_touch_the_turns_in_question_does_not_stop_a_step() {
    run(async {
        let stage = Stage::set(Config::default(), &[&[2, 0, 3]]).await;
        let step = stage.step().await;
        stage
            .edit(|layer| {
                layer["users"][2] = stage.user(4);
                layer["name"] = json!("Renamed");
            })
            .await;
        assert_eq!(stage.rota.apply(&step).await.effect, Effect::Updated);
        assert_eq!(stage.members().await, [[2, 1, 4]]);
    });
}

#[test]
fn a_layer_with_other_turns_than_the_plan_showed_is_a_conflict() {
    type Edit = fn(&Stage, &mut Value);
    let edits: [Edit; 6] = [
        |stage, layer| layer["users"] = json!([stage.user(2), stage.user(0)]),
        |stage, layer| layer["users"] = json!([stage.user(0), stage.user(2), stage.user(3)]),
        |_, layer| layer["rotation_turn_length_seconds"] = json!(7 * DAY),
        |_, layer| layer["rotation_virtual_start"] = json!("2026-11-02T09:00:00+01:00"),
        |_, layer| layer["restrictions"] = json!([]),
        |_, layer| layer["end"] = json!("2027-01-01T00:00:00Z"),
    ];
    for (n, edit) in edits.into_iter().enumerate() {
        run(async {
            let stage = Stage::set(Config::default(), &[&[2, 0, 3]]).await;
            let step = stage.step().await;
            stage.edit(|layer| edit(&stage, layer)).await;
            let message = stage.conflict(&step).await;
            assert!(
                message.starts_with("layer `Layer 0` of schedule"),
                "{n}: {message}"
            );
        });
    }
}

#[test]
fn a_leaver_on_a_layer_that_the_plan_does_not_know_is_a_conflict() {
    run(async {
        let stage = Stage::set(Config::default(), &[&[2, 0, 3]]).await;
        let step = stage.step().await;
        let new = |layer: &mut Value| {
            layer.as_object_mut().expect("an object").remove("id");
            layer["name"] = json!("New");
        };
        stage.edit(new).await;
        assert!(
            stage
                .conflict(&step)
                .await
                .starts_with("layer `New` of schedule")
        );
    });
}

#[test]
fn a_leaver_or_a_schedule_that_is_gone_needs_no_step() {
    run(async {
        let stage = Stage::set(Config::default(), &[&[2, 0, 3]]).await;
        let step = stage.step().await;
        let users = json!([stage.user(2), stage.user(4)]);
        stage.edit(|layer| layer["users"] = users).await;
        let applied = stage.rota.apply(&step).await;
        assert_eq!(applied.effect, unchanged("already-done"));
        let gone = stage.about(&step, "PGONE99");
        assert_eq!(
            stage.rota.apply(&gone).await.effect,
            unchanged("already-gone")
        );
        // PagerDuty's upgrade to shifts keeps the id.
        let upgraded = stage.about(&step, &stage.rota.schedules_v3().await[0]);
        let message = stage.conflict(&upgraded).await;
        assert!(message.contains("has been upgraded to shifts"), "{message}");
    });
}

#[test]
fn somebody_elses_edit_of_another_layer_meanwhile_stays() {
    run(async {
        let stage = Stage::set(Config::default(), &[&[4, 5], &[2, 0, 3]]).await;
        let step = stage.step().await;
        let body = stage
            .edited(|layer| layer["users"][0] = stage.user(6))
            .await;
        stage.rota.bench.simulator.faults().add(Fault {
            when: Match {
                method: Some("PUT".to_owned()),
                times: Some(1),
                ..Match::default()
            },
            effect: Fate::Meanwhile(Meanwhile {
                method: "PUT".to_owned(),
                path: format!("/schedules/{}", stage.schedule),
                body: Some(body),
            }),
        });
        stage.rota.apply(&step).await;
        assert_eq!(stage.members().await, [vec![6, 5], vec![2, 1, 3]]);
    });
}

#[test]
fn a_change_whose_answers_are_all_lost_is_found_to_have_been_made() {
    run(async {
        let stage = Stage::set(Config::default(), &[&[2, 0, 3]]).await;
        let step = stage.step().await;
        let fault = "PUT * status-after-applied=502".parse().expect("a fault");
        stage.rota.bench.simulator.faults().add(fault);
        assert_eq!(stage.rota.apply(&step).await.effect, Effect::Updated);
        assert_eq!(stage.members().await, [[2, 1, 3]]);
    });
}

#[test]
fn a_deleted_user_keeps_the_place_in_a_transfer_and_goes_in_a_removal() {
    run(async {
        let config = Config {
            plan: Plan {
                // Deletes users who are on schedules, too.
                offboarding: true,
                ..Plan::default()
            },
            ..Config::default()
        };
        let stage = Stage::set(config, &[&[2, 8, 0, 3]]).await;
        let ghost = format!("/users/{}", stage.people[8]);
        stage.rota.ask("DELETE", &ghost, None).await;
        stage.rota.apply(&stage.step().await).await;
        assert_eq!(stage.members().await, [[2, 8, 1, 3]]);

        let removal = stage.rota.plan(&stage.people[1], None).await;
        let step = stage.own(removal.steps);
        assert_eq!(step.kind, "remove-from-schedule");
        stage.rota.apply(&step).await;
        let mut left = stage.members().await.remove(0);
        left.sort_unstable();
        assert_eq!(left, [2, 3]);
    });
}

#[test]
fn a_removal_says_whose_turns_move_and_which_layers_end() {
    run(async {
        let stage = Stage::set(Config::default(), &[&[2, 0, 3], &[0, 0]]).await;
        let schedule = stage.rota.schedule(&stage.schedule).await["name"].take();
        let schedule = schedule.as_str().expect("a name");
        let leaver = name(&stage, 0).await;
        let plan = stage.rota.plan(&stage.people[0], None).await;
        for warning in [
            format!(
                "nobody takes over layer `Layer 1` of schedule `{schedule}` from {leaver}, so it ends"
            ),
            format!(
                "when {leaver} leaves schedule `{schedule}` the turns of the others move, since \
                 nobody takes over"
            ),
        ] {
            assert!(
                plan.warnings.contains(&warning),
                "{warning} {:?}",
                plan.warnings
            );
        }
        let step = stage.own(plan.steps);
        assert_eq!(
            step.summary,
            format!(
                "On schedule `{schedule}`, {leaver} leaves layer `Layer 0` (2nd of 3; the turns of \
                 the others move) and layer `Layer 1` (nobody else is on it, so it ends)"
            )
        );
        let applied = stage.rota.apply(&step).await;
        assert_eq!((applied.effect, applied.undo), (Effect::Updated, None));
        let mut left = stage.members().await;
        left[0].sort_unstable();
        assert_eq!(left, [[2, 3]]);
    });
}

#[test]
fn a_removal_that_would_end_a_layer_it_was_not_to_end_is_a_conflict() {
    run(async {
        let stage = Stage::set(Config::default(), &[&[2, 0]]).await;
        let plan = stage.rota.plan(&stage.people[0], None).await;
        let step = stage.own(plan.steps);
        stage
            .edit(|layer| layer["users"] = json!([stage.user(0)]))
            .await;
        stage.conflict(&step).await;
    });
}
