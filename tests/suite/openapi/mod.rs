//! Exchanges with the simulator against PagerDuty's OpenAPI description, and
//! what the library makes of any description.
//!
//! PagerDuty's does not stand in this repository: tests that need it read the
//! file that `PAGERDUTY_OPENAPI` names and are skipped without. Where the real
//! service is known to differ from it, `overlay.json` corrects it first, each
//! time with the evidence. Recordings are held against it by the conformance
//! suite, see `conformance/described.rs`.

mod corrections;
mod planted;
mod walk;

use std::{path::Path, sync::LazyLock};

use host_harness::openapi::{Answer, Content, Description, Exchange, Overlay};
use pagerduty_simulator::TOKENS;
use serde_json::{Value, json};

use crate::support::{Bench, Opening, run};
use walk::{Api, rows};

/// Where PagerDuty is known not to be as it describes itself.
pub const OVERLAY: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/suite/openapi/overlay.json"
);

/// The file that `PAGERDUTY_OPENAPI` names.
pub fn file() -> Option<String> {
    let file = std::env::var("PAGERDUTY_OPENAPI").ok();
    if file.is_none() {
        println!("skipped: PAGERDUTY_OPENAPI names no file");
    }
    file
}

/// PagerDuty's description, corrected. That each correction has its place in it
/// is seen to by the library.
pub fn description() -> Option<&'static Description> {
    static DESCRIPTION: LazyLock<Option<Description>> = LazyLock::new(|| {
        let overlay = Overlay::read(Path::new(OVERLAY)).expect("an overlay");
        let description = Description::read(Path::new(&file()?), &overlay);
        Some(description.expect("a description"))
    });
    DESCRIPTION.as_ref()
}

/// What is not as described; empty if all is well.
pub fn violations(
    description: &Description,
    exchange: &pagerduty_simulator::Exchange,
) -> Vec<String> {
    let mut held = Exchange::new(&exchange.method, &exchange.path);
    held.query = exchange.query.as_slice().into();
    held.body = exchange.request_body.as_ref().map(Content::json);
    if exchange.status != 0 {
        held.answer = Some(Answer {
            status: exchange.status,
            body: exchange.response_body.as_ref().map(Content::json),
        });
    }
    let found = description.violations(&held).expect("a description");
    found.iter().map(ToString::to_string).collect()
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
                let found = violations(openapi, exchange);
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
    let api = Api::start().await;
    walk::everything(&api).await;

    let exchanges = api.simulator.exchanges();
    let mut found: Vec<String> = exchanges
        .iter()
        .flat_map(|exchange| violations(openapi, exchange))
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
    let granted: Vec<_> = exchanges
        .iter()
        .filter(|exchange| exchange.status < 300)
        .filter_map(|exchange| openapi.operation(&exchange.method, &exchange.path))
        .collect();
    let operations = openapi.operations();
    assert!(operations.len() > 50, "{} are too few", operations.len());
    for operation in operations {
        assert!(
            granted.contains(&operation),
            "{operation:?} was not replayed"
        );
    }
}
