//! Processes of `bench`.

use std::{
    collections::BTreeMap,
    fmt,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::measure::Usage;
use crate::cli::failure::Failure;

/// What a contender says of itself when it is done.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Said {
    /// Where the time went, in seconds; nothing if it does not say.
    #[serde(default)]
    pub(super) phases: BTreeMap<String, f64>,
    /// Objects that it has listed, by kind, if it keeps them nowhere.
    #[serde(default)]
    pub(super) listed: BTreeMap<String, u64>,
    #[serde(flatten)]
    pub(super) usage: Usage,
}

/// This very program, as a part of a benchmark.
pub(super) fn command(part: &str) -> Result<Command, Failure> {
    let program = std::env::current_exe().map_err(|error| failed(part, &error))?;
    let mut command = Command::new(program);
    command
        .args(["bench-part", part])
        // A sign-in of the person at the keyboard is none of the simulator's.
        .env_remove("PAGERDUTY_TOKEN");
    Ok(command)
}

/// Runs a contender to its end: what it said, and how long it took, its start and
/// its end included.
pub(super) fn run(name: &str, command: &mut Command) -> Result<(Said, Duration), Failure> {
    let began = Instant::now();
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(name, &error))?;
    let took = began.elapsed();
    if !output.status.success() {
        return Err(failed(name, &output.status));
    }
    let said = serde_json::from_slice(&output.stdout).map_err(|error| failed(name, &error))?;
    Ok((said, took))
}

/// A process did not do what it is for.
pub(super) fn failed(name: &str, why: &dyn fmt::Display) -> Failure {
    Failure::call(
        format!("{name} failed: {why}"),
        Some("what it said itself is above; `-v` in front says more".to_owned()),
    )
}

/// How long each phase takes, one after the other.
#[derive(Debug)]
pub(super) struct Phases {
    since: Instant,
    seconds: BTreeMap<String, f64>,
}

impl Phases {
    /// From now on.
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            seconds: BTreeMap::new(),
        }
    }

    /// What has happened since the last word was that.
    pub(super) fn was(&mut self, phase: &str) {
        let now = Instant::now();
        let seconds = now.duration_since(self.since).as_secs_f64();
        *self.seconds.entry(phase.to_owned()).or_default() += seconds;
        self.since = now;
    }

    pub(super) fn done(self) -> BTreeMap<String, f64> {
        self.seconds
    }
}
