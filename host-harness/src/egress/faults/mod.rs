//! Faults on purpose, in place of the vendor: for tests, and for whoever wants
//! to know what a connector makes of a bad day.
//!
//! A [`FaultPlan`] stands where the answers come from, live or out of a
//! recording: behind policy, budget and cassette, rate limit and credential. So
//! whatever the host makes of an answer it makes of these as well: what a 429
//! says is shared, a 401 renews a sign-in, a body of a gigabyte is cut off, and
//! a recording holds what the connector was told.
//!
//! ```
//! use host_harness::egress::faults::{Fault, FaultPlan, FaultRule, FaultWhen};
//!
//! // The first change takes effect, and nobody hears of it; every tenth read
//! // is refused.
//! let plan = FaultPlan::new(7)
//!     .rule(FaultRule::once(Fault::TimeoutAfter).when(FaultWhen::changes()))
//!     .rule(FaultRule::always("503".parse()?).when(FaultWhen {
//!         chance: Some(0.1),
//!         ..FaultWhen::reads()
//!     }));
//! assert_eq!(plan.fired(), 0);
//! # Ok::<(), host_harness::egress::faults::FaultNameError>(())
//! ```

mod answer;
mod name;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Method, Uri};
use sha2::{Digest as _, Sha256};

pub use name::FaultNameError;

use super::{lock, policy::Level};
pub(super) use answer::Pieces;

/// What goes wrong, and with which requests. Clones share what they count. The
/// first rule that strikes a request is the only one.
#[derive(Clone, Debug)]
pub struct FaultPlan {
    seed: u64,
    rules: Arc<Mutex<Rules>>,
}

/// One thing that goes wrong.
#[derive(Clone, Debug)]
pub struct FaultRule {
    /// With which requests.
    pub when: FaultWhen,
    /// What.
    pub fault: Fault,
}

/// Which requests a rule strikes. The default is all of them.
#[derive(Clone, Debug, Default)]
pub struct FaultWhen {
    /// Only those with that method.
    pub method: Option<Method>,
    /// Only those that the connector declared as reads, or as writes.
    pub level: Option<Level>,
    /// Only those whose path starts like that.
    pub path_prefix: Option<String>,
    /// How many of those are let through first.
    pub skip: u32,
    /// How many are struck; all if not said.
    pub times: Option<u32>,
    /// How likely each is struck, from 0 to 1; certain if not said. What
    /// becomes of a request depends on the plan's seed, on the request and on
    /// how often it was made, and not on what else is under way.
    pub chance: Option<f64>,
}

/// What goes wrong with a request.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// This answer, and the request is not sent. What can't be an answer, such
    /// as the status 99, breaks the connection.
    Answer {
        /// The status.
        status: u16,
        /// All headers.
        headers: Vec<(String, String)>,
        /// The body.
        body: Bytes,
    },
    /// Nobody listens. The request is not sent.
    RefusedConnection,
    /// No answer in time; the request did not get through. It is told at once,
    /// without a wait.
    TimeoutBefore,
    /// No answer in time, though the request took effect. Told at once.
    TimeoutAfter,
    /// The request took effect, and the connection broke within the answer.
    Reset,
    /// The first half of the answer's body, as if it were all.
    TruncatedBody,
    /// The request took effect; some proxy answers with a page and a 200.
    HtmlBody,
    /// The answer calls itself `application/octet-stream`.
    WrongContentType,
    /// The answer without its body.
    EmptyBody,
    /// Each field of the answer's JSON is null, if it is not an object or a
    /// list.
    NullFields,
    /// The same, with values of another type in their place.
    WrongTypes,
    /// The same, with nulls and values of another type for about every fourth.
    OddFields,
    /// Each item of the list that the answer is comes twice.
    DuplicateItems,
    /// The items of the list come in another order.
    ReorderedItems,
    /// The answer that a GET of this path had before, whatever the query: the
    /// same page once more. True if there was none.
    RepeatedPage,
    /// The answer a byte at a time, each 50 ms after the one before: no single
    /// wait is too long. On a recording no time passes, and one that would take
    /// longer than the call may is told to have done so.
    SlowDrip,
    /// 1 GiB of white space in place of the body. Made while it is read.
    HugeBody,
    /// 1 MiB that is 1 GiB of zeros compressed, and says so.
    GzipBomb,
}

impl FaultPlan {
    /// Nothing goes wrong yet. `seed` decides whatever is left to chance.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            rules: Arc::default(),
        }
    }

    /// With one more rule behind those that are there.
    #[must_use]
    pub fn rule(self, rule: FaultRule) -> Self {
        self.add(rule);
        self
    }

    /// Adds a rule behind those that are there, also while calls run.
    pub fn add(&self, rule: FaultRule) {
        lock(&self.rules).armed.push(Armed {
            rule,
            matched: 0,
            struck: 0,
            made: HashMap::new(),
        });
    }

    /// From now on nothing goes wrong any more.
    pub fn clear(&self) {
        let mut rules = lock(&self.rules);
        rules.armed.clear();
        rules.pages.clear();
    }

    /// How many requests were struck so far.
    pub fn fired(&self) -> u64 {
        lock(&self.rules).fired
    }

    /// What goes wrong with this request.
    pub(super) fn strike(&self, request: Struck<'_>) -> Option<Strike> {
        let mut rules = lock(&self.rules);
        let Rules { armed, fired, .. } = &mut *rules;
        let (place, seed) = armed
            .iter_mut()
            .enumerate()
            .find_map(|(place, armed)| Some((place, armed.strike(self.seed, place, request)?)))?;
        let fault = armed[place].rule.fault.clone();
        *fired += 1;
        tracing::debug!(
            target: "harness::egress",
            method = request.method.as_str(),
            path = request.uri.path(),
            %fault,
            "a fault on purpose"
        );
        Some(Strike {
            fault,
            seed,
            page: Page::of(request),
            plan: self.clone(),
        })
    }

    /// Whether answers have to be kept for [`Fault::RepeatedPage`].
    fn repeats_pages(&self) -> bool {
        let rules = lock(&self.rules);
        let mut faults = rules.armed.iter().map(|armed| &armed.rule.fault);
        faults.any(|fault| *fault == Fault::RepeatedPage)
    }

    /// Keeps a true answer for the next time that the path is asked for.
    pub(super) fn seen(&self, request: Struck<'_>, body: &Bytes) {
        if self.repeats_pages()
            && let Some(page) = Page::of(request)
        {
            lock(&self.rules).pages.insert(page, body.clone());
        }
    }
}

impl FaultRule {
    /// All requests.
    pub fn always(fault: Fault) -> Self {
        Self {
            when: FaultWhen::default(),
            fault,
        }
    }

    /// The first request.
    pub fn once(fault: Fault) -> Self {
        let mut rule = Self::always(fault);
        rule.when.times = Some(1);
        rule
    }

    /// Only such requests. How many is as it was, unless `when` says it.
    #[must_use]
    pub fn when(mut self, when: FaultWhen) -> Self {
        self.when = FaultWhen {
            times: when.times.or(self.when.times),
            ..when
        };
        self
    }
}

impl FaultWhen {
    /// Requests that the connector declared as reads.
    pub fn reads() -> Self {
        Self {
            level: Some(Level::Read),
            ..Self::default()
        }
    }

    /// Requests that the connector declared as changes.
    pub fn changes() -> Self {
        Self {
            level: Some(Level::Write),
            ..Self::default()
        }
    }

    fn covers(&self, request: Struck<'_>) -> bool {
        self.method
            .as_ref()
            .is_none_or(|method| method == request.method)
            && self.level.is_none_or(|level| level == request.level)
            && self
                .path_prefix
                .as_ref()
                .is_none_or(|prefix| request.uri.path().starts_with(prefix.as_str()))
    }
}

#[derive(Debug, Default)]
struct Rules {
    armed: Vec<Armed>,
    fired: u64,
    /// What paths were answered with last.
    pages: HashMap<Page, Bytes>,
}

#[derive(Debug)]
struct Armed {
    rule: FaultRule,
    /// How many requests it covers, and how many of them it has struck.
    matched: u32,
    struck: u32,
    /// How often each request was made.
    made: HashMap<[u8; 32], u32>,
}

impl Armed {
    /// Random numbers for the fault, if it strikes.
    fn strike(&mut self, seed: u64, place: usize, request: Struck<'_>) -> Option<[u8; 32]> {
        let when = &self.rule.when;
        if !when.covers(request) {
            return None;
        }
        self.matched = self.matched.saturating_add(1);
        let is_over = when.times.is_some_and(|times| self.struck >= times);
        if self.matched <= when.skip || is_over {
            return None;
        }
        let mut digest = Sha256::new_with_prefix(seed.to_le_bytes());
        digest.update((place as u64).to_le_bytes());
        digest.update(format!("{} {}\n", request.method, request.uri));
        digest.update(request.body);
        let made = self
            .made
            .entry(digest.clone().finalize().into())
            .or_default();
        digest.update(made.to_le_bytes());
        *made += 1;
        let numbers: [u8; 32] = digest.finalize().into();
        let drawn = u32::from_le_bytes([numbers[0], numbers[1], numbers[2], numbers[3]]);
        let is_spared = (when.chance)
            .is_some_and(|chance| f64::from(drawn) >= chance * (f64::from(u32::MAX) + 1.0));
        if is_spared {
            return None;
        }
        self.struck += 1;
        Some(numbers)
    }
}

/// A request that something may go wrong with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Struck<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) body: &'a [u8],
    /// As it was declared.
    pub(super) level: Level,
}

/// What makes two requests ask for pages of the same list.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Page(String);

impl Page {
    fn of(request: Struck<'_>) -> Option<Self> {
        let authority = request.uri.authority()?;
        (request.method == Method::GET).then(|| Self(format!("{authority}{}", request.uri.path())))
    }
}

/// What goes wrong with one request.
#[derive(Debug)]
pub(super) struct Strike {
    fault: Fault,
    seed: [u8; 32],
    page: Option<Page>,
    plan: FaultPlan,
}

impl Strike {
    /// What the same list was answered with before, or else this.
    fn earlier_page(&self, body: Bytes) -> Bytes {
        let Some(page) = &self.page else { return body };
        let mut rules = lock(&self.plan.rules);
        rules.pages.entry(page.clone()).or_insert(body).clone()
    }
}
