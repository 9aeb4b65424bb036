//! When to send a request again, and after which wait.
//!
//! Only requests that look, and change nothing, are sent again. The host does
//! not repeat any: it can't know which are safe.

use crate::errors::{Error, ErrorCode};
use std::time::Duration;

/// PagerDuty asks to come back; with its limits counted by the minute, ten
/// waits are several minutes of patience.
const MAX_RATE_LIMITED: u32 = 10;
/// Server errors and broken connections pass in seconds or not at all.
const MAX_FAILED: u32 = 4;
/// So that several calls that wait for the same reset do not return together.
const MAX_JITTER_MS: u64 = 500;

/// What has gone wrong with one request so far.
#[derive(Default)]
pub struct Attempts {
    rate_limited: u32,
    failed: u32,
}

impl Attempts {
    /// How long to wait before sending the request again; none if that makes
    /// no sense. `random` is any number.
    pub fn wait_after(&mut self, error: &Error, random: u16) -> Option<Duration> {
        let wait = match error.code {
            ErrorCode::RateLimited => {
                let attempt = count_up(&mut self.rate_limited, MAX_RATE_LIMITED)?;
                match error.retry_after {
                    Some(seconds) => Duration::from_secs(seconds.into()),
                    None => Duration::from_secs((1 << attempt).min(20)),
                }
            }
            ErrorCode::Unavailable | ErrorCode::Timeout | ErrorCode::ConnectionFailed => {
                let attempt = count_up(&mut self.failed, MAX_FAILED)?;
                Duration::from_millis((500 << attempt).min(8000))
            }
            _ => return None,
        };
        Some(wait + Duration::from_millis(u64::from(random) % (MAX_JITTER_MS + 1)))
    }
}

/// The number of this attempt from 0; none after the last.
fn count_up(count: &mut u32, max: u32) -> Option<u32> {
    let attempt = *count;
    *count += 1;
    (attempt < max).then_some(attempt)
}
