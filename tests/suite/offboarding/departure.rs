//! Teams, sign-out, and the account itself.

use host_harness::contract::types::{Effect, ErrorCode};
use serde_json::{Value, json};

use super::cast::{Cast, step, step_about};
use crate::support::{Opening, contract_error, run};
use crate::vendor::{rows, text, unchanged};

async fn team_role(cast: &Cast, team: &str) -> Option<String> {
    let path = format!("/teams/{team}/members");
    let members = rows(&cast.bench.simulator, &path, "members").await;
    let own = members
        .iter()
        .find(|member| member["user"]["id"] == cast.leaver);
    own.map(|own| text(own, "role"))
}

#[test]
fn a_team_is_left_and_joined_again_in_the_same_role() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let plan = cast.removal().await;
        let leave = step_about(&plan, "leave-team", &cast.team);
        let applied = cast.apply_twice(leave).await;
        assert_eq!(applied.effect, Effect::Deleted);
        assert_eq!(team_role(&cast, &cast.team).await, None);
        let undo = applied.undo.expect("a way back");
        assert_eq!(cast.apply_twice(&undo).await.effect, Effect::Created);
        let role = team_role(&cast, &cast.team).await;
        assert_eq!(role.as_deref(), Some("responder"));
    });
}

#[test]
fn a_team_whose_policy_holds_its_member_is_left_to_the_deletion() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let plan = cast.removal().await;
        let team = cast.policy(&cast.shared).await["teams"][0].take();
        let leave = step_about(&plan, "leave-team", &text(&team, "id"));
        assert_eq!(
            cast.apply(leave).await.effect,
            unchanged("left-to-deletion")
        );
        // Once the policy lets go, so does the team.
        cast.apply(step_about(&plan, "remove-from-policy", &cast.shared))
            .await;
        assert_eq!(cast.apply_twice(leave).await.effect, Effect::Deleted);
    });
}

#[test]
fn a_team_that_was_left_since_the_plan_is_none_to_leave() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let plan = cast.removal().await;
        let member = format!("/teams/{}/users/{}", cast.team, cast.leaver);
        cast.ask("DELETE", &member, None).await;
        let leave = step_about(&plan, "leave-team", &cast.team);
        assert_eq!(cast.apply(leave).await.effect, unchanged("already-done"));
    });
}

#[test]
fn signing_out_ends_the_sign_ins_that_there_are() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let path = format!("/users/{}/oauth_delegations", cast.leaver);
        let sign_ins = async || {
            let found: Vec<Value> = rows(&cast.bench.simulator, &path, "oauth_delegations").await;
            found.len()
        };
        assert!(sign_ins().await > 0);
        let plan = cast.removal().await;
        let applied = cast.apply_twice(step(&plan, "sign-out")).await;
        assert_eq!(applied.effect, Effect::Deleted);
        assert!(applied.undo.is_none());
        assert_eq!(sign_ins().await, 0);
    });
}

#[test]
fn an_account_is_not_deleted_while_work_hangs_on_it() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let plan = cast.removal().await;
        let deletion = step(&plan, "delete-account");
        let error = contract_error(cast.bench.tenant.apply(deletion.clone()).await);
        assert_eq!(error.code, ErrorCode::Conflict, "{error:?}");
        assert!(error.message.contains("escalation policy"), "{error:?}");
        for step in plan
            .steps
            .iter()
            .filter(|step| step.kind == "remove-from-policy")
        {
            cast.apply(step).await;
        }
        let error = contract_error(cast.bench.tenant.apply(deletion.clone()).await);
        assert_eq!(error.code, ErrorCode::Conflict, "{error:?}");
        assert!(error.message.contains("8 open incidents"), "{error:?}");
        let body = json!({"user": {"type": "user", "name": "Still Here"}});
        let path = format!("/users/{}", cast.leaver);
        cast.ask("PUT", &path, Some(body)).await;
    });
}

#[test]
fn an_account_that_somebody_deleted_since_the_plan_is_done_with() {
    run(async {
        let mut opening = Opening::users(100);
        opening.config.plan.offboarding = true;
        let cast = Cast::open(opening).await;
        let plan = cast.removal().await;
        cast.ask("DELETE", &format!("/users/{}", cast.leaver), None)
            .await;
        for step in &plan.steps {
            let effect = cast.apply_twice(step).await.effect;
            match step.kind.as_str() {
                // The stubs that it left go.
                "remove-from-policy" => assert_eq!(effect, Effect::Updated),
                "leave-team" | "reassign-incidents" => {
                    assert_eq!(effect, unchanged("already-done"));
                }
                _ => assert_eq!(effect, unchanged("already-gone")),
            }
        }
    });
}
