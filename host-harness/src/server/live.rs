//! Calls that are under way, and the last ones that have ended: what the
//! operator looks at. Holds no query, no body and no result: those are about
//! people. A path holds the vendor's ids.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;

use crate::{CallReport, CallWatch, RequestTrace, TraceOutcome, Watch};

/// Calls that are remembered after their end.
const MAX_ENDED: usize = 100;

/// Requests that are remembered of a call; further ones are counted.
const MAX_REQUESTS: usize = 200;

/// All of them.
#[derive(Debug, Default)]
pub(super) struct LiveCalls {
    last: AtomicU64,
    under_way: Mutex<BTreeMap<u64, Arc<LiveCall>>>,
    ended: Mutex<VecDeque<Arc<LiveCall>>>,
}

/// What is known of a call when it begins.
#[derive(Debug)]
pub(super) struct Began {
    pub(super) connector: String,
    pub(super) capability: &'static str,
    pub(super) version: String,
    pub(super) generation: Option<u64>,
}

/// One call of a capability.
#[derive(Debug)]
pub(super) struct LiveCall {
    /// Counted from 1 since the server began.
    pub(super) number: u64,
    pub(super) began: Began,
    pub(super) at: Timestamp,
    started: Instant,
    course: Mutex<Course>,
}

/// What has happened in a call so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Course {
    /// Names the tenant without telling anything of it.
    pub(super) tenant: Option<String>,
    pub(super) functions: Vec<FunctionCall>,
    pub(super) requests: Vec<LiveRequest>,
    pub(super) omitted: usize,
    /// Of the connector.
    pub(super) crash: Option<String>,
    /// The code, and how long it took.
    pub(super) end: Option<(&'static str, Duration)>,
}

/// A call of one of the connector's functions.
#[derive(Clone, Debug)]
pub(super) struct FunctionCall {
    pub(super) name: String,
    pub(super) started: Duration,
    pub(super) elapsed: Option<Duration>,
    pub(super) error: Option<String>,
}

/// A request to the vendor.
#[derive(Clone, Debug)]
pub(super) struct LiveRequest {
    /// Which function's, by its place among them.
    pub(super) function: usize,
    pub(super) number: usize,
    pub(super) method: String,
    /// Without the query.
    pub(super) uri: String,
    pub(super) started: Duration,
    /// None while it is under way.
    pub(super) end: Option<RequestEnd>,
}

/// How a request ended.
#[derive(Clone, Debug)]
pub(super) struct RequestEnd {
    pub(super) elapsed: Duration,
    pub(super) outcome: TraceOutcome,
    pub(super) bytes: usize,
}

impl LiveCalls {
    pub(super) fn begin(&self, began: Began) -> Arc<LiveCall> {
        let call = Arc::new(LiveCall {
            number: self.last.fetch_add(1, Ordering::Relaxed) + 1,
            began,
            at: Timestamp::now(),
            started: Instant::now(),
            course: Mutex::default(),
        });
        lock(&self.under_way).insert(call.number, Arc::clone(&call));
        call
    }

    /// A call that is not ended by the time that its caller drops the result
    /// was given up.
    pub(super) fn ended(&self, call: &Arc<LiveCall>, code: &'static str) {
        call.course().end.get_or_insert((code, call.elapsed()));
        if lock(&self.under_way).remove(&call.number).is_none() {
            return;
        }
        let mut ended = lock(&self.ended);
        if ended.len() == MAX_ENDED {
            ended.pop_front();
        }
        ended.push_back(Arc::clone(call));
    }

    /// Those under way, the oldest first; then those that have ended, the latest
    /// first.
    pub(super) fn all(&self) -> Vec<Arc<LiveCall>> {
        let mut calls: Vec<_> = lock(&self.under_way).values().cloned().collect();
        calls.extend(lock(&self.ended).iter().rev().cloned());
        calls
    }

    pub(super) fn numbered(&self, number: u64) -> Option<Arc<LiveCall>> {
        if let Some(call) = lock(&self.under_way).get(&number) {
            return Some(Arc::clone(call));
        }
        let ended = lock(&self.ended);
        ended.iter().find(|call| call.number == number).cloned()
    }
}

impl LiveCall {
    /// How long it has run so far.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    pub(super) fn snapshot(&self) -> Course {
        self.course().clone()
    }

    pub(super) fn of_tenant(&self, tenant: String) {
        self.course().tenant = Some(tenant);
    }

    /// The connector's crash, if it had one.
    pub(super) fn crash(&self) -> Option<String> {
        self.course().crash.clone()
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        lock(&self.course)
    }
}

/// Lets a call be looked at while its connector works.
#[derive(Debug)]
pub(super) struct Looking(pub(super) Arc<LiveCall>);

impl Watch for Looking {
    fn begin(&self, function: &str) -> Arc<dyn CallWatch> {
        let mut course = self.0.course();
        let place = course.functions.len();
        course.functions.push(FunctionCall {
            name: function.to_owned(),
            started: self.0.elapsed(),
            elapsed: None,
            error: None,
        });
        Arc::new(LookingAtCall {
            call: Arc::clone(&self.0),
            place,
        })
    }
}

struct LookingAtCall {
    call: Arc<LiveCall>,
    place: usize,
}

impl CallWatch for LookingAtCall {
    fn asked(&self, number: usize, method: &str, uri: &str) {
        let started = self.call.elapsed();
        let mut course = self.call.course();
        if course.requests.len() == MAX_REQUESTS {
            course.omitted += 1;
            return;
        }
        course.requests.push(LiveRequest {
            function: self.place,
            number,
            method: method.to_owned(),
            uri: uri.split('?').next().unwrap_or_default().to_owned(),
            started,
            end: None,
        });
    }

    fn answered(&self, number: usize, request: &RequestTrace) {
        let mut course = self.call.course();
        let place = self.place;
        let mut found = course.requests.iter_mut().rev();
        let found = found.find(|known| known.number == number && known.function == place);
        if let Some(found) = found {
            found.end = Some(RequestEnd {
                elapsed: request.elapsed,
                outcome: request.outcome.clone(),
                bytes: request.bytes,
            });
        }
    }

    fn ended(&self, report: &CallReport) {
        let mut course = self.call.course();
        if let Some(function) = course.functions.get_mut(self.place) {
            function.elapsed = Some(report.elapsed);
            function.error.clone_from(&report.error);
        }
        if course.crash.is_none() {
            course.crash.clone_from(&report.crash);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
