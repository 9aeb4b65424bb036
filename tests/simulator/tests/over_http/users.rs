use pagerduty_simulator::{Config, Plan, TOKENS};
use serde_json::json;

use crate::client::{Api, config, id};

#[tokio::test]
async fn keys_differ_in_who_they_are_and_what_they_may() {
    let mut api = Api::new(config()).await;
    assert_eq!(api.get("/users/me").await.json["user"]["role"], "owner");
    let me = api.using(TOKENS.account).get("/users/me").await;
    assert!(me.status == 400 && me.json["error"].is_string());
    let user =
        json!({"user": {"type": "user", "name": "New One", "email": "new.one@acme.example"}});
    let missing = api.call("POST", "/users", Some(user.clone())).await;
    assert_eq!(missing.json["error"]["code"], 2016);
    api.from = Some("nonsense".to_owned());
    assert_eq!(
        api.call("POST", "/users", Some(user.clone())).await.json["error"]["code"],
        1028
    );
    api.from = Some("nobody@acme.example".to_owned());
    assert_eq!(
        api.call("POST", "/users", Some(user.clone())).await.json["error"]["code"],
        1008
    );
    let denied = api
        .using(TOKENS.read_only)
        .call("POST", "/users", Some(user))
        .await;
    assert_eq!(
        (denied.status, &denied.json["error"]["code"]),
        (403, &2010.into())
    );
    api.using(TOKENS.responder);
    assert_eq!(api.get("/users").await.status, 200);
    assert_eq!(api.get("/license_allocations").await.status, 403);
    assert_eq!(api.get("/audit/records").await.status, 403);
    let unknown = api.using("wrong").get("/users").await;
    assert_eq!(
        (unknown.status, &unknown.json["error"]["code"]),
        (401, &2006.into())
    );
}

#[tokio::test]
async fn a_new_user_is_invited_takes_a_seat_and_is_audited() {
    let api = Api::new(config()).await;
    let used =
        |licenses: &serde_json::Value| licenses["licenses"][0]["current_value"].as_u64().unwrap();
    let before = used(&api.get("/licenses").await.json);
    let body = json!({"user": {"type": "user", "name": "New One", "email": "New.One@acme.example", "role": "limited_user"}});
    let made = api.call("POST", "/users", Some(body.clone())).await;
    assert_eq!(
        (made.status, &made.json["user"]["invitation_sent"]),
        (201, &true.into())
    );
    let twice = api.call("POST", "/users", Some(body)).await;
    assert_eq!(
        twice.json["error"]["errors"][0],
        "Email has already been taken"
    );
    assert_eq!(used(&api.get("/licenses").await.json), before + 1);
    let records = api
        .get(&format!("/users/{}/audit/records", id(&made.json["user"])))
        .await
        .json;
    assert_eq!(records["records"][0]["action"], "create");
    assert_eq!(
        api.call(
            "DELETE",
            &format!("/users/{}", id(&made.json["user"])),
            None
        )
        .await
        .status,
        204
    );
    assert_eq!(used(&api.get("/licenses").await.json), before);
}

#[tokio::test]
async fn roles_and_licences_have_to_fit() {
    let api = Api::new(config()).await;
    let users = api.all("/users", "users").await;
    let stakeholder = users
        .iter()
        .find(|user| user["role"] == "read_only_user")
        .unwrap();
    let path = format!("/users/{}", id(stakeholder));
    let license = api.get(&format!("{path}/license")).await.json["license"].clone();
    let with_license = json!({"user": {"type": "user", "role": "observer", "license": {"id": license["id"], "type": "license_reference"}}});
    let refused = api.call("PUT", &path, Some(with_license)).await;
    assert_eq!(
        refused.json["error"]["errors"][0],
        "License is not available"
    );
    let role_only = json!({"user": {"type": "user", "role": "team_responder"}});
    assert_eq!(
        api.call("PUT", &path, Some(role_only)).await.json["user"]["role"],
        "observer"
    );
    assert_ne!(
        api.get(&format!("{path}/license")).await.json["license"]["id"],
        license["id"]
    );
    let unknown = api
        .call(
            "PUT",
            &path,
            Some(json!({"user": {"type": "user", "role": "king"}})),
        )
        .await;
    assert!(
        unknown.json["error"]["errors"][0]
            .as_str()
            .unwrap()
            .starts_with("Role must be in")
    );
    let owner = api.get("/users/me").await.json["user"].clone();
    let lesser = json!({"user": {"type": "user", "role": "admin"}});
    assert_eq!(
        api.call("PUT", &format!("/users/{}", id(&owner)), Some(lesser))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn what_the_plan_lacks_is_refused() {
    let plan = Plan {
        teams: false,
        licenses: false,
        analytics: false,
        audit: false,
        delegations: false,
        ..Plan::default()
    };
    let api = Api::new(Config { plan, ..config() }).await;
    for path in ["/teams", "/audit/records", "/users/X/oauth_delegations"] {
        let refused = api.get(path).await;
        assert_eq!(
            (refused.status, &refused.json["error"]["code"]),
            (402, &2014.into()),
            "{path}"
        );
    }
    assert_eq!(api.get("/license_allocations").await.status, 403);
    assert_eq!(api.get("/abilities/teams").await.status, 402);
    assert_eq!(api.get("/abilities/sso").await.status, 204);
    assert_eq!(api.get("/abilities/magic").await.status, 404);
}

#[tokio::test]
async fn signing_out_revokes_delegations() {
    let api = Api::new(config()).await;
    let users = api.all("/users", "users").await;
    let mut signed_in = None;
    for user in &users {
        let path = format!("/users/{}/oauth_delegations", id(user));
        if !api.get(&path).await.json["oauth_delegations"]
            .as_array()
            .unwrap()
            .is_empty()
        {
            signed_in = Some((id(user), path));
            break;
        }
    }
    let (user, path) = signed_in.unwrap();
    let out = api
        .call(
            "DELETE",
            &format!("/oauth_delegations?user_id={user}&type=mobile,web"),
            None,
        )
        .await;
    assert_eq!(out.json["status"], "ok");
    assert!(
        api.get(&path).await.json["oauth_delegations"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    let all = api
        .get(&format!(
            "{path}?status=issued,revoked&delegation_type=web,mobile"
        ))
        .await
        .json;
    assert_eq!(all["oauth_delegations"][0]["status"], "revoked");
}
