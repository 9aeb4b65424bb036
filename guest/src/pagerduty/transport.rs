//! One request over `wasi:http`, and what its failures mean.
//!
//! Nothing here waits, and nothing is `async`: an exchange goes as far as it
//! can, and then names what it waits for. The state machines that the compiler
//! makes of asynchronous code were a third of the component.

use crate::errors::{Error, ErrorCode, Result};
use crate::pagerduty::client::RateLimit;
use crate::pagerduty::errors::clean;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use wasip2::clocks::monotonic_clock;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode as Wasi, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, InputStream,
    Method, OutgoingBody, OutgoingRequest, OutputStream, RequestOptions, Scheme, http_error_code,
};
use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::StreamError;
use wasip2::random::random::get_random_bytes;

/// No page that PagerDuty sends comes near.
const MAX_BODY: usize = 16 * 1024 * 1024;
/// What all answers in flight may hold together. The guest's memory is 64 MiB,
/// and JSON grows when it is read.
const MAX_HELD: usize = 24 * 1024 * 1024;
/// Bytes read at once: most answers.
const CHUNK: u64 = 256 * 1024;

/// PagerDuty is one TLS handshake away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// PagerDuty gives up on its own requests after about as long.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// A reset further away is an epoch or nonsense: PagerDuty counts by the minute.
const MAX_RESET: u32 = 3600;

/// A request about to leave.
pub struct Outgoing<'a> {
    /// In upper case.
    pub method: &'static str,
    /// Scheme, authority, perhaps the start of a path.
    pub base_url: &'a str,
    /// The rest of the URL, without the query.
    pub path: &'a str,
    /// Empty, or from its `?` on.
    pub query: &'a str,
    /// JSON.
    pub body: Option<&'a [u8]>,
    /// In whose name, as an e-mail address.
    pub from: Option<&'a str>,
    /// Everything must be done by then.
    pub timeout: Duration,
    /// The bytes of all answers in flight.
    pub held: &'a Rc<Cell<usize>>,
}

/// An answer, whatever its status.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// What its headers say.
    pub rate_limit: RateLimit,
    /// What it holds.
    pub body: Kept,
}

/// A body, counted as long as it is there.
pub struct Kept {
    bytes: Vec<u8>,
    held: Rc<Cell<usize>>,
}

impl Kept {
    /// The body.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.held.set(self.held.get() - self.bytes.len());
    }
}

/// A request on its way.
pub struct Exchange {
    state: State,
    what: What,
    held: Rc<Cell<usize>>,
}

enum State {
    Writing {
        stream: OutputStream,
        body: OutgoingBody,
        rest: Vec<u8>,
        response: FutureIncomingResponse,
    },
    Written {
        response: FutureIncomingResponse,
        outcome: Result<()>,
    },
    Reading(Reading),
    Over,
}

/// The parts are dropped in this order, on which `wasi:http` insists: a stream
/// before what it is a stream of.
struct Reading {
    stream: InputStream,
    _body: IncomingBody,
    _response: IncomingResponse,
    answer: Answer,
}

impl Exchange {
    /// Sends a request.
    pub fn start(outgoing: &Outgoing<'_>) -> Result<Self> {
        let what = What(format!("{} {}", outgoing.method, outgoing.path));
        let request = outgoing.request(&what)?;
        let body = request.body().map_err(|()| what.broken("its body"))?;
        let response = outgoing_handler::handle(request, Some(outgoing.options()))
            .map_err(|code| what.failure(&code))?;
        let state = match outgoing.body {
            Some(bytes) => State::Writing {
                stream: body.write().map_err(|()| what.broken("its body"))?,
                body,
                rest: bytes.to_vec(),
                response,
            },
            None => State::Written {
                outcome: finish(&what, body),
                response,
            },
        };
        Ok(Self {
            state,
            what,
            held: outgoing.held.clone(),
        })
    }

    /// Method and path, for messages.
    pub fn what(&self) -> &str {
        &self.what.0
    }

    /// What it waits for.
    pub fn waits_for(&self) -> Option<Pollable> {
        match &self.state {
            State::Writing { stream, .. } => Some(stream.subscribe()),
            State::Written { response, .. } => Some(response.subscribe()),
            State::Reading(reading) => Some(reading.stream.subscribe()),
            State::Over => None,
        }
    }

    /// Goes as far as it can without waiting: to the answer, or none yet.
    pub fn advance(&mut self) -> Result<Option<Answer>> {
        loop {
            let (state, waits) = match std::mem::replace(&mut self.state, State::Over) {
                State::Writing {
                    stream,
                    body,
                    rest,
                    response,
                } => self.write(stream, body, rest, response),
                State::Written { response, outcome } => self.receive(response, outcome)?,
                State::Reading(mut reading) => {
                    if self.read(&reading.stream, &mut reading.answer.body)? {
                        return Ok(Some(reading.answer));
                    }
                    (State::Reading(reading), true)
                }
                State::Over => return Err(self.what.broken("its answer")),
            };
            self.state = state;
            if waits {
                return Ok(None);
            }
        }
    }

    fn write(
        &self,
        stream: OutputStream,
        body: OutgoingBody,
        mut rest: Vec<u8>,
        response: FutureIncomingResponse,
    ) -> (State, bool) {
        let outcome = loop {
            if rest.is_empty() {
                break Ok(());
            }
            let room = match stream.check_write() {
                Ok(room) => usize::try_from(room).unwrap_or(usize::MAX).min(rest.len()),
                Err(error) => break Err(self.what.interrupted(error)),
            };
            if room == 0 {
                let state = State::Writing {
                    stream,
                    body,
                    rest,
                    response,
                };
                return (state, true);
            }
            if let Err(error) = stream.write(&rest[..room]) {
                break Err(self.what.interrupted(error));
            }
            rest.drain(..room);
        };
        drop(stream);
        // A host that refuses the request may close its body first: the refusal
        // says more than the closed body.
        let outcome = outcome.and_then(|()| finish(&self.what, body));
        (State::Written { response, outcome }, false)
    }

    fn receive(
        &self,
        response: FutureIncomingResponse,
        written: Result<()>,
    ) -> Result<(State, bool)> {
        let broken = || self.what.broken("its answer");
        let response = match response.get() {
            None => {
                let outcome = written;
                return Ok((State::Written { response, outcome }, true));
            }
            Some(Ok(Ok(response))) => response,
            Some(Ok(Err(code))) => return Err(self.what.failure(&code)),
            Some(Err(())) => return Err(broken()),
        };
        let status = response.status();
        let rate_limit = rate_limit(&response.headers());
        if (200..300).contains(&status) {
            written?;
        }
        let body = response.consume().map_err(|()| broken())?;
        let state = State::Reading(Reading {
            stream: body.stream().map_err(|()| broken())?,
            _body: body,
            _response: response,
            answer: Answer {
                status,
                rate_limit,
                body: Kept {
                    bytes: Vec::new(),
                    held: self.held.clone(),
                },
            },
        });
        Ok((state, false))
    }

    /// Returns whether that was all.
    fn read(&self, stream: &InputStream, kept: &mut Kept) -> Result<bool> {
        loop {
            let data = match stream.read(CHUNK) {
                Ok(data) if data.is_empty() => return Ok(false),
                Ok(data) => data,
                Err(StreamError::Closed) => return Ok(true),
                Err(error) => return Err(self.what.interrupted(error)),
            };
            if kept.bytes.len() + data.len() > MAX_BODY {
                return Err(self.what.too_large());
            }
            let held = self.held.get() + data.len();
            if held > MAX_HELD {
                return Err((self.what.too_large()).hint("set `concurrency` to a smaller number"));
            }
            self.held.set(held);
            if kept.bytes.is_empty() {
                // Mostly all of it: not to be copied.
                kept.bytes = data;
            } else {
                kept.bytes.extend_from_slice(&data);
            }
        }
    }
}

fn finish(what: &What, body: OutgoingBody) -> Result<()> {
    OutgoingBody::finish(body, None).map_err(|code| what.failure(&code))
}

impl Outgoing<'_> {
    fn request(&self, what: &What) -> Result<OutgoingRequest> {
        let headers = Fields::new();
        let user_agent = concat!("pagerduty-connector/", version!());
        let set = |name: &str, value: &str| {
            (headers.append(name, value.as_bytes())).map_err(|_| what.broken("its headers"))
        };
        set("accept", "application/vnd.pagerduty+json;version=2")?;
        set("user-agent", user_agent)?;
        if let Some(from) = self.from {
            set("from", from)?;
        }
        if let Some(body) = self.body {
            set("content-type", "application/json")?;
            set("content-length", &body.len().to_string())?;
        }
        let request = OutgoingRequest::new(headers);
        let method = match self.method {
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "DELETE" => Method::Delete,
            _ => Method::Get,
        };
        let (scheme, rest) = match self.base_url.split_once("://") {
            Some(("http", rest)) => (Scheme::Http, rest),
            Some((_, rest)) => (Scheme::Https, rest),
            None => return Err(what.broken("its URL")),
        };
        let (authority, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        request
            .set_method(&method)
            .and_then(|()| request.set_scheme(Some(&scheme)))
            .and_then(|()| request.set_authority(Some(authority)))
            .and_then(|()| {
                request.set_path_with_query(Some(&format!("{prefix}{}{}", self.path, self.query)))
            })
            .map_err(|()| what.broken("its URL"))?;
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
}

/// Method and path of a request, and what can be said about it.
struct What(String);

impl What {
    fn interrupted(&self, error: StreamError) -> Error {
        match error {
            StreamError::Closed => self.not_reached("the connection was closed").uncertain(),
            StreamError::LastOperationFailed(error) => match http_error_code(&error) {
                Some(code) => self.failure(&code),
                None => self.not_reached("the connection broke").uncertain(),
            },
        }
    }

    fn failure(&self, code: &Wasi) -> Error {
        let what = &self.0;
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
            Wasi::ConnectionTimeout | Wasi::DnsTimeout => self.too_late(),
            Wasi::ConnectionReadTimeout
            | Wasi::ConnectionWriteTimeout
            | Wasi::HttpResponseTimeout => self.too_late().uncertain(),
            Wasi::HttpResponseBodySize(_) => self.too_large(),
            // The host can't look into it, and asked for it plain.
            Wasi::HttpResponseContentCoding(_) => {
                Error::invalid_response(format!("the answer to {what} is compressed")).uncertain()
            }
            Wasi::InternalError(Some(text)) if text.starts_with("budget-exhausted") => Error::new(
                ErrorCode::BudgetExhausted,
                format!("the host's budget for this call does not suffice for {what}"),
            )
            .uncertain(),
            Wasi::InternalError(Some(text)) => self.not_reached(text).uncertain(),
            Wasi::DnsError(_) | Wasi::DestinationNotFound => {
                self.not_reached("the name can't be resolved")
            }
            Wasi::ConnectionRefused | Wasi::DestinationUnavailable => {
                self.not_reached("the connection was refused")
            }
            Wasi::TlsCertificateError => self.not_reached("the server's certificate is not valid"),
            Wasi::TlsProtocolError | Wasi::TlsAlertReceived(_) => self.not_reached("TLS failed"),
            Wasi::ConnectionTerminated | Wasi::HttpResponseIncomplete => {
                self.not_reached("the connection broke").uncertain()
            }
            // Their names are for programs, and spelling them all out takes 10 KB.
            _ => self.not_reached("the connection failed").uncertain(),
        }
    }

    fn too_late(&self) -> Error {
        Error::new(
            ErrorCode::Timeout,
            format!("PagerDuty did not answer {} in time", self.0),
        )
    }

    fn too_large(&self) -> Error {
        Error::invalid_response(format!("PagerDuty's answer to {} is too large", self.0))
            .uncertain()
    }

    fn not_reached(&self, why: &str) -> Error {
        Error::new(
            ErrorCode::ConnectionFailed,
            format!("{} failed on the way: {}", self.0, clean(why)),
        )
        .hint("check the network between this host and PagerDuty's API")
    }

    /// What `wasi:http` rules out, or a host that does not keep to it.
    fn broken(&self, part: &str) -> Error {
        Error::new(
            ErrorCode::Internal,
            format!("the host does not take {}: {part}", self.0),
        )
    }
}

/// Waits until one of those exchanges can go on, at most for so long.
pub fn wait<'e>(exchanges: impl Iterator<Item = &'e Exchange>, longest: Duration) {
    let nanos = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
    let mut pollables = vec![monotonic_clock::subscribe_duration(nanos)];
    pollables.extend(exchanges.filter_map(Exchange::waits_for));
    poll(&pollables.iter().collect::<Vec<_>>());
}

/// Any number, for jitter.
pub fn random() -> u16 {
    let bytes = get_random_bytes(2);
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u16::from(*byte))
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
