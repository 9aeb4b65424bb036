//! OAuth by the library: what renews, when, and what is never lost or told.

mod protocol;
mod renewal;
mod secrets;
mod storing;

use std::{sync::Arc, time::Duration};

use host_harness::{
    CallError, Connector, Credential, Grant, Network, OpenError, Origin, Refusal, SignInError,
    Tenant, TenantConfig,
    contract::types::ErrorCode,
    oauth::{
        Access, Client, CredentialStore, FileStore, Flow, MemoryStore, OauthCredential, OauthError,
        ProfileKey, Registration, Session, StoredCredential,
    },
};
use http_body_util::Full;
use jiff::{SignedDuration, Timestamp};
use pagerduty_simulator::{
    Config, Effect, Exchange, Fault, Listening, Match, OAUTH_CLIENT, Simulator,
};
use secrecy::{ExposeSecret, SecretString};
use tower_service::Service;

use crate::support::{certificate, connector, contract_error, engine, page, run};

const REDIRECT: &str = "http://127.0.0.1:8976/callback";

/// A simulated vendor with its identity service, and a way to reach both.
struct Bench {
    simulator: Simulator,
    network: Network,
    grant: Grant,
    listening: Listening,
}

impl Bench {
    async fn new() -> Self {
        Self::with(Config::default()).await
    }

    async fn with(config: Config) -> Self {
        let simulator = Simulator::new(Config { users: 5, ..config });
        let listening = simulator
            .listen_tls(([127, 0, 0, 1], 0).into(), certificate())
            .await
            .expect("a free port");
        let mut network = Network::default()
            .trust_pem(certificate().ca_pem().as_bytes())
            .expect("the simulator's own authority");
        let mut grant = Grant::read_only();
        for origin in connector().origins() {
            network = network.route(origin.clone(), listening.addr());
            grant = grant.origin(origin.clone());
        }
        let identity: Origin = "https://identity.pagerduty.com".parse().expect("an origin");
        network = network.route(identity, listening.addr());
        simulator.keep_exchanges(true);
        Self {
            simulator,
            network,
            grant,
            listening,
        }
    }

    fn client(&self, scheme: &str) -> Client {
        let secret = Credential::token(OAUTH_CLIENT.secret).expect("a secret");
        let scheme = connector().oauth_scheme(scheme).expect("it has one");
        Client::new(
            scheme,
            Registration::confidential(OAUTH_CLIENT.id, secret),
            &self.network,
            &scheme.origins(),
        )
        .expect("its origins are trusted")
    }

    /// A sign-in with a person's consent.
    async fn consented(&self) -> (Client, OauthCredential) {
        let client = self.client("oauth");
        let scopes = vec!["read".to_owned()];
        let authorization = client.authorize(REDIRECT, &scopes).expect("it starts");
        let code = self.browse(authorization.url.as_str()).await;
        let tokens = client
            .exchange(&authorization, &code)
            .await
            .expect("a code that is fresh");
        let credential =
            OauthCredential::issued_to(&client, Flow::AuthorizationCode, &scopes, tokens)
                .expect("what was asked for");
        (client, credential)
    }

    /// A sign-in of the application itself.
    async fn application(&self) -> (Client, OauthCredential) {
        let client = self.client("oauth-app");
        let settings = [("subdomain".to_owned(), "acme".to_owned())].into();
        let scheme = connector().oauth_scheme("oauth-app").expect("it has one");
        let scopes = connector()
            .oauth_scopes(scheme, Access::Read, &settings)
            .expect("the settings are there");
        let tokens = client.client_credentials(&scopes).await.expect("a secret");
        let credential =
            OauthCredential::issued_to(&client, Flow::ClientCredentials, &scopes, tokens)
                .expect("what was asked for");
        (client, credential)
    }

    /// What a browser does with the address: the code that it comes back with.
    async fn browse(&self, url: &str) -> SecretString {
        let path = url.split_once("/oauth/").expect("the vendor's").1;
        let request = http::Request::get(format!("/oauth/{path}"))
            .body(Full::<bytes::Bytes>::default())
            .expect("a request");
        let reply = self
            .simulator
            .router()
            .call(request)
            .await
            .expect("it answers");
        let location = reply.headers()["location"].to_str().expect("a URL");
        let location = url::Url::parse(location).expect("a URL");
        let code = location
            .query_pairs()
            .find(|(name, _)| name == "code")
            .map(|(_, code)| code.into_owned());
        code.expect("access is allowed").into()
    }

    /// The sign-in, stored, with its access token ending so many seconds from
    /// now, and taken into use again.
    async fn ending(&self, store: &Arc<dyn CredentialStore>, seconds: i64) -> Session {
        let (client, credential) = self.consented().await;
        let session = Session::start(client, credential, Arc::clone(store), key())
            .await
            .expect("stored");
        end(store, seconds);
        drop(session);
        self.reopen(store).await
    }

    async fn reopen(&self, store: &Arc<dyn CredentialStore>) -> Session {
        Session::open(Arc::clone(store), key(), &self.network)
            .await
            .expect("stored")
    }

    fn tenant(&self, session: Session) -> Tenant {
        connector()
            .open(
                TenantConfig::new(self.grant.clone())
                    .network(self.network.clone())
                    .oauth(session),
            )
            .expect("it opens")
    }

    /// Requests for tokens since `after` exchanges.
    fn token_requests(&self, after: usize) -> usize {
        let exchanges = self.simulator.exchanges();
        exchanges[after..].iter().filter(|e| is_token(e)).count()
    }

    fn port(&self) -> u16 {
        self.listening.addr().port()
    }

    fn exchanges(&self) -> usize {
        self.simulator.exchanges().len()
    }

    fn at_token_endpoint(&self, effect: Effect, times: Option<u32>) {
        self.simulator.faults().add(Fault {
            when: Match {
                path: Some("/oauth/token".to_owned()),
                times,
                ..Match::default()
            },
            effect,
        });
    }
}

fn is_token(exchange: &Exchange) -> bool {
    exchange.path == "/oauth/token"
}

fn key() -> ProfileKey {
    ProfileKey::new("pagerduty", "acme").expect("plain names")
}

fn memory() -> Arc<dyn CredentialStore> {
    Arc::new(MemoryStore::default())
}

fn stored_text(store: &Arc<dyn CredentialStore>) -> String {
    let stored = store.load(&key()).expect("readable").expect("stored");
    stored.to_text().expose_secret().to_owned()
}

fn field(store: &Arc<dyn CredentialStore>, name: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(&stored_text(store)).expect("JSON");
    json[name].as_str().expect(name).to_owned()
}

/// Lets the stored access token end so many seconds from now. Only our own
/// notion of it changes: the vendor still takes the token.
fn end(store: &Arc<dyn CredentialStore>, seconds: i64) {
    let mut json: serde_json::Value = serde_json::from_str(&stored_text(store)).expect("JSON");
    let at = Timestamp::now() + SignedDuration::from_secs(seconds);
    json["expires_at"] = at.to_string().into();
    // As long a life as PagerDuty gives it.
    json["issued_at"] = (at - SignedDuration::from_hours(240)).to_string().into();
    let changed = StoredCredential::parse(&json.to_string().into()).expect("still one");
    store.save(&key(), &changed).expect("stored");
}

const EIGHT_MONTHS: Duration = Duration::from_secs(240 * 86_400);
const ELEVEN_DAYS: Duration = Duration::from_secs(11 * 86_400);

fn unavailable() -> Effect {
    Effect::Status {
        status: 503,
        body: None,
        headers: Vec::new(),
    }
}

#[track_caller]
fn sign_in_error<T: std::fmt::Debug>(outcome: Result<T, CallError>) -> SignInError {
    match outcome {
        Err(CallError::Refused(Refusal::SignIn(error))) => error,
        other => panic!("expected an error of the sign-in, got {other:?}"),
    }
}

/// The bundled connector with one text in place of another of the same length.
pub fn replaced(text: &str, by: &str) -> Vec<u8> {
    assert_eq!(text.len(), by.len());
    let mut bytes = host_harness::connector::BUNDLED.to_vec();
    let mut found = 0;
    for at in 0..bytes.len() - text.len() {
        if &bytes[at..at + text.len()] == text.as_bytes() {
            bytes[at..at + text.len()].copy_from_slice(by.as_bytes());
            found += 1;
        }
    }
    assert!(found > 0, "{text} is in it");
    bytes
}
