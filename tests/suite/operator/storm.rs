//! Platforms that call over HTTP while versions change under them.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use host_harness::{
    Connector,
    connector::BUNDLED,
    registry::Registry,
    server::{Connectors, Served},
};
use http::Method;
use pagerduty_simulator::{Config, Simulator, TOKENS};
use serde_json::json;

use crate::{
    registry::{
        config, load, open, second_version,
        storm::{Client, Storm, Tally, assert_each_request_is_of_one_version, storm},
    },
    serve::platform::Platform,
    support::{connector, engine, run},
};

/// Calls as a platform does. All share one tenant of the host.
struct Caller {
    platform: Arc<Platform>,
    page: u32,
}

impl Client for Caller {
    async fn call(&mut self) -> BTreeSet<String> {
        let envelope = json!({
            "request": {},
            "page": {"size": self.page},
            "credentials": [{"token": {"token": TOKENS.owner}}],
        });
        // Without a look at the schemas, which would take longer than the call.
        let path = "/pagerduty/list_entitlements";
        let answer = self.platform.send(Method::POST, path, envelope.to_string());
        let answer = answer.await.json();
        let entitlements = Platform::response(&answer).as_array().expect("a list");
        // A role; teams have responders of their own.
        let role = entitlements
            .iter()
            .filter(|row| row["integration_specific_id"] == "limited_user");
        role.filter_map(|row| row["label"].as_str())
            .filter_map(|label| match label {
                "Responder" => Some("0.1.0".to_owned()),
                "Responder of 0.2.0" => Some("0.2.0".to_owned()),
                _ => None,
            })
            .collect()
    }
}

async fn through(plan: &Storm, callers: usize, page: u32, kept: bool) -> (Tally, Arc<Platform>) {
    let folder = tempfile::tempdir().expect("a folder");
    let registry: Registry = open(config(folder.path())).await;
    registry.load(load(BUNDLED)).await.expect("it is sound");
    let simulator = Simulator::new(Config {
        users: 20,
        ..Config::default()
    });
    simulator.keep_exchanges(kept);
    let connectors = Arc::new(registry.clone());
    let platform = Platform::serving_from(connectors, simulator, |config| {
        config.tenants.concurrent = callers;
    });
    let platform = Arc::new(platform.await);
    let callers = (0..callers).map(|_| Caller {
        platform: Arc::clone(&platform),
        page,
    });
    // Ends only when no more than two generations are in memory, though the
    // tenant stays open.
    let tally = storm(&registry, plan, callers.collect()).await;
    (tally, platform)
}

#[test]
fn calls_over_http_go_on_through_swaps_and_no_tenant_keeps_a_replaced_version() {
    run(async {
        let plan = Storm {
            swaps: 20,
            pace: Duration::ZERO,
        };
        let (tally, platform) = through(&plan, 8, 100, true).await;
        assert!(tally.calls.values().all(|calls| *calls >= 10), "{tally:?}");
        assert_each_request_is_of_one_version(&platform.simulator);
    });
}

#[test]
#[ignore = "takes half a minute and more: `cargo test storm -- --ignored --nocapture`"]
fn sixty_four_platforms_call_through_two_hundred_swaps() {
    run(async {
        let plan = Storm {
            swaps: 200,
            pace: Duration::from_millis(150),
        };
        let (tally, _) = through(&plan, 64, 30, false).await;
        println!("{tally}");
        tally.assert_memory_is_back();
    });
}

#[test]
fn a_tenant_that_nobody_uses_lets_go_of_a_replaced_version() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let mut settings = config(folder.path());
        // There is nobody to return to, who would be in memory as well.
        settings.probation = Duration::ZERO;
        let registry: Registry = open(settings).await;
        registry.load(load(BUNDLED)).await.expect("it is sound");
        let simulator = Simulator::new(Config::default());
        let connectors = Arc::new(registry.clone());
        let platform = Platform::serving_from(connectors, simulator, |_| {}).await;
        platform.call("list_entitlements", json!({})).await;
        let next = second_version("names");
        registry.load(load(&next)).await.expect("it is sound");
        // Somewhat after the registry has told of the swap.
        while registry.in_memory() > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // And goes on, on the version that serves.
        let answer = platform.call("list_entitlements", json!({})).await;
        assert!(answer.to_string().contains("Responder of 0.2.0"));
    });
}

/// Another version every other time that somebody asks.
#[derive(Debug)]
struct Alternating {
    versions: [Connector; 2],
    asked: AtomicUsize,
}

impl Connectors for Alternating {
    fn ids(&self) -> Vec<String> {
        vec!["pagerduty".to_owned()]
    }

    fn connector(&self, _id: &str) -> Option<Served> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        // In pairs, since a server may ask as often for each call.
        Some(self.versions[asked / 2 % 2].clone().into())
    }
}

#[test]
fn a_call_of_several_functions_keeps_the_version_that_it_began_with() {
    run(async {
        let next = Connector::load(engine(), &second_version("requests")).await;
        let connectors = Alternating {
            versions: [connector().clone(), next.expect("it is sound")],
            asked: AtomicUsize::new(0),
        };
        let simulator = Simulator::new(Config::default());
        simulator.keep_exchanges(true);
        let platform = Platform::serving_from(Arc::new(connectors), simulator, |_| {}).await;
        let account = platform.simulator.user_ids().swap_remove(0);
        let mut versions = BTreeSet::new();
        for _ in 0..4 {
            for (capability, request) in [
                ("probe_integration", json!({})),
                (
                    "downgrade_license",
                    json!({"account_id": account, "current_resource_ids": []}),
                ),
                (
                    "list_updated_accounts",
                    json!({"updated_since": "2026-01-01T00:00:00Z"}),
                ),
            ] {
                let before = platform.simulator.exchanges().len();
                platform.call(capability, request).await;
                let exchanges = platform.simulator.exchanges().split_off(before);
                let agents: BTreeSet<String> = exchanges
                    .iter()
                    .flat_map(|exchange| &exchange.request_headers)
                    .filter(|(name, _)| name == "user-agent")
                    .map(|(_, agent)| agent.clone())
                    .collect();
                assert!(agents.len() <= 1, "{capability}: {agents:?}");
                versions.extend(agents);
            }
        }
        assert_eq!(versions.len(), 2, "{versions:?}");
    });
}
