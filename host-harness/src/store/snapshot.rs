//! A run ends: what it has read becomes the tenant's snapshot, or does not.

use rusqlite::{Transaction, named_params, params};
use serde::{Deserialize, Serialize};

use super::{
    Finding, RunState, Store, StoreError,
    lifecycle::{forget_answers, forget_staged, now},
    tables::{ACCOUNTS, TABLES, Table},
};

/// What has become different with a run, of one kind of thing.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Changes {
    /// `accounts`, `resources`, `entitlements`, `grants` or `last_activity`.
    pub of: String,
    /// How many there are.
    pub total: u64,
    /// How many are new.
    pub added: u64,
    /// How many are not as they were.
    pub changed: u64,
    /// How many are gone. A gone account stays, as deprovisioned.
    pub removed: u64,
}

impl Store {
    /// Makes a run the tenant's snapshot, in one transaction: whoever reads sees
    /// all of the one before, or all of this one. Rows that did not change are
    /// left as they are, so runs share them.
    pub(crate) fn complete(
        &mut self,
        run: i64,
        tenant: i64,
        previous: Option<i64>,
        findings: &[Finding],
        accepted_by: Option<&str>,
    ) -> Result<Vec<Changes>, StoreError> {
        self.wait_for_the_disk(true)?;
        let changes = self.in_transaction(|transaction| {
            let mut changes = Vec::with_capacity(TABLES.len());
            for table in &TABLES {
                changes.push(swap_in(transaction, table, run, tenant, previous)?);
            }
            end(transaction, run, RunState::Complete, findings)?;
            transaction.execute(
                "UPDATE runs SET changes = ?2, accepted_by = ?3, accepted_at = ?4 WHERE id = ?1",
                params![
                    run,
                    serde_json::to_string(&changes).expect("texts are JSON"),
                    accepted_by,
                    accepted_by.map(|_| now()),
                ],
            )?;
            forget_staged(transaction, run)?;
            Ok(changes)
        })?;
        self.wait_for_the_disk(false)?;
        Ok(changes)
    }

    /// Ends a run without replacing anything. What it has read stays, for
    /// somebody to accept.
    pub(crate) fn refuse(&mut self, run: i64, findings: &[Finding]) -> Result<(), StoreError> {
        self.in_transaction(|transaction| {
            end(transaction, run, RunState::Refused, findings)?;
            forget_answers(transaction, run)
        })
    }
}

/// A run that was refused has ended already: when it read is what counts.
fn end(
    transaction: &Transaction<'_>,
    run: i64,
    state: RunState,
    findings: &[Finding],
) -> rusqlite::Result<()> {
    let findings = serde_json::to_string(findings).expect("texts are JSON");
    transaction.execute(
        "UPDATE runs SET state = ?2, ended_at = coalesce(ended_at, ?3), findings = ?4
         WHERE id = ?1",
        params![run, state.as_str(), now(), findings],
    )?;
    Ok(())
}

/// Turns the staged rows of a table into versions, by set operations: how many
/// there are makes no difference to the memory.
fn swap_in(
    transaction: &Transaction<'_>,
    table: &Table,
    run: i64,
    tenant: i64,
    previous: Option<i64>,
) -> rusqlite::Result<Changes> {
    let (name, columns) = (table.name, table.columns());
    let listed = format!(
        "EXISTS (SELECT 1 FROM staged_{name} AS seen WHERE seen.run = :run AND {})",
        table.same_thing("seen", name),
    );
    let unchanged = format!(
        "EXISTS (SELECT 1 FROM staged_{name} AS seen WHERE seen.run = :run AND {} AND {})",
        table.same_thing("seen", name),
        table.says_the_same("seen", name),
    );
    let is_accounts = name == ACCOUNTS.name;
    let over = if is_accounts {
        // One that is gone stays so until it is listed again.
        format!("CASE WHEN last_seen_run IS NULL THEN NOT {unchanged} ELSE {listed} END")
    } else {
        format!("NOT {unchanged}")
    };
    let of_both = named_params! { ":run": run, ":tenant": tenant };
    let closed = transaction.execute(
        &format!(
            "UPDATE {name} SET to_run = :run
             WHERE tenant = :tenant AND to_run IS NULL AND {over}"
        ),
        of_both,
    )?;
    let count = |sql: &str| transaction.query_row(sql, of_both, |row| row.get::<_, u64>(0));
    let changed = count(&format!(
        "SELECT count(*) FROM {name} WHERE tenant = :tenant AND to_run = :run AND {listed}"
    ))?;
    if is_accounts {
        transaction.execute(
            &format!(
                "INSERT INTO accounts
                     (tenant, id, from_run, email, given_name, family_name, display_name, status,
                      kind, attributes, last_seen_run)
                 SELECT tenant, id, :run, email, given_name, family_name, display_name,
                        'deprovisioned', kind, attributes, :previous
                 FROM accounts
                 WHERE tenant = :tenant AND to_run = :run AND NOT {listed}"
            ),
            named_params! { ":run": run, ":tenant": tenant, ":previous": previous },
        )?;
    }
    let inserted = transaction.execute(
        &format!(
            "INSERT INTO {name} (tenant, from_run, {columns})
             SELECT :tenant, :run, {columns} FROM staged_{name} AS seen
             WHERE seen.run = :run AND NOT EXISTS (
                 SELECT 1 FROM {name} AS known
                 WHERE known.tenant = :tenant AND {} AND known.to_run IS NULL)",
            table.same_thing("known", "seen"),
        ),
        of_both,
    )?;
    let total = transaction.query_row(
        &format!("SELECT count(*) FROM staged_{name} WHERE run = ?1"),
        [run],
        |row| row.get(0),
    )?;
    Ok(Changes {
        of: table.name.to_owned(),
        total,
        added: (inserted as u64).saturating_sub(changed),
        changed,
        removed: (closed as u64).saturating_sub(changed),
    })
}
