//! Every class of error, as a platform sees it.

use futures_util::future::{join, join_all};
use host_harness::Connector;
use pagerduty_simulator::{Simulator, TOKENS};
use serde_json::{Value, json};

use super::platform::{Platform, code};
use crate::{
    hostile,
    support::{connector, engine, run},
};

/// So that a vendor that keeps failing is given up soon.
fn impatient(request: Value) -> Value {
    let mut envelope = json!({"rate_limit": {"max_execution_time": 2}});
    envelope["request"] = request;
    envelope
}

#[test]
fn what_the_vendor_does_wrong_has_a_code_each() {
    run(async {
        let platform = Platform::with(20, |_| {}).await;
        for (fault, expected, retryable, throttled) in [
            ("GET /users* status=403", "permission_denied", false, false),
            ("GET /users* status=401", "unauthorized", false, false),
            (
                "GET /users* status=402",
                "unsupported_operation",
                false,
                false,
            ),
            ("GET /users* status=404", "not_found", false, false),
            ("GET /users* body=<html>", "invalid_response", false, false),
            // Last: all calls of the tenant wait for it.
            (
                "GET /users* rate-limited reset=50",
                "budget_exhausted",
                false,
                true,
            ),
        ] {
            platform
                .simulator
                .faults()
                .add(fault.parse().expect("a fault"));
            let answer = platform
                .envelope("get_account", impatient(json!({"account_id": "PABC123"})))
                .await;
            platform.simulator.faults().clear();
            assert_eq!(code(&answer), expected, "{fault}: {answer:#}");
            let metadata = &answer["error"]["error_metadata"];
            assert_eq!(metadata["retryable"], retryable, "{fault}");
            assert_eq!(metadata["throttled"], throttled, "{fault}");
            assert_eq!(
                metadata["refreshable"],
                expected == "unauthorized",
                "{fault}"
            );
            assert_eq!(answer["error"]["raised_in"], "get_account");
        }
    });
}

#[test]
fn what_the_caller_does_wrong_has_a_code_each() {
    run(async {
        let platform = Platform::with(20, |_| {}).await;
        let key = json!([{"token": {"token": TOKENS.owner}}]);
        let id = json!({"account_id": "PNOBODY"});
        for (capability, envelope, expected) in [
            (
                "get_account",
                json!({"request": id, "credentials": key}),
                "not_found",
            ),
            (
                "get_account",
                json!({"request": {}, "credentials": key}),
                "bad_request",
            ),
            (
                "get_account",
                json!({"request": {"account_id": 7}, "credentials": key}),
                "bad_request",
            ),
            (
                "get_account",
                json!({"request": id}),
                "integration_missing_parameter",
            ),
            (
                "get_account",
                json!({"request": [], "credentials": key}),
                "bad_request",
            ),
            (
                "get_account",
                json!({"request": id, "credentials": {}}),
                "bad_request",
            ),
            (
                "get_account",
                json!({"request": id, "credentials": [{"id": "x"}]}),
                "bad_request",
            ),
            (
                "get_account",
                json!({"request": id, "auth": {"token": {"token": "a b"}}}),
                "invalid_value",
            ),
            (
                "get_account",
                json!({"request": id, "auth": {"basic": {"username": "u", "password": "simulated"}}}),
                "unsupported_operation",
            ),
            (
                "get_account",
                json!({"request": id, "auth": {"jwt": {}}}),
                "unsupported_operation",
            ),
            (
                "get_account",
                json!({"request": id, "auth": {"token": {"token": "no-such-token-there"}}}),
                "unauthorized",
            ),
            (
                "get_account",
                json!({"request": id, "auth": {"id": "default", "empty": {}}}),
                "permission_denied",
            ),
            (
                "list_accounts",
                json!({"request": {}, "credentials": key, "settings": {"no-such": "x"}}),
                "invalid_value",
            ),
            (
                "list_accounts",
                json!({"request": {}, "credentials": key, "settings": {"region": []}}),
                "invalid_value",
            ),
            // To a place that the operator did not grant.
            (
                "list_accounts",
                json!({"request": {}, "credentials": key, "settings": {"base-url": "https://evil.example"}}),
                "permission_denied",
            ),
            (
                "list_accounts",
                json!({"request": {}, "credentials": key, "page": {"size": 0}}),
                "invalid_value",
            ),
            (
                "list_accounts",
                json!({"request": {}, "credentials": key, "page": {"token": 1}}),
                "invalid_page_token",
            ),
            (
                "assign_entitlement",
                json!({"credentials": [{"token": {"token": TOKENS.read_only}}], "request": {
                    "account_integration_specific_id": platform.simulator.user_ids()[3],
                    "resource_integration_specific_id": "", "resource_type": "tenant",
                    "entitlement_type": "role", "entitlement_integration_specific_id": "restricted_access",
                }}),
                "permission_denied",
            ),
            (
                "transfer_data",
                json!({"credentials": key, "request": {
                    "source_account_id": platform.simulator.user_ids()[3],
                    "target_account_id": platform.simulator.user_ids()[3],
                }}),
                "invalid_value",
            ),
            (
                "activate_account",
                json!({"request": id}),
                "unsupported_operation",
            ),
            (
                "no_such_thing",
                json!({"request": {}}),
                "unsupported_operation",
            ),
        ] {
            let answer = platform.bare(capability, envelope.clone()).await;
            assert_eq!(
                code(&answer),
                expected,
                "{capability} {envelope}: {answer:#}"
            );
            assert_eq!(answer["error"]["error_metadata"]["retryable"], false);
            assert_eq!(answer["error"]["app_id"], "pagerduty");
        }
    });
}

#[test]
fn a_body_that_is_no_envelope_is_a_bad_request_and_is_not_quoted() {
    run(async {
        let platform = Platform::with(5, |_| {}).await;
        for body in [
            "{",
            "[]",
            "\"simulated\"",
            "{\"request\": \"secret-of-mine\"}",
            "\u{0}",
        ] {
            let path = "/pagerduty/list_accounts";
            let reply = platform
                .send(http::Method::POST, path, body.to_owned())
                .await;
            assert_eq!(code(&reply.json()), "bad_request", "{body}");
            assert!(!reply.text.contains("secret-of-mine"));
        }
        let reply = platform
            .send(http::Method::POST, "/nobody/info", "{}")
            .await;
        assert_eq!(reply.status, 200);
        assert_eq!(code(&reply.json()), "not_found");
    });
}

/// The connector tries for some seconds, so all of it is asked at the same time.
#[test]
fn a_vendor_that_keeps_failing_has_a_code_for_each_way_to_fail() {
    run(async {
        let platform = Platform::with(5, |_| {}).await;
        let faults = [
            ("PGATEWAY", "status=502", "bad_gateway"),
            ("PBUSY", "status=503", "service_error"),
            ("PCUT", "reset", "connection_closed"),
            ("PLIMIT", "rate-limited reset=0", "rate_limit"),
        ];
        for (id, effect, _) in faults {
            let fault = format!("GET /users/{id} {effect}");
            platform
                .simulator
                .faults()
                .add(fault.parse().expect("a fault"));
        }
        let nobody = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
            listener.local_addr().expect("it is bound")
        };
        let nowhere = Platform::with(5, |config| {
            for origin in connector().origins() {
                let network = config.reach.network.clone();
                config.reach.network = network.route(origin.clone(), nobody);
            }
        })
        .await;
        let get = |id: &str| json!({"request": {"account_id": id}});
        // A tenant each: a rate limit is for all calls of one.
        let failing = faults.map(|(id, ..)| {
            let mut envelope = get(id);
            envelope["settings"] = json!({"from-email": format!("{id}@acme.example")});
            platform.envelope("get_account", envelope)
        });
        let rejected = nowhere.envelope("get_account", get("PANYBODY"));
        let (answers, rejected) = join(join_all(failing), rejected).await;
        for ((id, effect, expected), answer) in faults.into_iter().zip(&answers) {
            assert_eq!(code(answer), expected, "{id} {effect}: {answer:#}");
            let metadata = &answer["error"]["error_metadata"];
            assert_eq!(metadata["retryable"], expected != "rate_limit", "{effect}");
            assert_eq!(metadata["throttled"], expected == "rate_limit", "{effect}");
        }
        assert_eq!(code(&rejected), "connection_rejected", "{rejected:#}");
        let metadata = &rejected["error"]["error_metadata"];
        assert_eq!(metadata["fault"], "infrastructure");
        assert_eq!(metadata["retryable"], true);
    });
}

#[test]
fn a_connector_that_crashes_or_does_not_end_is_told_from_a_vendor_that_fails() {
    run(async {
        for (variant, misbehaviour, expected, fault) in [
            ("crashes-when-called", "any", "internal_error", "connector"),
            ("sound", "never-end", "request_timeout", "connector"),
        ] {
            let component = hostile::variant(variant);
            let hostile = Connector::load(engine(), &component).await;
            let hostile = hostile.expect("it loads");
            let simulator = Simulator::new(pagerduty_simulator::Config::default());
            let platform = Platform::serving(vec![hostile], simulator, |_| {}).await;
            let envelope = json!({
                "request": {"account_id": misbehaviour},
                "auth": {"token": {"token": TOKENS.owner}},
                "rate_limit": {"max_execution_time": 1},
            });
            let path = "/hostile/get_account";
            let reply = platform.send(http::Method::POST, path, envelope.to_string());
            let answer = reply.await.json();
            assert_eq!(code(&answer), expected, "{answer:#}");
            assert_eq!(
                answer["error"]["error_metadata"]["fault"], fault,
                "{answer:#}"
            );
        }
    });
}
