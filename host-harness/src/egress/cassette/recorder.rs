//! Collects what passes the egress pipeline, before any credential is added.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::{
    format::{
        Body, Cassette, CassetteError, FORMAT, Interaction, RecordedCall, RecordedConnector,
        RecordedFrom, RecordedOutcome, RecordedRequest, RecordedResponse, Recording, ScrubReport,
        Status,
    },
    scrub::{Scrubber, collect_secrets},
};
use crate::egress::credentials::{Credential, Redactor};

/// Headers that say something about the exchange and nothing about anybody.
/// A list of what may stay, since nobody can list what must not.
const KEPT_REQUEST_HEADERS: &[&str] = &["accept", "content-type", "user-agent"];
const KEPT_RESPONSE_HEADERS: &[&str] = &[
    "content-type",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "retry-after",
];

/// A recording in the making.
#[derive(Debug)]
pub struct Recorder {
    origin: RecordedFrom,
    clock: jiff::Timestamp,
    seed: [u8; 32],
    tape: Mutex<Tape>,
}

#[derive(Debug, Default)]
struct Tape {
    calls: Vec<RecordedCall>,
    interactions: Vec<Taped>,
}

/// A request on the tape.
#[derive(Debug)]
struct Taped {
    capability: String,
    request: RecordedRequest,
    /// `None` while the answer is awaited.
    outcome: Option<(RecordedOutcome, Duration)>,
}

/// A request that waits for its answer on the tape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending(usize);

/// About the component that made a recording.
#[derive(Clone, Debug)]
pub struct RecordedBy {
    /// Which component.
    pub connector: RecordedConnector,
    /// The contract's package and version.
    pub contract: String,
    /// The settings it was given.
    pub settings: BTreeMap<String, String>,
}

impl Recorder {
    /// Starts a recording. Every call sees `clock` as the present, so that a
    /// replay can show it the same.
    pub fn new(origin: RecordedFrom, clock: jiff::Timestamp, seed: [u8; 32]) -> Self {
        Self {
            origin,
            clock,
            seed,
            tape: Mutex::default(),
        }
    }

    pub(crate) fn clock(&self) -> jiff::Timestamp {
        self.clock
    }

    pub(crate) fn seed(&self) -> [u8; 32] {
        self.seed
    }

    pub(crate) fn call(&self, function: &str, input: Value) {
        self.tape().calls.push(RecordedCall {
            function: function.to_owned(),
            input,
        });
    }

    pub(crate) fn request(
        &self,
        capability: &str,
        method: &str,
        uri: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Pending {
        let request = RecordedRequest {
            method: method.to_owned(),
            uri: uri.to_owned(),
            headers: kept(headers, KEPT_REQUEST_HEADERS),
            body: Body::from_bytes(body),
        };
        let mut tape = self.tape();
        tape.interactions.push(Taped {
            capability: capability.to_owned(),
            request,
            outcome: None,
        });
        Pending(tape.interactions.len() - 1)
    }

    pub(crate) fn response(
        &self,
        pending: Pending,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        elapsed: Duration,
    ) {
        let response = RecordedResponse {
            status: Status {
                code: status.as_u16(),
                message: status.canonical_reason().unwrap_or_default().to_owned(),
            },
            headers: kept(headers, KEPT_RESPONSE_HEADERS),
            body: Body::from_bytes(body),
        };
        self.outcome(pending, RecordedOutcome::Response(response), elapsed);
    }

    pub(crate) fn failure(&self, pending: Pending, code: &str, elapsed: Duration) {
        self.outcome(pending, RecordedOutcome::Error(code.to_owned()), elapsed);
    }

    fn outcome(&self, pending: Pending, outcome: RecordedOutcome, elapsed: Duration) {
        if let Some(entry) = self.tape().interactions.get_mut(pending.0) {
            entry.outcome = Some((outcome, elapsed));
        }
    }

    /// The cassette so far, scrubbed. Requests without an answer (their call
    /// was cut off) are left out.
    pub fn cassette(&self, by: &RecordedBy, scrubber: &Scrubber) -> Cassette {
        let tape = self.tape();
        let interactions = tape
            .interactions
            .iter()
            .filter_map(|taped| Some((taped, taped.outcome.clone()?)))
            .zip(0..)
            .map(|((taped, (outcome, elapsed)), id)| Interaction {
                id,
                capability: taped.capability.clone(),
                elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
                request: taped.request.clone(),
                outcome,
            })
            .collect();
        let mut cassette = Cassette {
            version: 1,
            harness: Recording {
                format: FORMAT.to_owned(),
                origin: self.origin,
                clock: self.clock.to_string(),
                seed: hex(&self.seed),
                connector: by.connector.clone(),
                contract: by.contract.clone(),
                settings: by.settings.clone(),
                calls: tape.calls.clone(),
                scrub: ScrubReport::default(),
            },
            interactions,
        };
        drop(tape);
        scrubber.scrub(&mut cassette);
        cassette
    }

    /// What the answers so far hold in fields that are secrets.
    pub(crate) fn secrets(&self) -> BTreeSet<String> {
        let mut secrets = BTreeSet::new();
        for taped in &self.tape().interactions {
            if let Some((RecordedOutcome::Response(response), _)) = &taped.outcome
                && let Body::Json(body) = &response.body
            {
                collect_secrets(body, &mut secrets);
            }
        }
        secrets
    }

    /// Writes the cassette, unless one of the credentials is in it in any form.
    pub fn save<'a>(
        &self,
        path: &Path,
        by: &RecordedBy,
        scrubber: &Scrubber,
        credentials: impl IntoIterator<Item = &'a Credential>,
    ) -> Result<Cassette, CassetteError> {
        let cassette = self.cassette(by, scrubber);
        if Redactor::new(credentials).finds(cassette.to_text().as_bytes()) {
            return Err(CassetteError::Secret("found by the scan before writing"));
        }
        cassette.write(path)?;
        Ok(cassette)
    }

    fn tape(&self) -> std::sync::MutexGuard<'_, Tape> {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn kept(headers: &HeaderMap, names: &[&str]) -> BTreeMap<String, Vec<String>> {
    let mut kept: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in names {
        for value in headers.get_all(*name) {
            if let Ok(value) = value.to_str() {
                kept.entry((*name).to_owned())
                    .or_default()
                    .push(value.to_owned());
            }
        }
    }
    kept
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a `String` does not fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}
