//! What the operator does, as JSON over HTTP. `harness connectors` speaks it.
//!
//! A refused change answers with `error`: its `message` and `hint`, and, where
//! that is why, the `stage` of the load, the `diff` on the recordings and what
//! is `missing`.

use std::{num::NonZeroU32, sync::Arc};

use axum::{
    Json, Router,
    body::Body,
    extract::{FromRequest, FromRequestParts, Path, Query, Request, State},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, StatusCode, request::Parts};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

use super::OPERATOR;
use crate::{
    registry::{CandidateError, LoadFailure, LoadRequest, Registry, RegistryError, RollbackError},
    server::Shared,
};

/// Bytes of a component: many times the largest that we know.
const MAX_COMPONENT: usize = 64 << 20;

/// Records of the history that are sent if nobody says how many.
const HISTORY: usize = 50;

/// In base64, since it has several lines.
const SIGNATURE: &str = "x-signature";

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/connectors", get(list).post(load))
        .route("/connectors/{id}/swap", post(swap))
        .route("/connectors/{id}/rollback", post(rollback))
        .route("/connectors/{id}/shadow", post(shadow))
        .route("/connectors/{id}/candidate", delete(discard))
        .route("/quarantine/{sha256}", post(quarantine).delete(release))
        .route("/history", get(history))
}

/// The registry behind the server.
struct Registered(Registry);

impl FromRequestParts<Arc<Shared>> for Registered {
    type Rejection = Response;

    async fn from_request_parts(
        _parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Self, Response> {
        shared
            .connectors
            .registry()
            .cloned()
            .map(Self)
            .ok_or_else(|| {
                problem(
                    StatusCode::NOT_FOUND,
                    "the connectors of this host stay as they are",
                    "serve them from a registry",
                )
            })
    }
}

/// Who wants a change, as the audit log says it.
struct Operator(String);

impl FromRequestParts<Arc<Shared>> for Operator {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        _shared: &Arc<Shared>,
    ) -> Result<Self, Response> {
        let name = parts.headers.get(OPERATOR);
        let name = name.and_then(|name| std::str::from_utf8(name.as_bytes()).ok());
        let name = name.map(str::trim).unwrap_or_default();
        if (1..=64).contains(&name.chars().count()) {
            return Ok(Self(crate::printable(name).into_owned()));
        }
        Err(problem(
            StatusCode::BAD_REQUEST,
            "nothing says who changes this",
            "send your name as `x-operator`, at most 64 characters",
        ))
    }
}

/// What is wanted, as JSON.
struct Wanted<T>(T);

impl<T: DeserializeOwned> FromRequest<Arc<Shared>> for Wanted<T> {
    type Rejection = Response;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Response> {
        match Json::from_request(request, shared).await {
            Ok(Json(wanted)) => Ok(Self(wanted)),
            Err(rejection) => Err(problem(
                StatusCode::BAD_REQUEST,
                &rejection.body_text(),
                "send what is wanted as a JSON object",
            )),
        }
    }
}

async fn list(Registered(registry): Registered) -> Response {
    Json(json!({
        "connectors": registry.list(),
        "quarantine": registry.quarantined(),
    }))
    .into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoadOptions {
    /// What the file is called, for the audit log.
    #[serde(default)]
    name: Option<String>,
    /// Which connector it must be.
    #[serde(default)]
    connector: Option<String>,
    #[serde(default)]
    accept: bool,
    /// To become the candidate, and not take over.
    #[serde(default)]
    stage: bool,
}

async fn load(
    Registered(registry): Registered,
    Operator(by): Operator,
    Query(options): Query<LoadOptions>,
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let body = axum::body::to_bytes(body, MAX_COMPONENT);
    let Ok(Ok(bytes)) = tokio::time::timeout(shared.limits.arrival, body).await else {
        return problem(
            StatusCode::BAD_REQUEST,
            &format!(
                "the component did not arrive, or exceeds {} MiB",
                MAX_COMPONENT >> 20
            ),
            "send the file, and nothing else, as the body",
        );
    };
    let name = options.name.as_deref().unwrap_or("a request");
    let name = crate::printable(name);
    let mut request = LoadRequest::bytes(&name, &bytes, &by).accept(options.accept);
    if let Some(id) = &options.connector {
        request = request.app_id(id);
    }
    if let Some(signature) = headers.get(SIGNATURE) {
        let decoded = STANDARD.decode(signature.as_bytes()).unwrap_or_default();
        // What is no text is no signature, and is refused as one.
        request = request.signature(&String::from_utf8_lossy(&decoded));
    }
    let outcome = if options.stage {
        registry.stage(request).await
    } else {
        registry.load(request).await
    };
    match outcome {
        Ok(report) => Json(json!(report)).into_response(),
        Err(failure) => refused(&failure),
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Swap {
    #[serde(default)]
    accept: bool,
}

/// The candidate takes over.
async fn swap(
    Registered(registry): Registered,
    Operator(by): Operator,
    Path(id): Path<String>,
    Wanted(wanted): Wanted<Swap>,
) -> Response {
    match registry.swap_candidate(&id, &by, wanted.accept).await {
        Ok(report) => Json(json!(report)).into_response(),
        Err(failure) => refused(&failure),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rollback {
    #[serde(default)]
    to: Option<u64>,
    reason: String,
}

async fn rollback(
    Registered(registry): Registered,
    Operator(by): Operator,
    Path(id): Path<String>,
    Wanted(wanted): Wanted<Rollback>,
) -> Response {
    match registry.rollback(&id, wanted.to, &by, &wanted.reason).await {
        Ok(generation) => Json(json!({ "generation": generation })).into_response(),
        Err(error) => stays(&error),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shadowing {
    /// Every n-th read; null ends it.
    every: Option<NonZeroU32>,
}

async fn shadow(
    Registered(registry): Registered,
    Operator(by): Operator,
    Path(id): Path<String>,
    Wanted(wanted): Wanted<Shadowing>,
) -> Response {
    let outcome = match wanted.every {
        Some(every) => registry.shadow(&id, every, &by).await,
        None => registry.end_shadow(&id, &by).await,
    };
    match outcome {
        Ok(()) => Json(json!({ "every": wanted.every })).into_response(),
        Err(error) => alone(&error),
    }
}

async fn discard(
    Registered(registry): Registered,
    Operator(by): Operator,
    Path(id): Path<String>,
) -> Response {
    match registry.discard(&id, &by).await {
        Ok(()) => Json(json!({})).into_response(),
        Err(error) => alone(&error),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Quarantine {
    reason: String,
}

async fn quarantine(
    Registered(registry): Registered,
    Operator(by): Operator,
    Path(sha256): Path<String>,
    Wanted(wanted): Wanted<Quarantine>,
) -> Response {
    if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return problem(
            StatusCode::BAD_REQUEST,
            "a digest has 64 hexadecimal digits",
            "`harness connectors list` shows them",
        );
    }
    let sha256 = sha256.to_ascii_lowercase();
    match registry.quarantine(&sha256, &by, &wanted.reason).await {
        Ok(()) => Json(json!({ "sha256": sha256 })).into_response(),
        Err(error) => stays(&error),
    }
}

async fn release(
    Registered(registry): Registered,
    Operator(by): Operator,
    Path(sha256): Path<String>,
) -> Response {
    match registry.release(&sha256, &by) {
        Ok(true) => Json(json!({ "sha256": sha256 })).into_response(),
        Ok(false) => problem(
            StatusCode::NOT_FOUND,
            "that digest is not in quarantine",
            "`harness connectors list` shows those that are",
        ),
        Err(error) => stays(&RollbackError::Record(error)),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    #[serde(default)]
    connector: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

/// The latest records, oldest first.
async fn history(Registered(registry): Registered, Query(which): Query<Which>) -> Response {
    match super::records(&registry, which.connector).await {
        Ok(mut records) => {
            let limit = which.limit.unwrap_or(HISTORY);
            records.drain(..records.len().saturating_sub(limit));
            Json(json!({ "records": records })).into_response()
        }
        Err(error) => stays(&RollbackError::Record(RegistryError::Audit(error))),
    }
}

/// Why a component does not take over.
fn refused(failure: &LoadFailure) -> Response {
    let status = match failure {
        LoadFailure::Record(_) => StatusCode::INTERNAL_SERVER_ERROR,
        LoadFailure::Closed => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let missing = match failure {
        LoadFailure::Incompatible(missing) => Some(missing),
        _ => None,
    };
    let error = json!({
        "message": crate::printable(&failure.to_string()),
        "hint": failure.hint(),
        "stage": failure.stage(),
        "diff": failure.diff(),
        "missing": missing,
    });
    (status, Json(json!({ "error": error }))).into_response()
}

/// Why a candidate is left alone.
fn alone(error: &CandidateError) -> Response {
    let status = match error {
        CandidateError::None(_) => StatusCode::NOT_FOUND,
        CandidateError::Record(_) => StatusCode::INTERNAL_SERVER_ERROR,
        CandidateError::Closed => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::CONFLICT,
    };
    problem(status, &error.to_string(), error.hint())
}

/// Why everything stays as it is.
fn stays(error: &RollbackError) -> Response {
    let status = match error {
        RollbackError::UnknownConnector(_) | RollbackError::UnknownGeneration { .. } => {
            StatusCode::NOT_FOUND
        }
        RollbackError::Record(_) => StatusCode::INTERNAL_SERVER_ERROR,
        RollbackError::Closed => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::CONFLICT,
    };
    problem(status, &error.to_string(), error.hint())
}

pub(super) fn problem(status: StatusCode, message: &str, hint: &str) -> Response {
    let error = json!({ "message": crate::printable(message), "hint": hint });
    (status, Json(json!({ "error": error }))).into_response()
}
