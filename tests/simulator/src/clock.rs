//! The simulated account's clock.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// Real or fixed time, plus what [`advance`](Clock::advance) added.
#[derive(Debug)]
pub(crate) struct Clock {
    fixed: Option<Timestamp>,
    started: Instant,
    advanced: Mutex<Duration>,
}

impl Clock {
    pub(crate) fn new(fixed: Option<Timestamp>) -> Self {
        Self {
            fixed,
            started: Instant::now(),
            advanced: Mutex::new(Duration::ZERO),
        }
    }

    /// A clock that shows the same time, and is moved by itself from here on.
    pub(crate) fn fork(&self) -> Self {
        Self {
            fixed: self.fixed,
            started: self.started,
            advanced: Mutex::new(self.advanced()),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let base = self.fixed.unwrap_or_else(Timestamp::now);
        SignedDuration::try_from(self.advanced())
            .ok()
            .and_then(|advanced| base.checked_add(advanced).ok())
            .unwrap_or(Timestamp::MAX)
    }

    /// Time for rate limits. It runs even with a fixed clock: a client that
    /// waits out a limit does so in real seconds.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed() + self.advanced()
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut advanced = lock(&self.advanced);
        *advanced = advanced.saturating_add(by);
    }

    fn advanced(&self) -> Duration {
        *lock(&self.advanced)
    }
}

/// Locks, also after a panic elsewhere: a half-done change is better than a
/// simulator that answers nothing any more.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
