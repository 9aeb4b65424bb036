//! What an account holds, in people's words.

use rusqlite::Row;

use super::snapshot::{at, first_seen};
use crate::store::GRANTS;

/// Kinds of access that mean: people are woken by it. To take such an account
/// away leaves a hole in a rota. The names are those that connectors share.
const ON_CALL: [&str; 2] = [SCHEDULE, "escalation-policy-membership"];
const SCHEDULE: &str = "schedule-membership";

/// A grant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Held {
    /// The kind of access, for example `team-membership`.
    pub entitlement_type: String,
    /// Vendor identifier of the entitlement.
    pub entitlement: String,
    /// Its label; the identifier where the vendor does not list it.
    pub label: String,
    /// The kind of resource, for example `team`.
    pub resource_type: String,
    /// Vendor identifier of the resource; empty for the tenant itself.
    pub resource: String,
    /// Its label; the identifier where the vendor does not list it.
    pub resource_label: String,
    /// Since when, where the vendor says. RFC 3339.
    pub since: Option<String>,
    /// When the run began that saw it first, and since which no run has missed it.
    /// RFC 3339.
    pub first_seen: String,
    /// Whether that was the first run of all: it may be much older.
    pub was_there_before: bool,
}

impl Held {
    /// Of [`tables`](Self::tables).
    pub(super) const COLUMNS: &str = "g.entitlement_type, g.entitlement, g.resource_type, g.resource, g.since, \
         f.id AS seen_by, f.began_at AS first_seen, e.label AS label, r.label AS resource_label";

    /// Grants `g`, with the run `f` that saw them first, and their entitlement
    /// `e` and resource `r`, if those are known.
    pub(super) fn tables() -> String {
        format!(
            "grants g JOIN runs f ON f.id = {}
             LEFT JOIN entitlements e ON e.entitlement_type = g.entitlement_type
                 AND e.resource_type = g.resource_type AND e.resource = g.resource
                 AND e.id = g.entitlement AND {}
             LEFT JOIN resources r ON r.resource_type = g.resource_type AND r.id = g.resource
                 AND {}",
            first_seen(&GRANTS, "g"),
            at("e"),
            at("r"),
        )
    }

    pub(super) fn read(row: &Row<'_>, first_run: i64) -> rusqlite::Result<Self> {
        let entitlement: String = row.get("entitlement")?;
        let resource: String = row.get("resource")?;
        Ok(Self {
            entitlement_type: row.get("entitlement_type")?,
            label: row
                .get::<_, Option<String>>("label")?
                .unwrap_or_else(|| entitlement.clone()),
            entitlement,
            resource_type: row.get("resource_type")?,
            resource_label: row
                .get::<_, Option<String>>("resource_label")?
                .unwrap_or_else(|| resource.clone()),
            resource,
            since: row.get("since")?,
            first_seen: row.get("first_seen")?,
            was_there_before: row.get::<_, i64>("seen_by")? <= first_run,
        })
    }

    /// The kind of access in people's words: `team membership`.
    pub fn kind(&self) -> String {
        words(&self.entitlement_type)
    }

    /// `Responder on Payments`; what is the tenant's own goes without.
    pub fn told(&self) -> String {
        told(&self.label, &self.resource, &self.resource_label)
    }
}

/// What an account is on call by.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Duties {
    /// Labels of schedules that it takes turns on.
    pub schedules: Vec<String>,
    /// Labels of escalation policies that name it.
    pub policies: Vec<String>,
}

impl Duties {
    /// Those among what somebody holds.
    pub fn among(held: &[Held]) -> Self {
        let mut duties = Self::default();
        for grant in held {
            if !ON_CALL.contains(&grant.entitlement_type.as_str()) {
                continue;
            }
            let list = match grant.entitlement_type.as_str() {
                SCHEDULE => &mut duties.schedules,
                _ => &mut duties.policies,
            };
            list.push(grant.resource_label.clone());
        }
        duties
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.schedules.len() + self.policies.len()
    }

    /// The condition that a grant `g` is one.
    pub(super) fn condition() -> String {
        let quoted: Vec<String> = ON_CALL.iter().map(|kind| format!("'{kind}'")).collect();
        format!("g.entitlement_type IN ({})", quoted.join(", "))
    }
}

/// `team-membership` as people write it.
pub(super) fn words(name: &str) -> String {
    name.replace(['-', '_'], " ")
}

pub(super) fn told(label: &str, resource: &str, resource_label: &str) -> String {
    if resource.is_empty() {
        label.to_owned()
    } else {
        format!("{label} on {resource_label}")
    }
}
