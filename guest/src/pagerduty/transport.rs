//! One request over `wasi:http`, and what its failures mean.
//!
//! Not by `wstd::http`: there a body that breaks off says why in words only,
//! and a header that is not what it should be fails the whole answer.

use crate::errors::{Error, ErrorCode, Result};
use crate::pagerduty::client::RateLimit;
use crate::pagerduty::errors::clean;
use std::cell::Cell;
use std::time::Duration;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode as Wasi, Fields, IncomingBody, IncomingResponse, Method, OutgoingBody,
    OutgoingRequest, RequestOptions, Scheme, http_error_code,
};
use wasip2::io::streams::StreamError;
use wstd::runtime::AsyncPollable;

/// No page that PagerDuty sends comes near.
const MAX_BODY: usize = 16 * 1024 * 1024;
/// What all answers in flight may hold together. The guest's memory is 64 MiB,
/// and JSON grows when it is read.
const MAX_HELD: usize = 24 * 1024 * 1024;
/// Bytes read or written at once.
const CHUNK: u64 = 64 * 1024;

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
    /// Scheme, authority, perhaps the start of a path.
    pub base_url: &'a str,
    /// The rest of it.
    pub path_and_query: String,
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
        let request = self.request()?;
        let body = request.body().map_err(|()| self.broken("its body"))?;
        let response = outgoing_handler::handle(request, Some(self.options()))
            .map_err(|code| self.failure(&code))?;
        // A host that refuses the request may close its body first: the refusal
        // says more than the closed body.
        let written = self.write(body).await;
        AsyncPollable::new(response.subscribe()).wait_for().await;
        let response = match response.get() {
            Some(Ok(Ok(response))) => response,
            Some(Ok(Err(code))) => return Err(self.failure(&code)),
            _ => return Err(self.broken("its answer")),
        };
        let status = response.status();
        let rate_limit = rate_limit(&response.headers());
        if let Err(error) = written
            && (200..300).contains(&status)
        {
            return Err(error);
        }
        let body = self.read(&response).await?;
        Ok(Answer {
            status,
            rate_limit,
            body,
        })
    }

    fn request(&self) -> Result<OutgoingRequest> {
        let headers = Fields::new();
        let user_agent = concat!("pagerduty-connector/", env!("CARGO_PKG_VERSION"));
        let set = |name: &str, value: &str| {
            (headers.append(name, value.as_bytes())).map_err(|_| self.broken("its headers"))
        };
        set("accept", "application/vnd.pagerduty+json;version=2")?;
        set("user-agent", user_agent)?;
        if let Some(body) = self.body {
            set("content-type", "application/json")?;
            set("content-length", &body.len().to_string())?;
        }
        let request = OutgoingRequest::new(headers);
        let method = match self.method {
            "POST" => Method::Post,
            _ => Method::Get,
        };
        let (scheme, rest) = match self.base_url.split_once("://") {
            Some(("http", rest)) => (Scheme::Http, rest),
            Some((_, rest)) => (Scheme::Https, rest),
            None => return Err(self.broken("its URL")),
        };
        let (authority, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        request
            .set_method(&method)
            .and_then(|()| request.set_scheme(Some(&scheme)))
            .and_then(|()| request.set_authority(Some(authority)))
            .and_then(|()| {
                request.set_path_with_query(Some(&format!("{prefix}{}", self.path_and_query)))
            })
            .map_err(|()| self.broken("its URL"))?;
        Ok(request)
    }

    /// A host that does not know a timeout does without: the call's deadline
    /// holds all the same.
    fn options(&self) -> RequestOptions {
        let options = RequestOptions::new();
        let nanos = |limit: Duration| u64::try_from(limit.min(self.timeout).as_nanos()).ok();
        let _ = options.set_connect_timeout(nanos(CONNECT_TIMEOUT));
        let _ = options.set_first_byte_timeout(nanos(READ_TIMEOUT));
        let _ = options.set_between_bytes_timeout(nanos(READ_TIMEOUT));
        options
    }

    async fn write(&self, body: OutgoingBody) -> Result<()> {
        if let Some(mut rest) = self.body {
            let stream = body.write().map_err(|()| self.broken("its body"))?;
            while !rest.is_empty() {
                AsyncPollable::new(stream.subscribe()).wait_for().await;
                let room = stream
                    .check_write()
                    .map_err(|error| self.interrupted(error))?;
                let room = usize::try_from(room).unwrap_or(usize::MAX).min(rest.len());
                let (chunk, after) = rest.split_at(room);
                stream
                    .write(chunk)
                    .map_err(|error| self.interrupted(error))?;
                rest = after;
            }
        }
        OutgoingBody::finish(body, None).map_err(|code| self.failure(&code))
    }

    async fn read(&self, response: &IncomingResponse) -> Result<Kept<'h>> {
        let mut kept = Kept {
            bytes: Vec::new(),
            held: self.held,
        };
        let body: IncomingBody = response.consume().map_err(|()| self.broken("its answer"))?;
        let stream = body.stream().map_err(|()| self.broken("its answer"))?;
        loop {
            let data = match stream.read(CHUNK) {
                Ok(data) => data,
                Err(StreamError::Closed) => return Ok(kept),
                Err(error) => return Err(self.interrupted(error)),
            };
            if data.is_empty() {
                AsyncPollable::new(stream.subscribe()).wait_for().await;
                continue;
            }
            if kept.bytes.len() + data.len() > MAX_BODY {
                return Err(self.too_large());
            }
            let held = self.held.get() + data.len();
            if held > MAX_HELD {
                return Err(self
                    .too_large()
                    .hint("set `concurrency` to a smaller number"));
            }
            self.held.set(held);
            kept.bytes.extend_from_slice(&data);
        }
    }

    fn interrupted(&self, error: StreamError) -> Error {
        match error {
            StreamError::Closed => self.not_reached("the connection was closed"),
            StreamError::LastOperationFailed(error) => match http_error_code(&error) {
                Some(code) => self.failure(&code),
                None => self.not_reached(&error.to_debug_string()),
            },
        }
    }

    fn failure(&self, code: &Wasi) -> Error {
        let what = &self.what;
        match code {
            Wasi::HttpRequestDenied => Error::new(
                ErrorCode::PermissionDenied,
                format!("the host's policy refused {what}"),
            )
            .hint("grant the connector this request, or do without what it is for"),
            Wasi::DestinationIpProhibited => Error::new(
                ErrorCode::PermissionDenied,
                format!("the host's policy refused the address behind {what}"),
            )
            .hint("check the setting `base-url`; private addresses need a grant"),
            Wasi::ConnectionTimeout
            | Wasi::ConnectionReadTimeout
            | Wasi::ConnectionWriteTimeout
            | Wasi::HttpResponseTimeout
            | Wasi::DnsTimeout => Error::new(
                ErrorCode::Timeout,
                format!("PagerDuty did not answer {what} in time"),
            ),
            Wasi::HttpResponseBodySize(_) => self.too_large(),
            Wasi::InternalError(Some(text)) if text.starts_with("budget-exhausted") => Error::new(
                ErrorCode::BudgetExhausted,
                format!("the host's budget for this call does not suffice for {what}"),
            ),
            Wasi::InternalError(Some(text)) => self.not_reached(text),
            code => self.not_reached(&format!("{code:?}")),
        }
    }

    fn too_large(&self) -> Error {
        Error::invalid_response(format!("PagerDuty's answer to {} is too large", self.what))
    }

    fn not_reached(&self, why: &str) -> Error {
        Error::new(
            ErrorCode::ConnectionFailed,
            format!("{} failed on the way: {}", self.what, clean(why)),
        )
        .hint("check the network between this host and PagerDuty's API")
    }

    /// What `wasi:http` rules out, or a host that does not keep to it.
    fn broken(&self, part: &str) -> Error {
        Error::new(
            ErrorCode::Internal,
            format!("the host does not take {}: {part}", self.what),
        )
    }
}

/// Any number, for jitter.
pub fn random() -> u16 {
    let mut bytes = [0; 2];
    wstd::rand::get_random_bytes(&mut bytes);
    u16::from_ne_bytes(bytes)
}

fn rate_limit(headers: &Fields) -> RateLimit {
    let number = |name: &str| {
        let value = headers.get(name).into_iter().next()?;
        std::str::from_utf8(&value).ok()?.trim().parse::<u32>().ok()
    };
    RateLimit {
        limit: number("ratelimit-limit"),
        remaining: number("ratelimit-remaining"),
        reset: number("ratelimit-reset").filter(|seconds| *seconds <= MAX_RESET),
    }
}
