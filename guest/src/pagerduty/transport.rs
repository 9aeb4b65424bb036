//! One request over `wasi:http`, and what its failures mean.

use crate::errors::{Error, ErrorCode, Result};
use crate::pagerduty::client::RateLimit;
use std::cell::Cell;
use std::time::Duration;
use wstd::http::error::ErrorCode as Wasi;
use wstd::http::{Body, BodyExt, Client, HeaderMap, Request};

/// No page that PagerDuty sends comes near.
const MAX_BODY: usize = 16 * 1024 * 1024;
/// What all answers in flight may hold together. The guest's memory is 64 MiB,
/// and JSON grows when it is read.
const MAX_HELD: usize = 24 * 1024 * 1024;

/// PagerDuty is one TLS handshake away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// PagerDuty gives up on its own requests after about as long.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// A reset further away is an epoch or nonsense: PagerDuty counts by the minute.
const MAX_RESET: u32 = 3600;

/// A request about to leave.
pub struct Outgoing<'a, 'h> {
    /// In upper case.
    pub method: &'static str,
    /// The whole of it.
    pub url: String,
    /// Method and path, for messages.
    pub what: String,
    /// JSON.
    pub body: Option<&'a [u8]>,
    /// Everything must be done by then.
    pub timeout: Duration,
    /// The bytes of all answers in flight.
    pub held: &'h Cell<usize>,
}

/// An answer, whatever its status.
pub struct Answer<'a> {
    /// HTTP status.
    pub status: u16,
    /// What its headers say.
    pub rate_limit: RateLimit,
    /// What it holds.
    pub body: Kept<'a>,
}

/// A body, counted as long as it is there.
pub struct Kept<'a> {
    bytes: Vec<u8>,
    held: &'a Cell<usize>,
}

impl Kept<'_> {
    /// The body.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        self.held.set(self.held.get() - self.bytes.len());
    }
}

impl<'h> Outgoing<'_, 'h> {
    /// Sends it.
    pub async fn send(&self) -> Result<Answer<'h>> {
        let mut client = Client::new();
        client.set_connect_timeout(CONNECT_TIMEOUT.min(self.timeout));
        client.set_first_byte_timeout(READ_TIMEOUT.min(self.timeout));
        client.set_between_bytes_timeout(READ_TIMEOUT.min(self.timeout));
        let response = client
            .send(self.request()?)
            .await
            .map_err(|error| self.failure(&error))?;
        let status = response.status().as_u16();
        let rate_limit = rate_limit(response.headers());
        let body = self.read(response.into_body()).await?;
        Ok(Answer {
            status,
            rate_limit,
            body,
        })
    }

    fn request(&self) -> Result<Request<Body>> {
        let mut request = Request::builder()
            .method(self.method)
            .uri(&self.url)
            .header("accept", "application/vnd.pagerduty+json;version=2")
            .header(
                "user-agent",
                concat!("pagerduty-connector/", env!("CARGO_PKG_VERSION")),
            );
        if self.body.is_some() {
            request = request.header("content-type", "application/json");
        }
        request
            .body(self.body.map_or_else(Body::empty, Body::from))
            .map_err(|error| Error::invalid_input(format!("{}: {error}", self.what)))
    }

    async fn read(&self, body: Body) -> Result<Kept<'h>> {
        let mut kept = Kept {
            bytes: Vec::new(),
            held: self.held,
        };
        let mut body = body.into_boxed_body();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.failure(&error))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if kept.bytes.len() + data.len() > MAX_BODY {
                return Err(self.too_large());
            }
            let held = self.held.get() + data.len();
            if held > MAX_HELD {
                return Err(self.too_large().hint("set `concurrency` to a smaller number"));
            }
            self.held.set(held);
            kept.bytes.extend_from_slice(&data);
        }
        Ok(kept)
    }

    fn failure(&self, error: &wstd::http::Error) -> Error {
        let what = &self.what;
        match error.downcast_ref::<Wasi>() {
            Some(Wasi::HttpRequestDenied) => Error::new(
                ErrorCode::PermissionDenied,
                format!("the host's policy refused {what}"),
            )
            .hint("grant the connector this request, or do without what it is for"),
            Some(Wasi::DestinationIpProhibited) => Error::new(
                ErrorCode::PermissionDenied,
                format!("the host's policy refused the address behind {what}"),
            )
            .hint("check the setting `base-url`; private addresses need a grant"),
            Some(
                Wasi::ConnectionTimeout
                | Wasi::ConnectionReadTimeout
                | Wasi::ConnectionWriteTimeout
                | Wasi::HttpResponseTimeout
                | Wasi::DnsTimeout,
            ) => self.timeout(),
            Some(Wasi::HttpResponseBodySize(_)) => self.too_large(),
            Some(Wasi::InternalError(Some(text))) if text.starts_with("budget-exhausted") => {
                self.out_of_budget()
            }
            Some(code) => self.not_reached(&format!("{code:?}")),
            // A body that breaks off says why in a text of the host's only.
            None => {
                let text = format!("{error:#}");
                if text.contains("budget-exhausted") {
                    self.out_of_budget()
                } else if text.contains("HttpResponseBodySize") {
                    self.too_large()
                } else if text.contains("Timeout") {
                    self.timeout()
                } else if text.contains("Content-Length") || text.contains("header") {
                    Error::invalid_response(format!(
                        "PagerDuty's answer to {what} has headers that can't be read"
                    ))
                } else {
                    self.not_reached(&text)
                }
            }
        }
    }

    fn out_of_budget(&self) -> Error {
        Error::new(
            ErrorCode::BudgetExhausted,
            format!("the host's budget for this call does not suffice for {}", self.what),
        )
    }

    fn timeout(&self) -> Error {
        Error::new(
            ErrorCode::Timeout,
            format!("PagerDuty did not answer {} in time", self.what),
        )
    }

    fn too_large(&self) -> Error {
        Error::invalid_response(format!("PagerDuty's answer to {} is too large", self.what))
    }

    fn not_reached(&self, why: &str) -> Error {
        let why = super::errors::clean(why);
        Error::new(
            ErrorCode::ConnectionFailed,
            format!("{} failed on the way: {why}", self.what),
        )
        .hint("check the network between this host and PagerDuty's API")
    }
}

/// Any number, for jitter.
pub fn random() -> u16 {
    let mut bytes = [0; 2];
    wstd::rand::get_random_bytes(&mut bytes);
    u16::from_ne_bytes(bytes)
}

fn rate_limit(headers: &HeaderMap) -> RateLimit {
    let number = |name| {
        let value: &str = headers.get(name)?.to_str().ok()?;
        value.trim().parse::<u32>().ok()
    };
    RateLimit {
        limit: number("ratelimit-limit"),
        remaining: number("ratelimit-remaining"),
        reset: number("ratelimit-reset").filter(|seconds| *seconds <= MAX_RESET),
    }
}
