//! Sign-ins of the host's own store, used by their name.

use std::sync::Arc;

use host_harness::{
    Credential, Network, Origin,
    oauth::{
        Client, CredentialStore, Flow, MemoryStore, OauthCredential, ProfileKey, Registration,
        StoredCredential, Tokens,
    },
    server::StoredProfiles,
};
use jiff::{SignedDuration, Timestamp};
use pagerduty_simulator::{Config, OAUTH_CLIENT, Simulator, TOKENS};
use serde_json::{Value, json};

use super::{
    platform::{Platform, code},
    signing_in::sign_in,
};
use crate::{
    leaks::assert_clean,
    support::{connector, run},
    vendor::text,
};

fn key() -> ProfileKey {
    ProfileKey::new("pagerduty", "acme").expect("plain names")
}

/// A platform that refers to the profile `acme` of an empty store.
async fn platform() -> (Platform, Arc<dyn CredentialStore>) {
    let store: Arc<dyn CredentialStore> = Arc::new(MemoryStore::default());
    let profiles = StoredProfiles {
        store: Some(Arc::clone(&store)),
        names: vec!["acme".to_owned()],
    };
    let platform = Platform::with(5, |config| config.profiles = profiles).await;
    platform.simulator.keep_exchanges(true);
    (platform, store)
}

/// A person's sign-in, whose access token ends so many seconds from now by our
/// clock. With another refresh token, it can't be renewed.
async fn signed_in(platform: &Platform, seconds: i64, refresh: Option<&str>) -> StoredCredential {
    let issued = sign_in(platform).await;
    let credential = |name: &str| Credential::token(text(&issued, name)).expect("a token");
    let expires_at = Timestamp::now() + SignedDuration::from_secs(seconds);
    let tokens = Tokens {
        access: credential("access_token"),
        refresh: Some(match refresh {
            Some(refresh) => Credential::token(refresh).expect("a token"),
            None => credential("refresh_token"),
        }),
        scopes: vec!["write".to_owned()],
        issued_at: expires_at - SignedDuration::from_hours(240),
        expires_at: Some(expires_at),
    };
    let secret = Credential::token(OAUTH_CLIENT.secret).expect("a secret");
    let identity: Origin = platform.identity.origin().parse().expect("an origin");
    let scheme = connector().oauth_scheme("oauth").expect("it has one");
    let scheme = scheme.at(&identity);
    let client = Client::new(
        &scheme,
        Registration::confidential(OAUTH_CLIENT.id, secret),
        &Network::default(),
        &scheme.origins(),
    )
    .expect("its origins are trusted");
    let scopes = vec!["write".to_owned()];
    OauthCredential::issued_to(&client, Flow::AuthorizationCode, &scopes, tokens)
        .map(|credential| StoredCredential::Oauth(Box::new(credential)))
        .expect("what was asked for")
}

async fn refer(platform: &Platform, capability: &str) -> Value {
    let envelope = json!({"request": {}, "credentials": [{"id": "acme", "empty": {}}]});
    platform.bare(capability, envelope).await
}

fn renewals(platform: &Platform) -> usize {
    let exchanges = platform.simulator.exchanges();
    let paths = exchanges.iter().map(|exchange| exchange.path.as_str());
    paths.filter(|path| *path == "/oauth/token").count()
}

#[test]
fn calls_by_reference_share_a_sign_in_which_is_renewed_once_and_stored() {
    run(async {
        let (platform, store) = platform().await;
        let ended = signed_in(&platform, -5, None).await;
        store.save(&key(), &ended).expect("stored");
        let before = renewals(&platform);
        let calls = (0..4).map(|_| refer(&platform, "list_accounts"));
        for answer in futures_util::future::join_all(calls).await {
            let accounts = Platform::response(&answer).as_array().map(Vec::len);
            assert_eq!(accounts, Some(5));
            assert_clean("an answer", &answer.to_string());
        }
        assert_eq!(renewals(&platform) - before, 1);
        assert_eq!(platform.gauge("harness_tenants_open").await, 1);
        let StoredCredential::Oauth(stored) = store.load(&key()).expect("readable").expect("kept")
        else {
            panic!("another kind of credential");
        };
        let expires_at = stored.expires_at().expect("it expires");
        assert!(expires_at > Timestamp::now(), "the new one is kept");
        let exchanges = platform.simulator.exchanges();
        let listed = exchanges
            .iter()
            .filter(|exchange| exchange.path == "/users");
        for exchange in listed {
            let sent = ("authorization".to_owned(), "Bearer".to_owned());
            assert!(exchange.request_headers.contains(&sent), "{exchange:?}");
        }
    });
}

#[test]
fn a_sign_in_that_has_ended_is_revoked_until_somebody_signs_in_again() {
    run(async {
        let (platform, store) = platform().await;
        let answer = refer(&platform, "list_accounts").await;
        assert_eq!(code(&answer), "unknown_value", "nobody has signed in yet");
        let ended = signed_in(&platform, -5, Some("used-up-long-ago")).await;
        store.save(&key(), &ended).expect("stored");
        let answer = refer(&platform, "list_accounts").await;
        assert_eq!(code(&answer), "creds_revoked", "{answer:#}");
        assert_eq!(answer["error"]["error_metadata"]["refreshable"], true);
        assert!(!answer.to_string().contains("used-up-long-ago"), "{answer}");
        let anew = signed_in(&platform, 3600, None).await;
        store.save(&key(), &anew).expect("stored");
        Platform::response(&refer(&platform, "list_accounts").await);
    });
}

#[test]
fn a_caller_can_not_send_the_credential_of_a_profile_elsewhere() {
    run(async {
        let store: Arc<dyn CredentialStore> = Arc::new(MemoryStore::default());
        let profiles = StoredProfiles {
            store: Some(Arc::clone(&store)),
            names: vec!["acme".to_owned()],
        };
        let simulator = Simulator::new(Config::default());
        let elsewhere = Simulator::new(Config::default());
        elsewhere.keep_exchanges(true);
        let listening = elsewhere.listen(([127, 0, 0, 1], 0).into()).await;
        let origin = listening.as_ref().expect("a free port").origin();
        let granted: Origin = origin.parse().expect("an origin");
        let platform = Platform::of(simulator, |config| {
            config.profiles = profiles;
            // Granted for others: whoever has a credential may take it there.
            config.reach.granted.push(granted);
        });
        let platform = platform.await;
        let token = Credential::token(TOKENS.owner).expect("a token");
        store
            .save(&key(), &StoredCredential::Token(token))
            .expect("stored");
        Platform::response(&refer(&platform, "list_accounts").await);
        let envelope = json!({
            "request": {},
            "credentials": [{"id": "acme", "empty": {}}],
            "settings": {"base-url": origin},
        });
        let answer = platform.bare("list_accounts", envelope.clone()).await;
        assert_eq!(code(&answer), "permission_denied", "{answer:#}");
        assert!(elsewhere.exchanges().is_empty());

        let mut own = envelope;
        own["credentials"] = json!([{"token": {"token": TOKENS.owner}}]);
        Platform::response(&platform.bare("list_accounts", own).await);
        assert!(!elsewhere.exchanges().is_empty());
    });
}
