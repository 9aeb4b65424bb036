//! What a store holds after a run: how many rows of each kind, and which ones.

use std::collections::BTreeMap;

use rusqlite::types::ValueRef;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::population::Population;
use crate::store::{
    ACCOUNTS, ENTITLEMENTS, GRANTS, LAST_ACTIVITY, RESOURCES, Run, RunState, Store, StoreError,
};

/// Base roles that PagerDuty has.
const ROLES: u64 = 8;
/// Roles on each team.
const TEAM_ROLES: u64 = 3;

/// The rows of a tenant's snapshot.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(super) struct Rows {
    /// How many of each kind.
    #[serde(flatten)]
    pub(super) counts: BTreeMap<String, u64>,
    /// Digest of what they are about: of all keys, by kind.
    #[serde(skip)]
    keys: BTreeMap<String, String>,
    /// Grants by type.
    #[serde(skip)]
    grants: BTreeMap<String, u64>,
}

impl Rows {
    /// Those of the only run of a store, and that run, if it is complete.
    pub(super) fn read(store: &Store) -> Result<Option<(Self, Run)>, StoreError> {
        let mut runs = store.runs(None)?;
        let Some(run) = runs.pop().filter(|run| run.state == RunState::Complete) else {
            return Ok(None);
        };
        let mut rows = Self {
            counts: BTreeMap::new(),
            keys: BTreeMap::new(),
            grants: BTreeMap::new(),
        };
        for table in [
            &ACCOUNTS,
            &RESOURCES,
            &ENTITLEMENTS,
            &GRANTS,
            &LAST_ACTIVITY,
        ] {
            let keys = table.keys.join(", ");
            let sql = format!(
                "SELECT {keys} FROM {} WHERE to_run IS NULL ORDER BY {keys}",
                table.name
            );
            let (count, digest) = store.read(|connection| {
                let mut statement = connection.prepare(&sql)?;
                let mut found = statement.query([])?;
                let (mut count, mut digest) = (0, Sha256::new());
                while let Some(row) = found.next()? {
                    count += 1;
                    for column in 0..table.keys.len() {
                        if let ValueRef::Text(text) = row.get_ref(column)? {
                            digest.update(text);
                        }
                        // Or `ab`, `c` would be `a`, `bc`.
                        digest.update([0]);
                    }
                }
                Ok((count, digest.finalize()))
            })?;
            let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            rows.counts.insert(table.name.to_owned(), count);
            rows.keys.insert(table.name.to_owned(), digest);
        }
        rows.grants = store.read(|connection| {
            let mut statement = connection.prepare(
                "SELECT entitlement_type, count(*) FROM grants WHERE to_run IS NULL GROUP BY 1",
            )?;
            let types = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            types.collect()
        })?;
        Ok(Some((rows, run)))
    }

    /// All of them.
    pub(super) fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// What is missing, or too much, of a tenant like that.
    pub(super) fn against(&self, tenant: &Population) -> Option<String> {
        let places =
            tenant.teams + tenant.schedules + tenant.shift_schedules + tenant.escalation_policies;
        let counted = |name: &str| self.counts.get(name).copied().unwrap_or(0);
        let granted = |kind: &str| self.grants.get(kind).copied().unwrap_or(0);
        let expected = [
            ("accounts", counted("accounts"), tenant.users),
            ("resources", counted("resources"), 1 + places),
            (
                "entitlements",
                counted("entitlements"),
                ROLES + tenant.licenses + places + (TEAM_ROLES - 1) * tenant.teams,
            ),
            ("roles", granted("role"), tenant.users),
            ("licences", granted("license"), tenant.users),
            (
                "team memberships",
                granted("team-membership"),
                tenant.team_memberships,
            ),
        ];
        let wrong = expected
            .iter()
            .find(|(_, found, expected)| found != expected);
        wrong.map(|(what, found, expected)| format!("{found} {what} instead of {expected}"))
    }

    /// Where two are not the same.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        self.keys.iter().find_map(|(name, digest)| {
            let is_same = other.keys.get(name) == Some(digest);
            let count = |rows: &Self| rows.counts.get(name).copied().unwrap_or(0);
            (!is_same).then(|| {
                format!(
                    "{}: {} rows and {}, or not the same ones",
                    name,
                    count(self),
                    count(other)
                )
            })
        })
    }
}
