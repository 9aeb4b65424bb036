use std::time::Duration;

use pagerduty_simulator::Config;

use crate::client::{Api, config};

#[tokio::test]
async fn the_limit_counts_down_and_starts_over() {
    let api = Api::new(Config {
        limit: Some(3),
        ..config()
    })
    .await;
    for remaining in ["2", "1", "0"] {
        let reply = api.get("/users?limit=1").await;
        assert_eq!(
            (
                reply.status,
                reply.headers["ratelimit-remaining"].to_str().unwrap()
            ),
            (200, remaining)
        );
    }
    let refused = api.get("/users").await;
    assert_eq!(
        (refused.status, &refused.json["error"]["code"]),
        (429, &2020.into())
    );
    let reset: u64 = refused.headers["ratelimit-reset"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=60).contains(&reset));
    assert!(refused.headers.get("retry-after").is_none());
    api.simulator.advance(Duration::from_secs(reset));
    assert_eq!(api.get("/users").await.status, 200);
}

#[tokio::test]
async fn on_calls_have_a_limit_of_their_own() {
    let api = Api::new(Config {
        limit: Some(960),
        ..config()
    })
    .await;
    let reply = api.get("/oncalls?limit=1").await;
    assert_eq!(reply.headers["ratelimit-limit"], "125");
    assert_eq!(api.get("/users").await.headers["ratelimit-limit"], "960");
}
