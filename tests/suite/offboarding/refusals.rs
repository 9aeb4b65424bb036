//! What there is no plan for, what a plan warns of, and who may not apply it.

use host_harness::contract::{offboarding::Step, types::ErrorCode};
use pagerduty_simulator::TOKENS;
use serde_json::json;

use super::cast::{Cast, kinds, step};
use crate::support::{Opening, contract_error, run};
use crate::vendor::{self, rows, text, unchanged, user_of_role};

#[test]
fn the_owner_hands_over_and_stays() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let owner = user_of_role(&cast.bench.simulator, "owner").await;
        cast.bench.simulator.open_incidents(&[&owner], 2);
        let tenant = &cast.bench.tenant;
        let plan = tenant
            .plan_transfer(&owner, &cast.heir)
            .await
            .expect("a plan");
        cast.apply(&plan.steps[0]).await;
        assert_eq!(cast.load(&cast.heir).await, 2);
        let error = contract_error(tenant.plan_removal(&owner).await);
        assert_eq!(error.code, ErrorCode::Conflict);
        assert!(error.hint.expect("a hint").contains("ownership"));
    });
}

#[test]
fn who_can_not_take_over_is_refused_before_there_is_a_plan() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let tenant = &cast.bench.tenant;
        let stakeholder = user_of_role(&cast.bench.simulator, "read_only_user").await;
        for (source, target, code) in [
            (
                cast.leaver.as_str(),
                stakeholder.as_str(),
                ErrorCode::Conflict,
            ),
            (&cast.leaver, &cast.leaver, ErrorCode::InvalidInput),
            (&cast.leaver, "PNOBODY", ErrorCode::NotFound),
            ("PNOBODY", &cast.heir, ErrorCode::NotFound),
            ("../users", &cast.heir, ErrorCode::InvalidInput),
            (&cast.leaver, "", ErrorCode::InvalidInput),
        ] {
            let error = contract_error(tenant.plan_transfer(source, target).await);
            assert_eq!(error.code, code, "{source} to {target}: {error:?}");
            assert!(error.hint.is_some(), "{error:?}");
        }
        let error = contract_error(tenant.plan_removal("PNOBODY").await);
        assert_eq!(error.code, ErrorCode::NotFound);
    });
}

#[test]
fn an_heir_who_was_only_invited_is_a_warning() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let body = json!({"user": {
            "type": "user", "name": "Ina Invited", "email": "ina@example.com", "role": "observer",
        }});
        let invited = cast.ask("POST", "/users", Some(body)).await["user"].take();
        let heir = text(&invited, "id");
        let plan = cast.bench.tenant.plan_transfer(&cast.leaver, &heir).await;
        let warnings = plan.expect("a plan").warnings;
        let about = |what: &str| warnings.iter().any(|warning| warning.contains(what));
        assert!(about("has not accepted the invitation"), "{warnings:?}");
        assert!(about("Ina Invited's base role"), "{warnings:?}");
    });
}

#[test]
fn a_key_that_is_nobodys_needs_a_name_to_move_incidents_in() {
    run(async {
        let opening = || Opening {
            token: TOKENS.account,
            ..Opening::users(100)
        };
        let cast = Cast::open(opening()).await;
        let plan = cast.transfer().await;
        let about = |warning: &String| warning.contains("from-email");
        assert!(plan.warnings.iter().any(about), "{:?}", plan.warnings);
        let outcome = cast.bench.tenant.apply(plan.steps[0].clone()).await;
        let error = contract_error(outcome);
        assert_eq!(error.code, ErrorCode::InvalidInput);
        assert!(error.hint.expect("a hint").contains("from-email"));
        assert_eq!(cast.load(&cast.leaver).await, 8);

        let mut named = opening();
        named.settings = vec![("from-email", "nobody@example.com")];
        let cast = Cast::open(named).await;
        let plan = cast.transfer().await;
        assert!(!plan.warnings.iter().any(about), "{:?}", plan.warnings);
        let outcome = cast.bench.tenant.apply(plan.steps[0].clone()).await;
        let error = contract_error(outcome);
        assert_eq!(error.upstream_code.as_deref(), Some("1008"));
        assert_eq!(error.code, ErrorCode::InvalidInput);
    });
}

#[test]
fn incidents_are_not_moved_in_the_name_of_a_stakeholder() {
    run(async {
        let probe = Opening::users(100).open().await;
        let id = user_of_role(&probe.simulator, "read_only_user").await;
        let user = vendor::get(&probe.simulator, &format!("/users/{id}"), "user").await;
        let email: &'static str = text(&user, "email").leak();
        let cast = Cast::open(Opening {
            token: TOKENS.account,
            settings: vec![("from-email", email)],
            ..Opening::users(100)
        })
        .await;
        let plan = cast.transfer().await;
        let error = contract_error(cast.bench.tenant.apply(plan.steps[0].clone()).await);
        assert_eq!(error.code, ErrorCode::PermissionDenied);
        assert!(error.hint.expect("a hint").contains("from-email"));
        assert_eq!(cast.load(&cast.leaver).await, 8);
    });
}

#[test]
fn what_a_credential_may_not_do_is_permission_denied_and_changes_nothing() {
    run(async {
        let cast = Cast::open(Opening {
            token: TOKENS.read_only,
            settings: vec![("from-email", "someone@example.com")],
            ..Opening::users(100)
        })
        .await;
        let steps = [cast.transfer().await.steps, cast.removal().await.steps].concat();
        for step in steps {
            // Nothing has come in since.
            if step.summary.contains("by then") {
                continue;
            }
            let error = contract_error(cast.bench.tenant.apply(step.clone()).await);
            // What hangs on the account is found before.
            let code = match step.kind.as_str() {
                "delete-account" => ErrorCode::Conflict,
                _ => ErrorCode::PermissionDenied,
            };
            assert_eq!(error.code, code, "{step:?}: {error:?}");
        }
        assert_eq!(cast.load(&cast.leaver).await, 8);
    });
}

#[test]
fn a_plan_without_sign_ins_says_so_and_leaves_the_step_out() {
    run(async {
        let mut opening = Opening::users(100);
        opening.config.plan.delegations = false;
        let bench = opening.writing().open().await;
        let user = user_of_role(&bench.simulator, "limited_user").await;
        let plan = bench.tenant.plan_removal(&user).await.expect("a plan");
        assert!(!kinds(&plan).contains(&"sign-out"));
        assert_eq!(kinds(&plan).last(), Some(&"delete-account"));
        let about = |warning: &String| warning.contains("not signed out");
        assert!(plan.warnings.iter().any(about), "{:?}", plan.warnings);
    });
}

#[test]
fn teams_that_the_plan_has_no_longer_are_left_to_the_deletion() {
    run(async {
        let mut opening = Opening::users(100);
        opening.config.plan.teams = false;
        let bench = opening.writing().open().await;
        let users = rows(&bench.simulator, "/users?limit=100", "users").await;
        let member = users
            .iter()
            .find(|user| user["teams"] != json!([]) && user["role"] == "user");
        let member = text(member.expect("a member"), "id");
        let plan = bench.tenant.plan_removal(&member).await.expect("a plan");
        let leave = step(&plan, "leave-team").clone();
        let applied = bench.tenant.apply(leave).await.expect("nothing to do");
        assert_eq!(applied.effect, unchanged("left-to-deletion"));
    });
}

#[test]
fn a_step_that_the_connector_did_not_make_is_refused() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let plan = cast.removal().await;
        let good = step(&plan, "delete-account");
        let with = |change: &dyn Fn(&mut Step)| {
            let mut step = good.clone();
            change(&mut step);
            step
        };
        for step in [
            with(&|step| step.kind = "delete-everything".to_owned()),
            with(&|step| step.payload = String::new()),
            with(&|step| step.payload = "{}".to_owned()),
            with(&|step| step.payload = step.payload.replace("\"v\":1", "\"v\":2")),
            with(&|step| step.payload = step.payload.replace(&cast.leaver, "../me")),
            with(&|step| step.payload = r#"{"v":1,"p":null}"#.to_owned()),
        ] {
            let before = cast.bench.simulator.request_count();
            let outcome = cast.bench.tenant.apply(step.clone()).await;
            let error = contract_error(outcome);
            assert_eq!(error.code, ErrorCode::InvalidInput, "{step:?}");
            assert_eq!(cast.bench.simulator.request_count(), before);
        }
    });
}
