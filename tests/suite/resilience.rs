//! What the vendor does wrong, and what the connector makes of it. Replays run
//! on virtual time, so waiting costs nothing there; here waits are kept short.

use std::time::Duration;

use host_harness::{Budget, CallError, contract::types::ErrorCode};
use pagerduty_simulator::{Config, Effect, Fault, Match};

use crate::support::{Opening, all_accounts, contract_error, page, run};

fn fault(path: &str, times: Option<u32>, effect: Effect) -> Fault {
    Fault {
        when: Match {
            path: Some(path.to_owned()),
            times,
            ..Match::default()
        },
        effect,
    }
}

fn status(status: u16) -> Effect {
    Effect::Status {
        status,
        body: None,
        headers: Vec::new(),
    }
}

/// A deadline in which retries have to come to an end.
fn short() -> Budget {
    Budget::with_deadline(Duration::from_secs(4))
}

#[test]
fn passing_failures_are_retried_and_leave_no_trace_in_the_result() {
    run(async {
        for effect in [
            Effect::RateLimited { reset: Some(1) },
            Effect::RateLimited { reset: None },
            status(500),
            status(502),
            status(503),
            status(408),
            Effect::Reset,
        ] {
            let bench = Opening::users(20).open().await;
            bench
                .simulator
                .faults()
                .add(fault("/users", Some(1), effect.clone()));
            let (accounts, notices) = all_accounts(&bench.tenant, None)
                .await
                .unwrap_or_else(|error| panic!("{effect:?}: {error}"));
            assert_eq!(accounts.len(), 20, "{effect:?}");
            assert!(notices.is_empty());
            assert_eq!(bench.simulator.faults().fired(), 1);
            assert_eq!(bench.requests(), 2, "{effect:?}");
        }
    });
}

#[test]
fn a_wait_beyond_the_deadline_is_budget_exhausted_at_once() {
    run(async {
        let opening = Opening {
            budget: short(),
            ..Opening::users(5)
        };
        let bench = opening.open().await;
        bench.simulator.faults().add(fault(
            "/users",
            None,
            Effect::RateLimited { reset: Some(50) },
        ));
        let error = contract_error(bench.tenant.list_accounts(page(None)).await);
        assert_eq!(error.code, ErrorCode::BudgetExhausted);
        assert!(
            error
                .retry_after
                .is_some_and(|seconds| (50..=51).contains(&seconds)),
            "{error:?}"
        );
        assert_eq!(bench.requests(), 1, "it did not sleep and try again");
    });
}

#[test]
fn a_server_that_stays_broken_is_unavailable_after_some_tries() {
    run(async {
        let bench = Opening::users(5).open().await;
        bench
            .simulator
            .faults()
            .add(fault("/users", None, status(503)));
        let error = contract_error(bench.tenant.list_accounts(page(None)).await);
        assert_eq!(error.code, ErrorCode::Unavailable);
        assert_eq!(error.upstream_status, Some(503));
        let requests = bench.requests();
        assert!((2..=6).contains(&requests), "{requests} requests");
    });
}

#[test]
fn answers_that_make_no_sense_are_typed_errors_and_the_next_call_works() {
    run(async {
        let body = |content_type: &str, body: &'static [u8]| Effect::Body {
            content_type: content_type.to_owned(),
            body: body.into(),
            status: 200,
        };
        for effect in [
            Effect::Truncated,
            body("text/html", b"<html>Maintenance</html>"),
            body("application/json", b""),
            body("application/json", b"null"),
            body("application/json", b"[]"),
            body("application/json", b"{\"users\":7}"),
            body("application/json", b"\xff\xfe\x00"),
            body(
                "application/octet-stream",
                b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
            ),
        ] {
            let bench = Opening::users(5).open().await;
            bench
                .simulator
                .faults()
                .add(fault("/users", Some(8), effect.clone()));
            let error = contract_error(bench.tenant.list_accounts(page(None)).await);
            assert_eq!(
                error.code,
                ErrorCode::InvalidResponse,
                "{effect:?}: {error:?}"
            );
            bench.simulator.faults().clear();
            assert_eq!(
                all_accounts(&bench.tenant, None)
                    .await
                    .expect("accounts")
                    .0
                    .len(),
                5
            );
        }
    });
}

#[test]
fn odd_fields_of_a_user_do_not_cost_the_page() {
    run(async {
        let bench = Opening::users(3).open().await;
        let odd = serde_json::json!({
            "users": [
                {"id": "PODD001", "name": null, "email": null, "role": null, "invitation_sent": null,
                 "teams": null, "time_zone": 7, "billed": "yes", "created_via_sso": "true,"},
                {"id": "PODD002", "name": "Zoë", "email": "zoe@example.com", "unheard": {"of": []}},
            ],
            "limit": 100, "offset": 0, "more": false, "total": 2,
        });
        bench.simulator.faults().add(fault(
            "/users",
            None,
            Effect::Status {
                status: 200,
                body: Some(odd),
                headers: Vec::new(),
            },
        ));
        let (accounts, _) = all_accounts(&bench.tenant, None).await.expect("accounts");
        assert_eq!(accounts.len(), 2);
        assert_eq!(accounts[1].display_name, "Zoë");
        assert_eq!(accounts[0].email, None);
    });
}

#[test]
fn somebody_who_is_on_a_page_twice_has_two_places_there_and_is_listed_once() {
    run(async {
        let bench = Opening::users(250).open().await;
        let (status, mut page) = bench
            .simulator
            .ask("GET", "/users?limit=100&total=true", None);
        assert_eq!(status, 200);
        let users = page["users"].as_array_mut().expect("a list");
        let again = users[49].clone();
        let unseen = std::mem::replace(&mut users[50], again);
        bench.simulator.faults().add(fault(
            "/users",
            Some(1),
            Effect::Body {
                content_type: "application/json".to_owned(),
                body: page.to_string().into(),
                status: 200,
            },
        ));
        bench.simulator.keep_exchanges(true);
        let listed = all_accounts(&bench.tenant, None).await;
        let (accounts, _) = listed.expect("nobody else is in doubt");
        let ids: std::collections::BTreeSet<&str> =
            accounts.iter().map(|account| account.id.as_str()).collect();
        assert_eq!((accounts.len(), ids.len()), (249, 249), "each once");
        assert!(!ids.contains(unseen["id"].as_str().expect("an id")));
        let exchanges = bench.simulator.exchanges();
        let pages = exchanges.iter().filter(|one| one.path == "/users");
        assert_eq!(pages.count(), 3, "the pages behind it are where they were");
    });
}

#[test]
fn a_list_that_is_not_all_there_is_an_error_and_no_short_list() {
    run(async {
        let user = |number: usize| {
            let id = format!("PUSER{number:02}");
            serde_json::json!({"id": id, "name": id, "email": format!("{id}@acme.example")})
        };
        let list = |users: Vec<serde_json::Value>, more: serde_json::Value, total: Option<u32>| {
            serde_json::json!({
                "users": users, "limit": 100, "offset": 0, "more": more, "total": total,
            })
        };
        let users = |count: usize| (0..count).map(user).collect::<Vec<_>>();
        let nobody = serde_json::json!({"id": null, "name": "Nobody"});
        let null = serde_json::Value::Null;
        for (body, listed) in [
            // A full page, and no word on whether there is another.
            (list(users(100), null.clone(), None), None),
            (list(users(100), "perhaps".into(), None), None),
            // Full all the same if somebody is on it twice.
            (
                list([users(99), users(1)].concat(), null.clone(), None),
                None,
            ),
            (list(users(100), null.clone(), Some(100)), Some(100)),
            (list(users(99), null.clone(), None), Some(99)),
            // Somebody without an id could be anybody.
            (
                list([users(3), vec![nobody]].concat(), false.into(), None),
                None,
            ),
            // Twice in one answer is once; a place without anybody is none.
            (
                list([users(3), users(3)].concat(), false.into(), None),
                Some(3),
            ),
            (
                list([users(3), vec![null.clone()]].concat(), false.into(), None),
                Some(3),
            ),
        ] {
            let bench = Opening::users(3).open().await;
            bench.simulator.faults().add(fault(
                "/users",
                None,
                Effect::Status {
                    status: 200,
                    body: Some(body.clone()),
                    headers: Vec::new(),
                },
            ));
            let outcome = all_accounts(&bench.tenant, None).await;
            match listed {
                Some(count) => assert_eq!(outcome.expect("a list").0.len(), count, "{body}"),
                None => {
                    let error = contract_error(outcome);
                    assert_eq!(error.code, ErrorCode::InvalidResponse, "{body}: {error:?}");
                }
            }
        }
    });
}

#[test]
fn every_shape_of_the_vendors_errors_is_read() {
    run(async {
        for (status, body, code, said) in [
            (
                400,
                r#"{"error":{"message":"Invalid Input Provided","code":2001,"errors":["Bad thing"]}}"#,
                ErrorCode::InvalidInput,
                "Bad thing",
            ),
            (
                400,
                r#"{"error":"just a string"}"#,
                ErrorCode::InvalidInput,
                "just a string",
            ),
            (
                400,
                r#"{"error":["a","list"]}"#,
                ErrorCode::InvalidInput,
                "list",
            ),
            (
                422,
                r#"{"error":{"message":"Unprocessable","errors":{"name":["is odd"]}}}"#,
                ErrorCode::InvalidInput,
                "odd",
            ),
            (
                402,
                r#"{"error":{"message":"Missing","code":2014}}"#,
                ErrorCode::PlanRequired,
                "",
            ),
            (
                403,
                r#"{"error":{"message":"Access Denied","code":2010}}"#,
                ErrorCode::PermissionDenied,
                "Access Denied",
            ),
            (403, "<html>no</html>", ErrorCode::PermissionDenied, ""),
            (404, "", ErrorCode::NotFound, ""),
            (
                401,
                r#"{"error":{"message":"Authentication failed","code":2006}}"#,
                ErrorCode::Unauthorized,
                "",
            ),
            (418, "teapot", ErrorCode::InvalidInput, "418"),
        ] {
            let bench = Opening::users(3).open().await;
            bench.simulator.faults().add(fault(
                "/users*",
                None,
                Effect::Body {
                    content_type: "application/json".to_owned(),
                    body: body.into(),
                    status,
                },
            ));
            let error = contract_error(bench.tenant.get_account("PABC123").await);
            assert_eq!(error.code, code, "{status} {body}: {error:?}");
            assert_eq!(error.upstream_status, Some(status));
            assert!(error.message.contains(said), "{error:?}");
        }
    });
}

#[test]
fn control_characters_of_the_vendor_do_not_reach_the_message() {
    run(async {
        let bench = Opening::users(3).open().await;
        bench.simulator.faults().add(fault(
            "/users*",
            None,
            Effect::Body {
                content_type: "application/json".to_owned(),
                body: "{\"error\":{\"message\":\"\\u001b[31mred\\u0007\",\"code\":2001}}".into(),
                status: 400,
            },
        ));
        let outcome = bench.tenant.get_account("PABC123").await;
        let shown = outcome.as_ref().expect_err("a 400").to_string();
        assert!(
            !shown.contains('\u{1b}') && !shown.contains('\u{7}'),
            "{shown:?}"
        );
        assert!(shown.contains("red"));
    });
}

#[test]
fn an_answer_beyond_the_cap_is_cut_off() {
    run(async {
        let mut budget = Budget::default();
        budget.response_body = 10_000;
        let opening = Opening {
            budget,
            config: Config {
                users: 100,
                ..Config::default()
            },
            ..Opening::default()
        };
        let bench = opening.open().await;
        let outcome = bench.tenant.list_accounts(page(None)).await;
        let error = outcome.expect_err("100 users take more than 10 kB");
        assert!(error.to_string().contains("10000 bytes"), "{error}");
    });
}

#[test]
fn a_call_makes_no_more_requests_than_its_budget() {
    run(async {
        let mut budget = Budget::default();
        budget.requests = 3;
        let opening = Opening {
            budget,
            ..Opening::users(1000)
        };
        let bench = opening.open().await;
        let error = contract_error(bench.tenant.list_accounts(page(Some(1000))).await);
        assert_eq!(error.code, ErrorCode::BudgetExhausted, "{error:?}");
        assert!(bench.simulator.request_count() <= 3);
    });
}

#[test]
fn calls_of_a_tenant_run_side_by_side() {
    run(async {
        let bench = Opening::users(60).open().await;
        let calls = (0..16).map(|_| {
            let tenant = bench.tenant.clone();
            tokio::spawn(async move { all_accounts(&tenant, Some(20)).await })
        });
        for call in calls.collect::<Vec<_>>() {
            let accounts: Result<_, CallError> = call.await.expect("no panic");
            assert_eq!(accounts.expect("accounts").0.len(), 60);
        }
    });
}
