use bytes::Bytes;
use pagerduty_simulator::{Config, Effect, Fault, Match, Meanwhile, Refusals};
use serde_json::json;

use crate::client::{Api, config};

async fn with(fault: &str) -> Api {
    let api = Api::new(config()).await;
    api.simulator.faults().add(fault.parse().unwrap());
    api
}

#[tokio::test]
async fn a_status_hits_as_often_as_told() {
    let api = with("GET /users* status=503 times=2 skip=1").await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(api.get("/users").await.status);
    }
    assert_eq!(statuses, [200, 503, 503, 200]);
    assert_eq!(api.simulator.faults().fired(), 2);
}

#[tokio::test]
async fn rate_limits_come_with_and_without_headers() {
    let api = with("* /teams rate-limited").await;
    let bare = api.get("/teams").await;
    assert_eq!((bare.status, bare.text.as_str()), (429, ""));
    assert!(bare.headers.get("ratelimit-reset").is_none());
    api.simulator.faults().clear();
    api.simulator
        .faults()
        .add("* /teams rate-limited reset=3".parse().unwrap());
    assert_eq!(api.get("/teams").await.headers["ratelimit-reset"], "3");
}

#[tokio::test]
async fn contention_refuses_and_changes_nothing() {
    let api = with("POST /users not-locked times=1").await;
    let body =
        json!({"user": {"type": "user", "name": "New One", "email": "new.one@acme.example"}});
    let refused = api.call("POST", "/users", Some(body.clone())).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text.contains("could not be locked"));
    assert_eq!(api.call("POST", "/users", Some(body)).await.status, 201);
}

#[tokio::test]
async fn refusals_are_written_in_every_form_that_has_been_seen() {
    for (refusals, reason) in [
        (Refusals::Usual, "/error/errors/0"),
        (Refusals::ErrorsText, "/error/errors"),
        (Refusals::ErrorsByField, "/error/errors/base/0"),
        (Refusals::ErrorText, "/error"),
        (Refusals::ErrorList, "/error/0"),
    ] {
        let api = Api::new(Config {
            refusals,
            ..config()
        })
        .await;
        let body = json!({"user": {"type": "user", "email": "new.one@acme.example"}});
        let refused = api.call("POST", "/users", Some(body)).await;
        let reason = refused.json.pointer(reason).and_then(|text| text.as_str());
        assert_eq!(reason, Some("Name can't be blank"), "{refusals:?}");
    }
}

#[tokio::test]
async fn a_reset_after_the_change_has_changed() {
    let api = with("POST /users reset-after-applied").await;
    api.simulator.keep_exchanges(true);
    let body = json!({"user": {"type": "user", "name": "A B", "email": "a.b@acme.example"}});
    assert!(api.try_call("POST", "/users", Some(body)).await.is_err());
    assert_eq!(
        api.all("/users?query=a.b@acme.example", "users")
            .await
            .len(),
        1
    );
    let exchanges = api.simulator.exchanges();
    assert_eq!((exchanges[0].status, exchanges[1].status), (0, 200));
    assert!(
        exchanges[0]
            .request_headers
            .contains(&("authorization".to_owned(), "Token".to_owned()))
    );
    assert_eq!(
        exchanges[0].request_body.as_ref().unwrap()["user"]["name"],
        "A B"
    );
    api.simulator
        .faults()
        .add("GET /users reset".parse().unwrap());
    assert!(api.try_call("GET", "/users", None).await.is_err());
}

#[tokio::test]
async fn bodies_are_cut_replaced_and_slowed() {
    let api = with("GET /users truncated times=1").await;
    let cut = api.get("/users").await;
    assert!(cut.status == 200 && cut.json.is_null() && cut.text.starts_with('{'));
    api.simulator.faults().add(Fault {
        when: Match {
            path: Some("/users".to_owned()),
            times: Some(1),
            ..Match::default()
        },
        effect: Effect::Body {
            content_type: "text/html".to_owned(),
            body: Bytes::from_static(b"<html>"),
            status: 502,
        },
    });
    let html = api.get("/users").await;
    assert_eq!((html.status, html.text.as_str()), (502, "<html>"));
    api.simulator
        .faults()
        .add("GET /abilities slow chunk=20 pause=1ms".parse().unwrap());
    assert!(api.get("/abilities").await.json["abilities"].is_array());
}

#[test]
fn fault_strings_are_checked_with_a_hint() {
    for wrong in [
        "GET /users",
        "GET users reset",
        "GET /users explode",
        "GET /users reset reset=3",
        "GET /users status=9999",
    ] {
        let error = wrong.parse::<Fault>().unwrap_err();
        assert!(error.to_string().contains(wrong), "{error}");
        assert!(!error.hint().is_empty(), "{error}");
    }
}

#[tokio::test]
async fn a_change_may_be_applied_and_never_be_answered() {
    let api = with("!GET * hang-after-applied times=1").await;
    api.simulator.keep_exchanges(true);
    assert_eq!(
        api.get("/users?limit=1").await.status,
        200,
        "a GET is not hit"
    );
    let body = json!({"user": {"type": "user", "name": "A B", "email": "a.b@acme.example"}});
    let pending = api.try_call("POST", "/users", Some(body));
    let nothing = tokio::time::timeout(std::time::Duration::from_millis(200), pending).await;
    assert!(nothing.is_err(), "no answer comes");
    let found = api.all("/users?query=a.b@acme.example", "users").await;
    assert_eq!(found.len(), 1, "it was applied");
}

#[tokio::test]
async fn somebody_elses_request_gets_in_first() {
    let api = Api::new(config()).await;
    let user = api.simulator.user_ids().pop().unwrap();
    let path = format!("/users/{user}");
    api.simulator.faults().add(Fault {
        when: Match {
            path: Some(path.clone()),
            times: Some(1),
            ..Match::default()
        },
        effect: Effect::Meanwhile(Meanwhile {
            method: "PUT".to_owned(),
            path: path.clone(),
            body: Some(json!({"user": {"name": "Somebody Else"}})),
        }),
    });
    let shown = api.get(&path).await;
    assert_eq!(shown.json["user"]["name"], "Somebody Else");
}
