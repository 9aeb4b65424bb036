//! OAuth on behalf of a platform.

use pagerduty_simulator::OAUTH_CLIENT;
use serde_json::{Value, json};
use url::Url;

use super::platform::{Platform, code};
use crate::support::run;

/// Where the platform takes answers. Nobody listens there: the test reads the
/// address itself.
const REDIRECT: &str = "https://platform.example/callback";

/// The three steps of a sign-in with consent. Returns the last answer.
pub async fn sign_in(platform: &Platform) -> Value {
    let (back, verifier) = consent(platform).await;
    let answer = platform
        .call(
            "handle_authorization_callback",
            json!({
                "client_id": OAUTH_CLIENT.id, "client_secret": OAUTH_CLIENT.secret,
                "redirect_uri_with_code": back, "state": "of-the-platform",
                "code_verifier": verifier,
            }),
        )
        .await;
    let first = Platform::response(&answer).clone();
    assert_eq!(first["state"], "of-the-platform");
    let answer = platform
        .call(
            "refresh_access_token",
            json!({
                "client_id": OAUTH_CLIENT.id, "client_secret": OAUTH_CLIENT.secret,
                "refresh_token": first["refresh_token"], "state": "s",
            }),
        )
        .await;
    let second = Platform::response(&answer).clone();
    assert_ne!(first["access_token"], second["access_token"]);
    second
}

/// A person allows access: the address that the browser comes back to.
async fn consent(platform: &Platform) -> (String, String) {
    let answer = platform
        .call(
            "get_authorization_url",
            json!({
                "client_id": OAUTH_CLIENT.id, "scopes": ["write"],
                "redirect_uri": REDIRECT, "state": "of-the-platform",
            }),
        )
        .await;
    let response = Platform::response(&answer);
    let verifier = response["code_verifier"].as_str().expect("a verifier");
    let url: Url = response["authorization_url"]
        .as_str()
        .and_then(|url| url.parse().ok())
        .expect("an address");
    let asked = url.query_pairs().find(|(name, _)| name == "state");
    assert_eq!(asked.expect("a state").1, "of-the-platform");
    let request = http::Request::get(format!(
        "{}?{}",
        url.path(),
        url.query().unwrap_or_default()
    ))
    .body(http_body_util::Empty::<bytes::Bytes>::new())
    .expect("a request");
    let mut router = platform.simulator.router();
    let Ok(reply) = tower_service::Service::call(&mut router, request).await;
    let back = reply.headers()["location"].to_str().expect("an address");
    (back.to_owned(), verifier.to_owned())
}

#[test]
fn a_sign_in_gives_a_token_that_reads() {
    run(async {
        let platform = Platform::start().await;
        let tokens = sign_in(&platform).await;
        let envelope = json!({
            "request": {},
            "auth": {"oauth": {"access_token": tokens["access_token"]}},
        });
        let answer = platform.bare("validate_credentials", envelope).await;
        assert_eq!(Platform::response(&answer)["unique_tenant_id"], "acme");
    });
}

#[test]
fn an_answer_to_another_request_is_not_exchanged() {
    run(async {
        let platform = Platform::start().await;
        let (back, verifier) = consent(&platform).await;
        let request = |state: &str, verifier: &str| {
            json!({
                "client_id": OAUTH_CLIENT.id, "client_secret": OAUTH_CLIENT.secret,
                "redirect_uri_with_code": back, "state": state, "code_verifier": verifier,
            })
        };
        const CALLBACK: &str = "handle_authorization_callback";
        let answer = platform.call(CALLBACK, request("another", &verifier)).await;
        assert_eq!(code(&answer), "invalid_value");
        let wrong = "0123456789012345678901234567890123456789012";
        let answer = platform
            .call(CALLBACK, request("of-the-platform", wrong))
            .await;
        assert_eq!(code(&answer), "creds_revoked");
        assert_eq!(answer["error"]["error_metadata"]["refreshable"], true);
        let mut denied = request("of-the-platform", &verifier);
        denied["redirect_uri_with_code"] = json!(format!("{REDIRECT}?error=access_denied"));
        let answer = platform.call(CALLBACK, denied).await;
        assert_eq!(code(&answer), "permission_denied");
    });
}

#[test]
fn a_used_refresh_token_is_revoked_and_a_wrong_secret_unauthorized() {
    run(async {
        let platform = Platform::start().await;
        let request = |secret: &str| {
            json!({
                "client_id": OAUTH_CLIENT.id, "client_secret": secret,
                "refresh_token": "used-up-long-ago",
            })
        };
        let answer = platform
            .call("refresh_access_token", request(OAUTH_CLIENT.secret))
            .await;
        assert_eq!(code(&answer), "creds_revoked");
        let wrong = "not-the-client-secret";
        let answer = platform.call("refresh_access_token", request(wrong)).await;
        assert_eq!(code(&answer), "unauthorized");
        assert!(!answer.to_string().contains(wrong), "{answer}");
    });
}
