//! PagerDuty over hyper, and nothing in between.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use pagerduty_simulator::TOKENS;
use serde::{Deserialize, de::DeserializeOwned};

/// Rows of a page.
pub(super) const PAGE: usize = 100;
/// Requests in flight: as many as the connector has, if nobody sets it.
pub(super) const CONCURRENCY: usize = 6;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli::bench) enum VendorError {
    #[error("`{target}` could not be asked for: {cause}")]
    Request {
        target: String,
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("`{target}` was answered with {status}")]
    Status { target: String, status: StatusCode },
    #[error("the answer to `{target}` can't be read: {cause}")]
    Answer {
        target: String,
        cause: serde_json::Error,
    },
}

/// A page of any list.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct Page<T> {
    #[serde(
        alias = "users",
        alias = "teams",
        alias = "members",
        alias = "schedules",
        alias = "escalation_policies",
        alias = "licenses",
        alias = "license_allocations",
        alias = "data",
        alias = "oauth_delegations"
    )]
    pub(super) rows: Vec<T>,
    #[serde(default)]
    pub(super) more: bool,
    #[serde(default)]
    pub(super) total: Option<usize>,
    /// Where analytics go on.
    #[serde(default)]
    pub(super) last: Option<String>,
}

/// The vendor's API.
#[derive(Debug)]
pub(super) struct Vendor {
    client: Client<HttpConnector, Full<Bytes>>,
    origin: String,
}

impl Vendor {
    pub(super) fn new(origin: &str) -> Self {
        let mut connector = HttpConnector::new();
        // A request in two packets would wait for the first to be acknowledged.
        connector.set_nodelay(true);
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            origin: origin.trim_end_matches('/').to_owned(),
        }
    }

    /// Looks at something.
    pub(super) async fn get<T: DeserializeOwned>(&self, target: &str) -> Result<T, VendorError> {
        self.send(Method::GET, target, Bytes::new()).await
    }

    /// Looks at something that the body says.
    pub(super) async fn search<T: DeserializeOwned>(
        &self,
        target: &str,
        question: &serde_json::Value,
    ) -> Result<T, VendorError> {
        let body = Bytes::from(question.to_string());
        self.send(Method::POST, target, body).await
    }

    /// Looks at several things at once; the answers come in their order.
    pub(super) fn get_each<'v, T: DeserializeOwned + 'v>(
        &'v self,
        targets: impl IntoIterator<Item = String> + 'v,
    ) -> impl Stream<Item = Result<T, VendorError>> + 'v {
        let answers =
            (targets.into_iter()).map(move |target| async move { self.get(&target).await });
        futures_util::stream::iter(answers).buffered(CONCURRENCY)
    }

    /// The whole of a list that is not long. `target` has a query already.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        target: &str,
    ) -> Result<Vec<T>, VendorError> {
        let mut rows = Vec::new();
        loop {
            let total = if rows.is_empty() { "&total=true" } else { "" };
            let page = format!("{target}&limit={PAGE}&offset={}{total}", rows.len());
            let mut page: Page<T> = self.get(&page).await?;
            rows.append(&mut page.rows);
            if !page.more {
                return Ok(rows);
            }
        }
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        target: &str,
        body: Bytes,
    ) -> Result<T, VendorError> {
        let failed = |cause: Box<dyn std::error::Error + Send + Sync>| VendorError::Request {
            target: target.to_owned(),
            cause,
        };
        loop {
            let request = Request::builder()
                .method(method.clone())
                .uri(format!("{}{target}", self.origin))
                .header(header::ACCEPT, "application/json")
                .header(header::CONTENT_TYPE, "application/json")
                .header(
                    header::AUTHORIZATION,
                    format!("Token token={}", TOKENS.owner),
                )
                .body(Full::new(body.clone()))
                .map_err(|error| failed(error.into()))?;
            let response = self.client.request(request).await;
            let response = response.map_err(|error| failed(error.into()))?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| failed(error.into()))?;
            match parts.status {
                StatusCode::OK => {
                    return serde_json::from_slice(&body.to_bytes()).map_err(|cause| {
                        VendorError::Answer {
                            target: target.to_owned(),
                            cause,
                        }
                    });
                }
                StatusCode::TOO_MANY_REQUESTS => {
                    let reset = parts.headers.get("ratelimit-reset");
                    let reset = reset.and_then(|reset| reset.to_str().ok()?.parse().ok());
                    tokio::time::sleep(Duration::from_secs(reset.unwrap_or(1))).await;
                }
                status => {
                    return Err(VendorError::Status {
                        target: target.to_owned(),
                        status,
                    });
                }
            }
        }
    }
}
