//! One call of a capability: what it has, and what comes of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Shared,
    capability::Capability,
    envelope::Envelope,
    error::{WireCode, WireError},
    fingerprint::fingerprint,
    live::{LiveCall, Looking},
    tenants::Borrowed,
};
use crate::{
    Connector, Tenant,
    contract::types::{Effect, Notice, PageRequest},
    registry::Shadow,
};

/// One call.
pub(super) struct Call<'a> {
    pub(super) shared: &'a Shared,
    pub(super) connector: &'a Connector,
    pub(super) connector_id: &'a str,
    pub(super) capability: &'static Capability,
    pub(super) envelope: &'a Envelope,
    /// Where the capability is about one.
    pub(super) tenant: Option<&'a Borrowed>,
    pub(super) live: &'a Arc<LiveCall>,
    /// The candidate that is to be asked the same, if it is its turn.
    pub(super) shadow: Option<&'a Shadow>,
    pub(super) ends: Instant,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) response: Value,
    pub(super) next: Option<String>,
    pub(super) effect: Option<Effect>,
    /// Said about the effect, for people.
    pub(super) description: Option<String>,
    /// What the result leaves out.
    pub(super) notices: Vec<Notice>,
}

pub(super) type Answer = Result<Outcome, WireError>;

impl Call<'_> {
    /// Time left.
    pub(super) fn left(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }

    /// The tenant, for one more call of the connector within the time left.
    pub(super) fn tenant(&self) -> Result<Tenant, WireError> {
        let left = self.left();
        if left.is_zero() {
            return Err(self.out_of_time());
        }
        let tenant = self.borrowed()?.tenant.within(left);
        let tenant = match self.shadow {
            Some(shadow) => shadow.watch(&tenant),
            None => tenant,
        };
        Ok(tenant.watched(Arc::new(Looking(Arc::clone(self.live)))))
    }

    pub(super) fn borrowed(&self) -> Result<&Borrowed, WireError> {
        self.tenant.ok_or_else(|| {
            WireError::new(
                WireCode::IntegrationMissingParameter,
                "the request has no credential",
            )
        })
    }

    pub(super) fn out_of_time(&self) -> WireError {
        WireError::new(WireCode::BudgetExhausted, "the time of the request is over")
            .hint("ask for less, or give it more time with `rate_limit.max_execution_time`")
    }

    /// The page that was asked for.
    pub(super) fn page(&self) -> PageRequest {
        PageRequest {
            token: self.envelope.page_token.clone(),
            size: self.envelope.page_size,
        }
    }

    /// A field that must be there.
    pub(super) fn text(&self, name: &str) -> Result<String, WireError> {
        text(&self.envelope.request, name)
    }

    /// A field that may be there.
    pub(super) fn optional(&self, name: &str) -> Result<Option<String>, WireError> {
        optional(&self.envelope.request, name)
    }

    /// A list of texts; an absent one is empty.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, WireError> {
        match self.envelope.request.get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect::<Option<_>>()
                .ok_or_else(|| wrong(name, "a list of texts")),
            Some(_) => Err(wrong(name, "a list of texts")),
        }
    }

    /// The answer, as it goes over the wire.
    pub(super) fn to_json(&self, outcome: Outcome) -> Value {
        let mut answer = Map::from_iter([("response".to_owned(), outcome.response)]);
        if let Some(token) = outcome.next {
            let mut page = Map::from_iter([("token".to_owned(), json!(token))]);
            if let Some(size) = self.envelope.page_size {
                page.insert("size".to_owned(), json!(size));
            }
            answer.insert("page".to_owned(), Value::Object(page));
        }
        if let Some(limit) = self.rate_limit() {
            answer.insert("rate_limit".to_owned(), limit);
        }
        // A read has a summary only if it has to say something.
        if outcome.effect.is_some() || !outcome.notices.is_empty() {
            let effect = outcome
                .effect
                .unwrap_or_else(|| Effect::Unchanged(String::new()));
            let mut summary = Map::from_iter([
                ("effect".to_owned(), effect_json(&effect)),
                (
                    "request_fingerprint".to_owned(),
                    json!(fingerprint(&self.envelope.request)),
                ),
                // The contract asks it of each write.
                ("is_idempotent".to_owned(), json!(true)),
            ]);
            let description = outcome.description.or(match effect {
                Effect::Unchanged(reason) if !reason.is_empty() => Some(reason),
                _ => None,
            });
            if let Some(description) = description {
                let shown = crate::printable(&description).into_owned();
                summary.insert("description".to_owned(), json!(shown));
            }
            if !outcome.notices.is_empty() {
                let errors = outcome.notices.into_iter().map(|notice| {
                    let error = WireError::new(WireCode::UnsupportedOperation, notice.message);
                    let error = match notice.hint {
                        Some(hint) => error.hint(hint),
                        None => error,
                    };
                    let mut json = error.to_json(self.connector_id, Some(self.capability.name));
                    json["app_error_code"] = json!(crate::printable(&notice.code));
                    json["raised_by"] = json!("connector");
                    json
                });
                summary.insert("caught_errors".to_owned(), errors.collect());
            }
            answer.insert("execution_summary".to_owned(), Value::Object(summary));
        }
        Value::Object(answer)
    }

    /// The vendor's latest word. `ratelimit-reset` counts from then; on the
    /// wire it is a time.
    fn rate_limit(&self) -> Option<Value> {
        let state = self.tenant?.tenant.rate_limit()?;
        let window = self
            .connector
            .descriptor()
            .rate_limit
            .map_or(60, |limit| limit.per_seconds);
        let reset = Timestamp::now().as_second() + i64::from(state.reset_seconds);
        Some(json!({
            "current_state": {
                self.connector_id: {
                    "remaining": state.remaining,
                    "limit": state.limit,
                    "reset": reset,
                    "window_seconds": window,
                    "current_delay": if state.remaining == 0 { state.reset_seconds } else { 0 },
                    "source": "api_headers",
                },
            },
        }))
    }
}

impl Outcome {
    /// A result that nothing else is to be said about.
    pub(super) fn of(response: Value) -> Self {
        Self {
            response,
            next: None,
            effect: None,
            description: None,
            notices: Vec::new(),
        }
    }

    /// Some of a list.
    pub(super) fn page(
        items: impl Iterator<Item = Value>,
        next: Option<String>,
        notices: Vec<Notice>,
    ) -> Self {
        Self {
            next,
            notices,
            ..Self::of(items.collect())
        }
    }

    /// The result of a change.
    pub(super) fn changed(response: Value, effect: Effect) -> Self {
        Self {
            effect: Some(effect),
            ..Self::of(response)
        }
    }
}

fn effect_json(effect: &Effect) -> Value {
    match effect {
        Effect::Created => json!({"kind": "created"}),
        Effect::Updated => json!({"kind": "updated"}),
        Effect::Deleted => json!({"kind": "deleted"}),
        Effect::Unchanged(_) => json!({"kind": "noop", "reason": "state_already_matches"}),
    }
}

/// A field that must be there.
pub(super) fn text(fields: &Map<String, Value>, name: &str) -> Result<String, WireError> {
    optional(fields, name)?.ok_or_else(|| {
        WireError::new(WireCode::BadRequest, format!("`request.{name}` is missing"))
            .hint("`/openapi.json` describes the request")
    })
}

/// A field that may be there.
pub(super) fn optional(
    fields: &Map<String, Value>,
    name: &str,
) -> Result<Option<String>, WireError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(wrong(name, "a text")),
    }
}

/// What is there is never quoted: it may be a secret.
pub(super) fn wrong(name: &str, expected: &str) -> WireError {
    WireError::new(
        WireCode::BadRequest,
        format!("`request.{name}` must be {expected}"),
    )
    .hint("`/openapi.json` describes the request")
}
