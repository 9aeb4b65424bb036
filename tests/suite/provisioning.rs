//! Creating and changing accounts.

use futures_util::future::join3;
use host_harness::contract::{
    provisioning::{AccountChange, NewAccount},
    types::{Effect, ErrorCode},
};
use pagerduty_simulator::{Refusals, TOKENS};
use serde_json::json;

use crate::support::{Opening, contract_error, run};
use crate::vendor::{
    self, first_team, license, licenses, newcomer, on_schedule, on_team, role, rows, text,
    unchanged, user_of_role, writes,
};

fn no_change() -> AccountChange {
    AccountChange {
        display_name: None,
        email: None,
        attributes: Vec::new(),
    }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

#[test]
fn a_new_account_holds_what_it_was_to_hold() {
    run(async {
        let bench = Opening::users(30).writing().open().await;
        let team = first_team(&bench).await;
        let seat = &licenses(&bench).await[1];
        let mut account = newcomer();
        account.entitlements = vec![
            on_team(&team, "observer"),
            role("limited_user"),
            license(seat),
        ];
        account.attributes = pairs(&[("job-title", "Baker"), ("time-zone", "Europe/Rome")]);
        let created = bench
            .tenant
            .create_account(account)
            .await
            .expect("it is new");
        assert_eq!(created.effect, Effect::Created);
        assert_eq!(created.account.display_name, "New Comer");
        let id = created.account.id;
        let path = format!("/users/{id}");
        let user = vendor::get(&bench.simulator, &path, "user").await;
        assert_eq!(user["role"], "limited_user");
        assert_eq!(user["job_title"], "Baker");
        assert_eq!(user["time_zone"], "Europe/Rome");
        let held = vendor::get(&bench.simulator, &format!("{path}/license"), "license").await;
        assert_eq!(text(&held, "id"), *seat);
        let members = format!("/teams/{team}/members");
        let members = rows(&bench.simulator, &members, "members").await;
        let own = members.iter().find(|member| member["user"]["id"] == *id);
        assert_eq!(own.expect("a member")["role"], "observer");
    });
}

#[test]
fn an_account_that_exists_is_found_and_not_changed() {
    run(async {
        let bench = Opening::users(30).writing().open().await;
        let first = bench.tenant.create_account(newcomer()).await;
        let first = first.expect("it is new").account;
        let mut again = newcomer();
        again.email = again.email.to_uppercase();
        again.display_name = Some("Somebody Else".to_owned());
        again.entitlements = vec![role("admin"), license(&licenses(&bench).await[1])];
        let second = bench
            .tenant
            .create_account(again)
            .await
            .expect("it is there");
        assert_eq!(second.effect, unchanged("already-exists"));
        assert_eq!(second.account, first);
        assert!(writes(&bench).is_empty());
        // The search finds more than the same address.
        let mut other = newcomer();
        other.email = "ew.comer@acme.example".to_owned();
        let other = bench.tenant.create_account(other).await.expect("it is new");
        assert_eq!(other.effect, Effect::Created);
    });
}

#[test]
fn an_account_that_the_search_misses_is_found_when_the_vendor_refuses_it() {
    run(async {
        let bench = Opening::users(30).writing().open().await;
        bench
            .tenant
            .create_account(newcomer())
            .await
            .expect("it is new");
        let empty = json!({"users": [], "limit": 100, "offset": 0, "more": false, "total": 0});
        bench.simulator.faults().add(pagerduty_simulator::Fault {
            when: pagerduty_simulator::Match {
                method: Some("GET".to_owned()),
                path: Some("/users".to_owned()),
                skip: 0,
                times: Some(1),
            },
            effect: pagerduty_simulator::Effect::Status {
                status: 200,
                body: Some(empty),
                headers: Vec::new(),
            },
        });
        let again = bench
            .tenant
            .create_account(newcomer())
            .await
            .expect("it is there");
        assert_eq!(again.effect, unchanged("already-exists"));
        assert_eq!(writes(&bench), ["POST"]);
    });
}

#[test]
fn a_creation_that_broke_off_is_completed_by_repeating_it() {
    run(async {
        let bench = Opening::users(30).writing().open().await;
        let team = first_team(&bench).await;
        let mut account = newcomer();
        account.entitlements = vec![on_team(&team, "responder")];
        let broken = "PUT /teams* status=403 times=1".parse().expect("a fault");
        bench.simulator.faults().add(broken);
        let error = contract_error(bench.tenant.create_account(account.clone()).await);
        assert_eq!(error.code, ErrorCode::PermissionDenied);
        assert!(error.may_have_applied, "the account is there");
        let completed = bench
            .tenant
            .create_account(account.clone())
            .await
            .expect("the rest");
        assert_eq!(completed.effect, Effect::Updated);
        assert!(error.message.contains(&completed.account.id), "{error:?}");
        let third = bench
            .tenant
            .create_account(account.clone())
            .await
            .expect("all");
        assert_eq!(third.effect, unchanged("already-exists"));
        // A role that it has on the team stays.
        account.entitlements = vec![on_team(&team, "manager")];
        let other = bench.tenant.create_account(account).await.expect("all");
        assert_eq!(other.effect, unchanged("already-exists"));
    });
}

#[test]
fn a_refusal_is_understood_in_every_form_that_the_vendor_writes_it() {
    run(async {
        for refusals in [
            Refusals::Usual,
            Refusals::ErrorsText,
            Refusals::ErrorsByField,
            Refusals::ErrorText,
            Refusals::ErrorList,
        ] {
            let mut opening = Opening::users(20).writing();
            opening.config.refusals = refusals;
            opening.config.plan.advanced_permissions = false;
            let bench = opening.open().await;
            let users = rows(&bench.simulator, "/users", "users").await;
            let (id, other) = (text(&users[7], "id"), text(&users[5], "email"));
            let taken = AccountChange {
                email: Some(other),
                ..no_change()
            };
            let error = contract_error(bench.tenant.update_account(&id, taken).await);
            assert_eq!(error.code, ErrorCode::Conflict, "{refusals:?}: {error:?}");
            let error = contract_error(bench.tenant.assign(&id, role("observer")).await);
            assert_eq!(
                error.code,
                ErrorCode::PlanRequired,
                "{refusals:?}: {error:?}"
            );
        }
    });
}

#[test]
fn writes_that_contend_for_the_account_are_sent_again() {
    run(async {
        let bench = Opening::users(10).writing().open().await;
        bench
            .simulator
            .faults()
            .add("POST /users not-locked times=1".parse().expect("a fault"));
        let created = bench.tenant.create_account(newcomer()).await;
        assert_eq!(created.expect("it is new").effect, Effect::Created);
        assert_eq!(writes(&bench), ["POST", "POST"]);
    });
}

/// However often it is sent, a change that gets no clear answer is looked for.
#[test]
fn a_change_that_is_never_confirmed_is_found_by_looking() {
    run(async {
        let bench = Opening::users(20).writing().open().await;
        let id = user_of_role(&bench.simulator, "user").await;
        let teams = rows(&bench.simulator, "/teams", "teams").await;
        let team = text(teams.last().expect("teams"), "id");
        for fault in [
            "PUT /* status-after-applied=503",
            "POST /* status-after-applied=503",
        ] {
            let fault = fault.parse().expect("a fault");
            bench.simulator.faults().add(fault);
        }
        let change = AccountChange {
            display_name: Some("New Name".to_owned()),
            ..no_change()
        };
        let (updated, assigned, created) = join3(
            bench.tenant.update_account(&id, change),
            bench.tenant.assign(&id, on_team(&team, "responder")),
            bench.tenant.create_account(newcomer()),
        )
        .await;
        assert_eq!(updated.expect("it is found"), Effect::Updated);
        assert_eq!(assigned.expect("it is found"), Effect::Created);
        assert_eq!(created.expect("it is found").effect, Effect::Created);
        bench.simulator.faults().clear();
        let fault = "POST /users status=503".parse().expect("a fault");
        bench.simulator.faults().add(fault);
        let mut other = newcomer();
        other.email = "other@acme.example".to_owned();
        let error = contract_error(bench.tenant.create_account(other).await);
        assert_eq!(error.code, ErrorCode::Unavailable);
        assert!(error.may_have_applied, "nobody can know");
        assert_eq!(writes(&bench).len(), 3);
    });
}

#[test]
fn what_no_account_can_be_is_refused_before_any_request() {
    run(async {
        let bench = Opening::users(5).writing().open().await;
        let change = |change: &dyn Fn(&mut NewAccount)| {
            let mut account = newcomer();
            change(&mut account);
            account
        };
        let cases = [
            (
                change(&|account| account.attributes = pairs(&[("shoe-size", "43")])),
                ErrorCode::InvalidInput,
                "description, job-title, time-zone",
            ),
            (
                change(&|account| {
                    account.attributes = pairs(&[("job-title", "a"), ("job_title", "b")]);
                }),
                ErrorCode::InvalidInput,
                "twice",
            ),
            (
                change(&|account| (account.given_name, account.family_name) = (None, None)),
                ErrorCode::InvalidInput,
                "name",
            ),
            (
                change(&|account| account.display_name = Some("x".repeat(101))),
                ErrorCode::InvalidInput,
                "101 characters",
            ),
            (
                change(&|account| account.email = "nobody".to_owned()),
                ErrorCode::InvalidInput,
                "e-mail address",
            ),
            (
                change(&|account| account.entitlements = vec![role("king")]),
                ErrorCode::InvalidInput,
                "limited_user",
            ),
            (
                change(&|account| account.entitlements = vec![role("owner")]),
                ErrorCode::Conflict,
                "ownership",
            ),
            (
                change(&|account| account.entitlements = vec![role("user"), role("observer")]),
                ErrorCode::InvalidInput,
                "2 roles",
            ),
            (
                change(&|account| account.entitlements = vec![license("PA"), license("PB")]),
                ErrorCode::InvalidInput,
                "2 licences",
            ),
            (
                change(&|account| {
                    account.entitlements =
                        vec![on_team("PA", "manager"), on_team("PA", "observer")];
                }),
                ErrorCode::InvalidInput,
                "two roles",
            ),
            (
                change(&|account| account.entitlements = vec![on_team("PA", "captain")]),
                ErrorCode::InvalidInput,
                "responder",
            ),
            (
                change(&|account| account.entitlements = vec![on_schedule("../users")]),
                ErrorCode::InvalidInput,
                "id",
            ),
        ];
        for (account, code, said) in cases {
            let error = contract_error(bench.tenant.create_account(account).await);
            assert_eq!(error.code, code, "{error:?}");
            let hint = error.hint.unwrap_or_default();
            assert!(
                format!("{} {hint}", error.message).contains(said),
                "{hint} lacks {said}"
            );
        }
        assert_eq!(bench.requests(), 0);
    });
}

#[test]
fn what_a_new_account_can_not_get_keeps_it_from_coming_into_being() {
    run(async {
        let bench = Opening::users(30).writing().open().await;
        let [full, scarce, stakeholder] = licenses(&bench).await;
        let team = first_team(&bench).await;
        let refused = async |entitlements, code, said: &str| {
            let mut account = newcomer();
            account.entitlements = entitlements;
            let error = contract_error(bench.tenant.create_account(account).await);
            assert_eq!(error.code, code, "{error:?}");
            assert!(error.message.contains(said), "{error:?}");
            assert!(writes(&bench).is_empty(), "{error:?}");
        };
        use ErrorCode::{Conflict, NotFound};
        refused(
            vec![license(&stakeholder)],
            Conflict,
            "not for the role `user`",
        )
        .await;
        let mixed = vec![license(&full), role("read_only_user")];
        refused(mixed, Conflict, "not for the role").await;
        refused(vec![license("PNONE00")], NotFound, "no licence").await;
        refused(vec![on_team("PNONE00", "observer")], NotFound, "404").await;
        let fixed = vec![role("admin"), on_team(&team, "observer")];
        refused(fixed, Conflict, "`admin`").await;
        for at in 0..3 {
            let mut account = newcomer();
            account.email = format!("seat{at}@acme.example");
            account.entitlements = vec![license(&scarce)];
            bench.tenant.create_account(account).await.expect("a seat");
        }
        refused(vec![license(&scarce)], Conflict, "no seat left").await;
    });
}

#[test]
fn an_account_key_creates_in_the_name_of_from_email() {
    run(async {
        let opening = || Opening {
            token: TOKENS.account,
            ..Opening::users(10)
        };
        let bench = opening().writing().open().await;
        let error = contract_error(bench.tenant.create_account(newcomer()).await);
        assert_eq!(error.code, ErrorCode::InvalidInput);
        assert!(error.hint.expect("a hint").contains("`from-email`"));
        assert!(writes(&bench).is_empty());
        let users = rows(&bench.simulator, "/users", "users").await;
        let admin: &'static str = text(&users[2], "email").leak();
        let mut opening = opening().writing();
        opening.settings = vec![("from-email", admin)];
        let bench = opening.open().await;
        bench.simulator.keep_exchanges(true);
        bench
            .tenant
            .create_account(newcomer())
            .await
            .expect("it is new");
        let exchanges = bench.simulator.exchanges();
        let post = exchanges
            .iter()
            .find(|one| one.method == "POST")
            .expect("it was sent");
        assert!(
            post.request_headers
                .contains(&("from".to_owned(), admin.to_owned()))
        );
    });
}

#[test]
fn an_update_sends_what_differs_and_nothing_if_nothing_does() {
    run(async {
        let bench = Opening::users(10).writing().open().await;
        let id = user_of_role(&bench.simulator, "user").await;
        let path = format!("/users/{id}");
        let before = vendor::get(&bench.simulator, &path, "user").await;
        let change = AccountChange {
            display_name: Some("Zoë Changed".to_owned()),
            email: Some(text(&before, "email").to_uppercase()),
            attributes: pairs(&[
                ("job_title", ""),
                ("time-zone", "UTC"),
                ("description", "\"x\""),
            ]),
        };
        bench.simulator.keep_exchanges(true);
        let update = || bench.tenant.update_account(&id, change.clone());
        assert_eq!(update().await.expect("it changes"), Effect::Updated);
        let exchanges = bench.simulator.exchanges();
        let put = exchanges
            .iter()
            .find(|one| one.method == "PUT")
            .expect("it was sent");
        let sent = &put.request_body.as_ref().expect("a body")["user"];
        assert_eq!(
            sent["email"], before["email"],
            "the case of an address is no difference"
        );
        assert!(sent.get("role").is_none() && sent.get("license").is_none());
        let after = vendor::get(&bench.simulator, &path, "user").await;
        assert_eq!(after["name"], "Zoë Changed");
        assert_eq!(after["job_title"], "");
        assert_eq!(after["description"], "\"x\"");
        assert_eq!(
            update().await.expect("nothing to do"),
            unchanged("same-values")
        );
        assert!(writes(&bench).is_empty());
        let nothing = bench.tenant.update_account(&id, no_change()).await;
        assert_eq!(nothing.expect("nothing to do"), unchanged("same-values"));
        let moved = AccountChange {
            email: Some("moved@acme.example".to_owned()),
            ..no_change()
        };
        let moved = bench.tenant.update_account(&id, moved).await;
        assert_eq!(moved.expect("it changes"), Effect::Updated);
        let after = vendor::get(&bench.simulator, &path, "user").await;
        assert_eq!(after["email"], "moved@acme.example");
    });
}

#[test]
fn an_update_that_can_not_be_is_refused() {
    run(async {
        let bench = Opening::users(10).writing().open().await;
        let users = rows(&bench.simulator, "/users", "users").await;
        let (id, other) = (text(&users[7], "id"), text(&users[5], "email"));
        let refused = async |change, code, said: &str| {
            let error = contract_error(bench.tenant.update_account(&id, change).await);
            assert_eq!(error.code, code, "{error:?}");
            let hint = error.hint.unwrap_or_default();
            assert!(
                format!("{} {hint}", error.message).contains(said),
                "{hint} lacks {said}"
            );
        };
        let taken = AccountChange {
            email: Some(other),
            ..no_change()
        };
        refused(taken, ErrorCode::Conflict, "another account").await;
        let zone = AccountChange {
            attributes: pairs(&[("time-zone", "Mars/Olympus")]),
            ..no_change()
        };
        refused(zone, ErrorCode::InvalidInput, "Time zone").await;
        let requests = bench.requests();
        let unknown = AccountChange {
            attributes: pairs(&[("billed", "false")]),
            ..no_change()
        };
        refused(unknown, ErrorCode::InvalidInput, "job-title").await;
        let nameless = AccountChange {
            display_name: Some("  ".to_owned()),
            ..no_change()
        };
        refused(nameless, ErrorCode::InvalidInput, "name").await;
        assert_eq!(
            bench.requests(),
            requests,
            "the last two before any request"
        );
    });
}
