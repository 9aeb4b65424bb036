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
        let found = found.flat_map(|exchange| openapi::violations(openapi, exchange));
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
