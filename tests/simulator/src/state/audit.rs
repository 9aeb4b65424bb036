//! The audit trail.

use jiff::Timestamp;

use super::Account;

/// An audited object or actor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) id: String,
    /// For example `user_reference`.
    pub(crate) kind: &'static str,
    pub(crate) summary: String,
}

/// A field that a change touched.
#[derive(Clone, Debug)]
pub(crate) struct FieldChange {
    pub(crate) name: &'static str,
    pub(crate) before: Option<String>,
    pub(crate) value: Option<String>,
}

/// A reference that a change added or removed.
#[derive(Clone, Debug)]
pub(crate) struct ReferenceChange {
    pub(crate) name: &'static str,
    pub(crate) added: Vec<Resource>,
    pub(crate) removed: Vec<Resource>,
}

/// One change.
#[derive(Clone, Debug)]
pub(crate) struct AuditRecord {
    pub(crate) id: String,
    pub(crate) at: Timestamp,
    pub(crate) actor: Option<Resource>,
    /// `browser`, `oauth`, `api_token`, `identity_provider` or `other`.
    pub(crate) method: &'static str,
    pub(crate) truncated_token: Option<String>,
    pub(crate) root: Resource,
    /// `create`, `update` or `delete`.
    pub(crate) action: &'static str,
    pub(crate) fields: Vec<FieldChange>,
    pub(crate) references: Vec<ReferenceChange>,
}

/// Who makes the change that is being recorded.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) actor: Option<Resource>,
    pub(crate) method: &'static str,
    pub(crate) truncated_token: Option<String>,
}

impl Account {
    pub(crate) fn record(
        &mut self,
        origin: &Origin,
        root: Resource,
        action: &'static str,
        fields: Vec<FieldChange>,
        references: Vec<ReferenceChange>,
    ) {
        let id = self.ids.secret(24);
        self.audit.push(AuditRecord {
            id,
            at: self.now,
            actor: origin.actor.clone(),
            method: origin.method,
            truncated_token: origin.truncated_token.clone(),
            root,
            action,
            fields,
            references,
        });
    }

    pub(crate) fn user_resource(&self, id: &str) -> Resource {
        let summary = match (self.users.get(id), self.deleted.get(id)) {
            (Some(user), _) => user.name.clone(),
            (None, Some(deleted)) => deleted.name.clone(),
            (None, None) => String::new(),
        };
        Resource {
            id: id.to_owned(),
            kind: "user_reference",
            summary,
        }
    }
}
