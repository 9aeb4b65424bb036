//! What calls of one tenant share, and what the operator lets them do.

use std::sync::Arc;

use host_harness::{
    Credential,
    oauth::{CredentialStore as _, MemoryStore, ProfileKey, StoredCredential},
    server::StoredProfiles,
};
use http::Method;
use pagerduty_simulator::{Config, Simulator, TOKENS};
use serde_json::json;

use super::platform::{Platform, TOKEN, code};
use crate::support::run;

async fn open(platform: &Platform) -> usize {
    let admin = platform.running.admin_addr().expect("it listens").port();
    let good = format!("Bearer {TOKEN}");
    let text = platform
        .send_to(admin, Some(&good), Method::GET, "/metrics", "")
        .await
        .text;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("harness_tenants_open "));
    line.and_then(|count| count.parse().ok()).expect("a number")
}

#[test]
fn the_same_credential_and_settings_are_one_tenant() {
    run(async {
        let platform = Platform::with(5, |config| config.tenants.open = 3).await;
        let call = async |token: &str, settings: serde_json::Value| {
            let envelope =
                json!({"request": {}, "auth": {"token": {"token": token}}, "settings": settings});
            let answer = platform.bare("list_accounts", envelope).await;
            Platform::response(&answer);
            open(&platform).await
        };
        assert_eq!(call(TOKENS.owner, json!({})).await, 1);
        assert_eq!(call(TOKENS.owner, json!({})).await, 1);
        assert_eq!(call(TOKENS.read_only, json!({})).await, 2);
        assert_eq!(call(TOKENS.owner, json!({"concurrency": 2})).await, 3);
        // Full: the one that was used least lately makes room.
        assert_eq!(call(TOKENS.owner, json!({"concurrency": 3})).await, 3);
    });
}

#[test]
fn the_vendors_rate_limit_is_told_as_a_time() {
    run(async {
        let simulator = Simulator::new(Config {
            users: 5,
            limit: Some(960),
            ..Config::default()
        });
        let platform = Platform::of(simulator, |_| {}).await;
        let now = jiff::Timestamp::now().as_second();
        let answer = platform.call("list_accounts", json!({})).await;
        Platform::response(&answer);
        let state = &answer["rate_limit"]["current_state"]["pagerduty"];
        assert_eq!(state["limit"], 960);
        assert_eq!(state["source"], "api_headers");
        assert_eq!(state["window_seconds"], 60);
        let reset = state["reset"].as_i64().expect("a time");
        assert!((now..now + 120).contains(&reset), "{reset}");
    });
}

#[test]
fn a_profile_is_used_by_its_name_if_the_operator_serves_it() {
    run(async {
        let store = MemoryStore::default();
        for name in ["served", "private"] {
            let key = ProfileKey::new("pagerduty", name).expect("a name");
            let token = Credential::token(TOKENS.owner).expect("a token");
            store
                .save(&key, &StoredCredential::Token(token))
                .expect("it is kept");
        }
        let platform = Platform::with(5, |config| {
            config.profiles = StoredProfiles {
                store: Some(Arc::new(store)),
                names: vec!["served".to_owned(), "missing".to_owned()],
            };
        })
        .await;
        let refer = async |name: &str| {
            let envelope = json!({"request": {}, "credentials": [{"id": name, "empty": {}}]});
            platform.bare("validate_credentials", envelope).await
        };
        let answer = refer("served").await;
        assert_eq!(Platform::response(&answer)["unique_tenant_id"], "acme");
        for name in ["private", "nobody", "../served"] {
            assert_eq!(code(&refer(name).await), "permission_denied", "{name}");
        }
        let missing = refer("missing").await;
        assert_eq!(code(&missing), "unknown_value");
        assert!(!missing.to_string().contains("private"), "{missing}");
    });
}

#[test]
fn an_operator_can_serve_reads_only() {
    run(async {
        let platform = Platform::with(20, |config| config.reach.writes = false).await;
        let account = platform.simulator.user_ids()[3].clone();
        let answer = platform.call("list_accounts", json!({})).await;
        Platform::response(&answer);
        let answer = platform
            .call(
                "update_account",
                json!({"id": account, "job-title": "Baker"}),
            )
            .await;
        assert_eq!(code(&answer), "permission_denied");
    });
}

#[test]
fn a_call_ends_when_the_caller_wants_it_to() {
    run(async {
        let platform = Platform::with(20, |_| {}).await;
        let fault = "GET /users* latency=30s".parse().expect("a fault");
        platform.simulator.faults().add(fault);
        let envelope = json!({"request": {}, "rate_limit": {"max_execution_time": 1}});
        let answer = platform.envelope("list_accounts", envelope).await;
        let code = code(&answer);
        assert!(
            matches!(code, "request_timeout" | "budget_exhausted"),
            "{answer:#}"
        );
    });
}
