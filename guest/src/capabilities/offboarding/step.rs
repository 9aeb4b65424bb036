//! A step of a plan, before it goes to the host and after it came back.

use super::parties::malformed;
use crate::errors::Result;
use crate::exports::iga::connector::offboarding::{Applied, Step};
use crate::iga::connector::types::Effect;
use crate::pagerduty::json::Json;
use crate::pagerduty::users::User;

/// Payloads of another version are refused: a plan may have been made by
/// another version of the connector.
const VERSION: i64 = 1;

/// Who leaves, and who takes over.
pub struct Leaving<'a> {
    /// Who leaves.
    pub source: &'a User,
    /// Who takes over; none if nobody does.
    pub heir: Option<&'a User>,
}

/// One change of a plan, yet without an id.
pub struct Draft {
    /// What `apply` goes by, for example `replace-in-schedule`.
    pub kind: &'static str,
    /// For a person to read before saying yes.
    pub summary: String,
    /// An object with all that `apply` needs. It is public: no secrets.
    pub payload: Json<'static>,
}

/// What part of a plan comes to.
#[derive(Default)]
pub struct Drafts {
    /// The changes, in order.
    pub steps: Vec<Draft>,
    /// What the plan can't take care of, each a sentence.
    pub warnings: Vec<String>,
}

impl Drafts {
    /// Goes on with these.
    pub fn add(&mut self, more: Self) {
        self.steps.extend(more.steps);
        self.warnings.extend(more.warnings);
    }
}

impl Draft {
    /// With an id, which is stable within a plan.
    pub fn into_step(self, id: String) -> Step {
        let mut payload = String::new();
        let versioned = Json::of([("v", Json::Number(VERSION)), ("p", self.payload)]);
        versioned.write(&mut payload);
        Step {
            id,
            kind: self.kind.to_owned(),
            summary: self.summary,
            payload,
        }
    }
}

/// The payload that `into_step` wrote.
pub fn payload(step: &Step) -> Result<Json<'_>> {
    let versioned = Json::parse(step.payload.as_bytes()).ok();
    let payload = versioned
        .filter(|json| json.number("v") == Some(VERSION))
        .and_then(|json| json.into_field("p"));
    payload.ok_or_else(malformed)
}

/// `1 incident`, `2 incidents`.
pub fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// What a step did that found nothing to do.
pub fn unchanged(reason: &str) -> Applied {
    applied(Effect::Unchanged(reason.to_owned()), None)
}

/// What a step did; `undo` takes it back.
pub fn applied(effect: Effect, undo: Option<Draft>) -> Applied {
    Applied {
        effect,
        undo: undo.map(|draft| draft.into_step("undo".to_owned())),
    }
}
