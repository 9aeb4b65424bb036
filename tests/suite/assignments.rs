//! Roles, licences and team roles: given, taken, and refused.

use host_harness::contract::types::{Effect, EntitlementRef, Error, ErrorCode};
use pagerduty_simulator::Plan;
use serde_json::Value;

use crate::support::{Bench, Opening, contract_error, run};
use crate::vendor::{
    self, first_team, license, licenses, newcomer, on_team, role, rows, text, unchanged,
    user_of_role, writes,
};

async fn user(bench: &Bench, id: &str) -> Value {
    vendor::get(&bench.simulator, &format!("/users/{id}"), "user").await
}

async fn license_of(bench: &Bench, id: &str) -> String {
    let path = format!("/users/{id}/license");
    text(&vendor::get(&bench.simulator, &path, "license").await, "id")
}

async fn team_role(bench: &Bench, team: &str, id: &str) -> Option<String> {
    let path = format!("/teams/{team}/members");
    let members = rows(&bench.simulator, &path, "members").await;
    let own = members.iter().find(|member| member["user"]["id"] == *id);
    own.map(|member| text(member, "role"))
}

async fn assign(bench: &Bench, id: &str, entitlement: EntitlementRef) -> Effect {
    let outcome = bench.tenant.assign(id, entitlement).await;
    outcome.expect("it can be assigned")
}

async fn unassign(bench: &Bench, id: &str, entitlement: EntitlementRef) -> Effect {
    let outcome = bench.tenant.unassign(id, entitlement).await;
    outcome.expect("it can be taken")
}

/// The error of an assignment that must fail without having sent a change.
async fn not_assigned(bench: &Bench, id: &str, entitlement: EntitlementRef) -> Error {
    let error = contract_error(bench.tenant.assign(id, entitlement).await);
    assert!(writes(bench).is_empty(), "{error:?}");
    error
}

fn said(error: &Error) -> String {
    let hint = error.hint.as_deref().unwrap_or_default();
    format!("{:?}: {}: {hint}", error.code, error.message)
}

#[test]
fn a_role_is_replaced_and_the_vendor_finds_the_licence() {
    run(async {
        let bench = Opening::users(30).writing().open().await;
        let id = user_of_role(&bench.simulator, "read_only_user").await;
        let stakeholder = license_of(&bench, &id).await;
        bench.simulator.keep_exchanges(true);
        assert_eq!(assign(&bench, &id, role("observer")).await, Effect::Updated);
        let exchanges = bench.simulator.exchanges();
        let put = exchanges
            .iter()
            .find(|one| one.method == "PUT")
            .expect("it was sent");
        let sent = &put.request_body.as_ref().expect("a body")["user"];
        assert!(sent.get("license").is_none(), "the old one would not fit");
        assert_eq!(user(&bench, &id).await["role"], "observer");
        assert_ne!(license_of(&bench, &id).await, stakeholder);
        let again = assign(&bench, &id, role("observer")).await;
        assert_eq!(again, unchanged("already-assigned"));
        assert!(writes(&bench).is_empty());
    });
}

#[test]
fn a_role_that_no_seat_is_left_for_is_refused_before_the_change() {
    run(async {
        let mut opening = Opening::users(30).writing();
        opening.config.full_seats = Some(0);
        let bench = opening.open().await;
        let id = user_of_role(&bench.simulator, "read_only_user").await;
        let error = not_assigned(&bench, &id, role("user")).await;
        assert_eq!(error.code, ErrorCode::Conflict, "{error:?}");
        assert!(
            said(&error).contains("no licence that fits the role `user`"),
            "{error:?}"
        );
        // Within what the held licence is for, no seat is needed.
        let id = user_of_role(&bench.simulator, "limited_user").await;
        assert_eq!(assign(&bench, &id, role("user")).await, Effect::Updated);
    });
}

#[test]
fn where_licences_are_not_readable_the_vendors_refusal_is_a_conflict() {
    run(async {
        let mut opening = Opening::users(30).writing();
        opening.config.full_seats = Some(0);
        opening.config.plan.licenses = false;
        let bench = opening.open().await;
        let id = user_of_role(&bench.simulator, "read_only_user").await;
        let error = contract_error(bench.tenant.assign(&id, role("user")).await);
        assert_eq!(error.code, ErrorCode::Conflict, "{error:?}");
        assert!(error.hint.expect("a hint").contains("seat"));
        let error = contract_error(bench.tenant.create_account(newcomer()).await);
        assert_eq!(
            (error.code, error.upstream_status),
            (ErrorCode::Conflict, Some(402))
        );
    });
}

#[test]
fn the_ownership_is_neither_given_nor_taken() {
    run(async {
        let bench = Opening::users(10).writing().open().await;
        let owner = user_of_role(&bench.simulator, "owner").await;
        let other = user_of_role(&bench.simulator, "user").await;
        for (id, wanted) in [(&other, "owner"), (&owner, "owner"), (&owner, "admin")] {
            let error = not_assigned(&bench, id, role(wanted)).await;
            assert_eq!(error.code, ErrorCode::Conflict, "{wanted}: {error:?}");
        }
        let error = contract_error(bench.tenant.unassign(&owner, role("owner")).await);
        assert_eq!(error.code, ErrorCode::Conflict);
        let not_held = unassign(&bench, &other, role("owner")).await;
        assert_eq!(not_held, unchanged("not-assigned"));
    });
}

#[test]
fn a_role_beyond_the_plan_is_plan_required() {
    run(async {
        let mut opening = Opening::users(30).writing();
        opening.config.plan = Plan {
            stakeholders: false,
            advanced_permissions: false,
            ..Plan::default()
        };
        let bench = opening.open().await;
        let id = user_of_role(&bench.simulator, "user").await;
        let error = not_assigned(&bench, &id, role("read_only_user")).await;
        assert_eq!(error.code, ErrorCode::PlanRequired, "{error:?}");
        assert!(said(&error).contains("`read_only_users`"), "{error:?}");
        // Which ability stands for this one is not documented: the vendor says.
        let error = contract_error(bench.tenant.assign(&id, role("observer")).await);
        assert_eq!(error.code, ErrorCode::PlanRequired, "{error:?}");
        assert_eq!(error.upstream_status, Some(400));
    });
}

#[test]
fn a_role_that_is_taken_falls_back_to_the_default_or_is_kept() {
    run(async {
        for (default, taken, outcome) in [
            (Some("limited_user"), "user", Ok(Effect::Updated)),
            (Some("limited_user"), "admin", Ok(unchanged("not-assigned"))),
            (Some("user"), "user", Err("`default-role`")),
            (None, "user", Err("`default-role`")),
        ] {
            let mut opening = Opening::users(10).writing();
            opening.settings = default
                .map(|role| ("default-role", role))
                .into_iter()
                .collect();
            let bench = opening.open().await;
            let id = user_of_role(&bench.simulator, "user").await;
            let got = bench.tenant.unassign(&id, role(taken)).await;
            let now = text(&user(&bench, &id).await, "role");
            match outcome {
                Ok(effect) => {
                    let is_changed = effect == Effect::Updated;
                    assert_eq!(got.expect("it can be taken"), effect, "{default:?}");
                    assert_eq!(now, if is_changed { "limited_user" } else { "user" });
                }
                Err(hint) => {
                    let error = contract_error(got);
                    assert_eq!(error.code, ErrorCode::Conflict, "{default:?}");
                    assert!(said(&error).contains(hint), "{error:?}");
                    assert_eq!(now, "user");
                }
            }
        }
    });
}

#[test]
fn a_licence_is_replaced_within_what_the_role_allows() {
    run(async {
        let bench = Opening::users(30).writing().open().await;
        let [full, scarce, stakeholder] = licenses(&bench).await;
        let id = user_of_role(&bench.simulator, "limited_user").await;
        assert_eq!(license_of(&bench, &id).await, full);
        assert_eq!(assign(&bench, &id, license(&scarce)).await, Effect::Updated);
        assert_eq!(license_of(&bench, &id).await, scarce);
        let again = assign(&bench, &id, license(&scarce)).await;
        assert_eq!(again, unchanged("already-assigned"));
        assert!(writes(&bench).is_empty());
        let error = not_assigned(&bench, &id, license(&stakeholder)).await;
        assert_eq!(error.code, ErrorCode::Conflict, "{error:?}");
        assert!(
            said(&error).contains("read_only_limited_user"),
            "it names the roles: {error:?}"
        );
        let error = not_assigned(&bench, &id, license("PNONE00")).await;
        assert_eq!(error.code, ErrorCode::NotFound, "{error:?}");
        // Two of its three seats are left.
        let admin = user_of_role(&bench.simulator, "admin").await;
        let manager = user_of_role(&bench.simulator, "user").await;
        let restricted = user_of_role(&bench.simulator, "restricted_access").await;
        for id in [admin, manager] {
            assert_eq!(assign(&bench, &id, license(&scarce)).await, Effect::Updated);
        }
        let error = not_assigned(&bench, &restricted, license(&scarce)).await;
        assert_eq!(error.code, ErrorCode::Conflict, "{error:?}");
        assert!(said(&error).contains("no seat left"), "{error:?}");
    });
}

#[test]
fn a_licence_that_is_taken_falls_back_to_the_default_or_is_kept() {
    run(async {
        let bench = Opening::users(30).writing().open().await;
        let [full, scarce, stakeholder] = licenses(&bench).await;
        let id = user_of_role(&bench.simulator, "limited_user").await;
        let error = contract_error(bench.tenant.unassign(&id, license(&full)).await);
        assert_eq!(error.code, ErrorCode::Conflict);
        assert!(said(&error).contains("`default-license`"), "{error:?}");
        let not_held = unassign(&bench, &id, license(&scarce)).await;
        assert_eq!(not_held, unchanged("not-assigned"));
        assert_eq!(license_of(&bench, &id).await, full);
        // The ids are the same in every tenant of that size.
        for (default, outcome) in [(&scarce, Ok(Effect::Updated)), (&stakeholder, Err(()))] {
            let mut opening = Opening::users(30).writing();
            let setting: &'static str = default.clone().leak();
            opening.settings = vec![("default-license", setting)];
            let bench = opening.open().await;
            let got = bench.tenant.unassign(&id, license(&full)).await;
            match outcome {
                Ok(effect) => {
                    assert_eq!(got.expect("it can be taken"), effect);
                    assert_eq!(license_of(&bench, &id).await, *default);
                }
                Err(()) => assert_eq!(contract_error(got).code, ErrorCode::Conflict),
            }
        }
    });
}

#[test]
fn a_team_role_is_given_changed_and_taken() {
    run(async {
        let bench = Opening::users(30).writing().open().await;
        let team = first_team(&bench).await;
        let mut account = newcomer();
        account.entitlements = vec![role("limited_user")];
        let id = bench
            .tenant
            .create_account(account)
            .await
            .expect("it is new")
            .account
            .id;
        let as_role = |role| on_team(&team, role);
        assert_eq!(
            assign(&bench, &id, as_role("responder")).await,
            Effect::Created
        );
        let again = assign(&bench, &id, as_role("responder")).await;
        assert_eq!(again, unchanged("already-assigned"));
        assert!(writes(&bench).is_empty());
        assert_eq!(
            assign(&bench, &id, as_role("manager")).await,
            Effect::Updated
        );
        assert_eq!(
            team_role(&bench, &team, &id).await.as_deref(),
            Some("manager")
        );
        let other = unassign(&bench, &id, as_role("responder")).await;
        assert_eq!(other, unchanged("not-assigned"));
        assert_eq!(
            team_role(&bench, &team, &id).await.as_deref(),
            Some("manager")
        );
        assert_eq!(
            unassign(&bench, &id, as_role("manager")).await,
            Effect::Deleted
        );
        assert_eq!(team_role(&bench, &team, &id).await, None);
        let again = unassign(&bench, &id, as_role("manager")).await;
        assert_eq!(again, unchanged("not-assigned"));
        assert!(writes(&bench).is_empty());
        let error = not_assigned(&bench, &id, as_role("captain")).await;
        assert_eq!(error.code, ErrorCode::InvalidInput, "{error:?}");
    });
}

#[test]
fn a_base_role_that_fixes_the_team_role_is_heeded() {
    run(async {
        let bench = Opening::users(30).writing().open().await;
        let teams = rows(&bench.simulator, "/teams", "teams").await;
        // The last team is empty.
        let team = text(teams.last().expect("teams"), "id");
        for (base, refused) in [
            ("owner", "observer"),
            ("admin", "responder"),
            ("read_only_limited_user", "manager"),
            ("read_only_user", "responder"),
        ] {
            let id = user_of_role(&bench.simulator, base).await;
            let error = not_assigned(&bench, &id, on_team(&team, refused)).await;
            assert_eq!(error.code, ErrorCode::Conflict, "{base}: {error:?}");
            assert!(said(&error).contains(base), "{error:?}");
        }
        let admin = user_of_role(&bench.simulator, "admin").await;
        assert_eq!(
            assign(&bench, &admin, on_team(&team, "manager")).await,
            Effect::Created
        );
        let limited = user_of_role(&bench.simulator, "read_only_limited_user").await;
        assert_eq!(
            assign(&bench, &limited, on_team(&team, "observer")).await,
            Effect::Created
        );
        // The documents don't agree on this one: the vendor is asked.
        let full = user_of_role(&bench.simulator, "read_only_user").await;
        let outcome = bench.tenant.assign(&full, on_team(&team, "observer")).await;
        let error = contract_error(outcome);
        assert_eq!(
            (error.code, error.upstream_status),
            (ErrorCode::Conflict, Some(400))
        );
    });
}

#[test]
fn who_a_teams_policy_notifies_stays_and_the_policy_is_named() {
    run(async {
        let bench = Opening::users(60).writing().open().await;
        let policies = rows(
            &bench.simulator,
            "/escalation_policies",
            "escalation_policies",
        )
        .await;
        let mut checked = 0;
        for policy in &policies {
            let rules = policy["escalation_rules"].as_array().expect("rules").iter();
            let targets = rules.flat_map(|rule| rule["targets"].as_array().expect("targets"));
            for target in targets.filter(|target| target["type"] == "user_reference") {
                for team in policy["teams"].as_array().expect("teams") {
                    let (id, team) = (text(target, "id"), text(team, "id"));
                    let held = team_role(&bench, &team, &id).await.expect("a member");
                    let outcome = bench.tenant.unassign(&id, on_team(&team, &held)).await;
                    let error = contract_error(outcome);
                    assert_eq!(error.code, ErrorCode::Conflict, "{error:?}");
                    assert!(error.message.contains(&text(policy, "name")), "{error:?}");
                    checked += 1;
                }
            }
        }
        assert!(checked > 0);
        // The vendor says so at times when no policy is to be found.
        let team = first_team(&bench).await;
        let path = format!("/teams/{team}/members");
        let member = rows(&bench.simulator, &path, "members").await.remove(0);
        let (id, held) = (text(&member["user"], "id"), text(&member, "role"));
        bench
            .simulator
            .faults()
            .add("DELETE /teams* status=400".parse().expect("a fault"));
        let error = contract_error(bench.tenant.unassign(&id, on_team(&team, &held)).await);
        assert_eq!(
            (error.code, error.upstream_status),
            (ErrorCode::Conflict, Some(400))
        );
    });
}

#[test]
fn what_is_taken_from_who_is_gone_is_gone() {
    run(async {
        let bench = Opening::users(10).writing().open().await;
        let team = first_team(&bench).await;
        let [seat, ..] = licenses(&bench).await;
        for held in [role("user"), license(&seat), on_team(&team, "observer")] {
            let taken = unassign(&bench, "PNOBODY", held.clone()).await;
            assert_eq!(taken, unchanged("already-gone"), "{held:?}");
            let error = not_assigned(&bench, "PNOBODY", held).await;
            assert_eq!(error.code, ErrorCode::NotFound, "{error:?}");
        }
        let id = user_of_role(&bench.simulator, "user").await;
        let gone = on_team("PNOTEAM", "observer");
        let taken = unassign(&bench, &id, gone.clone()).await;
        assert_eq!(taken, unchanged("not-assigned"));
        let error = contract_error(bench.tenant.assign(&id, gone).await);
        assert_eq!(error.code, ErrorCode::NotFound, "{error:?}");
    });
}

#[test]
fn an_entitlement_on_the_wrong_kind_of_resource_is_refused_before_any_request() {
    run(async {
        let bench = Opening::users(5).writing().open().await;
        let change = |change: &dyn Fn(&mut EntitlementRef)| {
            let mut entitlement = role("user");
            change(&mut entitlement);
            entitlement
        };
        for wrong in [
            change(&|entitlement| entitlement.entitlement_type = "on-call".to_owned()),
            change(&|entitlement| entitlement.resource_type = "team".to_owned()),
            change(&|entitlement| entitlement.resource = "PTENANT".to_owned()),
            change(&|entitlement| entitlement.id = "../users".to_owned()),
            on_team("", "observer"),
        ] {
            let error = contract_error(bench.tenant.assign("PUSER01", wrong.clone()).await);
            assert_eq!(error.code, ErrorCode::InvalidInput, "{wrong:?}: {error:?}");
        }
        let error = contract_error(bench.tenant.assign("a/b", role("user")).await);
        assert_eq!(error.code, ErrorCode::InvalidInput, "{error:?}");
        assert_eq!(bench.requests(), 0);
    });
}
