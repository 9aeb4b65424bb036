//! Escalation policies are edited as they are, and never emptied.

use host_harness::contract::types::{Effect, ErrorCode};
use pagerduty_simulator::{Effect as Fate, Fault, Match};
use serde_json::{Value, json};

use super::cast::{Cast, policies, step_about, user};
use crate::support::{Opening, contract_error, run};
use crate::vendor::{self, on_policy, text, unchanged, user_of_role};

/// What a policy is apart from its rules.
fn apart_from_rules(policy: &Value) -> Value {
    let mut policy = policy.clone();
    let fields = policy.as_object_mut().expect("an object");
    fields.retain(|name, _| !matches!(name.as_str(), "escalation_rules" | "updated_at"));
    policy
}

#[test]
fn an_heir_takes_the_same_place_and_the_rest_stays() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        cast.edit(&cast.shared, |rules| {
            // Not the last of the level.
            let targets = rules[0]["targets"].as_array_mut().expect("targets");
            targets.rotate_right(1);
        })
        .await;
        let before = cast.policy(&cast.shared).await;
        let plan = cast.transfer().await;
        cast.bench.simulator.keep_exchanges(true);
        cast.apply_twice(step_about(&plan, "replace-in-policy", &cast.shared))
            .await;
        let after = cast.policy(&cast.shared).await;
        assert_eq!(apart_from_rules(&after), apart_from_rules(&before));
        // A PUT may replace what it does not mention: all is said again.
        let exchanges = cast.bench.simulator.exchanges();
        let put = exchanges.iter().find(|exchange| exchange.method == "PUT");
        let body = put.and_then(|put| put.request_body.as_ref());
        let sent = &body.expect("a body")["escalation_policy"];
        for field in ["description", "num_loops", "on_call_handoff_notifications"] {
            assert_eq!(sent[field], before[field], "{field}");
        }
        assert_eq!(sent["teams"][0]["id"], before["teams"][0]["id"]);
        let (was, is) = (&before["escalation_rules"], &after["escalation_rules"]);
        let mut expected = was.clone();
        assert_eq!(expected[0]["targets"][0]["id"], cast.leaver);
        expected[0]["targets"][0] = is[0]["targets"][0].clone();
        assert_eq!(is, &expected);
        assert_eq!(is[0]["targets"][0]["id"], cast.heir);
    });
}

#[test]
fn an_heir_who_is_on_that_level_already_is_not_put_there_twice() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        cast.edit(&cast.shared, |rules| {
            let targets = rules[0]["targets"].as_array_mut().expect("targets");
            targets.insert(0, user(&cast.heir));
        })
        .await;
        let mut expected = cast.levels(&cast.shared).await;
        assert_eq!(expected[0].pop().as_ref(), Some(&cast.leaver));
        let plan = cast.transfer().await;
        cast.apply(step_about(&plan, "replace-in-policy", &cast.shared))
            .await;
        assert_eq!(cast.levels(&cast.shared).await, expected);
    });
}

#[test]
fn a_policy_that_would_notify_nobody_is_never_emptied() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        cast.edit(&cast.lonely, |rules| {
            let only = rules.as_array_mut().expect("rules").pop();
            *rules = json!([only]);
        })
        .await;
        let name = text(&cast.policy(&cast.lonely).await, "name");
        let plan = cast.removal().await;
        let about = |warning: &&String| warning.contains(&format!("`{name}`"));
        let warning = plan.warnings.iter().find(about).expect("a warning");
        assert!(warning.contains("put somebody else on it"), "{warning}");
        let step = step_about(&plan, "remove-from-policy", &cast.lonely);
        let before = cast.policy(&cast.lonely).await;
        let error = contract_error(cast.bench.tenant.apply(step.clone()).await);
        assert_eq!(error.code, ErrorCode::Conflict, "{error:?}");
        assert!(error.hint.expect("a hint").contains("plan-transfer"));
        assert_eq!(cast.policy(&cast.lonely).await, before);

        cast.edit(&cast.lonely, |rules| {
            let targets = rules[0]["targets"].as_array_mut().expect("targets");
            targets.push(user(&cast.colleague));
        })
        .await;
        assert_eq!(cast.apply_twice(step).await.effect, Effect::Updated);
        assert_eq!(cast.levels(&cast.lonely).await, [[cast.colleague.as_str()]]);
    });
}

#[test]
fn changes_that_others_made_since_the_plan_stay() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let plan = cast.transfer().await;
        cast.edit(&cast.shared, |rules| {
            rules[0]["escalation_delay_in_minutes"] = json!(3);
            let targets = rules[0]["targets"].as_array_mut().expect("targets");
            targets.push(user(&cast.colleague));
        })
        .await;
        let mut expected = cast.levels(&cast.shared).await;
        let place = expected[0].iter_mut().find(|id| **id == cast.leaver);
        place.expect("the leaver").clone_from(&cast.heir);
        cast.apply_twice(step_about(&plan, "replace-in-policy", &cast.shared))
            .await;
        assert_eq!(cast.levels(&cast.shared).await, expected);
        let rules = cast.policy(&cast.shared).await["escalation_rules"].take();
        assert_eq!(rules[0]["escalation_delay_in_minutes"], 3);
    });
}

#[test]
fn a_leaver_who_was_moved_since_the_plan_is_a_conflict() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        for (plan, kind) in [
            (cast.transfer().await, "replace-in-policy"),
            (cast.removal().await, "remove-from-policy"),
        ] {
            cast.edit(&cast.lonely, |rules| {
                rules.as_array_mut().expect("rules").rotate_right(1);
            })
            .await;
            let before = cast.policy(&cast.lonely).await;
            let step = step_about(&plan, kind, &cast.lonely);
            let error = contract_error(cast.bench.tenant.apply(step.clone()).await);
            assert_eq!(error.code, ErrorCode::Conflict, "{error:?}");
            assert!(error.hint.expect("a hint").contains("new plan"));
            assert_eq!(cast.policy(&cast.lonely).await, before);
            // Back again, and it goes.
            cast.edit(&cast.lonely, |rules| {
                rules.as_array_mut().expect("rules").rotate_left(1);
            })
            .await;
        }
    });
}

#[test]
fn a_policy_or_a_target_that_is_gone_needs_no_step() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        // No service uses the last one, so it can be deleted.
        let names = policies(&cast.bench.simulator).await;
        let mut unused = names
            .iter()
            .filter(|policy| policy["services"] == json!([]));
        let unused = text(unused.next().expect("one is unused"), "id");
        cast.edit(&unused, |rules| {
            let targets = rules[0]["targets"].as_array_mut().expect("targets");
            targets.push(user(&cast.leaver));
        })
        .await;
        let plan = cast.transfer().await;
        let step = step_about(&plan, "replace-in-policy", &unused);
        cast.ask("DELETE", &format!("/escalation_policies/{unused}"), None)
            .await;
        assert_eq!(cast.apply(step).await.effect, unchanged("already-gone"));
        cast.edit(&cast.shared, |rules| {
            rules[0]["targets"].as_array_mut().expect("targets").pop();
        })
        .await;
        let before = cast.policy(&cast.shared).await;
        let step = step_about(&plan, "replace-in-policy", &cast.shared);
        assert_eq!(cast.apply(step).await.effect, unchanged("already-done"));
        assert_eq!(cast.policy(&cast.shared).await, before);
    });
}

#[test]
fn the_place_of_an_account_that_was_deleted_meanwhile_goes_to_the_heir() {
    run(async {
        let mut opening = Opening::users(100);
        opening.config.plan.offboarding = true;
        let cast = Cast::open(opening).await;
        let plan = cast.transfer().await;
        cast.ask("DELETE", &format!("/users/{}", cast.leaver), None)
            .await;
        for step in &plan.steps {
            cast.apply_twice(step).await;
        }
        let lonely = cast.levels(&cast.lonely).await;
        assert_eq!(lonely.last().expect("a level"), &[cast.heir.as_str()]);
    });
}

#[test]
fn a_null_description_is_not_sent_back() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let plan = cast.transfer().await;
        let mut shown = cast.policy(&cast.lonely).await;
        shown["description"] = Value::Null;
        cast.bench.simulator.faults().add(Fault {
            when: Match {
                method: Some("GET".to_owned()),
                path: Some(format!("/escalation_policies/{}", cast.lonely)),
                times: Some(1),
                ..Match::default()
            },
            effect: Fate::Status {
                status: 200,
                body: Some(json!({"escalation_policy": shown})),
                headers: Vec::new(),
            },
        });
        let step = step_about(&plan, "replace-in-policy", &cast.lonely);
        assert_eq!(cast.apply(step).await.effect, Effect::Updated);
    });
}

#[test]
fn a_step_is_taken_back_unless_somebody_has_gone_on() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let before = cast.levels(&cast.lonely).await;
        let plan = cast.removal().await;
        let step = step_about(&plan, "remove-from-policy", &cast.lonely);
        let undo = cast.apply(step).await.undo.expect("a way back");
        assert_eq!(cast.levels(&cast.lonely).await.len(), before.len() - 1);
        cast.apply_twice(&undo).await;
        assert_eq!(
            cast.levels(&cast.lonely).await,
            before,
            "with the level that went"
        );

        let step = step_about(&plan, "remove-from-policy", &cast.shared);
        let undo = cast.apply(step).await.undo.expect("a way back");
        cast.edit(&cast.shared, |rules| {
            let targets = rules[0]["targets"].as_array_mut().expect("targets");
            targets.push(user(&cast.colleague));
        })
        .await;
        let after = cast.policy(&cast.shared).await;
        let error = contract_error(cast.bench.tenant.apply(undo).await);
        assert_eq!(error.code, ErrorCode::Conflict, "{error:?}");
        assert_eq!(cast.policy(&cast.shared).await, after);
    });
}

#[test]
fn an_assigned_account_joins_the_last_level_and_nobody_elses_place_changes() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let mut expected = cast.levels(&cast.shared).await;
        let before = cast.policy(&cast.shared).await;
        let tenant = &cast.bench.tenant;
        let membership = on_policy(&cast.shared);
        let effect = tenant.assign(&cast.colleague, membership.clone()).await;
        assert_eq!(effect.expect("it may"), Effect::Created);
        let level = expected.last_mut().expect("a level");
        level.push(cast.colleague.clone());
        assert_eq!(cast.levels(&cast.shared).await, expected);
        let after = cast.policy(&cast.shared).await;
        assert_eq!(apart_from_rules(&after), apart_from_rules(&before));
        let again = tenant.assign(&cast.colleague, membership.clone()).await;
        assert_eq!(again.expect("it may"), unchanged("already-assigned"));

        let taken = tenant.unassign(&cast.colleague, membership.clone()).await;
        assert_eq!(taken.expect("it may"), Effect::Deleted);
        assert_eq!(
            cast.policy(&cast.shared).await["escalation_rules"],
            before["escalation_rules"]
        );
        let again = tenant.unassign(&cast.colleague, membership).await;
        assert_eq!(again.expect("it may"), unchanged("not-assigned"));
    });
}

#[test]
fn who_can_not_be_notified_and_who_must_be_are_refused() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let tenant = &cast.bench.tenant;
        let stakeholder = user_of_role(&cast.bench.simulator, "read_only_user").await;
        let before = cast.policy(&cast.lonely).await;
        let outcome = tenant.assign(&stakeholder, on_policy(&cast.lonely)).await;
        assert_eq!(contract_error(outcome).code, ErrorCode::Conflict);
        let outcome = tenant.unassign(&cast.leaver, on_policy(&cast.lonely)).await;
        let error = contract_error(outcome);
        assert_eq!(error.code, ErrorCode::Conflict);
        assert!(error.hint.expect("a hint").contains("plan-transfer"));
        assert_eq!(cast.policy(&cast.lonely).await, before);
        let outcome = tenant.assign(&cast.heir, on_policy("PNOSUCH")).await;
        assert_eq!(contract_error(outcome).code, ErrorCode::NotFound);

        // A level takes ten.
        let users = vendor::rows(&cast.bench.simulator, "/users?limit=100", "users").await;
        let full = users.iter().filter(|user| user["role"] == "limited_user");
        let full: Vec<Value> = full.take(10).map(|full| user(&text(full, "id"))).collect();
        cast.edit(&cast.lonely, |rules| {
            *rules = json!([{"escalation_delay_in_minutes": 5, "targets": full}]);
        })
        .await;
        let owner = user_of_role(&cast.bench.simulator, "owner").await;
        let outcome = tenant.assign(&owner, on_policy(&cast.lonely)).await;
        assert_eq!(contract_error(outcome).code, ErrorCode::Conflict);
    });
}
