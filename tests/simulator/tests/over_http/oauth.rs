use std::time::Duration;

use http::Request;
use pagerduty_simulator::{Config, OAUTH_CLIENT};
use url::form_urlencoded::Serializer;

use crate::client::{Api, Reply, config};

// The example of RFC 7636.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const REDIRECT: &str = "http://127.0.0.1:1/callback";

async fn code(api: &Api, scope: &str) -> String {
    let query = Serializer::new(String::new())
        .extend_pairs([
            ("client_id", OAUTH_CLIENT.id),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("scope", scope),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("state", "xyz"),
        ])
        .finish();
    let reply = api.get(&format!("/oauth/authorize?{query}")).await;
    assert_eq!(reply.status, 302);
    let location = url::Url::parse(reply.headers["location"].to_str().unwrap()).unwrap();
    let pairs: Vec<(String, String)> = location.query_pairs().into_owned().collect();
    assert_eq!(pairs[1], ("state".to_owned(), "xyz".to_owned()));
    pairs[0].1.clone()
}

async fn token(api: &Api, fields: &[(&str, &str)]) -> Reply {
    let form = Serializer::new(String::new())
        .extend_pairs([
            ("client_id", OAUTH_CLIENT.id),
            ("client_secret", OAUTH_CLIENT.secret),
        ])
        .extend_pairs(fields)
        .finish();
    let request = Request::post(format!("{}/oauth/token", api.listening.origin()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.into())
        .unwrap();
    api.send(request).await.unwrap()
}

async fn exchange(api: &Api, code: &str, verifier: &str) -> Reply {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", verifier),
    ];
    token(api, &fields).await
}

#[tokio::test]
async fn a_code_is_good_once_for_30_seconds_with_its_verifier() {
    let mut api = Api::new(config()).await;
    let first = code(&api, "write").await;
    let reply = exchange(&api, &first, VERIFIER).await;
    assert_eq!(
        (reply.status, &reply.json["scope"]),
        (200, &"openid write".into())
    );
    assert_eq!(exchange(&api, &first, VERIFIER).await.status, 400);
    let other = code(&api, "write").await;
    assert_eq!(exchange(&api, &other, "wrong").await.status, 400);
    let late = code(&api, "write").await;
    api.simulator.advance(Duration::from_secs(31));
    assert_eq!(exchange(&api, &late, VERIFIER).await.status, 400);

    let access = reply.json["access_token"].as_str().unwrap().to_owned();
    assert_eq!(
        api.using(&access).get("/users/me").await.json["user"]["role"],
        "owner"
    );
    let refresh = reply.json["refresh_token"].as_str().unwrap();
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    let next = token(&api, &fields).await;
    assert_ne!(next.json["refresh_token"], refresh);
    assert_eq!(
        token(&api, &fields).await.status,
        400,
        "refresh tokens rotate"
    );
}

#[tokio::test]
async fn unknown_scopes_are_dropped_and_missed_later() {
    let mut api = Api::new(config()).await;
    let nonsense = code(&api, "everything").await;
    let reply = exchange(&api, &nonsense, VERIFIER).await.json;
    assert_eq!(reply["scope"], "openid");
    let access = reply["access_token"].as_str().unwrap().to_owned();
    let refused = api.using(&access).get("/users").await;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.json["error"]["required_scopes"], "users.read");
}

#[tokio::test]
async fn an_app_token_has_scopes_but_no_user() {
    let mut api = Api::new(config()).await;
    let scope = "as_account-us.acme users.read teams.read";
    let reply = token(
        &api,
        &[("grant_type", "client_credentials"), ("scope", scope)],
    )
    .await
    .json;
    assert_eq!(reply["scope"], scope);
    assert!(reply.get("refresh_token").is_none());
    let access = reply["access_token"].as_str().unwrap().to_owned();
    assert_eq!(api.using(&access).get("/users").await.status, 200);
    assert_eq!(api.get("/users/me").await.status, 400);
    assert_eq!(api.get("/schedules").await.status, 403);
    api.simulator.advance(Duration::from_secs(86_400));
    assert_eq!(api.get("/users").await.status, 401);
}

#[tokio::test]
async fn a_refresh_token_that_is_used_again_ends_the_whole_sign_in() {
    let mut api = Api::new(config()).await;
    let first = code(&api, "read").await;
    let issued = exchange(&api, &first, VERIFIER).await.json;
    let refresh = |issued: &serde_json::Value| issued["refresh_token"].as_str().unwrap().to_owned();
    let renew = async |api: &Api, refresh_token: &str| {
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
        ];
        token(api, &fields).await
    };
    let renewed = renew(&api, &refresh(&issued)).await.json;
    let access = renewed["access_token"].as_str().unwrap().to_owned();
    assert_eq!(api.using(&access).get("/users/me").await.status, 200);
    assert_eq!(renew(&api, &refresh(&issued)).await.status, 400);
    assert_eq!(renew(&api, &refresh(&renewed)).await.status, 400);
    assert_eq!(api.get("/users/me").await.status, 401);
}

#[tokio::test]
async fn a_person_who_denies_access_is_sent_back_with_an_error() {
    let denying = Config {
        consent: false,
        ..config()
    };
    let api = Api::new(denying).await;
    let query = format!(
        "client_id={}&redirect_uri={REDIRECT}&response_type=code&scope=read&state=xyz",
        OAUTH_CLIENT.id
    );
    let reply = api.get(&format!("/oauth/authorize?{query}")).await;
    assert_eq!(reply.status, 302);
    let location = reply.headers["location"].to_str().unwrap();
    assert!(location.contains("error=access_denied"), "{location}");
    assert!(location.contains("state=xyz"), "{location}");
    assert!(!location.contains("code="), "{location}");
}

#[tokio::test]
async fn access_tokens_live_as_long_as_they_are_told_to() {
    let brief = Config {
        access_token_life: Some(Duration::from_secs(90)),
        ..config()
    };
    let mut api = Api::new(brief).await;
    let first = code(&api, "read").await;
    let issued = exchange(&api, &first, VERIFIER).await.json;
    assert_eq!(issued["expires_in"], 90);
    let access = issued["access_token"].as_str().unwrap().to_owned();
    assert_eq!(api.using(&access).get("/users/me").await.status, 200);
    api.simulator.advance(Duration::from_secs(90));
    assert_eq!(api.get("/users/me").await.status, 401);
}
