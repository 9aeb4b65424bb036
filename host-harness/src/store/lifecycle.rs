//! Tenants and runs begin and end.

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use rusqlite::{Transaction, params};

use super::{
    Run, RunState, Store, StoreError, StoredNotice, StoredTenant, staging::add_notices,
    tables::TABLES,
};

/// What a run is begun with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunBy<'a> {
    /// Version of the connector.
    pub(crate) version: &'a str,
    /// Digest of its component.
    pub(crate) sha256: &'a str,
    /// Digest of whose credential reads, with which settings, from where.
    pub(crate) read_as: &'a str,
}

impl Store {
    /// The tenant of that name, if the store knows it.
    pub(crate) fn tenant(&self, name: &str) -> Result<Option<StoredTenant>, StoreError> {
        let mut tenants = self.tenants()?.into_iter();
        Ok(tenants.find(|tenant| tenant.name == name))
    }

    /// Enters a tenant. If it is there already, it stays as it is.
    pub(crate) fn enter_tenant(
        &mut self,
        name: &str,
        app_id: &str,
        vendor_id: &str,
    ) -> Result<StoredTenant, StoreError> {
        self.in_transaction(|transaction| {
            transaction.execute(
                "INSERT INTO tenants (name, app_id, vendor_id, created_at)
                 VALUES (?1, ?2, ?3, ?4) ON CONFLICT (name) DO NOTHING",
                params![name, app_id, vendor_id, now()],
            )?;
            transaction.query_row(
                "SELECT id AS tenant, name, app_id, vendor_id FROM tenants WHERE name = ?1",
                [name],
                super::run::read_tenant,
            )
        })
    }

    /// The latest run of a tenant.
    pub(crate) fn latest_run(&self, tenant: &StoredTenant) -> Result<Option<Run>, StoreError> {
        Ok(self.runs(Some(&tenant.name))?.pop())
    }

    /// The tenant's snapshot.
    pub(crate) fn latest_complete(&self, tenant: &StoredTenant) -> Result<Option<Run>, StoreError> {
        let mut runs = self.runs(Some(&tenant.name))?.into_iter();
        Ok(runs.rfind(|run| run.state == RunState::Complete))
    }

    /// Begins a run. One that was under way is abandoned, and what an earlier one
    /// has left is forgotten.
    pub(crate) fn begin_run(
        &mut self,
        tenant: &StoredTenant,
        by: RunBy<'_>,
        notices: &[StoredNotice],
    ) -> Result<i64, StoreError> {
        self.in_transaction(|transaction| {
            let mut earlier = transaction.prepare(
                "SELECT id FROM runs WHERE tenant = ?1 AND state IN ('running', 'refused')",
            )?;
            let earlier: Vec<i64> = earlier
                .query_map([tenant.id], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            for run in earlier {
                forget_staged(transaction, run)?;
            }
            transaction.execute(
                "UPDATE runs SET state = 'abandoned', ended_at = ?2
                 WHERE tenant = ?1 AND state = 'running'",
                params![tenant.id, now()],
            )?;
            transaction.execute(
                "INSERT INTO runs (tenant, state, began_at, connector_version, component_sha256,
                                   read_as)
                 VALUES (?1, 'running', ?2, ?3, ?4, ?5)",
                params![tenant.id, now(), by.version, by.sha256, by.read_as],
            )?;
            let run = transaction.last_insert_rowid();
            add_notices(transaction, run, notices)?;
            Ok(run)
        })
    }

    /// Notes who goes on with a run.
    pub(crate) fn resume_run(&mut self, run: i64, by: RunBy<'_>) -> Result<(), StoreError> {
        self.in_transaction(|transaction| {
            transaction.execute(
                "UPDATE runs SET connector_version = ?2, component_sha256 = ?3 WHERE id = ?1",
                params![run, by.version, by.sha256],
            )?;
            Ok(())
        })
    }
}

/// Forgets what a run has read. Its checkpoints stay, for what they count.
pub(super) fn forget_staged(transaction: &Transaction<'_>, run: i64) -> rusqlite::Result<()> {
    let staged = TABLES.iter().map(|table| format!("staged_{}", table.name));
    let besides = ["staged_duplicates", "staged_suspects"].map(str::to_owned);
    for table in staged.chain(besides) {
        transaction.execute(&format!("DELETE FROM {table} WHERE run = ?1"), [run])?;
    }
    forget_answers(transaction, run)
}

/// Forgets what the vendor has answered to a run.
pub(super) fn forget_answers(transaction: &Transaction<'_>, run: i64) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM answers WHERE run = ?1", [run])?;
    Ok(())
}

/// The present, as the store has times: to the second, and never ahead of it.
pub(super) fn now() -> String {
    let now = Timestamp::now();
    let seconds = TimestampRound::new()
        .smallest(Unit::Second)
        .mode(RoundMode::Trunc);
    now.round(seconds).unwrap_or(now).to_string()
}
