//! What calls of one tenant share, and what the operator lets them do.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::{Either, select};
use host_harness::{
    Credential,
    oauth::{CredentialStore as _, MemoryStore, ProfileKey, StoredCredential},
    server::StoredProfiles,
};
use pagerduty_simulator::{Config, Simulator, TOKENS};
use serde_json::json;

use super::platform::{Platform, code};
use crate::support::run;

async fn open(platform: &Platform) -> usize {
    platform.gauge("harness_tenants_open").await
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

/// A call that the vendor never answers, until it is dropped.
async fn endless(platform: &Platform) {
    let fault = "GET /users latency=600s times=1".parse().expect("a fault");
    platform.simulator.faults().add(fault);
    platform.call("list_accounts", json!({})).await;
    panic!("the vendor answers in ten minutes");
}

/// Waits until so many calls are under way.
async fn under_way(platform: &Platform, count: usize) {
    while platform.gauge("harness_calls_under_way").await != count {
        tokio::task::yield_now().await;
    }
}

/// What `meanwhile` does beside a call that does not end.
async fn beside_an_endless_call(platform: &Platform, meanwhile: impl Future<Output = ()>) {
    let meanwhile = async {
        while platform.simulator.faults().fired() == 0 {
            tokio::task::yield_now().await;
        }
        meanwhile.await;
    };
    let (endless, meanwhile) = (pin!(endless(platform)), pin!(meanwhile));
    select(endless, meanwhile).await;
}

#[test]
fn a_tenant_that_nobody_uses_is_closed_and_one_with_a_call_under_way_is_not() {
    run(async {
        let idle = Duration::from_millis(20);
        let platform = Platform::with(5, |config| config.tenants.idle = idle).await;
        beside_an_endless_call(&platform, async {
            let begun = Instant::now();
            while begun.elapsed() < idle * 10 {
                assert_eq!(open(&platform).await, 1, "its call is under way");
            }
        })
        .await;
        while open(&platform).await > 0 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn a_tenant_with_a_call_under_way_makes_no_room_for_another() {
    run(async {
        let platform = Platform::with(5, |config| {
            config.tenants.open = 1;
            config.tenants.concurrent = 1;
        })
        .await;
        beside_an_endless_call(&platform, async {
            let other = json!({"request": {}, "auth": {"token": {"token": TOKENS.read_only}}});
            Platform::response(&platform.bare("list_accounts", other).await);
            // Opened anew, it would be let in.
            let brief = json!({"request": {}, "rate_limit": {"max_execution_time": 1}});
            let refused = platform.envelope("list_accounts", brief).await;
            assert_eq!(code(&refused), "budget_exhausted", "{refused:#}");
            let metadata = &refused["error"]["error_metadata"];
            assert_eq!(metadata["retry_after_seconds"], 1);
            assert_eq!(metadata["throttled"], true);
        })
        .await;
    });
}

#[test]
fn further_calls_of_a_tenant_wait_and_those_of_others_do_not() {
    run(async {
        let platform = Platform::with(5, |config| config.tenants.concurrent = 1).await;
        platform.simulator.keep_exchanges(true);
        let reached = || {
            let exchanges = platform.simulator.exchanges();
            let mut paths = exchanges.iter().map(|exchange| exchange.path.as_str());
            paths.any(|path| path == "/users/PWAITS")
        };
        let waiting = platform.call("get_account", json!({"account_id": "PWAITS"}));
        let mut waiting = pin!(waiting);
        beside_an_endless_call(&platform, async {
            let others = async {
                under_way(&platform, 2).await;
                let other = json!({"request": {}, "auth": {"token": {"token": TOKENS.read_only}}});
                Platform::response(&platform.bare("list_accounts", other).await);
            };
            match select(waiting.as_mut(), pin!(others)).await {
                Either::Left((answer, _)) => panic!("it did not wait: {answer}"),
                Either::Right(((), _)) => assert!(!reached()),
            }
        })
        .await;
        // The first one is gone.
        assert_eq!(code(&waiting.await), "not_found");
        assert!(reached());
    });
}

#[test]
fn a_tenant_can_not_take_all_places_with_calls_that_wait() {
    run(async {
        let platform = Platform::with(5, |config| {
            config.tenants.concurrent = 1;
            config.tenants.waiting = 1;
            config.limits.calls = 4;
        })
        .await;
        let mut waiting = pin!(platform.call("list_accounts", json!({})));
        beside_an_endless_call(&platform, async {
            let others = async {
                under_way(&platform, 2).await;
                let refused = platform.call("list_accounts", json!({})).await;
                assert_eq!(code(&refused), "budget_exhausted", "{refused:#}");
                let other = json!({"request": {}, "auth": {"token": {"token": TOKENS.read_only}}});
                Platform::response(&platform.bare("list_accounts", other).await);
            };
            if let Either::Left((answer, _)) = select(waiting.as_mut(), pin!(others)).await {
                panic!("it did not wait: {answer}");
            }
        })
        .await;
        Platform::response(&waiting.await);
    });
}
