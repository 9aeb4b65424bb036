//! Who gets in, and how much.

use http::Method;
use serde_json::json;

use super::platform::{Platform, TOKEN, code};
use crate::support::run;

#[test]
fn without_the_token_nothing_is_told_but_health_and_description() {
    run(async {
        let platform = Platform::with(5, |_| {}).await;
        let admin = platform.running.admin_addr().expect("it listens").port();
        let good = format!("Bearer {TOKEN}");
        let longer = format!("Bearer {TOKEN}x");
        let shorter = format!("Bearer {}", &TOKEN[1..]);
        let basic = format!("Basic {TOKEN}");
        for wrong in [
            None,
            Some("Bearer"),
            Some(&longer),
            Some(&shorter),
            Some(&basic),
            Some(TOKEN),
        ] {
            let wrong = wrong.map(|text: &str| text);
            for path in ["/pagerduty/info", "/list-connector-app-ids", "/elsewhere"] {
                let reply = platform.send_as(wrong, Method::POST, path, "{}").await;
                assert_eq!(reply.status, 401, "{wrong:?} {path}");
                assert_eq!(reply.headers["www-authenticate"], "Bearer");
                assert_eq!(code(&reply.json()), "unauthorized");
            }
            let reply = platform
                .send_to(admin, wrong, Method::GET, "/metrics", "")
                .await;
            assert_eq!(reply.status, 401);
        }
        for path in ["/healthz", "/readyz", "/docs", "/openapi.json"] {
            assert_eq!(platform.get(path).await.status, 200, "{path}");
        }
        for path in ["/healthz", "/readyz"] {
            let reply = platform.send_to(admin, None, Method::GET, path, "").await;
            assert_eq!(reply.status, 200, "{path}");
        }
        let reply = platform
            .send_to(admin, Some(&good), Method::GET, "/metrics", "")
            .await;
        let kind = reply.headers["content-type"].to_str().expect("text");
        assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
        assert!(
            reply.text.contains("harness_requests_refused_total 24\n"),
            "{}",
            reply.text
        );
        assert!(reply.text.ends_with("# EOF\n"));
        let ids = platform
            .send(Method::POST, "/list-connector-app-ids", "{}")
            .await;
        assert_eq!(ids.json(), json!({"response": ["pagerduty"]}));
        // Neither listener has what belongs to the other.
        let reply = platform.send(Method::GET, "/metrics", "").await;
        assert_eq!(reply.status, 404);
        let reply = platform
            .send_to(admin, Some(&good), Method::POST, "/pagerduty/info", "{}")
            .await;
        assert_eq!(reply.status, 404);
        let reply = platform.send(Method::GET, "/pagerduty/info", "").await;
        assert_eq!(reply.status, 405);
    });
}

#[test]
fn calls_are_counted_by_outcome_and_by_no_name_of_the_callers() {
    run(async {
        let platform = Platform::with(5, |_| {}).await;
        platform.call("list_accounts", json!({})).await;
        platform.bare("list_accounts", json!({})).await;
        platform
            .send(Method::POST, "/evil%22%0A/evil%22%0A", "{}")
            .await;
        let admin = platform.running.admin_addr().expect("it listens").port();
        let good = format!("Bearer {TOKEN}");
        let text = platform
            .send_to(admin, Some(&good), Method::GET, "/metrics", "")
            .await
            .text;
        for line in [
            "harness_calls_total{connector=\"pagerduty\",capability=\"list_accounts\",code=\"ok\"} 1\n",
            "harness_calls_total{connector=\"pagerduty\",capability=\"list_accounts\",code=\"integration_missing_parameter\"} 1\n",
            "harness_calls_total{connector=\"unknown\",capability=\"unknown\",code=\"not_found\"} 1\n",
            "harness_call_seconds_count{connector=\"pagerduty\",capability=\"list_accounts\"} 2\n",
            "harness_calls_under_way 0\n",
            "harness_tenants_open 1\n",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("evil"), "{text}");
    });
}

#[test]
fn a_large_body_is_refused() {
    run(async {
        let platform = Platform::with(5, |config| config.limits.body = 1000).await;
        let large = vec![b' '; 1001];
        let reply = platform.send(Method::POST, "/pagerduty/info", large).await;
        assert_eq!(reply.status, 413);
        assert_eq!(code(&reply.json()), "bad_request");
        let mut fits = b"{}".to_vec();
        fits.resize(1000, b' ');
        let reply = platform.send(Method::POST, "/pagerduty/info", fits).await;
        assert_eq!(reply.status, 200);
    });
}

#[test]
fn the_page_for_people_needs_nothing_from_elsewhere() {
    run(async {
        let platform = Platform::with(5, |_| {}).await;
        let page = platform.get("/docs").await;
        let policy = page.headers["content-security-policy"]
            .to_str()
            .expect("text");
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        for outside in ["http://", "https://", "<script", "{{"] {
            assert!(!page.text.contains(outside), "{outside}");
        }
        assert!(
            page.text
                .contains("POST /pagerduty/find_entitlement_associations")
        );
    });
}

#[test]
fn more_calls_than_there_is_room_for_are_refused() {
    run(async {
        let platform = Platform::with(5, |config| config.limits.calls = 1).await;
        let fault = "GET /users* latency=60000ms".parse().expect("a fault");
        platform.simulator.faults().add(fault);
        let slow = platform.call("list_accounts", json!({}));
        let meanwhile = async {
            // Until the slow one has reached the vendor.
            while platform.simulator.request_count() == 0 {
                tokio::task::yield_now().await;
            }
            platform.send(Method::POST, "/pagerduty/info", "{}").await
        };
        let refused = tokio::select! {
            _ = slow => panic!("the vendor takes a minute"),
            refused = meanwhile => refused,
        };
        assert_eq!(refused.status, 503);
        let refused = refused.json();
        assert_eq!(code(&refused), "service_error");
        let metadata = &refused["error"]["error_metadata"];
        assert_eq!(metadata["fault"], "infrastructure", "not the vendor's");
        assert_eq!(metadata["retryable"], true);
        assert_eq!(platform.gauge("harness_calls_turned_away_total").await, 1);
    });
}
