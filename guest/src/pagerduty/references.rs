//! Objects that point at others.

use crate::pagerduty::json;
use serde::Deserialize;

/// A reference, for example of type `user_reference`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Reference {
    /// Vendor identifier; empty if there was none.
    #[serde(deserialize_with = "json::id")]
    pub id: String,
    /// What is behind it.
    #[serde(rename = "type", deserialize_with = "json::text")]
    pub kind: Option<String>,
    /// What people call it.
    #[serde(deserialize_with = "json::text")]
    pub summary: Option<String>,
    /// Set on the stub that a deleted user leaves behind.
    #[serde(deserialize_with = "json::text")]
    deleted_at: Option<String>,
}

impl Reference {
    /// Whether there is still something behind it.
    pub fn is_live(&self) -> bool {
        !self.id.is_empty() && self.deleted_at.is_none()
    }

    /// Whether it is a reference to that, or the thing itself.
    pub fn is_a(&self, kind: &str) -> bool {
        self.bare_kind() == Some(kind)
    }

    /// The type without `_reference`.
    pub fn bare_kind(&self) -> Option<&str> {
        let kind = self.kind.as_deref()?;
        Some(kind.strip_suffix("_reference").unwrap_or(kind))
    }
}
