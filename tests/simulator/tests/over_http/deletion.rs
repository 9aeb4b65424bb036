use std::time::Duration;

use pagerduty_simulator::{Config, Plan};
use serde_json::{Value, json};

use crate::client::{Api, config, id};

const OPEN: &str = "/incidents?statuses[]=triggered&statuses[]=acknowledged&date_range=all";

async fn open_of(api: &Api, user: &str) -> Vec<Value> {
    api.all(&format!("{OPEN}&user_ids[]={user}"), "incidents")
        .await
}

async fn assignee(api: &Api) -> String {
    let owner = api.get("/users/me").await.json["user"]["id"].clone();
    let open = api.all(OPEN, "incidents").await;
    let assignees = open
        .iter()
        .flat_map(|i| i["assignments"].as_array().unwrap());
    let mut users = assignees.map(|a| a["assignee"]["id"].clone());
    users
        .find(|user| *user != owner)
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn the_owner_stays() {
    let api = Api::new(config()).await;
    let owner = api.get("/users/me").await.json["user"].clone();
    let refused = api
        .call("DELETE", &format!("/users/{}", id(&owner)), None)
        .await;
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn open_incidents_block_until_their_clean_up_is_through() {
    let delay = Duration::from_secs(30);
    let api = Api::new(Config {
        reassignment_delay: delay,
        users: 400,
        ..config()
    })
    .await;
    let schedules = api.all("/schedules", "schedules").await;
    let policies = api.all("/escalation_policies", "escalation_policies").await;
    let mut duties = format!("{schedules:?}{policies:?}");
    for row in api.all("/v3/schedules", "schedules").await {
        duties.push_str(&api.get(&format!("/v3/schedules/{}", id(&row))).await.text);
    }
    let owner = api.get("/users/me").await.json["user"].clone();
    let open = api.all(OPEN, "incidents").await;
    // Somebody whom nothing but an incident holds.
    let user = open
        .iter()
        .flat_map(|i| i["assignments"].as_array().unwrap())
        .map(|a| a["assignee"]["id"].as_str().unwrap())
        .find(|user| !duties.contains(user) && *user != id(&owner))
        .unwrap();
    let path = format!("/users/{user}");
    assert_eq!(api.call("DELETE", &path, None).await.status, 400);
    for incident in open_of(&api, user).await {
        let heir = json!([{"assignee": {"id": id(&owner), "type": "user_reference"}}]);
        let body = json!({"incident": {"type": "incident_reference", "assignments": heir}});
        let put = api
            .call("PUT", &format!("/incidents/{}", id(&incident)), Some(body))
            .await;
        assert_eq!(put.status, 200);
    }
    assert!(open_of(&api, user).await.is_empty());
    assert_eq!(
        api.call("DELETE", &path, None).await.status,
        400,
        "the clean-up still runs"
    );
    api.simulator.advance(delay);
    let deleted = api.call("DELETE", &path, None).await;
    assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
    let gone = api.get(&path).await;
    assert_eq!(
        (gone.status, &gone.json["error"]["code"]),
        (404, &2100.into())
    );
    assert_eq!(api.call("DELETE", &path, None).await.status, 404);
}

#[tokio::test]
async fn offboarding_leaves_stubs_and_hands_incidents_back_later() {
    let delay = Duration::from_secs(30);
    let plan = Plan {
        offboarding: true,
        ..Plan::default()
    };
    let api = Api::new(Config {
        reassignment_delay: delay,
        plan,
        ..config()
    })
    .await;
    let user = assignee(&api).await;
    assert_eq!(
        api.call("DELETE", &format!("/users/{user}"), None)
            .await
            .status,
        204
    );
    assert!(!open_of(&api, &user).await.is_empty());
    api.simulator.advance(delay);
    assert!(open_of(&api, &user).await.is_empty());

    let schedule = api.get("/schedules").await.json["schedules"][0].clone();
    let member = schedule["users"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    assert_eq!(
        api.call("DELETE", &format!("/users/{}", id(&member)), None)
            .await
            .status,
        204
    );
    let after = api.get(&format!("/schedules/{}", id(&schedule))).await.json["schedule"].clone();
    let users = after["users"].as_array().unwrap();
    let stub = users.iter().find(|u| u["id"] == member["id"]).unwrap();
    assert!(stub["self"].is_null() && stub["deleted_at"].is_string());
    assert_eq!(stub["summary"], member["summary"]);
}
