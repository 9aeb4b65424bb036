//! Audit records: what was changed, by whom.

use crate::instants::Timestamp;
use crate::pagerduty::json::{Instants as _, Json};
use crate::pagerduty::references::Reference;

/// The list. It goes by cursor.
pub const PATH: &str = "/audit/records";
/// Largest distance of `until` from `since`, in days.
pub const MAX_WINDOW_DAYS: i64 = 31;
/// For so many days PagerDuty keeps records: twelve months.
pub const KEPT_DAYS: i64 = 365;

/// A change.
#[derive(Clone, Debug)]
pub struct Record {
    /// Vendor identifier; empty if there was none.
    pub id: String,
    /// When.
    pub at: Option<Timestamp>,
    /// The user that did it, where it was one.
    pub actor: Option<String>,
    /// By which way in, for example `api_token`.
    pub method: Option<String>,
    /// What was changed.
    pub root_resource: Option<Reference>,
    /// The part of it that was changed.
    pub resource: Option<Reference>,
    /// `create`, `update` or `delete`.
    pub action: Option<String>,
}

impl Record {
    /// Picks the fields.
    pub fn read(json: &Json) -> Self {
        let mut actors = json.objects("actors").map(Reference::read);
        let actor = actors.find(|actor| actor.is_a("user") && !actor.id.is_empty());
        Self {
            id: json.id(),
            at: json.instant("execution_time"),
            actor: actor.map(|actor| actor.id),
            method: json.get("method").text("type"),
            root_resource: json.object("root_resource").map(Reference::read),
            resource: (json.get("details").object("resource")).map(Reference::read),
            action: json.text("action"),
        }
    }
}
