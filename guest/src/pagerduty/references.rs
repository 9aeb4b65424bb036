//! Objects that point at others.

use crate::pagerduty::errors::clean;
use crate::pagerduty::json::Json;

/// A reference, for example of type `user_reference`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// Vendor identifier; empty if there was none.
    pub id: String,
    /// What is behind it.
    pub kind: Option<String>,
    /// What people call it.
    pub summary: Option<String>,
    /// Set on the stub that a deleted user leaves behind.
    deleted_at: Option<String>,
}

impl Reference {
    /// Picks the fields.
    pub fn read(json: &Json) -> Self {
        Self {
            id: json.id(),
            kind: json.text("type"),
            summary: json.text("summary"),
            deleted_at: json.text("deleted_at"),
        }
    }

    /// A reference to a user.
    pub fn to_user(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            kind: Some("user_reference".to_owned()),
            summary: None,
            deleted_at: None,
        }
    }

    /// For a request: what it points at, and nothing else.
    pub fn write(&self) -> Json<'static> {
        Json::of([
            ("id", self.id.as_str().into()),
            ("type", self.kind.as_deref().into()),
        ])
    }

    /// What people call it, fit for a sentence.
    pub fn called(&self) -> String {
        let summary = self.summary.as_deref().map(clean);
        let summary = summary.filter(|summary| !summary.is_empty());
        summary.unwrap_or_else(|| self.id.clone())
    }

    /// Whether it points at that user, who may be gone.
    pub fn is_user(&self, id: &str) -> bool {
        self.id == id && self.is_a("user")
    }

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
