//! The vendor's rate limits, which all calls of a tenant share.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::{HeaderMap, StatusCode};
use tokio::{sync::Notify, time::Instant};

use super::Exhausted;

/// Two answers that tell of the end of a window within so much of each other tell
/// of the same one: they come in whole seconds, and are under way for a while.
const SAME_WINDOW: Duration = Duration::from_secs(2);

/// A window is a minute; more than an hour is a time stamp by mistake.
const LONGEST_WINDOW: u32 = 3600;

/// What a vendor's answers say about its rate limits, shared by all calls of a
/// tenant: after an answer that says "three left for 20 seconds", three more
/// requests leave, those counted that are under way, and then none for 20 seconds.
///
/// Reads `ratelimit-limit`, `ratelimit-remaining` and `ratelimit-reset` (the
/// latter in seconds from now). A vendor may have several limits, so they are
/// kept apart by their size: a rule is held by the limit that answered it last,
/// and one that was never answered by the widest.
#[derive(Debug, Default)]
pub(crate) struct RateLimits {
    state: Mutex<RateState>,
    /// Something was answered, or given up.
    moved: Notify,
}

#[derive(Debug, Default)]
struct RateState {
    /// Which limit applies to `METHOD /template`.
    limit_of: HashMap<String, u32>,
    windows: HashMap<u32, Window>,
    latest: Option<RateLimitState>,
}

/// The window of a limit, as of the latest answer.
#[derive(Debug)]
struct Window {
    remaining: u32,
    /// Requests that left and are not answered: nobody knows whether they are in
    /// `remaining` already.
    under_way: u32,
    ends: Instant,
}

/// The vendor's latest word on the rate limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Serialize)]
pub struct RateLimitState {
    /// Requests per window.
    pub limit: u32,
    /// Requests left in this window.
    pub remaining: u32,
    /// Seconds until the next one, when it was said.
    pub reset_seconds: u32,
}

/// A request's place in a window, until it is answered.
#[derive(Debug)]
pub(crate) struct Turn<'l> {
    limits: &'l RateLimits,
    limit: Option<u32>,
}

/// There is no room for a request.
#[derive(Debug, Eq, PartialEq)]
struct Full {
    until: Instant,
    /// Nothing is left at all. Else those under way may turn out to be counted
    /// already.
    is_spent: bool,
}

impl RateLimits {
    /// Learns from an answer to `rule`.
    pub(crate) fn observe(&self, rule: &str, status: StatusCode, headers: &HeaderMap) {
        self.lock().observe(rule, status, headers, Instant::now());
        self.moved.notify_waiters();
    }

    /// Waits until the vendor has room for `rule`, if that is within `left`.
    pub(crate) async fn turn(&self, rule: &str, left: Duration) -> Result<Turn<'_>, Exhausted> {
        let deadline = Instant::now() + left;
        loop {
            let mut moved = pin!(self.moved.notified());
            // From here on nothing is missed.
            moved.as_mut().enable();
            let now = Instant::now();
            let full = match self.lock().admit(rule, now) {
                Ok(limit) => {
                    return Ok(Turn {
                        limits: self,
                        limit,
                    });
                }
                Err(full) => full,
            };
            let is_too_late = full.until >= deadline;
            if is_too_late && (full.is_spent || now >= deadline) {
                return Err(Exhausted::RateLimit(full.until.duration_since(now)));
            }
            tokio::select! {
                () = tokio::time::sleep_until(full.until.min(deadline)) => {}
                () = moved => {}
            }
        }
    }

    pub(crate) fn latest(&self) -> Option<RateLimitState> {
        self.lock().latest
    }

    fn lock(&self) -> MutexGuard<'_, RateState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Some(limit) = self.limit else {
            return;
        };
        if let Some(window) = self.limits.lock().windows.get_mut(&limit) {
            window.under_way = window.under_way.saturating_sub(1);
        }
        self.limits.moved.notify_waiters();
    }
}

impl RateState {
    fn observe(&mut self, rule: &str, status: StatusCode, headers: &HeaderMap, now: Instant) {
        let number =
            |name: &str| -> Option<u32> { headers.get(name)?.to_str().ok()?.trim().parse().ok() };
        let Some(limit) = number("ratelimit-limit") else {
            return;
        };
        self.limit_of.insert(rule.to_owned(), limit);
        let reset = number("ratelimit-reset").filter(|seconds| *seconds <= LONGEST_WINDOW);
        let (Some(remaining), Some(reset_seconds)) = (number("ratelimit-remaining"), reset) else {
            return;
        };
        self.latest = Some(RateLimitState {
            limit,
            remaining,
            reset_seconds,
        });
        let remaining = match status {
            StatusCode::TOO_MANY_REQUESTS => 0,
            _ => remaining,
        };
        let ends = now + Duration::from_secs(reset_seconds.into());
        let window = self.windows.entry(limit).or_insert(Window {
            remaining,
            under_way: 0,
            ends,
        });
        let is_same = now < window.ends
            && ends <= window.ends + SAME_WINDOW
            && window.ends <= ends + SAME_WINDOW;
        // Answers overtake each other.
        window.remaining = match is_same {
            true => window.remaining.min(remaining),
            false => remaining,
        };
        window.ends = ends;
    }

    /// Lets a request leave, if there is room; which limit counts it.
    fn admit(&mut self, rule: &str, now: Instant) -> Result<Option<u32>, Full> {
        let widest = self.windows.keys().max();
        let Some(limit) = self.limit_of.get(rule).or(widest).copied() else {
            return Ok(None);
        };
        let Some(window) = self.windows.get_mut(&limit) else {
            return Ok(None);
        };
        // Behind its end nobody knows anything, until the first answer.
        if now < window.ends && window.under_way >= window.remaining {
            return Err(Full {
                until: window.ends,
                is_spent: window.remaining == 0,
            });
        }
        window.under_way += 1;
        Ok(Some(limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(limit: u32, remaining: u32, reset: u32) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("ratelimit-limit", limit),
            ("ratelimit-remaining", remaining),
            ("ratelimit-reset", reset),
        ] {
            headers.insert(name, value.into());
        }
        headers
    }

    /// So many requests to that rule leave; none is answered.
    fn room(state: &mut RateState, rule: &str, now: Instant) -> u32 {
        let mut left = 0;
        while left < 1000 && state.admit(rule, now).is_ok() {
            left += 1;
        }
        left
    }

    #[test]
    fn no_more_requests_leave_than_there_is_room_for_with_those_under_way() {
        let now = Instant::now();
        let mut state = RateState::default();
        assert_eq!(state.admit("GET /a", now), Ok(None), "nothing is known");
        state.observe("GET /a", StatusCode::OK, &told(960, 3, 20), now);
        assert_eq!(room(&mut state, "GET /a", now), 3);
        // A rule that was never answered is under the same limit.
        let full = state.admit("GET /b", now).expect_err("full");
        assert_eq!(full.until, now + Duration::from_secs(20));
        assert!(!full.is_spent, "one of the three may be counted already");
        // The answers overtake each other.
        state.observe("GET /a", StatusCode::OK, &told(960, 0, 20), now);
        state.observe("GET /a", StatusCode::OK, &told(960, 2, 20), now);
        assert!(state.admit("GET /a", now).expect_err("full").is_spent);
    }

    #[test]
    fn behind_the_end_of_a_window_there_is_room_and_the_next_one_counts_anew() {
        let now = Instant::now();
        let mut state = RateState::default();
        state.observe(
            "GET /a",
            StatusCode::TOO_MANY_REQUESTS,
            &told(5, 4, 20),
            now,
        );
        assert_eq!(room(&mut state, "GET /a", now), 0, "refused is refused");
        let later = now + Duration::from_secs(20);
        let admitted = state.admit("GET /a", later);
        assert_eq!(admitted.err(), None, "there is room");
        state.observe("GET /a", StatusCode::OK, &told(5, 4, 60), later);
        // The one that was let through is not answered yet, as far as is known.
        assert_eq!(room(&mut state, "GET /a", later), 3);
    }

    #[test]
    fn a_rule_is_held_by_its_own_limit() {
        let now = Instant::now();
        let mut state = RateState::default();
        state.observe("GET /a", StatusCode::OK, &told(960, 10, 20), now);
        state.observe("GET /oncalls", StatusCode::OK, &told(125, 0, 40), now);
        assert_eq!(room(&mut state, "GET /oncalls", now), 0);
        assert_eq!(room(&mut state, "GET /a", now), 10);
        let stamp = told(960, 0, 1_700_000_000);
        state.observe(
            "GET /c",
            StatusCode::OK,
            &stamp,
            now + Duration::from_secs(21),
        );
        assert!(
            state.admit("GET /c", now + Duration::from_secs(21)).is_ok(),
            "an instant is no time to wait"
        );
    }

    #[test]
    fn whoever_waits_goes_on_when_a_place_is_given_back_and_not_before() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let limits = RateLimits::default();
            limits.observe("GET /a", StatusCode::OK, &told(9, 1, 3000));
            let patience = Duration::from_secs(1000);
            let turn = limits.turn("GET /a", patience).await.expect("room");
            let mut waiting = pin!(limits.turn("GET /a", patience));
            tokio::select! {
                biased;
                _ = waiting.as_mut() => panic!("there is one place"),
                () = std::future::ready(()) => {}
            }
            // Given up without an answer: it may not have reached the vendor.
            drop(turn);
            let second = waiting.await.expect("room");
            limits.observe("GET /a", StatusCode::OK, &told(9, 0, 3000));
            drop(second);
            let spent = limits.turn("GET /a", patience).await.expect_err("spent");
            assert!(matches!(spent, Exhausted::RateLimit(wait) if wait > patience));
        });
    }
}
