//! Requests to PagerDuty: one `Client` per call of the connector.
//!
//! Whoever asks for an answer waits for it, and meanwhile all requests under
//! way go on: those of a batch, and those of the batches around it. The client
//! keeps the call's promises: a window of requests in flight, a pause that
//! all requests share once PagerDuty asks for one, the deadline, and the caps
//! on what an answer may hold. The credential is none of its business: the host
//! adds it after the request has left the component.

pub use crate::pagerduty::request::{Change, Reply, Request, checked_id, vendor_id};

use crate::errors::{Error, ErrorCode, Result};
use crate::instants::Timestamp;
use crate::pagerduty::errors;
use crate::pagerduty::json::{Page, Row};
use crate::pagerduty::request::Repeat;
use crate::pagerduty::retry::Attempts;
use crate::pagerduty::transport::{self, Answer, Exchange, Kept, Outgoing};
use crate::settings::Settings;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;
use wasip2::clocks::{monotonic_clock, wall_clock};

/// What stays of the deadline for handing the answer over.
const RESERVE: Duration = Duration::from_millis(250);
/// After so much of the deadline, in percent, a list returns what it has.
const MOSTLY_USED: u32 = 70;

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

/// One call's way to PagerDuty.
pub struct Client {
    settings: Settings,
    now: Timestamp,
    /// By the monotonic clock, in nanoseconds.
    started: u64,
    /// Oldest first. Whoever waits for one holds it; it is given up with them.
    flights: RefCell<Vec<Weak<RefCell<Flight>>>>,
    /// Counted from `started`: no request leaves before.
    not_before: Cell<Duration>,
    held: Rc<Cell<usize>>,
    rate_limit: Cell<RateLimit>,
    has_answer: Cell<bool>,
    has_changed: Cell<bool>,
}

/// A request until it is answered.
struct Flight {
    request: Rc<Request>,
    attempts: Attempts,
    /// Whether it changes something, and nobody knows whether it has.
    is_uncertain: bool,
    state: State,
}

impl Flight {
    fn fail(&mut self, mut error: Error) {
        error.may_have_applied = self.is_uncertain;
        self.state = State::Done(Err(error));
    }
}

enum State {
    /// Not on its way, and not before that time.
    Waiting(Duration),
    Going(Exchange),
    Done(Result<Kept>),
    /// Handed over.
    Gone,
}

impl Client {
    /// For a call that starts now. Reads the wall clock, for the only time.
    pub fn new(settings: Settings) -> Self {
        let now = wall_clock::now();
        Self {
            settings,
            now: Timestamp::from_unix(now.seconds, now.nanoseconds),
            started: monotonic_clock::now(),
            flights: RefCell::default(),
            not_before: Cell::default(),
            held: Rc::default(),
            rate_limit: Cell::default(),
            has_answer: Cell::default(),
            has_changed: Cell::default(),
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

    /// Whether PagerDuty has said yes to a change.
    pub fn has_changed(&self) -> bool {
        self.has_changed.get()
    }

    /// Changes were taken back: since then it is as it was when `has_changed`
    /// was that.
    pub fn set_has_changed(&self, has_changed: bool) {
        self.has_changed.set(has_changed);
    }

    /// Whether a list had better return what it has. Not before it got an
    /// answer: a page that is no further than its token would go on forever.
    pub fn time_is_mostly_used(&self) -> bool {
        self.has_answer.get() && self.elapsed() * 100 > self.settings.deadline * MOSTLY_USED
    }

    /// Sends a request, again if need be, and waits for the answer.
    pub fn send(&self, request: Request) -> Result<Reply> {
        self.wait_for(&self.launch(request))
    }

    /// Sends a change, again where that can't do it twice, and waits for the
    /// answer, which may be empty.
    ///
    /// An error says by `may_have_applied` whether an attempt had an uncertain
    /// end. A `not-found` with it, after a DELETE, means that an earlier
    /// attempt has deleted it.
    pub fn change(&self, change: Change) -> Result<Reply> {
        self.wait_for(&self.launch(change.0))
    }

    /// Waits, where nothing but time helps. Fails at once if the wait would end
    /// after the deadline.
    pub fn pause(&self, wait: Duration) -> Result<()> {
        if !self.has_time_for(wait) {
            return Err(out_of_time(Some(wait)));
        }
        let until = self.elapsed() + wait;
        loop {
            let left = until.saturating_sub(self.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            transport::wait(std::iter::empty(), left);
        }
    }

    /// Fetches one object.
    pub fn fetch_one<T: Row>(&self, request: Request) -> Result<T> {
        self.send(request)?.one()
    }

    /// Fetches a list.
    pub fn fetch_page<T: Row>(&self, request: Request) -> Result<Page<T>> {
        self.send(request)?.page()
    }

    /// Sends requests, as many at once as the window has places. The answers
    /// come in the requests' order. A request is made no earlier than it may
    /// leave, so that it can depend on earlier answers.
    pub fn send_all<'r>(&'r self, requests: impl IntoIterator<Item = Request> + 'r) -> Batch<'r> {
        Batch {
            client: self,
            requests: Box::new(requests.into_iter()),
            ahead: Vec::new(),
        }
    }

    fn launch(&self, request: Request) -> Rc<RefCell<Flight>> {
        let flight = Rc::new(RefCell::new(Flight {
            request: Rc::new(request),
            attempts: Attempts::default(),
            is_uncertain: false,
            state: State::Waiting(Duration::ZERO),
        }));
        self.flights.borrow_mut().push(Rc::downgrade(&flight));
        flight
    }

    fn wait_for(&self, flight: &RefCell<Flight>) -> Result<Reply> {
        loop {
            self.advance();
            let state = std::mem::replace(&mut flight.borrow_mut().state, State::Gone);
            if let State::Done(outcome) = state {
                let request = flight.borrow().request.clone();
                return outcome.map(|body| Reply { request, body });
            }
            flight.borrow_mut().state = state;
            self.sleep();
        }
    }

    /// Lets all requests go as far as they can.
    fn advance(&self) {
        let flights = self.under_way();
        let mut going = count_going(&flights);
        for flight in &flights {
            let flight = &mut *flight.borrow_mut();
            if let State::Waiting(from) = flight.state {
                // A place is for a request in flight, not for one that waits.
                if going >= self.settings.concurrency || !self.may_leave(flight, from) {
                    continue;
                }
                match self.start(&flight.request) {
                    Ok(exchange) => {
                        going += 1;
                        flight.state = State::Going(exchange);
                    }
                    Err(error) => self.settle(flight, error),
                }
            }
            if let State::Going(exchange) = &mut flight.state {
                let outcome = match exchange.advance() {
                    Ok(Some(answer)) => self.judge(exchange.what(), answer),
                    Ok(None) if self.time_left().is_none() => Err(out_of_time(None).uncertain()),
                    Ok(None) => continue,
                    Err(error) => Err(error),
                };
                going -= 1;
                match outcome {
                    Ok(body) => {
                        if flight.request.repeat != Repeat::Reads {
                            self.has_changed.set(true);
                        }
                        flight.state = State::Done(Ok(body));
                    }
                    Err(error) => self.settle(flight, error),
                }
            }
        }
    }

    /// Whether its time has come. One whose time comes too late is done.
    fn may_leave(&self, flight: &mut Flight, from: Duration) -> bool {
        let now = self.elapsed();
        if from > now {
            return false;
        }
        let pause = self.not_before.get().saturating_sub(now);
        if !pause.is_zero() && !self.has_time_for(pause) {
            flight.fail(out_of_time(Some(pause)));
        }
        pause.is_zero()
    }

    fn start(&self, request: &Request) -> Result<Exchange> {
        let Some(timeout) = self.time_left() else {
            return Err(out_of_time(None));
        };
        Exchange::start(&Outgoing {
            method: request.method,
            base_url: request.base_url.unwrap_or(&self.settings.base_url),
            path: &request.path,
            #[cfg(not(feature = "second-version"))]
            query: &request.query,
            #[cfg(feature = "second-version")]
            query: &crate::second_version::query(&request.query),
            body: request.body.as_deref(),
            from: request.from.as_deref(),
            timeout,
            held: &self.held,
        })
    }

    fn judge(&self, what: &str, answer: Answer) -> Result<Kept> {
        self.has_answer.set(true);
        if answer.rate_limit.limit.is_some() || answer.rate_limit.remaining.is_some() {
            self.rate_limit.set(answer.rate_limit);
        }
        if (200..300).contains(&answer.status) {
            return Ok(answer.body);
        }
        Err(errors::from_reply(
            what,
            answer.status,
            answer.rate_limit.reset,
            answer.body.bytes(),
        ))
    }

    /// After a failure: the request waits for another attempt, or is done.
    fn settle(&self, flight: &mut Flight, error: Error) {
        let repeat = flight.request.repeat;
        flight.is_uncertain |= error.may_have_applied && repeat != Repeat::Reads;
        let is_final = flight.is_uncertain && repeat == Repeat::Once;
        let wait = flight.attempts.wait_after(&error, transport::random());
        let Some(wait) = wait.filter(|_| !is_final) else {
            flight.fail(error);
            return;
        };
        if !self.has_time_for(wait) {
            let late = out_of_time(Some(wait)).hint(&error.message);
            flight.fail(error.reworded(late));
            return;
        }
        let until = self.elapsed() + wait;
        flight.state = if error.code == ErrorCode::RateLimited {
            // Not only this one: the others would be refused as well.
            self.not_before.set(self.not_before.get().max(until));
            State::Waiting(Duration::ZERO)
        } else {
            State::Waiting(until)
        };
    }

    /// Waits until a request can go on.
    fn sleep(&self) {
        let flights = self.under_way();
        let now = self.elapsed();
        let has_place = count_going(&flights) < self.settings.concurrency;
        let mut longest = self.time_left().unwrap_or_default();
        for flight in &flights {
            if let State::Waiting(from) = flight.borrow().state
                && has_place
            {
                let from = from.max(self.not_before.get());
                longest = longest.min(from.saturating_sub(now));
            }
        }
        let flights: Vec<_> = flights.iter().map(|flight| flight.borrow()).collect();
        let going = flights.iter().filter_map(|flight| match &flight.state {
            State::Going(exchange) => Some(exchange),
            _ => None,
        });
        transport::wait(going, longest);
    }

    /// The requests that somebody still waits for.
    fn under_way(&self) -> Vec<Rc<RefCell<Flight>>> {
        let mut flights = self.flights.borrow_mut();
        flights.retain(|flight| flight.strong_count() > 0);
        flights.iter().filter_map(Weak::upgrade).collect()
    }

    fn elapsed(&self) -> Duration {
        Duration::from_nanos(monotonic_clock::now().saturating_sub(self.started))
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

fn count_going(flights: &[Rc<RefCell<Flight>>]) -> usize {
    let going = |flight: &&Rc<RefCell<Flight>>| matches!(flight.borrow().state, State::Going(_));
    flights.iter().filter(going).count()
}

/// Answers to several requests, in the requests' order. To drop it gives up
/// those that have not left yet.
pub struct Batch<'r> {
    client: &'r Client,
    requests: Box<dyn Iterator<Item = Request> + 'r>,
    ahead: Vec<Rc<RefCell<Flight>>>,
}

impl Iterator for Batch<'_> {
    type Item = Result<Reply>;

    fn next(&mut self) -> Option<Result<Reply>> {
        // No more than that: an answer that nobody has taken yet is held.
        while self.ahead.len() < self.client.settings.concurrency
            && let Some(request) = self.requests.next()
        {
            self.ahead.push(self.client.launch(request));
        }
        if self.ahead.is_empty() {
            return None;
        }
        let flight = self.ahead.remove(0);
        Some(self.client.wait_for(&flight))
    }
}

impl Drop for Batch<'_> {
    /// Waits for what is in flight. An answer that was cut off would be missing
    /// in a recording, and which ones were would depend on the network.
    fn drop(&mut self) {
        loop {
            self.ahead
                .retain(|flight| matches!(flight.borrow().state, State::Going(_)));
            if self.ahead.is_empty() {
                return;
            }
            self.client.sleep();
            self.client.advance();
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
    let seconds = wait.as_secs() + u64::from(wait.subsec_millis() > 0);
    u32::try_from(seconds).unwrap_or(u32::MAX)
}
