use std::collections::HashSet;
use std::time::{Duration, Instant};

use pagerduty_simulator::{Certificate, Config, Region, Simulator};

use crate::client::{Api, config, id};

#[tokio::test]
async fn the_same_seed_gives_the_same_account() {
    let (one, same) = (Api::new(config()).await, Api::new(config()).await);
    let other = Api::new(Config {
        seed: 2,
        ..config()
    })
    .await;
    for path in [
        "/users",
        "/teams",
        "/schedules?include[]=schedule_layers",
        "/oncalls",
        "/incidents",
    ] {
        assert_eq!(
            one.get(path).await.text,
            same.get(path).await.text,
            "{path}"
        );
        assert_ne!(
            one.get(path).await.text,
            other.get(path).await.text,
            "{path}"
        );
    }
}

#[tokio::test]
async fn licence_counts_are_those_of_the_users() {
    let api = Api::new(config()).await;
    let allocations = api.all("/license_allocations", "license_allocations").await;
    assert_eq!(allocations.len(), 120);
    let users: HashSet<&str> = allocations.iter().map(|a| id(&a["user"])).collect();
    assert_eq!(users.len(), 120);
    for license in api.get("/licenses").await.json["licenses"]
        .as_array()
        .unwrap()
    {
        let used = allocations
            .iter()
            .filter(|a| a["license"]["id"] == license["id"])
            .count();
        assert_eq!(license["current_value"], used);
    }
}

#[tokio::test]
async fn an_account_of_one_is_empty() {
    for users in [1, 2, 3, 9, 20] {
        let api = Api::new(Config { users, ..config() }).await;
        assert_eq!(api.all("/users", "users").await.len(), users);
        let teams = api.all("/teams", "teams").await.len();
        let lists = [
            "/schedules",
            "/v3/schedules",
            "/oncalls",
            "/incidents?date_range=all",
            "/services",
        ];
        for path in lists {
            let name = path
                .trim_start_matches("/v3")
                .trim_matches('/')
                .split('?')
                .next()
                .unwrap();
            let rows = api.all(path, name).await.len();
            assert_eq!(rows == 0, users == 1, "{path} with {users} users");
        }
        assert_eq!(teams == 0, users == 1);
    }
}

#[test]
fn a_hundred_thousand_users_are_made_quickly() {
    let start = Instant::now();
    let _simulator = Simulator::new(Config {
        users: 100_000,
        ..config()
    });
    // Unoptimised, and with room for a busy machine.
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn the_other_region_does_not_know_the_token() {
    let api = Api::new(Config {
        region: Region::Eu,
        ..config()
    })
    .await;
    let user = api.get("/users/me").await.json["user"].clone();
    assert!(
        user["html_url"]
            .as_str()
            .unwrap()
            .starts_with("https://acme.eu.pagerduty.com/users/")
    );
    for (host, status) in [
        ("api.pagerduty.com", 401),
        ("api.eu.pagerduty.com", 200),
        ("localhost", 200),
    ] {
        let request = http::Request::get(format!("{}/users/me", api.listening.origin()))
            .header("host", host)
            .header("authorization", "Token token=simulated-token")
            .body(bytes::Bytes::new().into())
            .unwrap();
        assert_eq!(api.send(request).await.unwrap().status, status, "{host}");
    }
    let unknown = api.get("/nowhere").await;
    assert_eq!(
        (unknown.status, &unknown.json["error"]["code"]),
        (404, &2100.into())
    );
}

#[tokio::test]
async fn certificates_are_written_and_served() {
    let certificate = Certificate::generate().unwrap();
    let dir = tempfile::tempdir().unwrap();
    certificate.write_to(dir.path()).unwrap();
    assert_eq!(
        std::fs::read_to_string(dir.path().join("ca.pem")).unwrap(),
        certificate.ca_pem()
    );
    let simulator = Simulator::new(config());
    let listening = simulator
        .listen_tls(([127, 0, 0, 1], 0).into(), &certificate)
        .await
        .unwrap();
    assert!(listening.origin().starts_with("https://localhost:"));
    let addr = listening.addr();
    listening.stop().await;
    tokio::net::TcpListener::bind(addr).await.unwrap();
}
