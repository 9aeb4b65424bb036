//! Exchanges with the simulator against PagerDuty's OpenAPI description.
//!
//! [`violations`] says where a request or its answer is not as described. The
//! description is PagerDuty's and does not stand in this repository: the test of
//! the simulator reads the file that `PAGERDUTY_OPENAPI` names and is skipped
//! without. Where the real service is known to differ from its description, the
//! description is corrected first, see [`KNOWN_DEVIATIONS`].
//!
//! Schemas of OpenAPI 3.0 become JSON Schema 2020-12 in their places, so that
//! every `$ref` of the file, also into an array, resolves within one document.
//! Objects stay open in answers, as PagerDuty adds fields. In requests they are
//! closed: a field that nobody described is a misspelt one.

mod description;
mod deviations;
mod walk;

pub use description::violations;

use host_harness::egress::cassette::{Body, RecordedOutcome};
use pagerduty_simulator::{Exchange, TOKENS};
use serde_json::{Value, json};
use url::Url;

use crate::fixtures::fixtures;
use crate::support::{Bench, Opening, run};
use description::{Description, token};
use deviations::KNOWN_DEVIATIONS;
use walk::{Api, rows};

/// The description that `PAGERDUTY_OPENAPI` names.
pub fn description() -> Option<Value> {
    let Some(file) = std::env::var_os("PAGERDUTY_OPENAPI") else {
        println!("skipped: PAGERDUTY_OPENAPI names no file");
        return None;
    };
    let text = std::fs::read_to_string(file).expect("the file is readable");
    Some(serde_json::from_str(&text).expect("the file is JSON"))
}

/// The recordings that stand in this repository.
#[test]
fn every_recorded_request_and_answer_follows_the_openapi_description() {
    let Some(openapi) = description() else {
        return;
    };
    let mut checked = 0;
    for (file, cassette) in fixtures() {
        for interaction in &cassette.interactions {
            let RecordedOutcome::Response(answer) = &interaction.outcome else {
                continue;
            };
            let uri = Url::parse(&interaction.request.uri).expect("an address");
            let exchange = Exchange {
                method: interaction.request.method.clone(),
                path: uri.path().to_owned(),
                query: uri.query_pairs().into_owned().collect(),
                request_headers: Vec::new(),
                request_body: json_of(&interaction.request.body),
                status: answer.status.code,
                response_body: json_of(&answer.body),
            };
            let mut found = violations(&openapi, &exchange);
            // What a recording does not tell has no format.
            found.retain(|violation| !violation.contains("\"[scrubbed]\" is not a"));
            assert!(found.is_empty(), "{}: {found:?}", file.display());
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked} recorded requests are too few");
}

fn json_of(body: &Body) -> Option<Value> {
    match body {
        Body::None => None,
        Body::Json(value) => Some(value.clone()),
        Body::Text(text) | Body::Base64(text) => Some(json!(text)),
    }
}

/// Whatever the connector sends, in tenants of several kinds.
#[test]
fn every_request_of_the_connector_follows_the_openapi_description() {
    let Some(openapi) = description() else {
        return;
    };
    run(async {
        let mut openings = vec![Opening::users(90)];
        for token in [TOKENS.account, TOKENS.responder, "revoked-long-ago"] {
            openings.push(Opening {
                token,
                ..Opening::users(20)
            });
        }
        let mut plain = Opening::users(20);
        plain.config.plan.teams = false;
        plain.config.plan.analytics = false;
        plain.config.plan.delegations = false;
        plain.config.plan.audit = false;
        openings.push(plain);
        let mut checked = 0;
        for opening in openings {
            let bench = opening.open().await;
            bench.simulator.keep_exchanges(true);
            ask_everything(&bench).await;
            let exchanges = bench.simulator.exchanges();
            for exchange in &exchanges {
                let found = violations(&openapi, exchange);
                assert!(
                    found.is_empty(),
                    "{} {}: {found:?}",
                    exchange.method,
                    exchange.path
                );
            }
            checked += exchanges.len();
        }
        println!("{checked} requests follow the description");
        assert!(
            checked > 200,
            "{checked} requests are too few to be everything"
        );
    });
}

/// Calls every function. Some fail, as the tenant has it.
async fn ask_everything(bench: &Bench) {
    let tenant = &bench.tenant;
    let size = json!({ "page": { "size": 10 } });
    let mut ids = Vec::new();
    let mut schedules = Vec::new();
    for function in [
        "directory.list-accounts",
        "directory.list-resources",
        "directory.list-entitlements",
        "directory.list-grants",
    ] {
        let mut input = size.clone();
        while let Ok(page) = tenant.call(function, &input).await {
            for item in rows(&page, "items") {
                if function == "directory.list-accounts" {
                    ids.push(item["id"].clone());
                } else if item["resource_type"] == "schedule" && item["id"].is_string() {
                    schedules.push(item["id"].clone());
                }
            }
            match &page["next"] {
                Value::String(next) => input["page"]["token"] = json!(next),
                _ => break,
            }
        }
    }
    let account = ids.first().cloned().unwrap_or(json!("PABC123"));
    for (function, input) in [
        ("credentials.validate", json!({})),
        ("directory.get-account", json!({ "id": account })),
        ("directory.account-grants", json!({ "id": account })),
        ("activity.get-last-activity", json!({ "accounts": ids })),
        (
            "activity.list-activity",
            json!({ "since": "2026-10-01T00:00:00Z" }),
        ),
        ("on-call.who", json!({ "schedules": [] })),
        ("on-call.who", json!({ "schedules": schedules })),
        (
            "on-call.is-on-call",
            json!({ "account": account, "schedules": schedules }),
        ),
        ("diagnostics.diagnose", json!({})),
    ] {
        tenant.call(function, &input).await.ok();
    }
}

#[tokio::test]
async fn answers_and_requests_follow_the_openapi_description() {
    let Some(openapi) = description() else {
        return;
    };
    for deviation in KNOWN_DEVIATIONS {
        let (at, reason) = (deviation.at, deviation.reason);
        assert!(openapi.pointer(at).is_some(), "{at} ({reason}) is gone");
    }

    let api = Api::start().await;
    walk::everything(&api).await;

    let exchanges = api.simulator.exchanges();
    let mut found: Vec<String> = exchanges
        .iter()
        .flat_map(|exchange| violations(&openapi, exchange))
        .collect();
    found.sort();
    found.dedup();
    assert!(
        found.is_empty(),
        "{} violations:\n{}",
        found.len(),
        found.join("\n")
    );

    // Every operation that is described was asked for and granted once.
    let description = Description::of(&openapi);
    let granted: Vec<String> = exchanges
        .iter()
        .filter(|exchange| exchange.status < 300)
        .filter_map(|exchange| description.operation(&exchange.method, &exchange.path))
        .map(|(_, operation)| operation.operation)
        .collect();
    let paths = openapi["paths"].as_object().expect("paths");
    for (template, item) in paths {
        for method in ["get", "post", "put", "delete"] {
            let operation = format!("/paths/{}/{method}", token(template));
            let replayed = item.get(method).is_none() || granted.contains(&operation);
            assert!(replayed, "{method} {template} was not replayed");
        }
    }
}

#[test]
fn planted_faults_are_found() {
    let openapi = json!({
        "paths": {
            "/things": {"get": {
                "parameters": [
                    {"name": "limit", "in": "query", "schema": {"type": "integer"}},
                    {"name": "ids[]", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
                    {"name": "since", "in": "query", "required": true, "schema": {"type": "string", "format": "date-time"}},
                ],
                "responses": {"200": {"content": {"application/json": {"schema": {
                    "type": "array", "items": {"$ref": "#/components/schemas/Thing"},
                }}}}},
            }},
            "/things/{id}": {"put": {
                "requestBody": {"required": true, "content": {"application/json": {"schema": {
                    "$ref": "#/components/schemas/Thing",
                }}}},
                "responses": {"204": {}, "404": {"$ref": "#/components/responses/Gone"}},
            }},
            "/things/me": {"put": {"responses": {"204": {}}}},
        },
        "components": {
            "responses": {"Gone": {"content": {"application/json": {"schema": {"type": "object"}}}}},
            "schemas": {
                "Thing": {"allOf": [
                    {"type": "object", "properties": {
                        "id": {"type": "string", "readOnly": true},
                        "name": {"type": "string", "nullable": true},
                    }, "required": ["id", "name"]},
                    {"properties": {"part": {"nullable": true, "allOf": [
                        {"$ref": "#/components/schemas/Thing/allOf/0"},
                    ]}}},
                ]},
            },
        },
    });
    let exchange =
        |method: &str, path: &str, query: &[(&str, &str)], sent: Value, status, answer: Value| {
            Exchange {
                method: method.to_owned(),
                path: path.to_owned(),
                query: query
                    .iter()
                    .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                    .collect(),
                request_headers: Vec::new(),
                request_body: Some(sent).filter(|body| !body.is_null()),
                status,
                response_body: Some(answer).filter(|body| !body.is_null()),
            }
        };
    let get = |query: &[(&str, &str)], status, answer| {
        violations(
            &openapi,
            &exchange("GET", "/things", query, Value::Null, status, answer),
        )
    };
    let put = |path: &str, sent, status, answer| {
        violations(&openapi, &exchange("PUT", path, &[], sent, status, answer))
    };
    let since = ("since", "2026-11-18T12:34:56Z");
    let right = json!([{"id": "1", "name": null, "part": null, "new": 1}]);
    let none: [&str; 0] = [];
    assert_eq!(
        get(
            &[since, ("limit", "5"), ("ids[]", "1"), ("ids[]", "2")],
            200,
            right.clone()
        ),
        none
    );
    assert_eq!(get(&[since], 503, Value::Null), none);
    assert_eq!(get(&[since], 0, Value::Null), none);
    assert_eq!(
        put(
            "/things/1",
            json!({"name": "a", "part": {"name": null}}),
            204,
            Value::Null
        ),
        none
    );
    assert_eq!(
        put("/things/me", Value::Null, 204, Value::Null),
        none,
        "a literal wins"
    );

    let one = |found: Vec<String>, expected: &str| {
        assert!(
            found.len() == 1 && found[0].contains(expected),
            "{expected}: {found:?}"
        );
    };
    one(
        get(&[since, ("colour", "red")], 200, right.clone()),
        "`colour` is not described",
    );
    one(
        get(&[since, ("ids", "1")], 200, right.clone()),
        "must be `ids[]`",
    );
    one(
        get(&[since, ("limit", "many")], 200, right.clone()),
        "not of type \"integer\"",
    );
    one(get(&[since, since], 200, right.clone()), "given twice");
    one(get(&[], 200, right.clone()), "`since` is missing");
    one(get(&[("since", "today")], 200, right), "date-time");
    one(
        get(&[since], 200, json!([{"id": 1, "name": null}])),
        "at `/0/id`: 1 is not of type",
    );
    one(
        get(&[since], 200, json!([{"name": "a"}])),
        "\"id\" is a required property",
    );
    one(
        get(
            &[since],
            200,
            json!([{"id": "1", "name": "a", "part": {"id": "2"}}]),
        ),
        "\"name\" is a required",
    );
    one(get(&[since], 200, Value::Null), "has no body");
    one(
        get(&[since], 418, Value::Null),
        "status 418 is not described",
    );
    one(
        put("/things/1", Value::Null, 204, Value::Null),
        "request has no body",
    );
    one(
        put("/things/1", json!({"name": 1}), 204, Value::Null),
        "at `/name`: 1 is not of type",
    );
    one(
        put(
            "/things/1",
            json!({"name": "a", "nmae": "a"}),
            204,
            Value::Null,
        ),
        "'nmae'",
    );
    one(
        put("/things/1", json!({"name": "a"}), 204, json!({})),
        "answer 204 has a body",
    );
    one(
        put("/things/1", json!({"name": "a"}), 404, json!([])),
        "answer 404 at ``",
    );
    one(
        put("/things/1/2", json!({}), 204, Value::Null),
        "is not described",
    );
}
