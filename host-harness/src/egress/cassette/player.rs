//! Answers requests from a cassette.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::{
    format::{Body, Cassette, CassetteError, RecordedOutcome},
    matcher::{Matcher, Mismatch, RequestKey},
};

/// A cassette that is being played. Each interaction is played once.
#[derive(Debug)]
pub struct Player {
    cassette: Cassette,
    /// What the interactions have to say, by position.
    outcomes: Vec<Played>,
    matcher: Mutex<Matcher>,
}

/// What a cassette has to say to a request.
#[derive(Clone, Debug)]
pub(crate) enum Played {
    /// The recorded answer.
    Answer {
        status: StatusCode,
        headers: HeaderMap,
        body: Bytes,
    },
    /// The recorded failure, by its code.
    Failure(String),
}

impl Player {
    /// Starts at the beginning. Bodies that can't be decoded are found here.
    pub fn new(cassette: Cassette) -> Result<Self, CassetteError> {
        let mut outcomes = Vec::with_capacity(cassette.interactions.len());
        for interaction in &cassette.interactions {
            interaction.request.body.to_bytes()?;
            outcomes.push(outcome(&interaction.outcome)?);
        }
        let matcher = Mutex::new(Matcher::new(&cassette.interactions));
        Ok(Self {
            cassette,
            outcomes,
            matcher,
        })
    }

    /// What is being played.
    pub fn cassette(&self) -> &Cassette {
        &self.cassette
    }

    /// Interactions that nothing has asked for yet, as `METHOD uri`.
    pub fn unplayed(&self) -> Vec<String> {
        let matcher = self.matcher.lock().unwrap_or_else(PoisonError::into_inner);
        matcher
            .unplayed()
            .into_iter()
            .filter_map(|position| self.cassette.interactions.get(position))
            .map(|interaction| {
                format!("{} {}", interaction.request.method, interaction.request.uri)
            })
            .collect()
    }

    /// The latest answer to that request has been lost: the next one who makes
    /// it gets it again.
    pub(crate) fn put_back(&self, method: &str, uri: &str, body: &[u8]) {
        if let Some(key) = RequestKey::new(method, uri, &Body::from_bytes(body)) {
            let mut matcher = self.matcher.lock().unwrap_or_else(PoisonError::into_inner);
            matcher.put_back(&key);
        }
    }

    pub(crate) fn answer(&self, method: &str, uri: &str, body: &[u8]) -> Result<Played, Mismatch> {
        let key =
            RequestKey::new(method, uri, &Body::from_bytes(body)).ok_or_else(|| Mismatch {
                asked: format!("{method} {uri}"),
                reason: super::matcher::MismatchReason::NothingSimilar,
            })?;
        let position = self
            .matcher
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(&key)?;
        Ok(self.outcomes[position].clone())
    }
}

fn outcome(recorded: &RecordedOutcome) -> Result<Played, CassetteError> {
    let response = match recorded {
        RecordedOutcome::Error(code) => return Ok(Played::Failure(code.clone())),
        RecordedOutcome::Response(response) => response,
    };
    let status = StatusCode::from_u16(response.status.code)
        .map_err(|_| CassetteError::Body(format!("{} is no HTTP status", response.status.code)))?;
    let mut headers = HeaderMap::new();
    for (name, values) in &response.headers {
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
            continue;
        };
        for value in values {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.append(name.clone(), value);
            }
        }
    }
    Ok(Played::Answer {
        status,
        headers,
        body: response.body.to_bytes()?,
    })
}
