//! What a sync says of itself while it runs.

use std::time::Duration;

use serde::Serialize;

use crate::{egress::RateLimitState, store::Run};

/// Something that happened in a sync.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// It begins, or goes on.
    Began {
        /// The run, as it is now.
        run: &'a Run,
        /// Pages that an earlier process has read, if it goes on.
        resumed: Option<u64>,
    },
    /// A page is committed.
    Page(&'a Progress),
    /// Some time has passed, and a page is still being read.
    Reading(&'a Progress),
    /// The vendor, or the network, is given some time.
    Waiting {
        /// Which function failed.
        function: &'static str,
        /// Why.
        why: &'a str,
        /// Until it is tried again.
        wait: Duration,
    },
    /// A function begins anew.
    Restarted {
        /// Which one.
        function: &'static str,
        /// Why, as the end of a sentence.
        why: &'static str,
    },
}

/// Is told what happens, within the sync; so it returns at once.
pub type Observer<'a> = dyn Fn(Event<'_>) + Send + Sync + 'a;

/// How far a sync is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Progress {
    /// Which run.
    pub run: i64,
    /// What is being read, for example `directory.list-accounts`.
    pub function: &'static str,
    /// Pages of it.
    pub pages: u64,
    /// Rows on them.
    pub rows: u64,
    /// Requests of the run that reached the vendor.
    pub requests: u64,
    /// Requests of the run that did not need to.
    pub cached: u64,
    /// What the vendor said of its rate limit last.
    pub rate_limit: Option<RateLimitState>,
    /// What may be left, where there is something to go by: the tenant's run
    /// before this one.
    pub time_left: Option<Duration>,
}

/// What an estimate goes by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Requests of the tenant's last complete run.
    pub(super) expected: u64,
    /// Requests of this run, and those of them that this process has made.
    pub(super) requests: u64,
    pub(super) own: u64,
    /// How long this process has been at it.
    pub(super) elapsed: Duration,
    /// So many requests in so much time, as the vendor documents.
    pub(super) limit: Option<(u32, Duration)>,
}

/// Before that a pace is a guess.
const SETTLED: Duration = Duration::from_secs(3);

impl Pace {
    /// How long the requests take that are left: at the pace so far, but never
    /// faster than the vendor allows. None where that would be a guess.
    pub(super) fn time_left(self) -> Option<Duration> {
        let left = u32::try_from(self.expected.checked_sub(self.requests)?).ok()?;
        let own = u32::try_from(self.own).ok().filter(|own| *own > 0)?;
        if self.elapsed < SETTLED {
            return None;
        }
        let at_this_pace = self.elapsed.checked_mul(left)? / own;
        let at_most = self
            .limit
            .filter(|(requests, _)| *requests > 0)
            .and_then(|(requests, per)| Some(per.checked_mul(left)? / requests))
            // Less than a window fits into it at once.
            .filter(|time| self.limit.is_some_and(|(_, per)| *time > per));
        Some(at_this_pace.max(at_most.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(requests: u64, own: u64, seconds: u64) -> Pace {
        Pace {
            expected: 1000,
            requests,
            own,
            elapsed: Duration::from_secs(seconds),
            limit: None,
        }
    }

    #[test]
    fn time_left_goes_by_the_requests_of_the_run_before() {
        let left = |pace: Pace| pace.time_left().map(|left| left.as_secs());
        assert_eq!(left(pace(500, 500, 100)), Some(100));
        // What an earlier process has done says nothing of this one's pace.
        assert_eq!(left(pace(500, 100, 100)), Some(500));
        assert_eq!(left(pace(1000, 1000, 100)), Some(0));
    }

    #[test]
    fn there_is_no_time_left_to_tell_where_it_would_be_a_guess() {
        assert_eq!(pace(500, 500, 1).time_left(), None, "too early");
        assert_eq!(pace(500, 0, 100).time_left(), None, "no pace");
        assert_eq!(pace(1001, 1001, 100).time_left(), None, "more than before");
    }

    #[test]
    fn a_burst_at_the_start_does_not_promise_what_the_vendor_does_not_allow() {
        let mut burst = pace(480, 480, 5);
        burst.expected = 9600 + 480;
        burst.limit = Some((960, Duration::from_secs(60)));
        assert_eq!(burst.time_left(), Some(Duration::from_secs(600)));
        burst.expected = 960;
        assert_eq!(
            burst.time_left(),
            Some(Duration::from_secs(5)),
            "the rest fits into a window"
        );
    }
}
