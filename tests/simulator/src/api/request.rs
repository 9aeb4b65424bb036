//! A request as operations see it.

use http::HeaderMap;
use serde_json::Value;

use super::{Caller, Incoming, Refusal};

/// One authenticated request.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    pub(crate) segments: Vec<&'a str>,
    pub(crate) query: &'a [(String, String)],
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: Value,
    pub(crate) caller: Caller,
}

impl<'a> Call<'a> {
    pub(super) fn read(request: &'a Incoming, caller: Caller) -> Result<Self, Refusal> {
        let body = if request.body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&request.body)
                .map_err(|_| Refusal::invalid("The request body is not valid JSON"))?
        };
        Ok(Self {
            method: &request.method,
            segments: request.path.split('/').filter(|s| !s.is_empty()).collect(),
            query: &request.query,
            headers: &request.headers,
            body,
            caller,
        })
    }

    /// The value of a parameter; the last one counts.
    pub(crate) fn param(&self, name: &str) -> Option<&'a str> {
        self.query
            .iter()
            .rev()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// The values of an array parameter `name[]`.
    pub(crate) fn list(&self, name: &str) -> Vec<&'a str> {
        self.query
            .iter()
            .filter(|(n, _)| n.strip_suffix("[]") == Some(name))
            .map(|(_, value)| value.as_str())
            .collect()
    }

    pub(crate) fn includes(&self, what: &str) -> bool {
        self.list("include").contains(&what)
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.param(name) == Some("true")
    }

    /// The object that a body wraps, such as `user` in `{"user": {…}}`.
    pub(crate) fn wrapped(&self, name: &str) -> Result<&Value, Refusal> {
        self.body
            .get(name)
            .filter(|value| value.is_object())
            .ok_or_else(|| Refusal::invalid(&format!("{name} is missing")))
    }
}

/// A text field of a JSON object.
pub(crate) fn text<'v>(object: &'v Value, name: &str) -> Option<&'v str> {
    object.get(name).and_then(Value::as_str)
}

/// The id in a reference such as `{"id": "P…", "type": "…"}`.
pub(crate) fn reference_id(value: &Value) -> Option<&str> {
    text(value, "id")
}
