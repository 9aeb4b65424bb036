//! OAuth by the library: what renews, when, and what is never lost or told.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use host_harness::{
    CallError, Connector, Credential, Grant, Network, OpenError, Origin, Refusal, SignInError,
    Tenant, TenantConfig,
    contract::types::ErrorCode,
    oauth::{
        Access, Client, CredentialStore, FileStore, Flow, MemoryStore, OauthCredential, OauthError,
        ProfileKey, Registration, Session, StoreError, StoreLock, StoredCredential,
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

#[test]
fn a_token_is_renewed_ahead_of_its_expiry_and_not_before() {
    run(async {
        let bench = Bench::new().await;
        for (seconds, renewals) in [(3_600, 0), (310, 0), (290, 1), (-5, 1)] {
            let store = memory();
            let session = bench.ending(&store, seconds).await;
            let refresh = field(&store, "refresh_token");
            let before = bench.exchanges();
            let tenant = bench.tenant(session.clone());
            tenant.validate().await.expect("a good token");
            tenant
                .list_accounts(page(None))
                .await
                .expect("a good token");
            assert_eq!(bench.token_requests(before), renewals, "{seconds} s");
            if renewals == 1 {
                assert!(
                    is_token(&bench.simulator.exchanges()[before]),
                    "first of all"
                );
                assert_ne!(
                    field(&store, "refresh_token"),
                    refresh,
                    "the new one is kept"
                );
            }
            // Nobody was ever refused for it.
            let exchanges = bench.simulator.exchanges();
            assert!(exchanges.iter().all(|exchange| exchange.status != 401));
        }
    });
}

#[test]
fn a_token_that_lives_for_a_minute_is_not_renewed_with_every_request() {
    run(async {
        let bench = Bench::with(Config {
            access_token_life: Some(Duration::from_secs(60)),
            ..Config::default()
        })
        .await;
        let store = memory();
        let tenant = bench.tenant(bench.ending(&store, -1).await);
        let before = bench.exchanges();
        for _ in 0..5 {
            tenant.validate().await.expect("a good token");
        }
        assert_eq!(bench.token_requests(before), 1);
    });
}

#[test]
fn eight_calls_whose_token_is_refused_share_one_renewal() {
    run(async {
        let bench = Bench::new().await;
        let store = memory();
        let (client, credential) = bench.consented().await;
        let session = Session::start(client, credential, Arc::clone(&store), key())
            .await
            .expect("stored");
        let tenant = bench.tenant(session);
        bench.simulator.advance(ELEVEN_DAYS);
        let before = bench.exchanges();
        let calls = (0..8).map(|_| tenant.list_accounts(page(None)));
        for outcome in futures_util::future::join_all(calls).await {
            assert_eq!(outcome.expect("renewed").items.len(), 5);
        }
        assert_eq!(bench.token_requests(before), 1);
        let refused = bench.simulator.exchanges()[before..]
            .iter()
            .filter(|exchange| exchange.status == 401)
            .count();
        assert!((1..=8).contains(&refused), "{refused} were refused");
    });
}

#[test]
fn a_vendor_that_refuses_the_renewed_token_too_is_not_asked_for_another() {
    run(async {
        let bench = Bench::new().await;
        let store = memory();
        let tenant = bench.tenant(bench.ending(&store, 3_600).await);
        let before = bench.exchanges();
        bench.simulator.faults().add(Fault {
            when: Match {
                path: Some("/users*".to_owned()),
                ..Match::default()
            },
            effect: Effect::Status {
                status: 401,
                body: None,
                headers: Vec::new(),
            },
        });
        for _ in 0..3 {
            let error = contract_error(tenant.list_accounts(page(None)).await);
            assert_eq!(error.code, ErrorCode::Unauthorized);
        }
        assert_eq!(bench.token_requests(before), 1);
    });
}

#[test]
fn a_renewal_that_fails_ahead_of_time_does_not_fail_the_call() {
    run(async {
        let bench = Bench::new().await;
        let store = memory();
        let tenant = bench.tenant(bench.ending(&store, 60).await);
        let before = bench.exchanges();
        bench.at_token_endpoint(unavailable(), None);
        for _ in 0..3 {
            tenant.validate().await.expect("there is a minute left");
        }
        assert_eq!(bench.token_requests(before), 1, "and no storm");
    });
}

#[test]
fn a_token_endpoint_that_is_down_is_a_passing_failure() {
    run(async {
        let bench = Bench::new().await;
        let store = memory();
        let tenant = bench.tenant(bench.ending(&store, -5).await);
        bench.at_token_endpoint(unavailable(), Some(1));
        let error = tenant.validate().await.expect_err("expired");
        assert_eq!(error.code(), "connection_failed");
        assert!(error.to_string().contains("503"), "{error}");
        tenant
            .validate()
            .await
            .expect("it is back, and nothing was lost");
    });
}

#[test]
fn a_refresh_token_that_is_good_no_more_says_to_sign_in_again_and_is_not_tried_twice() {
    run(async {
        let bench = Bench::new().await;
        let store = memory();
        let tenant = bench.tenant(bench.ending(&store, -5).await);
        bench.simulator.advance(EIGHT_MONTHS);
        let before = bench.exchanges();
        for _ in 0..3 {
            let outcome = tenant.validate().await;
            let shown = outcome.as_ref().expect_err("ended");
            assert_eq!(shown.code(), "unauthorized");
            assert!(shown.to_string().contains("invalid_grant"), "{shown}");
            let hint = shown.hint().expect("a hint");
            assert!(hint.contains("harness login --profile acme"), "{hint}");
            assert!(matches!(sign_in_error(outcome), SignInError::Ended { .. }));
        }
        assert_eq!(bench.token_requests(before), 1);
        assert_eq!(bench.exchanges(), before + 1, "nothing else was asked");
    });
}

#[test]
fn an_application_signs_in_again_on_expiry_and_on_refusal() {
    run(async {
        let bench = Bench::new().await;
        let store = memory();
        let (client, credential) = bench.application().await;
        let session = Session::start(client, credential, Arc::clone(&store), key())
            .await
            .expect("stored");
        let tenant = bench.tenant(session);
        assert_eq!(tenant.validate().await.expect("good").acting_as, None);
        let before = bench.exchanges();
        bench.simulator.advance(Duration::from_secs(86_400));
        tenant
            .validate()
            .await
            .expect("refused, and signed in again");
        assert_eq!(bench.token_requests(before), 1);
        end(&store, -5);
        let tenant = bench.tenant(bench.reopen(&store).await);
        tenant
            .validate()
            .await
            .expect("expired, and signed in again");
        assert_eq!(bench.token_requests(before), 2);
        drop(tenant);
    });
}

/// A store that can be made to fail, and that remembers what it saw.
#[derive(Debug)]
struct Watched {
    inner: MemoryStore,
    /// Refuses tokens that it does not hold yet.
    refuses_new: AtomicBool,
    /// Refuses all.
    refuses_all: AtomicBool,
    /// The path of the vendor's latest exchange at each save.
    saved_after: Mutex<Vec<String>>,
    simulator: Simulator,
}

impl Watched {
    fn new(bench: &Bench) -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryStore::default(),
            refuses_new: AtomicBool::new(false),
            refuses_all: AtomicBool::new(false),
            saved_after: Mutex::default(),
            simulator: bench.simulator.clone(),
        })
    }
}

impl CredentialStore for Watched {
    fn load(&self, key: &ProfileKey) -> Result<Option<StoredCredential>, StoreError> {
        self.inner.load(key)
    }

    fn save(&self, key: &ProfileKey, credential: &StoredCredential) -> Result<(), StoreError> {
        let text = |credential: &StoredCredential| credential.to_text().expose_secret().to_owned();
        let known = self.inner.load(key)?.map(|stored| text(&stored));
        let is_new = known.is_some_and(|known| known != text(credential));
        if self.refuses_all.load(Ordering::SeqCst)
            || (is_new && self.refuses_new.load(Ordering::SeqCst))
        {
            return Err(StoreError::Other("the disk is full".to_owned()));
        }
        let latest = self.simulator.exchanges().last().map(|e| e.path.clone());
        self.saved_after
            .lock()
            .expect("no panic")
            .push(latest.unwrap_or_default());
        self.inner.save(key, credential)
    }

    fn remove(&self, key: &ProfileKey) -> Result<bool, StoreError> {
        self.inner.remove(key)
    }

    fn lock(&self, key: &ProfileKey) -> Result<StoreLock, StoreError> {
        self.inner.lock(key)
    }
}

#[test]
fn a_rotated_refresh_token_is_stored_before_its_access_token_is_used() {
    run(async {
        let bench = Bench::new().await;
        let watched = Watched::new(&bench);
        let store: Arc<dyn CredentialStore> = watched.clone();
        let tenant = bench.tenant(bench.ending(&store, 3_600).await);
        bench.simulator.advance(ELEVEN_DAYS);
        watched.saved_after.lock().expect("no panic").clear();
        tenant.list_accounts(page(None)).await.expect("renewed");
        // Once to try the store, before the refresh token is given away; once
        // with what came for it, before the request is sent again.
        let saved_after = watched.saved_after.lock().expect("no panic").clone();
        assert_eq!(saved_after, ["/users", "/oauth/token"]);
    });
}

#[test]
fn a_store_that_takes_nothing_keeps_the_refresh_token_from_being_burned() {
    run(async {
        let bench = Bench::new().await;
        let watched = Watched::new(&bench);
        let store: Arc<dyn CredentialStore> = watched.clone();
        let tenant = bench.tenant(bench.ending(&store, -5).await);
        watched.refuses_all.store(true, Ordering::SeqCst);
        let before = bench.exchanges();
        let error = tenant.validate().await.expect_err("expired");
        assert!(error.to_string().contains("the disk is full"), "{error}");
        assert_eq!(bench.exchanges(), before, "the vendor was not asked");
        watched.refuses_all.store(false, Ordering::SeqCst);
        tenant
            .validate()
            .await
            .expect("what was stored is still good");
    });
}

#[test]
fn tokens_that_can_not_be_stored_are_not_used_and_not_lost() {
    run(async {
        let bench = Bench::new().await;
        let watched = Watched::new(&bench);
        let store: Arc<dyn CredentialStore> = watched.clone();
        let tenant = bench.tenant(bench.ending(&store, -5).await);
        watched.refuses_new.store(true, Ordering::SeqCst);
        let before = bench.exchanges();
        let old = stored_text(&store);
        for _ in 0..2 {
            let error = sign_in_error(tenant.validate().await);
            assert!(matches!(error, SignInError::NotStored { .. }), "{error:?}");
        }
        assert_eq!(stored_text(&store), old, "what was there is whole");
        assert_eq!(
            bench.exchanges(),
            before + 1,
            "one renewal, and no other request"
        );
        watched.refuses_new.store(false, Ordering::SeqCst);
        tenant.validate().await.expect("stored by now");
        assert_ne!(stored_text(&store), old);
        assert_eq!(
            bench.token_requests(before),
            1,
            "by the tokens that were held"
        );
    });
}

#[test]
fn a_call_that_is_given_up_does_not_take_the_renewed_tokens_with_it() {
    run(async {
        let bench = Bench::new().await;
        let store = memory();
        let tenant = bench.tenant(bench.ending(&store, -5).await);
        let old = field(&store, "refresh_token");
        let asked = bench.simulator.request_count();
        bench.at_token_endpoint(Effect::Latency(Duration::from_millis(300)), Some(1));
        let call = tokio::spawn(async move { tenant.validate().await });
        eventually(|| bench.simulator.request_count() > asked).await;
        call.abort();
        assert!(call.await.expect_err("given up").is_cancelled());
        eventually(|| field(&store, "refresh_token") != old).await;
        let tenant = bench.tenant(bench.reopen(&store).await);
        tenant.validate().await.expect("the new tokens");
    });
}

/// Waits for something that is bound to happen.
async fn eventually(mut happened: impl FnMut() -> bool) {
    while !happened() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn a_second_session_takes_over_what_the_first_has_renewed() {
    run(async {
        let bench = Bench::new().await;
        let folder = tempfile::tempdir().expect("a folder");
        let store: Arc<dyn CredentialStore> = Arc::new(FileStore::new(folder.path().join("c")));
        let first = bench.ending(&store, -5).await;
        let second = bench.reopen(&store).await;
        let before = bench.exchanges();
        let (one, other) = (bench.tenant(first), bench.tenant(second));
        let (one, other) = tokio::join!(one.validate(), other.validate());
        one.expect("renewed");
        other.expect("taken over");
        assert_eq!(bench.token_requests(before), 1);
    });
}

#[test]
fn a_sign_in_that_was_removed_ends_with_its_access_token() {
    run(async {
        let bench = Bench::new().await;
        let store = memory();
        let tenant = bench.tenant(bench.ending(&store, -5).await);
        assert!(store.remove(&key()).expect("removed"));
        let error = sign_in_error(tenant.validate().await);
        assert!(error.to_string().contains("removed"), "{error}");
    });
}

#[test]
fn a_token_that_came_by_renewal_is_taken_out_of_answers_too() {
    run(async {
        let bench = Bench::new().await;
        let store = memory();
        let tenant = bench.tenant(bench.ending(&store, -5).await);
        tenant.validate().await.expect("renewed");
        let (access, refresh) = (
            field(&store, "access_token"),
            field(&store, "refresh_token"),
        );
        let said = format!("no: {access} {refresh} {}", OAUTH_CLIENT.secret);
        bench.simulator.faults().add(Fault {
            when: Match {
                path: Some("/users/PABC123".to_owned()),
                ..Match::default()
            },
            effect: Effect::Status {
                status: 400,
                body: Some(serde_json::json!({"error": {"message": said, "code": 2001}})),
                headers: Vec::new(),
            },
        });
        let error = tenant.get_account("PABC123").await.expect_err("a 400");
        assert!(
            error
                .to_string()
                .contains("no: [redacted] [redacted] [redacted]"),
            "{error}"
        );
    });
}

#[test]
fn a_vendor_that_repeats_what_it_was_sent_does_not_get_it_into_an_error() {
    run(async {
        let bench = Bench::new().await;
        let store = memory();
        let tenant = bench.tenant(bench.ending(&store, -5).await);
        let refresh = field(&store, "refresh_token");
        let description = format!("token {refresh} of {} is not good", OAUTH_CLIENT.secret);
        bench.at_token_endpoint(
            Effect::Status {
                status: 400,
                body: Some(serde_json::json!({
                    "error": "invalid_grant", "error_description": description,
                })),
                headers: Vec::new(),
            },
            None,
        );
        let error = tenant.validate().await.expect_err("refused");
        let shown = format!("{error} {error:?}");
        assert!(
            shown.contains("token [redacted] of [redacted] is not good"),
            "{shown}"
        );
        assert!(!shown.contains(&refresh), "{shown}");
    });
}

#[test]
fn the_token_endpoint_is_under_the_rules_of_the_network() {
    run(async {
        let bench = Bench::new().await;
        // No redirects: the secret would follow.
        bench.at_token_endpoint(
            Effect::Status {
                status: 307,
                body: None,
                headers: vec![(
                    "location".to_owned(),
                    "https://api.pagerduty.com/".to_owned(),
                )],
            },
            Some(1),
        );
        let before = bench.exchanges();
        let client = bench.client("oauth-app");
        let error = client.client_credentials(&[]).await.expect_err("no token");
        assert!(
            matches!(error, OauthError::Reply { status: 307, .. }),
            "{error:?}"
        );
        assert_eq!(bench.exchanges(), before + 1);

        // No addresses inside, whatever a name resolves to.
        let scheme = connector().oauth_scheme("oauth-app").expect("it has one");
        let inside = scheme.at(&"https://identity.example.com".parse().expect("an origin"));
        let client = Client::new(
            &inside,
            Registration::public("some-client"),
            &Network::default().resolver(crate::egress::Rebinding),
            &inside.origins(),
        )
        .expect("trusted");
        let error = client.client_credentials(&[]).await.expect_err("inside");
        assert!(error.to_string().contains("not granted"), "{error}");

        // No certificate but one that holds.
        let here = format!("https://127.0.0.1:{}", bench.port());
        let here = scheme.at(&here.parse().expect("an origin"));
        let client = Client::new(
            &here,
            Registration::public("some-client"),
            &Network::default(),
            &here.origins(),
        )
        .expect("trusted");
        let error = client.client_credentials(&[]).await.expect_err("not ours");
        assert!(error.to_string().contains("certificate"), "{error}");
    });
}

#[test]
fn a_sign_in_at_an_origin_that_is_not_trusted_is_not_begun() {
    let scheme = connector().oauth_scheme("oauth").expect("it has one");
    for trusted in [
        &[][..],
        &["https://api.pagerduty.com"],
        &["https://identity.pagerduty.com:8443"],
    ] {
        let trusted = trusted
            .iter()
            .map(|origin| origin.parse().expect("an origin"));
        let error = Client::new(
            scheme,
            Registration::public("some-client"),
            &Network::default(),
            &trusted.collect(),
        )
        .expect_err("not trusted");
        assert!(matches!(error, OauthError::NotGranted(_)), "{error:?}");
        assert!(
            error
                .hint()
                .contains("--grant https://identity.pagerduty.com")
        );
    }
}

#[test]
fn replies_that_are_no_tokens_are_refused_without_quoting_them() {
    run(async {
        let bench = Bench::new().await;
        for (body, status) in [
            ("<html>gateway</html>", 200),
            ("", 200),
            ("{}", 200),
            ("{\"access_token\":\"secret-of-somebody\"}", 200),
            ("{\"access_token\":\"a b\",\"token_type\":\"bearer\"}", 200),
            ("{\"access_token\":7,\"token_type\":\"bearer\"}", 200),
            ("<html>down</html>", 502),
            ("{\"error\":7,\"token\":\"secret-of-somebody\"}", 400),
        ] {
            bench.at_token_endpoint(
                Effect::Body {
                    content_type: "application/json".to_owned(),
                    body: body.to_owned().into(),
                    status,
                },
                Some(1),
            );
            let client = bench.client("oauth-app");
            let error = client.client_credentials(&[]).await.expect_err(body);
            let OauthError::Reply { status: said, .. } = error else {
                panic!("{body}: {error:?}");
            };
            assert_eq!(said, status, "{body}");
            assert!(!format!("{error} {error:?}").contains("somebody"), "{body}");
        }
    });
}

#[test]
fn a_grant_of_less_than_was_asked_for_is_an_error() {
    run(async {
        let bench = Bench::new().await;
        let client = bench.client("oauth");
        let scopes = vec!["read".to_owned(), "everything".to_owned()];
        let authorization = client.authorize(REDIRECT, &scopes).expect("it starts");
        let code = bench.browse(authorization.url.as_str()).await;
        let tokens = client
            .exchange(&authorization, &code)
            .await
            .expect("a code");
        let error = OauthCredential::issued_to(&client, Flow::AuthorizationCode, &scopes, tokens)
            .expect_err("not all of it");
        assert_eq!(
            error,
            OauthError::Scope {
                missing: vec!["everything".to_owned()],
                granted: vec!["openid".to_owned(), "read".to_owned()],
            }
        );
        // A code is good once.
        let error = client
            .exchange(&authorization, &code)
            .await
            .expect_err("used");
        assert!(matches!(error, OauthError::Refused { ref code, .. } if code == "invalid_grant"));
    });
}

#[test]
fn another_verifier_does_not_get_the_tokens() {
    run(async {
        let bench = Bench::new().await;
        let client = bench.client("oauth");
        let mine = client.authorize(REDIRECT, &[]).expect("it starts");
        let theirs = client.authorize(REDIRECT, &[]).expect("it starts");
        assert!(mine.answers(&mine.state) && !mine.answers(&theirs.state));
        let code = bench.browse(mine.url.as_str()).await;
        let error = client
            .exchange(&theirs, &code)
            .await
            .expect_err("not theirs");
        assert!(matches!(error, OauthError::Refused { .. }), "{error:?}");
    });
}

#[test]
fn a_sign_in_is_not_used_by_a_connector_with_other_ideas_of_where_tokens_come_from() {
    run(async {
        let bench = Bench::new().await;
        let session = bench.ending(&memory(), 3_600).await;
        let theirs = replaced("identity.pagerduty.com", "identity.attackers.com");
        let foreign = Connector::load(engine(), &theirs).await.expect("it loads");
        let config = TenantConfig::new(bench.grant.clone()).oauth(session.clone());
        let error = foreign.open(config.clone()).expect_err("refused");
        assert!(matches!(error, OpenError::SignIn { .. }), "{error:?}");
        assert!(
            error.to_string().contains("identity.attackers.com"),
            "{error}"
        );
        connector().open(config).expect("where it came from");

        let (client, credential) = bench.consented().await;
        let other = ProfileKey::new("another-app", "acme").expect("plain names");
        let session = Session::start(client, credential, memory(), other)
            .await
            .expect("stored");
        let config = TenantConfig::new(bench.grant.clone()).oauth(session);
        assert!(matches!(
            connector().open(config).expect_err("another application's"),
            OpenError::SignIn { .. }
        ));
    });
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

#[test]
fn nothing_of_a_sign_in_can_be_printed() {
    run(async {
        let bench = Bench::new().await;
        let store = memory();
        let session = bench.ending(&store, 3_600).await;
        let stored = store.load(&key()).expect("readable").expect("stored");
        let config = TenantConfig::new(bench.grant.clone()).oauth(session.clone());
        let (client, credential) = bench.consented().await;
        let authorization = client.authorize(REDIRECT, &[]).expect("it starts");
        let shown = format!(
            "{session:#?} {stored:#?} {config:#?} {client:#?} {credential:#?} {authorization:#?} {:#?}",
            bench.tenant(session.clone())
        );
        let verifier = authorization.verifier.expose_secret().to_owned();
        // All tokens begin with it.
        for secret in ["pdus+_", OAUTH_CLIENT.secret, &verifier] {
            assert!(!shown.contains(secret), "{secret} is in {shown}");
        }
    });
}
