//! A record of what was asked and answered.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderMap;
use serde_json::Value;

use crate::clock::lock;

/// One request and its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The HTTP method.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The decoded query.
    pub query: Vec<(String, String)>,
    /// The request's headers; of `authorization` only the scheme.
    pub request_headers: Vec<(String, String)>,
    /// The request's JSON.
    pub request_body: Option<Value>,
    /// The status that was sent, 0 when the connection was dropped.
    pub status: u16,
    /// The answer's JSON before any fault damaged it.
    pub response_body: Option<Value>,
}

#[derive(Debug, Default)]
pub(crate) struct Exchanges {
    kept: Mutex<Vec<Exchange>>,
    keeping: AtomicBool,
}

impl Exchanges {
    pub(crate) fn keep(&self, keep: bool) {
        self.keeping.store(keep, Ordering::Relaxed);
    }

    pub(crate) fn keeping(&self) -> bool {
        self.keeping.load(Ordering::Relaxed)
    }

    pub(crate) fn all(&self) -> Vec<Exchange> {
        lock(&self.kept).clone()
    }

    pub(crate) fn push(&self, exchange: Exchange) {
        lock(&self.kept).push(exchange);
    }
}

/// The headers without the secret of `authorization`.
pub(crate) fn safe_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            let value = if name == http::header::AUTHORIZATION {
                value
                    .split_whitespace()
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            } else {
                value.into_owned()
            };
            (name.as_str().to_owned(), value)
        })
        .collect()
}
