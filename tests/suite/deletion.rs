//! Deleting accounts, and what stands against it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use host_harness::{
    Budget,
    contract::types::{Effect, ErrorCode},
};
use pagerduty_simulator::{Config, Plan};
use serde_json::json;

use crate::support::{Bench, Opening, contract_error, run};
use crate::vendor::{
    self, incidents_of, license, licenses, newcomer, rows, text, unchanged, user_of_role, writes,
};

#[test]
fn a_deleted_account_is_gone_and_its_licence_is_free() {
    run(async {
        let bench = Opening::users(30).writing().open().await;
        let seat = &licenses(&bench).await[1];
        let mut account = newcomer();
        account.entitlements = vec![license(seat)];
        let used = async || {
            let licenses = rows(&bench.simulator, "/licenses", "licenses").await;
            licenses[1]["current_value"].as_u64().expect("a number")
        };
        let before = used().await;
        let created = bench
            .tenant
            .create_account(account)
            .await
            .expect("it is new");
        assert_eq!(used().await, before + 1);
        let id = created.account.id;
        let delete = || bench.tenant.delete_account(&id);
        assert_eq!(delete().await.expect("nothing holds it"), Effect::Deleted);
        assert_eq!(used().await, before);
        assert_eq!(
            delete().await.expect("it is gone"),
            unchanged("already-gone")
        );
        assert!(writes(&bench).is_empty());
    });
}

#[test]
fn the_owner_and_who_has_open_incidents_are_not_deleted() {
    run(async {
        let bench = Opening::users(60).writing().open().await;
        let owner = user_of_role(&bench.simulator, "owner").await;
        let error = contract_error(bench.tenant.delete_account(&owner).await);
        assert_eq!(error.code, ErrorCode::Conflict);
        assert!(error.message.contains("owner"), "{error:?}");
        let (busy, open) = busy_user(&bench).await;
        let error = contract_error(bench.tenant.delete_account(&busy).await);
        assert_eq!(error.code, ErrorCode::Conflict);
        assert!(
            error.message.contains(&format!("{open} open incident")),
            "{error:?}"
        );
        assert!(error.hint.expect("a hint").contains("plan-transfer"));
        assert!(writes(&bench).is_empty());
    });
}

/// Somebody but the owner with open incidents, and how many.
async fn busy_user(bench: &Bench) -> (String, usize) {
    for id in bench.simulator.user_ids().into_iter().skip(1) {
        let open = incidents_of(&bench.simulator, &id).await.len();
        if open > 0 {
            return (id, open);
        }
    }
    panic!("some incidents are open")
}

#[test]
fn a_plan_with_offboarding_lets_the_vendor_hand_incidents_back() {
    run(async {
        let mut opening = Opening::users(60).writing();
        opening.config.plan = Plan {
            offboarding: true,
            ..Plan::default()
        };
        let bench = opening.open().await;
        let (busy, _) = busy_user(&bench).await;
        let deleted = bench.tenant.delete_account(&busy).await;
        assert_eq!(deleted.expect("the plan allows it"), Effect::Deleted);
        // The plan has it, but the account is not set up for it.
        let (busy, open) = busy_user(&bench).await;
        let fault = format!("DELETE /users/{busy} status=400");
        bench
            .simulator
            .faults()
            .add(fault.parse().expect("a fault"));
        let error = contract_error(bench.tenant.delete_account(&busy).await);
        assert_eq!(
            (error.code, error.upstream_status),
            (ErrorCode::Conflict, Some(400))
        );
        assert!(
            error.message.contains(&format!("{open} open incident")),
            "{error:?}"
        );
    });
}

#[test]
fn a_refusal_to_delete_names_the_schedules_and_policies_behind_it() {
    run(async {
        let bench = Opening::users(60).writing().open().await;
        let mut names = BTreeMap::new();
        for (path, list) in [
            ("/schedules", "schedules"),
            ("/v3/schedules", "schedules"),
            ("/escalation_policies", "escalation_policies"),
        ] {
            for row in rows(&bench.simulator, path, list).await {
                names.insert(text(&row, "id"), text(&row, "summary"));
            }
        }
        let mut kinds = BTreeSet::new();
        for id in bench.simulator.user_ids().into_iter().skip(1) {
            if !incidents_of(&bench.simulator, &id).await.is_empty() {
                continue;
            }
            let held = bench
                .tenant
                .account_grants(&id)
                .await
                .expect("grants")
                .items;
            let held: Vec<_> = held.into_iter().map(|grant| grant.entitlement).collect();
            let held = held.iter().filter(|held| held.id == "member");
            let held: Vec<_> = held.collect();
            if held.is_empty() {
                continue;
            }
            let error = contract_error(bench.tenant.delete_account(&id).await);
            assert_eq!(
                (error.code, error.upstream_status),
                (ErrorCode::Conflict, Some(400))
            );
            assert!(
                error
                    .hint
                    .as_deref()
                    .expect("a hint")
                    .contains("plan-removal")
            );
            for held in held {
                let name = format!("`{}`", names[&held.resource]);
                assert!(error.message.contains(&name), "{name} is not in {error:?}");
                let is_v3 = name.contains("Shift");
                kinds.insert((held.resource_type.clone(), is_v3));
            }
        }
        assert!(kinds.len() >= 2, "{kinds:?}");
    });
}

/// A user whom nothing holds but incidents, which somebody else has got now.
async fn handed_over(bench: &Bench) -> String {
    let created = bench.tenant.create_account(newcomer()).await;
    let id = created.expect("it is new").account.id;
    let owner = &bench.simulator.user_ids()[0];
    let incident = text(
        &incidents_of(&bench.simulator, &busy_user(bench).await.0).await[0],
        "id",
    );
    for assignee in [id.as_str(), owner] {
        let assignments = json!([{"assignee": {"id": assignee, "type": "user_reference"}}]);
        let body = json!({"incident": {"type": "incident_reference", "assignments": assignments}});
        let path = format!("/incidents/{incident}");
        let (status, answer) = vendor::ask(&bench.simulator, "PUT", &path, Some(body)).await;
        assert_eq!(status, 200, "{answer}");
    }
    id
}

fn slow_to_reassign() -> Config {
    Config {
        users: 60,
        reassignment_delay: Duration::from_secs(2),
        ..Config::default()
    }
}

#[test]
fn the_vendors_clean_up_after_a_hand_over_is_waited_for() {
    run(async {
        let opening = Opening {
            config: slow_to_reassign(),
            ..Opening::default()
        };
        let bench = opening.writing().open().await;
        let id = handed_over(&bench).await;
        let deleted = bench.tenant.delete_account(&id).await;
        assert_eq!(deleted.expect("it comes to an end"), Effect::Deleted);
        assert!(writes(&bench).len() > 1, "it was refused at first");
    });
}

#[test]
fn a_clean_up_that_outlasts_the_call_is_told_with_when_to_come_back() {
    run(async {
        let opening = Opening {
            config: Config {
                reassignment_delay: Duration::from_secs(600),
                ..slow_to_reassign()
            },
            budget: Budget::with_deadline(Duration::from_secs(3)),
            ..Opening::default()
        };
        let bench = opening.writing().open().await;
        let id = handed_over(&bench).await;
        let error = contract_error(bench.tenant.delete_account(&id).await);
        assert_eq!(error.code, ErrorCode::BudgetExhausted, "{error:?}");
        assert!(
            error.retry_after.is_some() && !error.may_have_applied,
            "{error:?}"
        );
        assert_eq!(error.upstream_status, Some(400));
    });
}

#[test]
fn a_deletion_is_over_when_the_account_shows_no_more() {
    run(async {
        let bench = Opening::users(10).writing().open().await;
        let created = bench.tenant.create_account(newcomer()).await;
        let id = created.expect("it is new").account.id;
        let path = format!("/users/{id}");
        let (_, user) = vendor::ask(&bench.simulator, "GET", &path, None).await;
        bench.simulator.faults().add(pagerduty_simulator::Fault {
            when: pagerduty_simulator::Match {
                method: Some("GET".to_owned()),
                path: Some(path),
                skip: 1,
                times: Some(1),
            },
            effect: pagerduty_simulator::Effect::Status {
                status: 200,
                body: Some(user),
                headers: Vec::new(),
            },
        });
        let deleted = bench.tenant.delete_account(&id).await;
        assert_eq!(deleted.expect("it goes"), Effect::Deleted);
        let requests = bench.last_report().requests;
        let methods: Vec<_> = requests.iter().map(|one| one.method.as_str()).collect();
        assert_eq!(methods, ["GET", "GET", "DELETE", "GET", "GET"]);
    });
}
