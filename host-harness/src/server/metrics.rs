//! Counters of the server, as OpenMetrics text.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Upper bounds in seconds: from an answer without the vendor to the deadline of
/// a sync's page.
const BUCKETS: [f64; 9] = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 180.0];

#[derive(Debug, Default)]
pub(super) struct Metrics {
    calls: Mutex<Calls>,
    refused: AtomicU64,
    turned_away: AtomicU64,
}

#[derive(Debug, Default)]
struct Calls {
    /// By connector, capability and code.
    outcomes: BTreeMap<(String, &'static str, &'static str), u64>,
    /// By connector and capability.
    times: BTreeMap<(String, &'static str), Times>,
}

#[derive(Debug, Default)]
struct Times {
    buckets: [u64; BUCKETS.len()],
    count: u64,
    sum: f64,
}

impl Metrics {
    /// A call has ended.
    pub(super) fn called(
        &self,
        connector: &str,
        capability: &'static str,
        code: &'static str,
        elapsed: Duration,
    ) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = (connector.to_owned(), capability, code);
        *calls.outcomes.entry(outcome).or_default() += 1;
        let times = calls
            .times
            .entry((connector.to_owned(), capability))
            .or_default();
        let seconds = elapsed.as_secs_f64();
        times.count += 1;
        times.sum += seconds;
        for (bound, bucket) in BUCKETS.iter().zip(&mut times.buckets) {
            if seconds <= *bound {
                *bucket += 1;
            }
        }
    }

    /// A request had no valid token.
    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// There was no room for a call.
    pub(super) fn turned_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    /// All of it.
    pub(super) fn text(&self, under_way: usize, tenants: usize) -> String {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, lines: &str| {
            // Writing to a string does not fail.
            let _ = write!(text, "# TYPE {name} {kind}\n# HELP {name} {help}\n{lines}");
        };
        let mut lines = String::new();
        for ((connector, capability, code), count) in &calls.outcomes {
            let connector = label(connector);
            let _ = writeln!(
                lines,
                "harness_calls_total{{connector=\"{connector}\",capability=\"{capability}\",code=\"{code}\"}} {count}"
            );
        }
        family(
            "harness_calls",
            "counter",
            "Calls by their outcome.",
            &lines,
        );
        lines.clear();
        for ((connector, capability), times) in &calls.times {
            let labels = format!(
                "connector=\"{}\",capability=\"{capability}\"",
                label(connector)
            );
            for (bound, count) in BUCKETS.iter().zip(times.buckets) {
                let _ = writeln!(
                    lines,
                    "harness_call_seconds_bucket{{{labels},le=\"{bound:?}\"}} {count}"
                );
            }
            let Times { count, sum, .. } = times;
            let _ = writeln!(
                lines,
                "harness_call_seconds_bucket{{{labels},le=\"+Inf\"}} {count}\n\
                 harness_call_seconds_count{{{labels}}} {count}\n\
                 harness_call_seconds_sum{{{labels}}} {sum}"
            );
        }
        family(
            "harness_call_seconds",
            "histogram",
            "How long calls took.",
            &lines,
        );
        family(
            "harness_calls_under_way",
            "gauge",
            "Calls that have not ended.",
            &format!("harness_calls_under_way {under_way}\n"),
        );
        family(
            "harness_tenants_open",
            "gauge",
            "Tenants that are kept open.",
            &format!("harness_tenants_open {tenants}\n"),
        );
        family(
            "harness_requests_refused",
            "counter",
            "Requests without a valid token.",
            &format!(
                "harness_requests_refused_total {}\n",
                self.refused.load(Ordering::Relaxed)
            ),
        );
        family(
            "harness_calls_turned_away",
            "counter",
            "Calls that came while too many were under way.",
            &format!(
                "harness_calls_turned_away_total {}\n",
                self.turned_away.load(Ordering::Relaxed)
            ),
        );
        text.push_str("# EOF\n");
        text
    }
}

fn label(value: &str) -> String {
    let printable = crate::printable(value);
    printable.replace('\\', "\\\\").replace('"', "\\\"")
}
