//! What a plan says, what it refuses, and what becomes of it as a whole.

use std::time::Duration;

use host_harness::{
    Budget,
    contract::{
        metadata::Level,
        offboarding::{Plan, Step},
        types::ErrorCode,
    },
};
use pagerduty_simulator::TOKENS;
use serde_json::json;

use super::cast::{Cast, kinds, sorted, step};
use crate::openapi;
use crate::support::{Opening, connector, contract_error, run};
use crate::vendor::{self, rows, text, unchanged, user_of_role};

const REMOVAL: [&str; 8] = [
    "remove-from-policy",
    "remove-from-policy",
    "reassign-incidents",
    "reassign-incidents",
    "leave-team",
    "leave-team",
    "sign-out",
    "delete-account",
];

#[test]
fn a_plan_only_looks_and_reads_like_a_letter() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        cast.bench.simulator.keep_exchanges(true);
        let before = cast.bench.simulator.exchanges().len();
        let transfer = cast.transfer().await;
        let requests = cast.bench.last_report().requests;
        assert!(requests.iter().all(|request| request.method == "GET"));
        let removal = cast.removal().await;
        let requests = cast.bench.last_report().requests;
        assert!(requests.iter().all(|request| request.method == "GET"));
        let exchanges = cast.bench.simulator.exchanges();
        assert!(exchanges.len() > before);
        assert!(exchanges.iter().all(|exchange| exchange.method == "GET"));
        cast.bench.simulator.keep_exchanges(false);

        let handover = [
            "reassign-incidents",
            "replace-in-policy",
            "replace-in-policy",
            "reassign-incidents",
        ];
        assert_eq!(kinds(&transfer), handover);
        assert_eq!(kinds(&removal), REMOVAL);
        let ids = removal.steps.iter().map(|step| step.id.clone());
        let ids = sorted(ids);
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");
        assert_eq!(cast.removal().await, removal, "a plan is stable");

        let name = async |path: String, wrapper: &str| {
            let found = vendor::get(&cast.bench.simulator, &path, wrapper).await;
            text(&found, "name")
        };
        let leaver = name(format!("/users/{}", cast.leaver), "user").await;
        let heir = name(format!("/users/{}", cast.heir), "user").await;
        let team = name(format!("/teams/{}", cast.team), "team").await;
        let shared = text(&cast.policy(&cast.shared).await, "name");
        for Step { summary, .. } in transfer.steps.iter().chain(&removal.steps) {
            assert!(summary.contains(&leaver), "{summary}");
            for id in [&cast.leaver, &cast.heir, &cast.team, &cast.shared] {
                assert!(!summary.contains(id), "{summary}");
            }
        }
        let says = |plan: &Plan, text: &str| {
            let found = plan.steps.iter().any(|step| step.summary.contains(text));
            assert!(found, "`{text}` is not in {:#?}", plan.steps);
        };
        says(
            &transfer,
            &format!(
                "Reassign 8 unresolved incidents of {leaver} to {heir}; the co-assignees of 3 \
                 of them stay"
            ),
        );
        says(
            &transfer,
            &format!("level 1 of escalation policy `{shared}`"),
        );
        says(&transfer, &format!("{heir} joins its team"));
        says(&removal, &format!("Take {leaver} off team `{team}`"));
        says(&removal, "restarts 5 of them on their escalation policies");
        says(&removal, "a level that is left with nobody goes");
        assert!(
            removal
                .warnings
                .iter()
                .any(|warning| warning.contains("does not come back"))
        );
        assert!(
            transfer
                .warnings
                .iter()
                .any(|warning| warning.contains("open incidents keep"))
        );
    });
}

#[test]
fn plans_are_declared_as_reads_and_steps_as_writes() {
    let level = |name: &str| {
        let capabilities = &connector().descriptor().capabilities;
        let found = capabilities.iter().find(|found| found.name == name);
        found.expect("it is declared").level
    };
    assert_eq!(level("offboarding.plan-transfer"), Level::Read);
    assert_eq!(level("offboarding.plan-removal"), Level::Read);
    assert_eq!(level("offboarding.apply"), Level::Write);
}

#[test]
fn transfer_and_removal_leave_nothing_of_an_account() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let free = async || {
            let licenses = rows(&cast.bench.simulator, "/licenses", "licenses").await;
            let used = licenses
                .iter()
                .map(|license| license["current_value"].as_u64());
            used.map(|used| used.expect("a number")).sum::<u64>()
        };
        let used = free().await;
        let before = cast.levels(&cast.shared).await;
        for step in cast.transfer().await.steps.iter() {
            cast.apply_twice(step).await;
        }
        assert_eq!(cast.load(&cast.leaver).await, 0);
        for incident in &cast.own {
            assert_eq!(cast.assignees(incident).await, [cast.heir.as_str()]);
        }
        let both = sorted([cast.heir.clone(), cast.colleague.clone()]);
        for incident in &cast.joint {
            assert_eq!(cast.assignees(incident).await, both);
        }
        let mut expected = before;
        *expected[0].last_mut().expect("the leaver") = cast.heir.clone();
        assert_eq!(cast.levels(&cast.shared).await, expected);
        let lonely = cast.levels(&cast.lonely).await;
        assert_eq!(lonely.last().expect("a level"), &[cast.heir.as_str()]);

        let removal = cast.removal().await;
        assert_eq!(kinds(&removal), REMOVAL[3..], "the policies are done with");
        for step in &removal.steps {
            cast.apply_twice(step).await;
        }
        let error = contract_error(cast.bench.tenant.get_account(&cast.leaver).await);
        assert_eq!(error.code, ErrorCode::NotFound);
        assert_eq!(free().await, used - 1, "the licence is free");
    });
}

/// People who have turns on schedules of either kind.
async fn on_call(cast: &Cast) -> Vec<String> {
    let simulator = &cast.bench.simulator;
    let mut schedules = rows(simulator, "/schedules", "schedules").await;
    for schedule in rows(simulator, "/v3/schedules", "schedules").await {
        let path = format!("/v3/schedules/{}", text(&schedule, "id"));
        schedules.push(vendor::get(simulator, &path, "schedule").await);
    }
    let owner = user_of_role(simulator, "owner").await;
    let users = schedules
        .iter()
        .filter_map(|schedule| schedule["users"].get(0));
    let users = users.map(|user| text(user, "id")).filter(|id| *id != owner);
    let mut users = sorted(users);
    users.dedup();
    assert!(users.len() > 2);
    users
}

#[test]
fn people_who_are_on_call_hand_over_their_turns_and_go() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let tenant = &cast.bench.tenant;
        for leaver in on_call(&cast).await {
            let plan = tenant.plan_transfer(&leaver, &cast.heir).await;
            let plan = plan.expect("a plan");
            assert!(plan.steps.iter().any(|step| step.kind.contains("schedule")));
            for step in &plan.steps {
                cast.apply_twice(step).await;
            }
            let plan = tenant.plan_removal(&leaver).await.expect("a plan");
            for step in &plan.steps {
                cast.apply_twice(step).await;
            }
            contract_error(tenant.get_account(&leaver).await);
        }
    });
}

#[test]
fn every_request_of_an_offboarding_follows_the_openapi_description() {
    let Some(openapi) = openapi::description() else {
        return;
    };
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let tenant = &cast.bench.tenant;
        let mut leavers = on_call(&cast).await;
        leavers.push(cast.leaver.clone());
        cast.bench.simulator.keep_exchanges(true);
        for leaver in leavers {
            let transfer = tenant.plan_transfer(&leaver, &cast.heir).await;
            for step in transfer.expect("a plan").steps {
                if let Some(undo) = cast.apply(&step).await.undo {
                    cast.apply(&undo).await;
                }
            }
            // Without an heir, and up to the account itself.
            for step in tenant.plan_removal(&leaver).await.expect("a plan").steps {
                tenant.apply(step).await.ok();
            }
        }
        let exchanges = cast.bench.simulator.exchanges();
        let writes = exchanges.iter().filter(|exchange| exchange.method != "GET");
        assert!(writes.count() > 30);
        let found = exchanges.iter();
        let found = found.flat_map(|exchange| openapi::violations(&openapi, exchange));
        let mut found = sorted(found);
        found.dedup();
        assert!(found.is_empty(), "{found:#?}");
    });
}

#[test]
fn a_removal_by_itself_gives_incidents_back_to_who_is_responsible() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let before = (
            cast.levels(&cast.shared).await,
            cast.levels(&cast.lonely).await,
        );
        for step in &cast.removal().await.steps {
            cast.apply_twice(step).await;
        }
        for incident in &cast.joint {
            assert_eq!(cast.assignees(incident).await, [cast.colleague.as_str()]);
        }
        for incident in &cast.own {
            let assignees = cast.assignees(incident).await;
            assert!(!assignees.is_empty() && !assignees.contains(&cast.leaver));
        }
        let (mut shared, mut lonely) = before;
        shared[0].pop();
        lonely.pop();
        assert_eq!(cast.levels(&cast.shared).await, shared);
        assert_eq!(
            cast.levels(&cast.lonely).await,
            lonely,
            "an empty level goes"
        );
        let error = contract_error(cast.bench.tenant.get_account(&cast.leaver).await);
        assert_eq!(error.code, ErrorCode::NotFound);
    });
}

#[test]
fn a_removal_that_was_planned_before_the_transfer_finds_its_work_done() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let removal = cast.removal().await;
        for step in &cast.transfer().await.steps {
            cast.apply(step).await;
        }
        for step in &removal.steps[..4] {
            assert_eq!(cast.apply(step).await.effect, unchanged("already-done"));
        }
        for step in &removal.steps[4..] {
            cast.apply(step).await;
        }
        assert_eq!(cast.load(&cast.heir).await, 8);
        contract_error(cast.bench.tenant.get_account(&cast.leaver).await);
    });
}

#[test]
fn an_incident_that_comes_in_meanwhile_is_handed_over_at_the_end() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let plan = cast.transfer().await;
        cast.apply(&plan.steps[0]).await;
        cast.bench.simulator.open_incidents(&[&cast.leaver], 2);
        for step in &plan.steps[1..] {
            cast.apply(step).await;
        }
        assert_eq!(cast.load(&cast.leaver).await, 0);
        assert_eq!(cast.load(&cast.heir).await, 10);
    });
}

#[test]
fn an_account_with_nothing_to_hand_over_has_an_empty_plan() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let tenant = &cast.bench.tenant;
        let plan = tenant.plan_transfer(&cast.heir, &cast.colleague).await;
        assert_eq!(plan.expect("a plan").steps, []);
    });
}

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

#[test]
fn a_deletion_that_has_to_wait_longer_than_the_call_goes_on_later() {
    run(async {
        let mut opening = Opening::users(100);
        opening.config.now = Some("2026-11-18T12:34:56Z".parse().expect("an instant"));
        opening.config.reassignment_delay = Duration::from_secs(60);
        opening.budget = Budget::with_deadline(Duration::from_secs(4));
        let cast = Cast::open(opening).await;
        for step in &cast.transfer().await.steps {
            cast.apply(step).await;
        }
        let removal = cast.removal().await;
        let (last, others) = removal.steps.split_last().expect("steps");
        for step in others {
            cast.apply(step).await;
        }
        let error = contract_error(cast.bench.tenant.apply(last.clone()).await);
        assert_eq!(error.code, ErrorCode::BudgetExhausted, "{error:?}");
        cast.bench.simulator.advance(Duration::from_secs(60));
        cast.apply_twice(last).await;
    });
}

#[test]
fn a_plan_of_pagerdutys_that_offboards_by_itself_changes_nothing_about_ours() {
    run(async {
        let mut opening = Opening::users(100);
        opening.config.plan.offboarding = true;
        let cast = Cast::open(opening).await;
        let removal = cast.removal().await;
        let deletion = step(&removal, "delete-account");
        let error = contract_error(cast.bench.tenant.apply(deletion.clone()).await);
        assert_eq!(
            error.code,
            ErrorCode::Conflict,
            "it would leave a level that notifies nobody"
        );
        for step in &removal.steps {
            cast.apply_twice(step).await;
        }
        assert_eq!(cast.load(&cast.leaver).await, 0);
        contract_error(cast.bench.tenant.get_account(&cast.leaver).await);
    });
}
