use crate::client::{Api, config};
use pagerduty_simulator::{Config, Search};

#[tokio::test]
async fn lists_have_25_rows_unless_told_and_at_most_100() {
    let api = Api::new(config()).await;
    let page = api.get("/users").await.json;
    assert_eq!(page["users"].as_array().unwrap().len(), 25);
    assert_eq!((&page["limit"], &page["offset"]), (&25.into(), &0.into()));
    assert!(page["total"].is_null() && page["more"] == true);
    let page = api.get("/users?limit=500&total=true").await.json;
    assert_eq!(page["users"].as_array().unwrap().len(), 100);
    assert_eq!(page["total"], 120);
    assert_eq!(api.get("/users?limit=0").await.status, 400);
    let team = api.get("/teams").await.json["teams"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        api.get(&format!("/teams/{team}/members")).await.json["limit"],
        100
    );
}

#[tokio::test]
async fn rows_behind_10000_are_out_of_reach() {
    let api = Api::new(config()).await;
    assert_eq!(api.get("/users?limit=100&offset=9900").await.status, 200);
    let refused = api.get("/users?limit=100&offset=9901").await;
    assert_eq!(
        (refused.status, &refused.json["error"]["code"]),
        (400, &2001.into())
    );
}

#[tokio::test]
async fn v3_lists_have_no_total() {
    let api = Api::new(config()).await;
    let page = api.get("/v3/schedules?total=true").await.json;
    assert_eq!(page["limit"], 100);
    assert!(page.get("total").is_none());
    assert_eq!(page["schedules"][0]["type"], "schedule_v3_reference");
}

#[tokio::test]
async fn analytics_pages_reach_every_user_once_per_team() {
    let api = Api::new(config()).await;
    let mut rows = Vec::new();
    let mut after = serde_json::Value::Null;
    loop {
        let body = serde_json::json!({"limit": 50, "starting_after": after});
        let page = api
            .call("POST", "/analytics/raw/users", Some(body))
            .await
            .json;
        rows.extend(page["data"].as_array().unwrap().iter().cloned());
        after = page["last"].clone();
        if page["more"] != true {
            break;
        }
    }
    let users = api.all("/users", "users").await;
    let expected: usize = users
        .iter()
        .map(|user| user["teams"].as_array().unwrap().len().max(1))
        .sum();
    assert_eq!(rows.len(), expected);
    assert!(
        rows.iter()
            .any(|row| row["signed_up"] == false && row["last_sign_in_at"].is_null())
    );
    assert!(!rows[0]["created_at"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn searches_match_as_configured() {
    let api = Api::new(config()).await;
    let user = api.get("/users/me").await.json["user"].clone();
    let email = user["email"].as_str().unwrap();
    let inner = &email[1..];
    assert_eq!(
        api.all(&format!("/users?query={inner}"), "users")
            .await
            .len(),
        1
    );
    let prefixes = Api::new(Config {
        search: Search::Prefix,
        ..config()
    })
    .await;
    assert_eq!(
        prefixes
            .all(&format!("/users?query={inner}"), "users")
            .await
            .len(),
        0
    );
    assert_eq!(
        prefixes
            .all(&format!("/users?query={email}"), "users")
            .await
            .len(),
        1
    );
}

#[tokio::test]
async fn audit_records_come_newest_first_and_page_by_cursor() {
    let api = Api::new(config()).await;
    let range = "since=2026-10-20T00:00:00Z&until=2026-11-18T23:00:00Z";
    let (mut times, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api
            .get(&format!("/audit/records?limit=2&{range}{cursor}"))
            .await
            .json;
        for record in page["records"].as_array().unwrap() {
            times.push(record["execution_time"].as_str().unwrap().to_owned());
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!(times.len() > 2 && times.is_sorted_by(|a, b| a >= b));
    let long = api
        .get("/audit/records?since=2026-01-01T00:00:00Z&until=2026-03-01T00:00:00Z")
        .await;
    assert_eq!(long.status, 400);
}
