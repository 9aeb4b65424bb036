//! The two listeners' routes.

use std::{future::Future, sync::Arc};

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Request, State},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::json;

use super::{
    Shared,
    answer::error_json,
    capability::Capability,
    capability::Level,
    error::{WireCode, WireError},
    openapi,
    traces::Caller,
};
use crate::Connector;

/// A page that shows nothing but itself.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/// What platforms call. Health and descriptions need no token: they hold
/// nothing of a tenant, and browsers and probes have none.
pub(super) fn platform(shared: &Arc<Shared>) -> Router {
    let calls = Router::new()
        .route("/list-connector-app-ids", post(ids))
        .route("/{connector_id}/{capability}", post(call))
        .fallback(nothing)
        .method_not_allowed_fallback(only_post)
        .layer(middleware::from_fn_with_state(Arc::clone(shared), admit));
    Router::new()
        .route("/openapi.json", get(description))
        .route("/docs", get(docs))
        .merge(health())
        .merge(calls)
        .with_state(Arc::clone(shared))
}

/// Whether the host is there, and ready: no token needed.
pub(super) fn health() -> Router<Arc<Shared>> {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readiness))
}

/// Lets in who may call, while there is room.
async fn admit(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    if let Some(refusal) = unknown_caller(&shared, &request) {
        return refusal;
    }
    if shared.is_draining() {
        return refusal(
            StatusCode::SERVICE_UNAVAILABLE,
            &WireError::new(WireCode::ServiceError, "the host is shutting down")
                .hint("ask another one, or again in a moment")
                .retry_after(1),
        );
    }
    next.run(request).await
}

fn unknown_caller(shared: &Shared, request: &Request) -> Option<Response> {
    if shared.access.allows(request.headers()) {
        return None;
    }
    shared.metrics.refused();
    let mut response = refusal(
        StatusCode::UNAUTHORIZED,
        &WireError::new(WireCode::Unauthorized, "the request has no valid token")
            .hint("send `authorization: Bearer TOKEN` with the token of this host"),
    );
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    Some(response)
}

async fn ids(State(shared): State<Arc<Shared>>) -> Response {
    Json(json!({"response": shared.connectors.ids()})).into_response()
}

async fn call(
    State(shared): State<Arc<Shared>>,
    Path((connector_id, capability)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Ok(permit) = Arc::clone(&shared.calls).try_acquire_owned() else {
        shared.metrics.turned_away();
        return refusal(
            StatusCode::SERVICE_UNAVAILABLE,
            &WireError::new(WireCode::ServiceError, "too many calls are under way")
                .hint("ask again later")
                .retry_after(1),
        );
    };
    let body = match read(&shared, body).await {
        Ok(body) => body,
        Err(refusal) => return *refusal,
    };
    let caller = Caller::of(&headers);
    let known = Capability::named(&capability);
    // Who asks and goes away need not be answered; but a change that was begun
    // comes to its end, and so does a sign-in, whose token is burned by then.
    let ends_alone =
        known.is_some_and(|known| matches!(known.level, Level::Write | Level::Authorization));
    let task = tokio::spawn(async move {
        // Counts as under way until it has ended.
        let _permit = permit;
        shared
            .answer(&connector_id, &capability, &body, caller)
            .await
    });
    let answer = if ends_alone {
        task.await
    } else {
        Tied(task).await
    };
    match answer {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => {
            tracing::error!(target: "harness::server", %error, "a call crashed in the host");
            let error = WireError::new(WireCode::InternalError, "the call crashed in the host");
            Json(error_json(&error, "", None)).into_response()
        }
    }
}

/// A task that ends with whoever waits for it.
struct Tied<T>(tokio::task::JoinHandle<T>);

impl<T> Future for Tied<T> {
    type Output = Result<T, tokio::task::JoinError>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.0).poll(context)
    }
}

impl<T> Drop for Tied<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn read(shared: &Shared, body: Body) -> Result<Bytes, Box<Response>> {
    let limit = shared.limits.body;
    let read = axum::body::to_bytes(body, limit);
    let (status, error) = match tokio::time::timeout(shared.limits.arrival, read).await {
        Ok(Ok(body)) => return Ok(body),
        Ok(Err(error)) => {
            let is_large = std::error::Error::source(&error)
                .is_some_and(|cause| cause.is::<http_body_util::LengthLimitError>());
            if is_large {
                (
                    StatusCode::PAYLOAD_TOO_LARGE,
                    WireError::new(
                        WireCode::BadRequest,
                        format!("the body exceeds {limit} bytes"),
                    )
                    .hint("ask for less at a time"),
                )
            } else {
                (
                    StatusCode::BAD_REQUEST,
                    WireError::new(WireCode::BadRequest, "the body broke off"),
                )
            }
        }
        Err(_) => (
            StatusCode::REQUEST_TIMEOUT,
            WireError::new(WireCode::RequestTimeout, "the body did not arrive in time"),
        ),
    };
    Err(Box::new(refusal(status, &error)))
}

pub(super) async fn nothing() -> Response {
    refusal(
        StatusCode::NOT_FOUND,
        &WireError::new(WireCode::NotFound, "there is nothing at this address")
            .hint("`/docs` lists what there is"),
    )
}

async fn only_post() -> Response {
    refusal(
        StatusCode::METHOD_NOT_ALLOWED,
        &WireError::new(
            WireCode::UnsupportedOperation,
            "capabilities are called with POST",
        ),
    )
}

async fn readiness(State(shared): State<Arc<Shared>>) -> Response {
    if shared.is_draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n").into_response();
    }
    let ids = shared.connectors.ids();
    if !ids
        .iter()
        .any(|id| shared.connectors.connector(id).is_some())
    {
        return (StatusCode::SERVICE_UNAVAILABLE, "no connector serves\n").into_response();
    }
    "ready\n".into_response()
}

async fn description(State(shared): State<Arc<Shared>>) -> Response {
    let connectors = connectors(&shared);
    let listed = connectors
        .iter()
        .map(|(id, connector)| (id.as_str(), connector));
    Json(openapi::document(listed)).into_response()
}

async fn docs(State(shared): State<Arc<Shared>>) -> Response {
    let connectors = connectors(&shared);
    let listed = connectors
        .iter()
        .map(|(id, connector)| (id.as_str(), connector));
    let mut response = Html(openapi::page(listed)).into_response();
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(PAGE_POLICY),
    );
    response
}

fn connectors(shared: &Shared) -> Vec<(String, Connector)> {
    let ids = shared.connectors.ids();
    ids.into_iter()
        .filter_map(|id| {
            let served = shared.connectors.connector(&id)?;
            Some((id, Connector::clone(&served)))
        })
        .collect()
}

/// What never reaches a connector is refused by status as well.
fn refusal(status: StatusCode, error: &WireError) -> Response {
    (status, Json(error_json(error, "", None))).into_response()
}
