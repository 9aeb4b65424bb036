//! How much a call may use.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

/// What one call may use. The defaults suit a sync.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Budget {
    /// How long the call may take. The connector knows, and stops before.
    pub deadline: Duration,
    /// How many requests it may make.
    pub requests: u32,
    /// How many of them may be under way at once.
    pub in_flight: usize,
    /// How many bytes a request's body may have.
    pub request_body: usize,
    /// How many bytes an answer's body may have.
    pub response_body: usize,
    /// How many bytes all answers together may have.
    pub response_total: u64,
}

impl Budget {
    /// The default, with another deadline.
    pub fn with_deadline(deadline: Duration) -> Self {
        Self {
            deadline,
            ..Self::default()
        }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            // Long enough to wait out a rate limit window of a minute twice.
            deadline: Duration::from_secs(180),
            // A page of grants of a large tenant takes a few hundred.
            requests: 5_000,
            in_flight: 32,
            request_body: 1 << 20,
            // PagerDuty's largest answers (100 schedules with their layers)
            // stay below 2 MiB.
            response_body: 16 << 20,
            response_total: 1 << 30,
        }
    }
}

/// A request that the budget holds back.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Exhausted {
    /// Too many requests.
    #[error("the call has made its {0} requests")]
    Requests(u32),
    /// Too late.
    #[error("the call's {} s are over", .0.as_secs())]
    Deadline(Duration),
    /// The tenant's rate limit leaves no room before the deadline.
    #[error("the vendor's rate limit resets in {} s, after the call's deadline", .0.as_secs())]
    RateLimit(Duration),
    /// Too many bytes.
    #[error("the call's answers exceed {0} bytes")]
    Bytes(u64),
    /// A request body that is too large.
    #[error("the request's body exceeds {0} bytes")]
    RequestBody(usize),
}

/// What one call has used so far.
#[derive(Debug)]
pub(crate) struct Spending {
    budget: Budget,
    ends: Instant,
    requests: AtomicU32,
    bytes: AtomicU64,
    in_flight: Semaphore,
}

impl Spending {
    pub(crate) fn new(budget: Budget) -> Self {
        Self {
            ends: Instant::now() + budget.deadline,
            requests: AtomicU32::new(0),
            bytes: AtomicU64::new(0),
            in_flight: Semaphore::new(budget.in_flight),
            budget,
        }
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Time left.
    pub(crate) fn remaining(&self) -> Result<Duration, Exhausted> {
        match self.ends.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(left),
            _ => Err(Exhausted::Deadline(self.budget.deadline)),
        }
    }

    /// Counts a request and waits for its turn.
    pub(crate) async fn begin(&self) -> Result<SemaphorePermit<'_>, Exhausted> {
        if self.requests.fetch_add(1, Ordering::Relaxed) >= self.budget.requests {
            return Err(Exhausted::Requests(self.budget.requests));
        }
        let left = self.remaining()?;
        match tokio::time::timeout(left, self.in_flight.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            // The semaphore is never closed; what remains is the time-out.
            Ok(Err(_)) | Err(_) => Err(Exhausted::Deadline(self.budget.deadline)),
        }
    }

    /// Counts an answer's bytes.
    pub(crate) fn received(&self, bytes: usize) -> Result<(), Exhausted> {
        let before = self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        if before.saturating_add(bytes as u64) > self.budget.response_total {
            return Err(Exhausted::Bytes(self.budget.response_total));
        }
        Ok(())
    }
}
