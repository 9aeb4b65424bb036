//! Requests to PagerDuty: one `Client` per call of the connector.
//!
//! It keeps the call's promises: a window of requests in flight, a pause that
//! all requests share once PagerDuty asks for one, the deadline, and the caps
//! on what an answer may hold. The credential is none of its business: the host
//! adds it after the request has left the component.

use crate::errors::{Error, ErrorCode, Result};
use crate::instants::Timestamp;
use crate::pagerduty::errors;
use crate::pagerduty::json::{Json, Page, Row};
use crate::pagerduty::retry::Attempts;
use crate::pagerduty::transport::{self, Kept};
use crate::settings::Settings;
use futures_util::StreamExt;
use futures_util::future::{Either, LocalBoxFuture, select};
use futures_util::stream::{self, Buffered};
use std::cell::{Cell, RefCell};
use std::fmt::Write;
use std::pin::pin;
use std::task::{Poll, Waker};
use std::time::Duration;
use wstd::time::{Instant, Timer};

/// What stays of the deadline for handing the answer over.
const RESERVE: Duration = Duration::from_millis(250);
/// After so much of the deadline, in percent, a list returns what it has.
const MOSTLY_USED: u32 = 70;

/// A request that only looks. One that changes something will have a type of
/// its own: what is safe to repeat must not depend on an argument.
pub struct Request {
    method: &'static str,
    path: String,
    query: String,
    body: Option<Vec<u8>>,
}

impl Request {
    /// A GET.
    pub fn get(path: impl Into<String>) -> Self {
        Self {
            method: "GET",
            path: path.into(),
            query: String::new(),
            body: None,
        }
    }

    /// A POST whose body is a query, in JSON.
    pub fn search(path: impl Into<String>, body: Vec<u8>) -> Self {
        Self {
            method: "POST",
            body: Some(body),
            ..Self::get(path)
        }
    }

    /// With that query parameter.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.query
            .push(if self.query.is_empty() { '?' } else { '&' });
        percent_encode(&mut self.query, name);
        self.query.push('=');
        percent_encode(&mut self.query, value);
        self
    }

    /// Reads an answer to this request.
    pub fn read(&self, answer: &[u8]) -> Result<Json> {
        Json::parse(answer).map_err(|error| self.unreadable(&error.to_string()))
    }

    /// Reads a list in an answer to this request.
    pub fn page<T: Row>(&self, answer: &Json) -> Result<Page<T>> {
        Page::read(answer).ok_or_else(|| self.without(T::MANY))
    }

    /// The same, for lists that go by cursor.
    pub fn list<'j>(&self, answer: &'j Json, name: &str) -> Result<&'j [Json]> {
        answer.list(name).ok_or_else(|| self.without(name))
    }

    fn without(&self, name: &str) -> Error {
        self.unreadable(&format!("there is no `{name}`"))
    }

    fn unreadable(&self, why: &str) -> Error {
        Error::invalid_response(format!(
            "PagerDuty's answer to {} {} can't be read: {}",
            self.method,
            self.path,
            errors::clean(why)
        ))
    }
}

/// Results of futures, in the futures' order.
pub type InWindow<'f, T> =
    Buffered<stream::Iter<std::vec::IntoIter<LocalBoxFuture<'f, Result<T>>>>>;

/// What PagerDuty says about its rate limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct RateLimit {
    /// Requests in a window.
    pub limit: Option<u32>,
    /// Requests left in this one.
    pub remaining: Option<u32>,
    /// Seconds until the next one.
    pub reset: Option<u32>,
}

/// A path segment from outside: refuses what is not an id before it becomes
/// part of a request.
pub fn checked_id(id: &str) -> Result<&str> {
    if is_id(id) {
        Ok(id)
    } else {
        Err(
            Error::invalid_input(format!("`{}` is not a PagerDuty id", errors::clean(id)))
                .hint("an id has 1 to 64 letters, digits, `-` and `_`"),
        )
    }
}

/// A path segment from one of PagerDuty's own answers.
pub fn vendor_id(id: &str) -> Result<&str> {
    checked_id(id).map_err(|error| Error::invalid_response(&error.message))
}

/// One call's way to PagerDuty.
pub struct Client {
    settings: Settings,
    now: Timestamp,
    started: Instant,
    free: Cell<usize>,
    waiting: RefCell<Vec<Waker>>,
    /// Counted from `started`: no request leaves before.
    not_before: Cell<Duration>,
    held: Cell<usize>,
    rate_limit: Cell<RateLimit>,
    has_answer: Cell<bool>,
}

impl Client {
    /// For a call that starts now. Reads the wall clock, for the only time.
    pub fn new(settings: Settings) -> Self {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            free: Cell::new(settings.concurrency),
            settings,
            now: Timestamp::from_unix(now.as_secs(), now.subsec_nanos()),
            started: Instant::now(),
            waiting: RefCell::default(),
            not_before: Cell::default(),
            held: Cell::default(),
            rate_limit: Cell::default(),
            has_answer: Cell::default(),
        }
    }

    /// When this call began.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The operator's choices.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The latest that PagerDuty said about its rate limit.
    pub fn rate_limit(&self) -> RateLimit {
        self.rate_limit.get()
    }

    /// Whether a list had better return what it has. Not before it got an
    /// answer: a page that is no further than its token would go on forever.
    pub fn time_is_mostly_used(&self) -> bool {
        self.has_answer.get() && self.elapsed() * 100 > self.settings.deadline * MOSTLY_USED
    }

    /// Sends a request, again if need be, and reads the answer.
    pub async fn fetch(&self, request: &Request) -> Result<Json> {
        self.fetch_from(&self.settings.base_url, request).await
    }

    /// The same, from another place than the settings say.
    pub async fn fetch_from(&self, base_url: &str, request: &Request) -> Result<Json> {
        request.read(self.send(base_url, request).await?.bytes())
    }

    /// Fetches one object.
    pub async fn fetch_one<T: Row>(&self, request: &Request) -> Result<T> {
        let answer = self.fetch(request).await?;
        let object = answer.object(T::ONE);
        object.map(T::read).ok_or_else(|| request.without(T::ONE))
    }

    /// Fetches a list.
    pub async fn fetch_page<T: Row>(&self, request: &Request) -> Result<Page<T>> {
        request.page(&self.fetch(request).await?)
    }

    /// The answer as it came; `Request::read` reads it.
    pub async fn fetch_bytes(&self, request: &Request) -> Result<Kept<'_>> {
        self.send(&self.settings.base_url, request).await
    }

    /// Boxed, as is whatever many callers await: a future is otherwise copied
    /// into the code of each of them.
    fn send<'c: 'r, 'r>(
        &'c self,
        base_url: &'r str,
        request: &'r Request,
    ) -> LocalBoxFuture<'r, Result<Kept<'c>>> {
        Box::pin(async move {
            let mut attempts = Attempts::default();
            loop {
                let error = match self.attempt(base_url, request).await {
                    Ok(body) => return Ok(body),
                    Err(error) => error,
                };
                let Some(wait) = attempts.wait_after(&error, transport::random()) else {
                    return Err(error);
                };
                let until = self.elapsed() + wait;
                if !self.has_time_for(wait) {
                    let late = out_of_time(Some(wait)).hint(&error.message);
                    return Err(error.reworded(late));
                }
                if error.code == ErrorCode::RateLimited {
                    self.not_before.set(self.not_before.get().max(until));
                } else {
                    Timer::after(wait.into()).wait().await;
                }
            }
        })
    }

    /// Runs futures, as many at once as the window has places. Their results
    /// come in their order.
    pub fn in_window<'f, T: 'f, F>(&self, futures: impl IntoIterator<Item = F>) -> InWindow<'f, T>
    where
        F: Future<Output = Result<T>> + 'f,
    {
        let futures: Vec<LocalBoxFuture<'f, Result<T>>> = futures
            .into_iter()
            .map(|future| -> LocalBoxFuture<'f, Result<T>> { Box::pin(future) })
            .collect();
        stream::iter(futures).buffered(self.settings.concurrency)
    }

    /// All results of several futures, or the first error.
    pub async fn all<'f, T: 'f, F>(&self, futures: impl IntoIterator<Item = F>) -> Result<Vec<T>>
    where
        F: Future<Output = Result<T>> + 'f,
    {
        let mut results = self.in_window(futures);
        let mut all = Vec::new();
        while let Some(result) = results.next().await {
            all.push(result?);
        }
        Ok(all)
    }

    async fn attempt(&self, base_url: &str, request: &Request) -> Result<Kept<'_>> {
        let _place = self.place_in_window().await?;
        let Some(left) = self.time_left() else {
            return Err(out_of_time(None));
        };
        let outgoing = transport::Outgoing {
            method: request.method,
            base_url,
            path_and_query: format!("{}{}", request.path, request.query),
            what: format!("{} {}", request.method, request.path),
            body: request.body.as_deref(),
            timeout: left,
            held: &self.held,
        };
        let answer = {
            let work = pin!(outgoing.send());
            let alarm = Timer::after(left.into());
            match select(work, pin!(alarm.wait())).await {
                Either::Left((answer, _)) => answer?,
                Either::Right(_) => return Err(out_of_time(None)),
            }
        };
        self.has_answer.set(true);
        if answer.rate_limit.limit.is_some() || answer.rate_limit.remaining.is_some() {
            self.rate_limit.set(answer.rate_limit);
        }
        if (200..300).contains(&answer.status) {
            return Ok(answer.body);
        }
        Err(errors::from_reply(
            &outgoing.what,
            answer.status,
            answer.rate_limit.reset,
            answer.body.bytes(),
        ))
    }

    /// Waits for a place in the window that is not before `not_before`.
    async fn place_in_window(&self) -> Result<Place<'_>> {
        loop {
            let place = self.place().await;
            let now = self.elapsed();
            let Some(pause) = self
                .not_before
                .get()
                .checked_sub(now)
                .filter(|p| !p.is_zero())
            else {
                return Ok(place);
            };
            // A place is for a request in flight, not for one that waits.
            drop(place);
            if !self.has_time_for(pause) {
                return Err(out_of_time(Some(pause)));
            }
            Timer::after(pause.into()).wait().await;
        }
    }

    async fn place(&self) -> Place<'_> {
        std::future::poll_fn(|context| match self.free.get().checked_sub(1) {
            Some(rest) => {
                self.free.set(rest);
                Poll::Ready(())
            }
            None => {
                self.waiting.borrow_mut().push(context.waker().clone());
                Poll::Pending
            }
        })
        .await;
        Place(self)
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed().into()
    }

    /// None when it is too late for a request.
    fn time_left(&self) -> Option<Duration> {
        (self.settings.deadline)
            .checked_sub(self.elapsed())?
            .checked_sub(RESERVE)
            .filter(|left| !left.is_zero())
    }

    fn has_time_for(&self, wait: Duration) -> bool {
        self.time_left().is_some_and(|left| wait < left)
    }
}

/// A place in the window; free again when dropped.
struct Place<'c>(&'c Client);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.free.set(self.0.free.get() + 1);
        // All of them: one that was dropped meanwhile would swallow the only
        // wake-up, and there are never many.
        for waker in self.0.waiting.take() {
            waker.wake();
        }
    }
}

fn out_of_time(wait: Option<Duration>) -> Error {
    let mut error = match wait {
        None => Error::new(ErrorCode::BudgetExhausted, "the call's time is used up"),
        Some(wait) => Error::new(
            ErrorCode::BudgetExhausted,
            format!(
                "the call's time does not suffice to wait {} s for PagerDuty",
                seconds_up(wait)
            ),
        ),
    };
    error.retry_after = wait.map(seconds_up);
    error
}

fn seconds_up(wait: Duration) -> u32 {
    u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)
}

fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// RFC 3986: everything but the unreserved characters.
fn percent_encode(into: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(byte.into());
        } else {
            // Writing to a string can't fail.
            let _ = write!(into, "%{byte:02X}");
        }
    }
}
