//! Plays recordings on two versions of a connector, and tells what differs.

use std::{
    collections::BTreeSet,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    connector::{CallError, Connector, TenantConfig},
    contract::to_json,
    egress::{
        TraceOutcome,
        cassette::{Cassette, CassetteError},
        policy::Grant,
    },
    text::printable,
};

/// Differences that are told of one call. Further ones are counted.
const MAX_TOLD: usize = 50;

/// Characters of a value that are told.
const MAX_VALUE: usize = 500;

/// What differs between two versions on the same recordings. A version that runs
/// alone is held against nothing: then only crashes are in here.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ReplayDiff {
    /// How many recordings were played.
    pub played: usize,
    /// Those that differ.
    pub fixtures: Vec<FixtureDiff>,
}

/// What differs on one recording.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FixtureDiff {
    /// The recording's file name.
    pub fixture: String,
    /// The calls that differ.
    pub calls: Vec<CallDiff>,
}

/// What differs in one call.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CallDiff {
    /// Its place in the recording, from 0.
    pub call: usize,
    /// `interface.function`.
    pub function: String,
    /// The crash of the new version, whatever the running one did.
    pub crash: Option<String>,
    /// Where the results differ; an error counts as one.
    pub output: Vec<ValueDiff>,
    /// Where the requests differ.
    pub requests: Vec<RequestDiff>,
    /// How many more differences there are.
    pub omitted: usize,
}

/// Two values at the same place of a result.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ValueDiff {
    /// As in `ok.items[3].status`.
    pub path: String,
    /// The running version's; none if it has nothing there.
    pub running: Option<Value>,
    /// The new version's; none if it has nothing there.
    pub candidate: Option<Value>,
}

/// Two requests at the same place of a call.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RequestDiff {
    /// Its place in the call, from 0.
    pub position: usize,
    /// The running version's, as `METHOD uri (outcome)`; none if it has sent less.
    pub running: Option<String>,
    /// The new version's; none if it has sent less.
    pub candidate: Option<String>,
}

impl ReplayDiff {
    /// Whether both did the same.
    pub fn is_empty(&self) -> bool {
        self.fixtures.is_empty()
    }

    /// Whether the new version has crashed on any.
    pub fn crashed(&self) -> bool {
        let mut calls = self.fixtures.iter().flat_map(|fixture| &fixture.calls);
        calls.any(|call| call.crash.is_some())
    }
}

impl CallDiff {
    pub(super) fn is_empty(&self) -> bool {
        self.crash.is_none() && self.output.is_empty() && self.requests.is_empty()
    }
}

/// Line by line, for a terminal.
impl fmt::Display for ReplayDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fixture in &self.fixtures {
            writeln!(f, "{}", printable(&fixture.fixture))?;
            for call in &fixture.calls {
                write!(f, "{call}")?;
            }
        }
        Ok(())
    }
}

/// Line by line, for a terminal.
impl fmt::Display for CallDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {} (call {})", printable(&self.function), self.call)?;
        if let Some(crash) = &self.crash {
            writeln!(f, "    crashed: {}", printable(crash))?;
        }
        for value in &self.output {
            writeln!(f, "    {}", printable(&value.path))?;
            sides(f, value.running.as_ref(), value.candidate.as_ref())?;
        }
        for request in &self.requests {
            writeln!(f, "    request {}", request.position)?;
            sides(f, request.running.as_ref(), request.candidate.as_ref())?;
        }
        if self.omitted > 0 {
            writeln!(f, "    and {} more", self.omitted)?;
        }
        Ok(())
    }
}

fn sides<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    running: Option<&T>,
    candidate: Option<&T>,
) -> fmt::Result {
    for (sign, side) in [('-', running), ('+', candidate)] {
        if let Some(side) = side {
            writeln!(f, "      {sign} {}", printable(&side.to_string()))?;
        }
    }
    Ok(())
}

/// The recordings of one connector in a folder, by name.
pub(crate) fn fixtures(
    folder: &Path,
    app_id: &str,
) -> Result<Vec<(String, Cassette)>, CassetteError> {
    let mut fixtures = Vec::new();
    for path in files(folder).map_err(|cause| CassetteError::Read {
        path: folder.display().to_string(),
        cause,
    })? {
        let cassette = Cassette::read(&path)?;
        if cassette.harness.connector.app_id == app_id {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            fixtures.push((name.into_owned(), cassette));
        }
    }
    Ok(fixtures)
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Plays the recordings on both.
pub(crate) async fn compare(
    running: Option<&Connector>,
    candidate: &Connector,
    fixtures: &[(String, Cassette)],
) -> Result<ReplayDiff, CassetteError> {
    let mut diff = ReplayDiff {
        played: fixtures.len(),
        fixtures: Vec::new(),
    };
    for (name, cassette) in fixtures {
        let theirs = play(candidate, cassette).await?;
        let ours = match running {
            Some(running) => Some(play(running, cassette).await?),
            None => None,
        };
        let calls: Vec<CallDiff> = theirs
            .iter()
            .enumerate()
            .map(|(at, theirs)| {
                let mut diff = CallDiff {
                    call: at,
                    function: theirs.function.clone(),
                    crash: theirs.crash.clone(),
                    ..CallDiff::default()
                };
                if let Some(ours) = ours.as_ref().and_then(|ours| ours.get(at)) {
                    values("", &ours.output, &theirs.output, &mut diff);
                    requests(&ours.requests, &theirs.requests, &mut diff);
                }
                diff
            })
            .filter(|diff| !diff.is_empty())
            .collect();
        if !calls.is_empty() {
            diff.fixtures.push(FixtureDiff {
                fixture: name.clone(),
                calls,
            });
        }
    }
    Ok(diff)
}

/// What a call did.
pub(super) struct Played {
    pub(super) function: String,
    pub(super) output: Value,
    pub(super) requests: Vec<String>,
    pub(super) crash: Option<String>,
}

/// Plays the calls of a recording. A connector that can't be opened with the
/// recording's settings gives that error for each.
async fn play(connector: &Connector, cassette: &Cassette) -> Result<Vec<Played>, CassetteError> {
    // Changes reach nobody.
    let mut grant = Grant::read_write();
    for origin in connector.origins() {
        grant = grant.origin(origin.clone());
    }
    let reports = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&reports);
    let config = TenantConfig::new(grant)
        .replay(cassette.clone())?
        .observe(move |report| {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.extend(report.requests.iter().map(|request| {
                let outcome = match &request.outcome {
                    TraceOutcome::Status(status) => status.to_string(),
                    TraceOutcome::Failed(code) => code.clone(),
                };
                format!("{} {} ({outcome})", request.method, request.uri)
            }));
        });
    let opening = {
        let connector = connector.clone();
        // Compiles for replays, if this is the first one.
        tokio::task::spawn_blocking(move || connector.open(config)).await
    };
    let tenant = match opening {
        Ok(Ok(tenant)) => Ok(tenant),
        Ok(Err(error)) => Err(not_opened(&error)),
        Err(error) => Err(not_opened(&error)),
    };
    let mut played = Vec::new();
    for call in &cassette.harness.calls {
        let (output, crash) = match &tenant {
            Err(error) => error.clone(),
            Ok(tenant) => {
                let called = tenant.call(&call.function, &call.input).await;
                outcome(called.as_ref().cloned())
            }
        };
        let requests = std::mem::take(&mut *reports.lock().unwrap_or_else(PoisonError::into_inner));
        played.push(Played {
            function: call.function.clone(),
            output,
            requests,
            crash,
        });
    }
    Ok(played)
}

/// A call's result or error as one value, and its crash.
pub(super) fn outcome(outcome: Result<Value, &CallError>) -> (Value, Option<String>) {
    match outcome {
        Ok(value) => (serde_json::json!({ "ok": value }), None),
        Err(error) => {
            let crash = error.is_crash().then(|| error.to_string());
            (
                serde_json::json!({ "error": to_json(&error.to_contract()) }),
                crash,
            )
        }
    }
}

/// The same of a tenant that a version does not open.
pub(super) fn not_opened(error: &impl fmt::Display) -> (Value, Option<String>) {
    let error = error.to_string();
    (serde_json::json!({ "cannot_open": error }), None)
}

/// Notes where two values differ.
pub(super) fn values(path: &str, running: &Value, candidate: &Value, diff: &mut CallDiff) {
    match (running, candidate) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
            for name in names {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                either(&path, ours.get(name), theirs.get(name), diff);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            for at in 0..ours.len().max(theirs.len()) {
                either(&format!("{path}[{at}]"), ours.get(at), theirs.get(at), diff);
            }
        }
        _ if running == candidate => {}
        _ => told(&mut diff.output, &mut diff.omitted, || ValueDiff {
            path: path.to_owned(),
            running: Some(shortened(running)),
            candidate: Some(shortened(candidate)),
        }),
    }
}

fn either(path: &str, running: Option<&Value>, candidate: Option<&Value>, diff: &mut CallDiff) {
    match (running, candidate) {
        (Some(running), Some(candidate)) => values(path, running, candidate, diff),
        _ => told(&mut diff.output, &mut diff.omitted, || ValueDiff {
            path: path.to_owned(),
            running: running.map(shortened),
            candidate: candidate.map(shortened),
        }),
    }
}

/// A value of a size that people read, and that a log may keep for ever.
fn shortened(value: &Value) -> Value {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(MAX_VALUE) {
        None => value.clone(),
        Some((end, _)) => Value::String(format!("{}… ({} bytes)", &text[..end], text.len())),
    }
}

fn requests(running: &[String], candidate: &[String], diff: &mut CallDiff) {
    for position in 0..running.len().max(candidate.len()) {
        let (ours, theirs) = (running.get(position), candidate.get(position));
        if ours != theirs {
            told(&mut diff.requests, &mut diff.omitted, || RequestDiff {
                position,
                running: ours.cloned(),
                candidate: theirs.cloned(),
            });
        }
    }
}

fn told<T>(list: &mut Vec<T>, omitted: &mut usize, difference: impl FnOnce() -> T) {
    if list.len() < MAX_TOLD {
        list.push(difference());
    } else {
        *omitted += 1;
    }
}
