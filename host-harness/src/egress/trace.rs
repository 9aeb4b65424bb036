//! What is told of the requests of a call.

use std::{fmt, time::Duration};

/// A request that a call made, as it is told in reports and logs. Never holds
/// header values or bodies.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
pub struct RequestTrace {
    /// In upper case.
    pub method: String,
    /// Absolute, with the query.
    pub uri: String,
    /// The declared rule that let it out.
    pub rule: Option<String>,
    /// Whether it did not leave, since the run has had the answer already.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
    /// How it ended: the status, or a code such as `denied` or `timeout`.
    pub outcome: TraceOutcome,
    /// Bytes of the answer's body.
    pub bytes: usize,
    /// How long the call had run when the request was made. Zero in a replay.
    #[serde(skip)]
    pub started: Duration,
    /// How long it took. Zero in a replay.
    #[serde(skip)]
    pub elapsed: Duration,
}

/// Looks on while the requests of a call come and go.
pub(crate) trait RequestWatch: fmt::Debug + Send + Sync {
    /// A request was made, the `number`th of its call, from 0.
    fn asked(&self, number: usize, method: &str, uri: &str);
    /// It has come to its end.
    fn answered(&self, number: usize, request: &RequestTrace);
}

/// How a request ended.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TraceOutcome {
    /// The vendor answered.
    Status(u16),
    /// It did not get that far.
    Failed(String),
}

/// A change that a dry run did not send.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
pub struct WithheldChange {
    /// In upper case.
    pub method: String,
    /// Absolute, with the query.
    pub uri: String,
    /// The declared rule that would have let it out.
    pub rule: String,
    /// What it would have sent; null if it has no body or that is not JSON.
    pub body: serde_json::Value,
}
