//! Audit records: what was changed, by whom.

use crate::instants::Timestamp;
use crate::pagerduty::json::{self, Row};
use crate::pagerduty::references::Reference;
use serde::Deserialize;

/// The list. It goes by cursor.
pub const PATH: &str = "/audit/records";
/// Largest distance of `until` from `since`, in days.
pub const MAX_WINDOW_DAYS: i64 = 31;
/// For so many days PagerDuty keeps records: twelve months.
pub const KEPT_DAYS: i64 = 365;

/// A change.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Record {
    /// Vendor identifier; empty if there was none.
    #[serde(deserialize_with = "json::id")]
    pub id: String,
    #[serde(deserialize_with = "json::text")]
    execution_time: Option<String>,
    #[serde(deserialize_with = "json::list")]
    actors: Vec<Reference>,
    #[serde(deserialize_with = "json::object")]
    method: Option<Method>,
    /// What was changed.
    #[serde(deserialize_with = "json::object")]
    pub root_resource: Option<Reference>,
    /// `create`, `update` or `delete`.
    #[serde(deserialize_with = "json::text")]
    pub action: Option<String>,
    #[serde(deserialize_with = "json::object")]
    details: Option<Details>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Method {
    #[serde(rename = "type", deserialize_with = "json::text")]
    kind: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    #[serde(deserialize_with = "json::object")]
    resource: Option<Reference>,
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
#[derive(Clone, Debug, Deserialize)]
pub struct RecordPage {
    /// The newest first.
    #[serde(deserialize_with = "json::list")]
    pub records: Vec<Record>,
    /// None at the end.
    #[serde(default, deserialize_with = "json::text")]
    pub next_cursor: Option<String>,
}

impl Row for Record {
    const MANY: &'static str = "records";
    const ONE: &'static str = "record";
}
