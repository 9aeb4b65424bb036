//! Recordings: those that were given, and those that are made of a tenant.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use serde::Deserialize;
use serde_json::Value;

use super::{
    Outcome, SubjectError,
    ground::Scene,
    outcome::skip,
    script::{self, Known},
    survey::{Answer, Survey},
};
use crate::{
    CallError, CallReport, Connector, Grant, TenantConfig,
    contract::metadata::Level,
    egress::cassette::{Cassette, RecordedFrom, Recorder, Scrubber},
    whole_file,
};

/// The file of ceilings beside recordings.
const CEILINGS: &str = "ceilings.toml";

/// A recording with its name.
pub(super) struct Tape {
    pub(super) name: String,
    pub(super) cassette: Cassette,
}

/// What a recorded call did when it was played.
pub(super) struct PlayedCall {
    pub(super) function: String,
    pub(super) input: Value,
    pub(super) output: Result<Value, CallError>,
    pub(super) report: CallReport,
}

/// What all calls of a recording did.
pub(super) struct Playback {
    pub(super) calls: Vec<PlayedCall>,
    /// Recorded requests that nobody has made.
    pub(super) unplayed: Vec<String>,
}

/// Plays a recording, opened as `change` says.
pub(super) async fn play(
    connector: &Connector,
    tape: &Tape,
    change: impl FnOnce(TenantConfig) -> TenantConfig,
) -> Result<Playback, Outcome> {
    let unusable = |error: &dyn std::fmt::Display| {
        skip(format!(
            "the recording `{}` can't be played: {error}",
            tape.name
        ))
    };
    // Nothing leaves, whatever is granted.
    let mut grant = Grant::read_write();
    for origin in connector.origins() {
        grant = grant.origin(origin.clone());
    }
    if let Some(origin) = tape.cassette.harness.settings.get("base-url")
        && let Ok(origin) = origin.parse()
    {
        grant = grant.origin(origin);
    }
    let reports: Arc<Mutex<Vec<CallReport>>> = Arc::default();
    let seen = Arc::clone(&reports);
    let config = TenantConfig::new(grant)
        .replay(tape.cassette.clone())
        .map_err(|error| unusable(&error))?
        .observe(move |report| {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push(report.clone());
        });
    let config = change(config);
    let opening = {
        let connector = connector.clone();
        // Compiles for replays, if this is the first one.
        tokio::task::spawn_blocking(move || connector.open(config)).await
    };
    let tenant = opening
        .map_err(|error| unusable(&error))?
        .map_err(|error| unusable(&error))?;
    let mut calls = Vec::new();
    for call in &tape.cassette.harness.calls {
        let output = tenant.call(&call.function, &call.input).await;
        let report = reports.lock().unwrap_or_else(PoisonError::into_inner).pop();
        // A function that is not there is not called, and not reported.
        if let Some(report) = report {
            calls.push(PlayedCall {
                function: call.function.clone(),
                input: call.input.clone(),
                output,
                report,
            });
        }
    }
    Ok(Playback {
        calls,
        unplayed: tenant.unplayed(),
    })
}

/// A recorded read by itself.
pub(super) struct Single {
    /// With this call and no other.
    pub(super) tape: Tape,
    /// What it answers on a good day.
    pub(super) output: Value,
    /// How many requests it makes then.
    pub(super) requests: usize,
}

/// The first recorded call of each read that answers and makes requests. What a
/// diagnosis finds on a bad day is not to be the same, so it is left out.
pub(super) async fn singles(connector: &Connector, tapes: &[Tape]) -> Result<Vec<Single>, Outcome> {
    let mut singles: Vec<Single> = Vec::new();
    let mut taken = BTreeSet::from(["diagnostics.diagnose".to_owned()]);
    let is_read = |function: &str| {
        let capabilities = &connector.descriptor().capabilities;
        let declared = capabilities.iter().find(|one| one.name == function);
        declared.is_some_and(|one| one.level == Level::Read)
    };
    for tape in tapes {
        for call in &tape.cassette.harness.calls {
            if !is_read(&call.function) || taken.contains(&call.function) {
                continue;
            }
            let mut cassette = tape.cassette.clone();
            cassette.harness.calls = vec![call.clone()];
            let tape = Tape {
                name: tape.name.clone(),
                cassette,
            };
            let played = play(connector, &tape, |config| config).await?;
            if let Some(PlayedCall {
                output: Ok(output),
                report,
                ..
            }) = played.calls.into_iter().next()
                && !report.requests.is_empty()
            {
                taken.insert(call.function.clone());
                singles.push(Single {
                    tape,
                    output,
                    requests: report.requests.len(),
                });
            }
        }
    }
    if singles.is_empty() {
        return Err(skip("no read that answers is recorded"));
    }
    Ok(singles)
}

/// What the calls of all recordings answer.
pub(super) async fn answers(connector: &Connector, tapes: &[Tape]) -> Result<Vec<Answer>, Outcome> {
    let mut answers = Vec::new();
    for tape in tapes {
        let played = play(connector, tape, |config| config).await?;
        answers.extend(played.calls.into_iter().map(|call| Answer {
            place: tape.name.clone(),
            function: call.function,
            input: call.input,
            output: call.output,
        }));
    }
    Ok(answers)
}

/// Recordings of a tenant, one of each read.
pub(super) struct Recorded {
    pub(super) tapes: Vec<Tape>,
    /// What the vendor's answers held in fields that are secrets.
    pub(super) secrets: BTreeSet<String>,
    /// What came of the recorded calls: results, errors, log lines, requests.
    pub(super) outputs: Vec<(&'static str, String)>,
}

impl Recorded {
    pub(super) async fn of(scene: &Scene, survey: &Survey) -> Result<Self, Outcome> {
        let mut recorded = Self {
            tapes: Vec::new(),
            secrets: BTreeSet::new(),
            outputs: Vec::new(),
        };
        for (function, input) in
            script::reads(&scene.tenant, &Known::of(&survey.accounts, &survey.grants))
        {
            recorded.record(scene, function, &input).await?;
        }
        Ok(recorded)
    }

    async fn record(
        &mut self,
        scene: &Scene,
        function: &'static str,
        input: &Value,
    ) -> Result<(), Outcome> {
        let connector = scene.tenant.connector();
        let now = jiff::Timestamp::now();
        let clock = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now);
        let recorder = Arc::new(Recorder::new(RecordedFrom::Live, clock, [7; 32]));
        scene.take_reports();
        let tenant = scene.reopened(|config| config.record(Arc::clone(&recorder)))?;
        let output = tenant.call(function, input).await;
        self.outputs.push((
            function,
            match &output {
                Ok(value) => value.to_string(),
                Err(error) => crate::contract::to_json(&error.to_contract()).to_string(),
            },
        ));
        for report in scene.take_reports() {
            self.outputs.push((function, report.log.join("\n")));
            let requests = report.requests.into_iter().map(|request| request.uri);
            self.outputs.extend(requests.map(|uri| (function, uri)));
        }
        self.secrets.extend(recorder.secrets());
        let hosts = connector
            .origins()
            .iter()
            .map(|origin| origin.host().to_owned());
        let scrubber = Scrubber::random(&connector.descriptor().vendor_domain, hosts);
        let cassette = recorder.cassette(&connector.recorded_by(tenant.settings()), &scrubber);
        self.tapes.push(Tape {
            name: function.to_owned(),
            cassette,
        });
        Ok(())
    }
}

/// What one call may use.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub(super) struct Ceiling {
    /// Instructions, about.
    pub(super) fuel: u64,
    /// Bytes of memory.
    pub(super) memory: u64,
    /// Requests.
    pub(super) requests: u64,
}

/// What calls may use, by recording and function: what the most demanding call
/// of that function took when it was measured, and a quarter more.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Ceilings(pub(super) BTreeMap<String, BTreeMap<String, Ceiling>>);

impl Ceilings {
    fn path(folder: &Path) -> PathBuf {
        folder.join(CEILINGS)
    }

    /// Those beside the recordings of a folder, if there are any.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, SubjectError> {
        let path = Self::path(folder);
        let wrong = |cause: String| SubjectError::Ceilings {
            path: path.display().to_string(),
            cause,
        };
        match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text)
                .map(Some)
                .map_err(|error| wrong(error.to_string())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(wrong(error.to_string())),
        }
    }
}

impl Ceilings {
    /// Writes ceilings for the recordings of a folder, from what their calls use.
    pub(super) async fn record(
        connector: &Connector,
        tapes: &[Tape],
        folder: &Path,
    ) -> Result<PathBuf, SubjectError> {
        let path = Self::path(folder);
        let failed = |cause: String| SubjectError::Ceilings {
            path: path.display().to_string(),
            cause,
        };
        let mut text = String::from(
            "# What recorded calls may use: what they took when it was measured, and a quarter\n\
             # more. `harness conformance --record-ceilings` writes it anew.\n",
        );
        for tape in tapes {
            let played = play(connector, tape, |config| config)
                .await
                .map_err(|outcome| failed(outcome.detail().to_owned()))?;
            let mut most: BTreeMap<&str, Ceiling> = BTreeMap::new();
            for call in &played.calls {
                let used = used(&call.report);
                let most = most.entry(&call.function).or_default();
                most.fuel = most.fuel.max(used.fuel);
                most.memory = most.memory.max(used.memory);
                most.requests = most.requests.max(used.requests);
            }
            for (function, used) in most {
                // JSON's strings are TOML's, for names without odd characters.
                let (file, function) = (Value::from(tape.name.as_str()), Value::from(function));
                text.push_str(&format!(
                    "\n[{file}.{function}]\nfuel = {}\nmemory = {}\nrequests = {}\n",
                    with_room(used.fuel),
                    with_room(used.memory),
                    with_room(used.requests),
                ));
            }
        }
        whole_file::write(&path, text.as_bytes()).map_err(|error| failed(error.to_string()))?;
        Ok(path)
    }
}

/// What a call has used.
pub(super) fn used(report: &CallReport) -> Ceiling {
    Ceiling {
        fuel: report.fuel.unwrap_or_default(),
        memory: report.memory as u64,
        requests: report.requests.len() as u64,
    }
}

fn with_room(used: u64) -> u64 {
    used + used.div_ceil(4)
}
