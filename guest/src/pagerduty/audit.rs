//! Audit records: what was changed, by whom.

use crate::instants::Timestamp;
use crate::pagerduty::json::{Json, Row};
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
    execution_time: Option<String>,
    actors: Vec<Reference>,
    method: Option<Method>,
    /// What was changed.
    pub root_resource: Option<Reference>,
    /// `create`, `update` or `delete`.
    pub action: Option<String>,
    details: Option<Details>,
}

#[derive(Clone, Debug)]
struct Method {
    kind: Option<String>,
}

impl Method {
    fn read(json: &Json) -> Self {
        Self {
            kind: json.text("type"),
        }
    }
}

#[derive(Clone, Debug)]
struct Details {
    resource: Option<Reference>,
}

impl Details {
    fn read(json: &Json) -> Self {
        Self {
            resource: json.object("resource").map(Reference::read),
        }
    }
}

impl Record {
    /// When.
    pub fn at(&self) -> Option<Timestamp> {
        Timestamp::parse(self.execution_time.as_deref()?)
    }

    /// The user that did it, where it was one.
    pub fn actor(&self) -> Option<&str> {
        let user = self.actors.iter().find(|actor| actor.is_a("user"))?;
        (!user.id.is_empty()).then_some(user.id.as_str())
    }

    /// By which way in, for example `api_token`.
    pub fn method(&self) -> Option<&str> {
        self.method.as_ref()?.kind.as_deref()
    }

    /// The part of `root_resource` that was changed.
    pub fn resource(&self) -> Option<&Reference> {
        self.details.as_ref()?.resource.as_ref()
    }
}

/// A page of records.
#[derive(Clone, Debug)]
pub struct RecordPage {
    /// The newest first.
    pub records: Vec<Record>,
    /// None at the end.
    pub next_cursor: Option<String>,
}

impl RecordPage {
    /// Picks the fields.
    pub fn read(json: &Json) -> Self {
        Self {
            records: json.objects("records").map(Record::read).collect(),
            next_cursor: json.text("next_cursor"),
        }
    }
}

impl Row for Record {
    const MANY: &'static str = "records";
    const ONE: &'static str = "record";

    fn read(json: &Json) -> Self {
        Self {
            id: json.id(),
            execution_time: json.text("execution_time"),
            actors: json.objects("actors").map(Reference::read).collect(),
            method: json.object("method").map(Method::read),
            root_resource: json.object("root_resource").map(Reference::read),
            action: json.text("action"),
            details: json.object("details").map(Details::read),
        }
    }
}
