//! What the operator looks at and changes: a console for people, and the same
//! as JSON for programs.

mod api;
mod call_page;
mod change_page;
mod console;
mod page;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderValue, Method, StatusCode, header};

use super::{Shared, http::health};
use crate::registry::{
    Registry,
    audit::{AuditError, AuditRecord},
};

/// Who changes something says who it is. No browser sends this header to
/// another site without asking first, so that no page can change anything with
/// the token or the certificate that a browser keeps.
const OPERATOR: &str = "x-operator";

/// What the operator's listener serves.
pub(in crate::server) fn routes(shared: &Arc<Shared>) -> Router {
    let inside = Router::new()
        .route("/", get(console::overview))
        .route("/calls/{number}", get(call_page::call))
        .route("/changes/{seq}", get(change_page::change))
        .route("/metrics", get(metrics))
        .nest("/api", api::routes())
        .fallback(super::http::nothing)
        .layer(middleware::from_fn_with_state(
            Arc::clone(shared),
            recognise,
        ));
    health().merge(inside).with_state(Arc::clone(shared))
}

/// Lets in who may look. A browser sends the token as the password of whatever
/// user; that is not enough to change anything.
async fn recognise(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let looks = request.method() == Method::GET;
    let access = &shared.operators;
    if access.allows(headers) || (looks && access.allows_browser(headers)) {
        return next.run(request).await;
    }
    shared.metrics.refused();
    let challenge = if looks {
        "Basic realm=\"connector host: the token is the password\", charset=\"UTF-8\""
    } else {
        "Bearer"
    };
    let mut response = api::problem(
        StatusCode::UNAUTHORIZED,
        "the request has no valid token",
        "send `authorization: Bearer TOKEN`; a browser sends it as a password",
    );
    response.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static(challenge),
    );
    response
}

/// What was recorded, oldest first. Reads and checks the whole log, so it keeps
/// other calls waiting for nothing.
async fn records(
    registry: &Registry,
    connector: Option<String>,
) -> Result<Vec<AuditRecord>, AuditError> {
    let registry = registry.clone();
    let read = tokio::task::spawn_blocking(move || registry.history(connector.as_deref()));
    read.await
        .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let under_way = shared.limits.calls - shared.calls.available_permits();
    let text = shared.metrics.text(under_way, shared.tenants.count());
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}
