//! A candidate that is tried on live reads before it may take over: it is asked
//! what the running generation was asked, and its answers are held against that
//! one's. It never changes anything, and nobody waits for it.

use std::{
    fmt,
    num::NonZeroU32,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::replay::{self, CallDiff};
use crate::{
    connector::{CallError, Connector, Tenant},
    contract::types::ErrorCode,
    egress::Refusal,
    egress::policy::Level,
    text::printable,
};

/// Calls whose differences are kept. Further ones are counted.
const MAX_KEPT: usize = 20;

/// Shadows of a candidate at the same time. Each asks the vendor as much as a
/// call does.
const MAX_SHADOWS: usize = 4;

/// Answers that a shadow asks for once more. A call of a platform comes to one
/// or two, an offboarding to hundreds.
const MAX_ANSWERS: usize = 8;

/// What a candidate has shown on live reads.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ShadowReport {
    /// Every so many reads it is asked as well.
    pub every: NonZeroU32,
    /// Whether that is over.
    pub ended: bool,
    /// Reads that both have answered, the running generation and the candidate.
    pub compared: u64,
    /// How many of them were answered otherwise.
    pub differing: u64,
    /// Reads that were not compared though it was their turn: too many were
    /// under way, the vendor's rate limit was nearly used up, or one of the two
    /// answers says nothing about a version, as that the vendor was not reached.
    pub skipped: u64,
    /// The first twenty that differ. The vendor's data may have changed between
    /// the two answers, so that one alone need not mean anything. Holds what was
    /// read, also about people: it is on no disk.
    pub calls: Vec<CallDiff>,
}

impl ShadowReport {
    fn new(every: NonZeroU32) -> Self {
        Self {
            every,
            ended: false,
            compared: 0,
            differing: 0,
            skipped: 0,
            calls: Vec::new(),
        }
    }
}

type Seen = Arc<Mutex<ShadowReport>>;

/// A candidate's trial against the generation that serves.
pub(super) struct Trial {
    seen: Seen,
    /// None once it has ended.
    asking: Option<Asking>,
}

struct Asking {
    connector: Connector,
    every: NonZeroU32,
    /// The generation that it is held against.
    against: Option<u64>,
    reads: AtomicU64,
    room: Arc<Semaphore>,
    /// Shadows end when this is dropped.
    goes_on: watch::Sender<()>,
}

impl Trial {
    /// Without a connector it has ended before it began.
    pub(super) fn new(
        every: NonZeroU32,
        connector: Option<Connector>,
        against: Option<u64>,
    ) -> Self {
        let mut seen = ShadowReport::new(every);
        seen.ended = connector.is_none();
        Self {
            seen: Arc::new(Mutex::new(seen)),
            asking: connector.map(|connector| Asking {
                connector,
                every,
                against,
                reads: AtomicU64::new(0),
                room: Arc::new(Semaphore::new(MAX_SHADOWS)),
                goes_on: watch::Sender::new(()),
            }),
        }
    }

    /// The same with nobody in the shadow; what was seen stays.
    pub(super) fn ended(&self) -> Self {
        lock(&self.seen).ended = true;
        Self {
            seen: Arc::clone(&self.seen),
            asking: None,
        }
    }

    /// The same from the beginning, against another generation.
    pub(super) fn anew(&self, against: Option<u64>) -> Self {
        let connector = self.asking.as_ref().map(|asking| asking.connector.clone());
        Self::new(self.report().every, connector, against)
    }

    pub(super) fn report(&self) -> ShadowReport {
        lock(&self.seen).clone()
    }

    /// A shadow, if it is the turn of this read of that generation.
    pub(super) fn turn(&self, generation: u64) -> Option<Shadow> {
        let asking = self.asking.as_ref()?;
        if asking.against != Some(generation) {
            return None;
        }
        let read = asking.reads.fetch_add(1, Ordering::Relaxed) + 1;
        if !read.is_multiple_of(asking.every.get().into()) {
            return None;
        }
        let Ok(room) = Arc::clone(&asking.room).try_acquire_owned() else {
            lock(&self.seen).skipped += 1;
            return None;
        };
        Some(Shadow {
            connector: asking.connector.clone(),
            seen: Arc::clone(&self.seen),
            answers: Arc::default(),
            goes_on: asking.goes_on.subscribe(),
            _room: room,
        })
    }
}

/// A candidate that is to answer one live read as well. While it is held it
/// takes one of four places that a candidate has.
///
/// ```no_run
/// # use host_harness::{CallError, Tenant, contract::types::PageRequest, registry::Pinned};
/// # async fn example(pinned: Pinned, tenant: Tenant, page: PageRequest) -> Result<(), CallError> {
/// let shadow = pinned.shadow();
/// let tenant = shadow.as_ref().map_or(tenant.clone(), |shadow| shadow.watch(&tenant));
/// let answer = tenant.list_accounts(page).await?;
/// // Whoever has asked gets the answer now. After that:
/// if let Some(shadow) = shadow {
///     tokio::spawn(shadow.compare());
/// }
/// # Ok(())
/// # }
/// ```
pub struct Shadow {
    connector: Connector,
    seen: Seen,
    answers: Arc<Mutex<Vec<Answer>>>,
    goes_on: watch::Receiver<()>,
    _room: OwnedSemaphorePermit,
}

/// What the running generation was asked, and what it said.
struct Answer {
    tenant: Tenant,
    function: String,
    input: Value,
    said: Said,
}

/// A result or an error as a value; none if it says nothing about a version.
type Said = Option<(Value, Option<String>)>;

impl Shadow {
    /// The same tenant, of which this knows what it is asked and what it answers.
    pub fn watch(&self, tenant: &Tenant) -> Tenant {
        let answers = Arc::clone(&self.answers);
        let seen = Arc::clone(&self.seen);
        let asked = tenant.clone();
        tenant.listened(move |function, input, outcome| {
            if !reads(asked.connector(), function) {
                return;
            }
            let mut answers = lock(&answers);
            if answers.len() == MAX_ANSWERS {
                lock(&seen).skipped += 1;
                return;
            }
            answers.push(Answer {
                tenant: asked.clone(),
                function: function.to_owned(),
                input: input.clone(),
                said: said(outcome),
            });
        })
    }

    /// Asks the candidate what the watched tenant was asked since, and compares
    /// the answers. Takes as long as the calls, and requests from the vendor's
    /// rate limit: answer whoever has asked first. Functions that either of the
    /// two versions does not declare as a read are left out, and a request that
    /// would change something does not leave, whatever the tenant is granted.
    ///
    /// Ends before its time with the trial, and with the registry.
    pub async fn compare(self) {
        let Self {
            connector,
            seen,
            answers,
            mut goes_on,
            _room,
        } = self;
        let answers = std::mem::take(&mut *lock(&answers));
        let asking = async {
            for answer in answers {
                compare(&connector, &seen, answer).await;
            }
        };
        tokio::select! {
            biased;
            // Nothing is ever sent: this is the other end's end.
            _ = goes_on.changed() => {}
            () = asking => {}
        }
    }
}

async fn compare(connector: &Connector, seen: &Seen, answer: Answer) {
    let Answer {
        tenant,
        function,
        input,
        said: running,
    } = answer;
    if !reads(connector, &function) {
        return;
    }
    // What little the vendor leaves is for the callers.
    let scarce = tenant
        .rate_limit()
        .is_some_and(|limit| limit.remaining < limit.limit / 4);
    let shadow = if scarce {
        None
    } else {
        tenant.shadowed_on(connector)
    };
    let candidate = match shadow {
        None => None,
        Some(Err(error)) => Some(replay::not_opened(&error)),
        Some(Ok(shadow)) => {
            let outcome = shadow.call(&function, &input).await;
            let outcome = outcome.as_ref().cloned();
            // The running one had time and requests enough.
            if outcome.as_ref().is_err_and(|error| is_its_own(error)) {
                Some(replay::outcome(outcome))
            } else {
                said(outcome)
            }
        }
    };
    let mut seen = lock(seen);
    let (Some((ours, _)), Some((theirs, crash))) = (running, candidate) else {
        seen.skipped += 1;
        return;
    };
    let mut diff = CallDiff {
        call: usize::try_from(seen.compared).unwrap_or(usize::MAX),
        function: printable(&function).into_owned(),
        crash,
        ..CallDiff::default()
    };
    replay::values("", &ours, &theirs, &mut diff);
    seen.compared += 1;
    if !diff.is_empty() {
        seen.differing += 1;
        if seen.calls.len() < MAX_KEPT {
            seen.calls.push(diff);
        }
    }
}

/// Errors that pass say something about the network, the vendor or the time that
/// was left.
fn said(outcome: Result<Value, &CallError>) -> Said {
    let passing = outcome.as_ref().err().is_some_and(|error| {
        matches!(
            error.to_contract().code,
            ErrorCode::RateLimited
                | ErrorCode::BudgetExhausted
                | ErrorCode::Unavailable
                | ErrorCode::Timeout
                | ErrorCode::ConnectionFailed
        )
    });
    (!passing).then(|| replay::outcome(outcome))
}

/// Whether a version itself has taken too long, or asked too much.
fn is_its_own(error: &CallError) -> bool {
    matches!(
        error,
        CallError::Deadline(_) | CallError::Refused(Refusal::Exhausted(_))
    )
}

fn reads(connector: &Connector, function: &str) -> bool {
    let declaration = connector.declaration();
    declaration
        .capability(function)
        .is_some_and(|capability| capability.level == Level::Read)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Shadow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shadow")
            .field("connector", &self.connector)
            .finish_non_exhaustive()
    }
}
