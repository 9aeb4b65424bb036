//! Incidents change hands: all of them, and no more than were the leaver's.

use host_harness::contract::types::{Effect, ErrorCode};
use pagerduty_simulator::{Effect as Fate, Fault, Match, Meanwhile};
use serde_json::{Value, json};

use super::cast::{Cast, sorted, step_about, user};
use crate::support::{Opening, contract_error, run};
use crate::vendor::{self, text, unchanged};

/// How many incidents each request that changed some of them named.
fn changed(cast: &Cast) -> Vec<usize> {
    let exchanges = cast.bench.simulator.exchanges();
    let changes = exchanges.iter().filter(|exchange| exchange.method == "PUT");
    changes
        .map(|exchange| {
            let body = exchange.request_body.as_ref().expect("a body");
            body["incidents"].as_array().expect("a list").len()
        })
        .collect()
}

/// What somebody else does while the request is on its way.
fn before_the_change(method: &str, path: String, body: Value) -> Fault {
    Fault {
        when: Match {
            method: Some("PUT".to_owned()),
            path: Some("/incidents".to_owned()),
            times: Some(1),
            ..Match::default()
        },
        effect: Fate::Meanwhile(Meanwhile {
            method: method.to_owned(),
            path,
            body: Some(body).filter(|body| !body.is_null()),
        }),
    }
}

fn resolution() -> Value {
    json!({"incident": {"type": "incident_reference", "status": "resolved"}})
}

#[test]
fn six_hundred_incidents_go_in_three_requests() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let opened = cast.bench.simulator.open_incidents(&[&cast.leaver], 592);
        let plan = cast.transfer().await;
        cast.bench.simulator.keep_exchanges(true);
        for step in plan
            .steps
            .iter()
            .filter(|step| step.kind == "reassign-incidents")
        {
            cast.apply_twice(step).await;
        }
        assert_eq!(changed(&cast), [250, 250, 100]);
        assert_eq!(cast.load(&cast.leaver).await, 0);
        for incident in opened.iter().step_by(97) {
            assert_eq!(cast.assignees(incident).await, [cast.heir.as_str()]);
        }
        let both = sorted([cast.heir.clone(), cast.colleague.clone()]);
        assert_eq!(cast.assignees(&cast.joint[0]).await, both);
    });
}

#[test]
fn acknowledged_incidents_stay_acknowledged() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let status = async |incident: &String| {
            let path = format!("/incidents/{incident}");
            let incident = vendor::get(&cast.bench.simulator, &path, "incident").await;
            text(&incident, "status")
        };
        let mut before = Vec::new();
        for incident in &cast.own {
            before.push(status(incident).await);
        }
        assert!(before.contains(&"acknowledged".to_owned()));
        cast.apply(&cast.transfer().await.steps[0]).await;
        for (incident, before) in cast.own.iter().zip(before) {
            assert_eq!(status(incident).await, before);
        }
    });
}

#[test]
fn what_was_resolved_or_reassigned_since_the_plan_is_left_alone() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let plan = cast.transfer().await;
        cast.resolve(&cast.own[0]).await;
        cast.reassign(&cast.own[1], &cast.colleague).await;
        cast.bench.simulator.keep_exchanges(true);
        cast.apply_twice(&plan.steps[0]).await;
        assert_eq!(changed(&cast), [6]);
        assert!(cast.assignees(&cast.own[0]).await.is_empty());
        assert_eq!(
            cast.assignees(&cast.own[1]).await,
            [cast.colleague.as_str()]
        );
        assert_eq!(cast.assignees(&cast.own[2]).await, [cast.heir.as_str()]);
    });
}

#[test]
fn one_that_is_resolved_in_the_same_moment_does_not_hold_up_the_others() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let plan = cast.transfer().await;
        let path = format!("/incidents/{}", cast.own[0]);
        let fault = before_the_change("PUT", path, resolution());
        cast.bench.simulator.faults().add(fault);
        cast.bench.simulator.keep_exchanges(true);
        cast.apply_twice(&plan.steps[0]).await;
        assert_eq!(
            changed(&cast),
            [8, 7],
            "refused as a whole, then without it"
        );
        assert_eq!(cast.load(&cast.heir).await, 7);
        assert!(cast.assignees(&cast.own[0]).await.is_empty());
    });
}

#[test]
fn a_co_assignee_who_is_deleted_in_the_same_moment_is_left_out() {
    run(async {
        let mut opening = Opening::users(100);
        opening.config.plan.offboarding = true;
        opening.config.now = Some("2026-11-18T12:34:56Z".parse().expect("an instant"));
        opening.config.reassignment_delay = std::time::Duration::from_secs(60);
        let cast = Cast::open(opening).await;
        let plan = cast.transfer().await;
        let path = format!("/users/{}", cast.colleague);
        let fault = before_the_change("DELETE", path, Value::Null);
        cast.bench.simulator.faults().add(fault);
        cast.apply_twice(&plan.steps[0]).await;
        for incident in cast.own.iter().chain(&cast.joint) {
            assert_eq!(cast.assignees(incident).await, [cast.heir.as_str()]);
        }
    });
}

#[test]
fn an_heir_who_is_gone_gets_nothing_and_nobody_loses_anything() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let plan = cast.transfer().await;
        cast.ask("DELETE", &format!("/users/{}", cast.heir), None)
            .await;
        cast.bench.simulator.keep_exchanges(true);
        let error = contract_error(cast.bench.tenant.apply(plan.steps[0].clone()).await);
        assert_eq!(error.code, ErrorCode::NotFound, "{error:?}");
        assert!(error.hint.expect("a hint").contains("new plan"));
        assert_eq!(changed(&cast), [8], "no use in asking again");
        assert_eq!(cast.load(&cast.leaver).await, 8);
        let step = step_about(&plan, "replace-in-policy", &cast.shared);
        let before = cast.policy(&cast.shared).await;
        let error = contract_error(cast.bench.tenant.apply(step.clone()).await);
        assert_eq!(error.code, ErrorCode::Conflict, "{error:?}");
        assert_eq!(cast.policy(&cast.shared).await, before);
    });
}

/// Has a policy name nobody but `target`, and returns the leaver's own incidents
/// that follow it.
async fn on_policy_of(cast: &Cast, target: &str) -> Vec<String> {
    cast.edit(&cast.lonely, |rules| {
        *rules = json!([{"escalation_delay_in_minutes": 5, "targets": [user(target)]}]);
    })
    .await;
    let mut found = Vec::new();
    for incident in &cast.own {
        let path = format!("/incidents/{incident}");
        let shown = vendor::get(&cast.bench.simulator, &path, "incident").await;
        if shown["escalation_policy"]["id"] == cast.lonely {
            found.push(incident.clone());
        }
    }
    assert!(!found.is_empty() && found.len() < cast.own.len());
    found
}

#[test]
fn incidents_that_can_not_be_moved_do_not_hold_up_those_that_can() {
    run(async {
        let mut opening = Opening::users(100);
        opening.config.plan.offboarding = true;
        let cast = Cast::open(opening).await;
        // Their policy names somebody who is gone: nobody is on call.
        let stuck = on_policy_of(&cast, &cast.heir).await;
        cast.ask("DELETE", &format!("/users/{}", cast.heir), None)
            .await;
        let plan = cast.removal().await;
        for step in plan
            .steps
            .iter()
            .filter(|step| step.kind == "remove-from-policy")
        {
            cast.apply(step).await;
        }
        let step = step_about(&plan, "reassign-incidents", &stuck[0]);
        let error = contract_error(cast.bench.tenant.apply(step.clone()).await);
        assert_eq!(error.code, ErrorCode::Conflict, "{error:?}");
        let said = format!("{} incident", stuck.len());
        assert!(error.message.starts_with(&said), "{error:?}");
        assert_eq!(error.upstream_code.as_deref(), Some("1015"));
        assert_eq!(cast.load(&cast.leaver).await, stuck.len());

        // Somebody puts that right, and the step goes on.
        on_policy_of(&cast, &cast.colleague).await;
        cast.apply_twice(step).await;
        assert_eq!(cast.load(&cast.leaver).await, 0);
    });
}

#[test]
fn incidents_that_come_back_to_who_leaves_are_a_conflict() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let back = on_policy_of(&cast, &cast.leaver).await;
        let plan = cast.removal().await;
        let step = step_about(&plan, "remove-from-policy", &cast.shared);
        cast.apply(step).await;
        let step = step_about(&plan, "reassign-incidents", &back[0]);
        let error = contract_error(cast.bench.tenant.apply(step.clone()).await);
        assert_eq!(error.code, ErrorCode::Conflict, "{error:?}");
        let said = format!("{} incident", back.len());
        assert!(error.message.starts_with(&said), "{error:?}");
        assert!(error.hint.expect("a hint").contains("plan-transfer"));
    });
}

#[test]
fn a_hand_over_is_taken_back_where_nobody_has_gone_on() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        // One of the heir's own.
        let own = cast.bench.simulator.open_incidents(&[&cast.heir], 1);
        let shared = cast
            .bench
            .simulator
            .open_incidents(&[&cast.heir, &cast.leaver], 1);
        let applied = cast.apply(&cast.transfer().await.steps[0]).await;
        let undo = applied.undo.expect("a way back");
        assert_eq!(undo.kind, "return-incidents");
        cast.resolve(&cast.own[0]).await;
        cast.reassign(&cast.own[1], &cast.colleague).await;
        assert_eq!(cast.apply_twice(&undo).await.effect, Effect::Updated);
        assert!(cast.assignees(&cast.own[0]).await.is_empty());
        assert_eq!(
            cast.assignees(&cast.own[1]).await,
            [cast.colleague.as_str()]
        );
        for incident in &cast.own[2..] {
            assert_eq!(cast.assignees(incident).await, [cast.leaver.as_str()]);
        }
        let both = sorted([cast.leaver.clone(), cast.colleague.clone()]);
        for incident in &cast.joint {
            assert_eq!(cast.assignees(incident).await, both);
        }
        let both = sorted([cast.leaver.clone(), cast.heir.clone()]);
        assert_eq!(cast.assignees(&shared[0]).await, both);
        assert_eq!(cast.assignees(&own[0]).await, [cast.heir.as_str()]);
    });
}

#[test]
fn incidents_that_restarted_on_a_policy_have_no_way_back() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let plan = cast.removal().await;
        for step in plan
            .steps
            .iter()
            .filter(|step| step.kind == "remove-from-policy")
        {
            cast.apply(step).await;
        }
        let step = step_about(&plan, "reassign-incidents", &cast.own[0]);
        let undo = cast.apply(step).await.undo.expect("for the joint ones");
        cast.apply_twice(&undo).await;
        assert_eq!(cast.load(&cast.leaver).await, cast.joint.len());
    });
}

#[test]
fn a_filter_that_the_vendor_ignores_gives_away_nobodys_incidents() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let plan = cast.transfer().await;
        let late = plan.steps.last().expect("a step");
        cast.apply(&plan.steps[0]).await;
        let all = "/incidents?date_range=all&statuses[]=triggered&limit=100";
        let everybodys = cast.ask("GET", all, None).await;
        assert_ne!(everybodys["incidents"], json!([]));
        cast.bench.simulator.faults().add(Fault {
            when: Match {
                method: Some("GET".to_owned()),
                path: Some("/incidents".to_owned()),
                ..Match::default()
            },
            effect: Fate::Status {
                status: 200,
                body: Some(everybodys),
                headers: Vec::new(),
            },
        });
        assert_eq!(cast.apply(late).await.effect, unchanged("already-done"));
    });
}
