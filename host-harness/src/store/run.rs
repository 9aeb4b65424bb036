//! Tenants and runs, as the store has them.

use jiff::Timestamp;
use rusqlite::{Row, named_params, types::Type};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Changes, Store, StoreError};
use crate::contract::types::Notice;

/// A tenant that the store knows.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct StoredTenant {
    /// Its number in the store.
    pub id: i64,
    /// The operator's name for it, unique in the store.
    pub name: String,
    /// Which connector reads it, for example `pagerduty`.
    pub app_id: String,
    /// What the vendor calls it.
    pub vendor_id: String,
}

/// One sync of one tenant.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Run {
    /// Unique in the store; grows.
    pub id: i64,
    /// Of which tenant.
    pub tenant: StoredTenant,
    /// How far it is.
    pub state: RunState,
    /// When it began.
    pub began_at: Timestamp,
    /// When it ended, if it has.
    pub ended_at: Option<Timestamp>,
    /// Version of the connector.
    pub connector_version: String,
    /// Digest of the connector's component, in hexadecimal.
    pub component_sha256: String,
    /// Requests that reached the vendor.
    pub requests: u64,
    /// Requests that were answered by what the vendor had said before.
    pub cached: u64,
    /// What is left out, and why.
    pub notices: Vec<StoredNotice>,
    /// What was not plausible.
    pub findings: Vec<Finding>,
    /// Who accepted the findings, if somebody did.
    pub accepted_by: Option<String>,
    /// When they did.
    pub accepted_at: Option<Timestamp>,
    /// What has become different with it, by kind, if it is complete.
    pub changes: Vec<Changes>,
    /// Digest of whose credential read it, with which settings, from where.
    #[serde(skip)]
    pub(crate) read_as: String,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Under way, or cut off and to be resumed.
    Running,
    /// Its rows are the tenant's snapshot.
    Complete,
    /// What it saw is not plausible: it has replaced nothing.
    Refused,
    /// Somebody has begun anew.
    Abandoned,
}

impl RunState {
    /// As the store has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Refused => "refused",
            Self::Abandoned => "abandoned",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [
            Self::Running,
            Self::Complete,
            Self::Refused,
            Self::Abandoned,
        ]
        .into_iter()
        .find(|state| state.as_str() == text)
    }
}

/// What a run leaves out, and why: a notice of the connector.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct StoredNotice {
    /// Stable, in kebab case.
    pub code: String,
    /// One sentence for an operator.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl From<Notice> for StoredNotice {
    fn from(notice: Notice) -> Self {
        Self {
            code: notice.code,
            message: notice.message,
            hint: notice.hint,
        }
    }
}

/// Something that is not plausible about what a run saw.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// Which check, in kebab case.
    pub check: String,
    /// Whether the run may replace the snapshot.
    pub severity: Severity,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub hint: String,
    /// Some of the rows.
    pub examples: Vec<String>,
}

/// What a finding means for its run.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It is refused, unless somebody accepts it.
    Error,
    /// Worth knowing.
    Warning,
}

/// How far a run is with one function of the connector.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Checkpoint {
    /// For example `directory.list-accounts`.
    pub function: String,
    /// Pages that were read.
    pub pages: u64,
    /// Rows on them.
    pub rows: u64,
    /// Token of the next page; none before the first and after the last.
    #[serde(skip)]
    pub next: Option<String>,
    /// Whether there are no more.
    pub done: bool,
    /// Digest of the component that gave the token.
    pub component_sha256: String,
}

const RUNS: &str = "
    SELECT runs.id, runs.state, runs.began_at, runs.ended_at, runs.connector_version,
           runs.component_sha256, runs.requests, runs.cached, runs.notices, runs.findings,
           runs.accepted_by, runs.accepted_at, runs.changes, runs.read_as, tenants.id AS tenant, tenants.name, tenants.app_id, tenants.vendor_id
    FROM runs JOIN tenants ON tenants.id = runs.tenant";

impl Store {
    /// All runs, or those of a tenant by its name, the oldest first.
    pub fn runs(&self, tenant: Option<&str>) -> Result<Vec<Run>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare(&format!(
                "{RUNS} WHERE :tenant IS NULL OR tenants.name = :tenant ORDER BY runs.id"
            ))?;
            let rows = statement.query_map(named_params! { ":tenant": tenant }, read_run)?;
            rows.collect()
        })
    }

    /// The tenants, by name.
    pub fn tenants(&self) -> Result<Vec<StoredTenant>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare(
                "SELECT id AS tenant, name, app_id, vendor_id FROM tenants ORDER BY name",
            )?;
            let rows = statement.query_map([], read_tenant)?;
            rows.collect()
        })
    }

    /// How far a run is, or how much it has read, function by function.
    pub fn checkpoints(&self, run: i64) -> Result<Vec<Checkpoint>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare(
                "SELECT function, pages, rows, next, done, component_sha256 FROM checkpoints
                 WHERE run = ?1 ORDER BY function",
            )?;
            let rows = statement.query_map([run], |row| {
                Ok(Checkpoint {
                    function: row.get("function")?,
                    pages: row.get("pages")?,
                    rows: row.get("rows")?,
                    next: row.get("next")?,
                    done: row.get("done")?,
                    component_sha256: row.get("component_sha256")?,
                })
            })?;
            rows.collect()
        })
    }
}

fn read_run(row: &Row<'_>) -> rusqlite::Result<Run> {
    Ok(Run {
        id: row.get("id")?,
        tenant: read_tenant(row)?,
        state: parsed(row, "state", RunState::parse)?,
        began_at: parsed(row, "began_at", |text| text.parse().ok())?,
        ended_at: time(row, "ended_at")?,
        connector_version: row.get("connector_version")?,
        component_sha256: row.get("component_sha256")?,
        requests: row.get("requests")?,
        cached: row.get("cached")?,
        notices: json(row, "notices")?,
        findings: json(row, "findings")?,
        accepted_by: row.get("accepted_by")?,
        accepted_at: time(row, "accepted_at")?,
        changes: json(row, "changes")?,
        read_as: row.get("read_as")?,
    })
}

fn time(row: &Row<'_>, column: &'static str) -> rusqlite::Result<Option<Timestamp>> {
    match row.get::<_, Option<String>>(column)? {
        None => Ok(None),
        Some(_) => Ok(Some(parsed(row, column, |text| text.parse().ok())?)),
    }
}

pub(super) fn read_tenant(row: &Row<'_>) -> rusqlite::Result<StoredTenant> {
    Ok(StoredTenant {
        id: row.get("tenant")?,
        name: row.get("name")?,
        app_id: row.get("app_id")?,
        vendor_id: row.get("vendor_id")?,
    })
}

fn json<T: DeserializeOwned>(row: &Row<'_>, column: &'static str) -> rusqlite::Result<T> {
    parsed(row, column, |text| serde_json::from_str(text).ok())
}

fn parsed<T>(
    row: &Row<'_>,
    column: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    parse(&text).ok_or_else(|| {
        let why = format!("the column `{column}` holds something else than it should");
        rusqlite::Error::FromSqlConversionFailure(0, Type::Text, why.into())
    })
}
