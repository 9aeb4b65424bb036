//! The REST API: what every request passes through on its way to an operation.

mod abilities;
mod analytics;
mod audit;
mod auth;
mod delegations;
mod errors;
mod events_v3;
mod incidents;
mod licenses;
mod oncalls;
mod overrides;
mod paging;
mod policies;
mod references;
mod request;
mod routes;
mod schedules;
mod schedules_v3;
mod services;
mod shifts_v3;
mod slow;
mod teams;
mod time;
mod user_changes;
mod users;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower_service::Service as _;

use crate::clock::{Clock, lock};
use crate::config::Config;
use crate::exchange::{Exchange, Exchanges, safe_headers};
use crate::faults::{Effect, Faults, Meanwhile};
use crate::limits::{Allowance, Limits};
use crate::oauth::Grants;
use crate::state::Account;

pub(crate) use auth::Caller;
pub use auth::{TOKENS, Tokens};
pub(crate) use errors::Refusal;
pub(crate) use request::Call;

/// The largest request body that is read; PagerDuty's own are far below it.
const BODY_LIMIT: usize = 8 << 20;

/// Marks a response after which the connection has to be dropped unanswered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DropConnection;

/// Everything that lives as long as the simulator.
pub(crate) struct Service {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) faults: Faults,
    pub(crate) exchanges: Exchanges,
    account: Mutex<Account>,
    grants: Mutex<Grants>,
    limits: Limits,
    requests: AtomicU64,
}

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Option<Value>,
    pub(crate) location: Option<String>,
}

impl Reply {
    pub(crate) fn ok(body: Value) -> Self {
        Self {
            status: 200,
            body: Some(body),
            location: None,
        }
    }

    pub(crate) fn created(body: Value) -> Self {
        Self {
            status: 201,
            body: Some(body),
            location: None,
        }
    }

    pub(crate) fn no_content() -> Self {
        Self {
            status: 204,
            body: None,
            location: None,
        }
    }
}

/// What an operation comes to.
pub(crate) type Answer = Result<Reply, Refusal>;

impl Service {
    pub(crate) fn new(config: Config) -> Self {
        let clock = Clock::new(config.now);
        let account = Account::generate(&config, clock.now());
        Self {
            clock,
            faults: Faults::default(),
            exchanges: Exchanges::default(),
            grants: Mutex::new(Grants::new(config.seed)),
            account: Mutex::new(account),
            limits: Limits::default(),
            requests: AtomicU64::new(0),
            config,
        }
    }

    /// The same account once more, with a life of its own from here on.
    pub(crate) fn fork(&self) -> Self {
        Self {
            clock: self.clock.fork(),
            faults: Faults::default(),
            exchanges: Exchanges::default(),
            grants: Mutex::new(Grants::new(self.config.seed)),
            account: Mutex::new(lock(&self.account).clone()),
            limits: Limits::default(),
            requests: AtomicU64::new(0),
            config: self.config.clone(),
        }
    }

    /// What the account owner would be answered: no faults, nothing is kept.
    pub(crate) fn ask(&self, method: &str, target: &str, body: Option<&Value>) -> (u16, Value) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = HeaderMap::new();
        let token = format!("Token token={}", TOKENS.owner);
        if let Ok(token) = token.parse() {
            headers.insert(http::header::AUTHORIZATION, token);
        }
        let request = Incoming {
            method: method.to_owned(),
            path: path.to_owned(),
            query: url::form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            headers,
            body: body.map(|body| body.to_string().into()).unwrap_or_default(),
        };
        match self.answer(&request).0 {
            Ok(reply) => (reply.status, reply.body.unwrap_or_default()),
            Err(refusal) => (refusal.status, refusal.body),
        }
    }

    pub(crate) fn request_count(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn refusals(&self) -> Vec<Duration> {
        self.limits.refusals()
    }

    pub(crate) fn user_ids(&self) -> Vec<String> {
        let account = lock(&self.account);
        account.users.iter().map(|user| user.id.clone()).collect()
    }

    pub(crate) fn open_incidents(&self, assignees: &[&str], count: usize) -> Vec<String> {
        let mut account = lock(&self.account);
        account.move_to(self.clock.now());
        account.open_incidents(assignees, count)
    }

    /// What somebody else does before a request is answered. No fault hits it,
    /// and it counts for nobody's rate limit.
    fn get_in_first(&self, other: &Meanwhile) {
        let (path, query) = other.path.split_once('?').unwrap_or((&other.path, ""));
        let mut headers = HeaderMap::new();
        let key = format!("Token token={}", TOKENS.owner);
        if let Ok(key) = HeaderValue::from_str(&key) {
            headers.insert(http::header::AUTHORIZATION, key);
        }
        let body = other.body.as_ref().map(ToString::to_string);
        let request = Incoming {
            method: other.method.clone(),
            path: path.to_owned(),
            query: url::form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            headers,
            body: body.unwrap_or_default().into(),
        };
        let now = self.clock.now();
        let grants = lock(&self.grants);
        let mut account = lock(&self.account);
        account.move_to(now);
        let caller = auth::authenticate(&request.headers, &account, &grants, now);
        let answer = caller.and_then(|caller| {
            let call = Call::read(&request, caller)?;
            routes::answer(&mut account, &call)
        });
        // A test whose interference is refused tests nothing.
        assert!(answer.is_ok(), "the fault's own request failed: {answer:?}");
    }

    /// Authenticates, limits and answers one request.
    fn answer(&self, request: &Incoming) -> (Answer, Option<Allowance>) {
        let now = self.clock.now();
        // Always in this order: two requests that took the locks crosswise
        // would wait for each other.
        let mut grants = lock(&self.grants);
        let mut account = lock(&self.account);
        if let Some(answer) = crate::oauth::answer(request, &mut grants, &mut account, now) {
            return (answer, None);
        }
        account.move_to(now);
        let caller = auth::authenticate(&request.headers, &account, &grants, now);
        drop(grants);
        let caller = match caller {
            Ok(caller) => caller,
            Err(refusal) => return (Err(refusal), None),
        };
        let allowance = self.config.limit.map(|limit| {
            let elapsed = self.clock.elapsed();
            let (method, path) = (request.method.as_str(), request.path.as_str());
            self.limits
                .take(elapsed, &caller.credential, method, path, limit)
        });
        if allowance.is_some_and(|a| a.exceeded) {
            return (Err(Refusal::rate_limited()), allowance);
        }
        let answer =
            Call::read(request, caller).and_then(|call| routes::answer(&mut account, &call));
        (answer, allowance)
    }

    async fn serve(&self, request: Request<Body>) -> Response {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let request = match Incoming::read(request).await {
            Ok(request) => request,
            Err(response) => return *response,
        };
        let effect = self.faults.take(&request.method, &request.path);
        if !self.config.latency.is_zero() {
            tokio::time::sleep(self.config.latency).await;
        }
        if let Some(Effect::Latency(latency)) = effect {
            tokio::time::sleep(latency).await;
        }
        if let Some(Effect::Meanwhile(other)) = &effect {
            self.get_in_first(other);
        }
        let instead = effect.as_ref().and_then(instead);
        let (response, body) = match instead {
            Some(response) => (response, None),
            None => {
                let (answer, allowance) = self.answer(&request);
                let (status, body, location) = match answer {
                    Ok(reply) => (reply.status, reply.body, reply.location),
                    Err(refusal) => {
                        let refusal = refusal.written(self.config.refusals);
                        (refusal.status, Some(refusal.body), None)
                    }
                };
                let whole = respond(status, body.as_ref(), location.as_deref(), allowance);
                (damage(whole, body.as_ref(), effect.as_ref()), body)
            }
        };
        if self.exchanges.keeping() {
            let dropped = response.extensions().get::<DropConnection>().is_some();
            self.exchanges.push(Exchange {
                method: request.method,
                path: request.path,
                query: request.query,
                request_headers: safe_headers(&request.headers),
                request_body: serde_json::from_slice(&request.body).ok(),
                status: if dropped {
                    0
                } else {
                    response.status().as_u16()
                },
                response_body: body,
            });
        }
        if let Some(Effect::HangAfterApplied) = effect {
            std::future::pending::<()>().await;
        }
        response
    }
}

/// A request, read to its end.
pub(crate) struct Incoming {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Incoming {
    async fn read(request: Request<Body>) -> Result<Self, Box<Response>> {
        let (mut parts, body) = request.into_parts();
        // HTTP/2 has the host in the URI.
        if !parts.headers.contains_key(http::header::HOST)
            && let Some(host) = parts.uri.authority().and_then(|a| a.as_str().parse().ok())
        {
            parts.headers.insert(http::header::HOST, host);
        }
        let body = http_body_util::Limited::new(body, BODY_LIMIT)
            .collect()
            .await;
        let Ok(body) = body else {
            return Err(Box::new(respond(413, None, None, None)));
        };
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            query: url::form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            headers: parts.headers,
            body: body.to_bytes(),
        })
    }
}

pub(crate) fn router(service: &Arc<Service>) -> Router {
    async fn serve(State(service): State<Arc<Service>>, request: Request<Body>) -> Response {
        service.serve(request).await
    }
    Router::new()
        .fallback(serve)
        .with_state(Arc::clone(service))
}

/// One request through a router; routers cannot fail.
pub(crate) async fn call(router: &Router, request: Request<Body>) -> Response {
    match router.clone().call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

fn respond(
    status: u16,
    body: Option<&Value>,
    location: Option<&str>,
    allowance: Option<Allowance>,
) -> Response {
    let mut response = match body {
        Some(json) => {
            let mut response = Response::new(Body::from(json.to_string()));
            let json = HeaderValue::from_static("application/json; charset=utf-8");
            response
                .headers_mut()
                .insert(http::header::CONTENT_TYPE, json);
            response
        }
        None => Response::new(Body::empty()),
    };
    set_status(&mut response, status);
    if let Some(location) = location {
        set_header(&mut response, "location", location);
    }
    if let Some(allowance) = allowance {
        set_header(
            &mut response,
            "ratelimit-limit",
            &allowance.limit.to_string(),
        );
        set_header(
            &mut response,
            "ratelimit-remaining",
            &allowance.remaining.to_string(),
        );
        set_header(
            &mut response,
            "ratelimit-reset",
            &allowance.reset.to_string(),
        );
    }
    response
}

fn set_status(response: &mut Response, status: u16) {
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
}

fn set_header(response: &mut Response, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
        response.headers_mut().insert(name, value);
    }
}

/// The answer of a fault that keeps the request from being applied.
fn instead(effect: &Effect) -> Option<Response> {
    match effect {
        Effect::Status {
            status,
            body,
            headers,
        } => {
            let mut response = respond(*status, body.as_ref(), None, None);
            for (name, value) in headers {
                set_header(&mut response, name, value);
            }
            Some(response)
        }
        Effect::RateLimited { reset: None } => Some(respond(429, None, None, None)),
        Effect::RateLimited { reset: Some(reset) } => {
            let refusal = Refusal::rate_limited();
            let allowance = Allowance {
                limit: 960,
                remaining: 0,
                reset: u64::from(*reset),
                exceeded: true,
            };
            Some(respond(429, Some(&refusal.body), None, Some(allowance)))
        }
        Effect::Reset => Some(dropped()),
        Effect::Body {
            content_type,
            body,
            status,
        } => {
            let mut response = Response::new(Body::from(body.clone()));
            set_status(&mut response, *status);
            set_header(&mut response, "content-type", content_type);
            Some(response)
        }
        Effect::Latency(_)
        | Effect::Meanwhile(_)
        | Effect::ResetAfterApplied
        | Effect::StatusAfterApplied(_)
        | Effect::HangAfterApplied
        | Effect::Truncated
        | Effect::Slow { .. } => None,
    }
}

/// Does to an answer what a fault does to it on the way back.
fn damage(mut response: Response, body: Option<&Value>, effect: Option<&Effect>) -> Response {
    match effect {
        Some(Effect::ResetAfterApplied) => dropped(),
        Some(Effect::StatusAfterApplied(status)) => respond(*status, None, None, None),
        Some(Effect::Truncated) => {
            let text = body.map(ToString::to_string).unwrap_or_default();
            let half = text.as_bytes()[..text.len() / 2].to_vec();
            *response.body_mut() = Body::from(half);
            response
        }
        Some(Effect::Slow { chunk, pause }) => {
            let text = body.map(ToString::to_string).unwrap_or_default();
            *response.body_mut() = Body::new(slow::SlowBody::new(text.into(), *chunk, *pause));
            response
        }
        _ => response,
    }
}

fn dropped() -> Response {
    let mut response = Response::new(Body::new(slow::FailingBody));
    set_status(&mut response, 500);
    response.extensions_mut().insert(DropConnection);
    response
}

/// The error body that PagerDuty uses nearly everywhere.
pub(crate) fn error_body(message: &str, code: u32, errors: &[&str]) -> Value {
    if errors.is_empty() {
        json!({"error": {"message": message, "code": code}})
    } else {
        json!({"error": {"message": message, "code": code, "errors": errors}})
    }
}
