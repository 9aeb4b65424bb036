//! PagerDuty's rate limits: requests a minute per credential, and smaller ones
//! for single operations.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use crate::clock::lock;

const WINDOW: Duration = Duration::from_secs(60);

/// What the `ratelimit-*` headers say, and whether the request may pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    /// Seconds until the window ends, not an epoch.
    pub(crate) reset: u64,
    pub(crate) exceeded: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Limits {
    windows: Mutex<HashMap<(String, &'static str), Window>>,
    refusals: Mutex<Refusals>,
}

#[derive(Debug, Default)]
struct Refusals {
    first_request: Option<Duration>,
    since_then: Vec<Duration>,
}

#[derive(Debug)]
struct Window {
    since: Duration,
    used: u32,
}

impl Limits {
    /// Counts one request and says which limit is nearest.
    pub(crate) fn take(
        &self,
        elapsed: Duration,
        credential: &str,
        method: &str,
        path: &str,
        account: u32,
    ) -> Allowance {
        let mut windows = lock(&self.windows);
        let mut nearest = take_one(&mut windows, elapsed, credential, "", account);
        if let Some((operation, limit)) = operation_limit(method, path) {
            let own = take_one(&mut windows, elapsed, credential, operation, limit);
            if own.exceeded || (!nearest.exceeded && own.remaining < nearest.remaining) {
                nearest = own;
            }
        }
        let mut refusals = lock(&self.refusals);
        let first = *refusals.first_request.get_or_insert(elapsed);
        if nearest.exceeded {
            refusals.since_then.push(elapsed.saturating_sub(first));
        }
        nearest
    }

    /// How long after the first request each of those came that was refused.
    pub(crate) fn refusals(&self) -> Vec<Duration> {
        lock(&self.refusals).since_then.clone()
    }
}

fn take_one(
    windows: &mut HashMap<(String, &'static str), Window>,
    elapsed: Duration,
    credential: &str,
    operation: &'static str,
    limit: u32,
) -> Allowance {
    let window = windows
        .entry((credential.to_owned(), operation))
        .or_insert(Window {
            since: elapsed,
            used: 0,
        });
    if elapsed.saturating_sub(window.since) >= WINDOW {
        *window = Window {
            since: elapsed,
            used: 0,
        };
    }
    let exceeded = window.used >= limit;
    if !exceeded {
        window.used += 1;
    }
    let left = WINDOW.saturating_sub(elapsed.saturating_sub(window.since));
    Allowance {
        limit,
        remaining: limit - window.used.min(limit),
        reset: left.as_millis().div_ceil(1000) as u64,
        exceeded,
    }
}

/// Limits of single operations: 125 was seen on `/oncalls`, 500 and 300 are documented.
fn operation_limit(method: &str, path: &str) -> Option<(&'static str, u32)> {
    match (method, path) {
        ("GET", "/oncalls") => Some(("GET /oncalls", 125)),
        ("PUT", path) if path == "/incidents" || path.starts_with("/incidents/") => {
            Some(("PUT /incidents", 500))
        }
        ("POST", "/incidents") => Some(("POST /incidents", 300)),
        _ => None,
    }
}
