//! What a tenant looked like in one run.

use jiff::Timestamp;
use rusqlite::{Params, Row, Statement, Transaction, named_params};

use super::{Held, Person, ReportError};
use crate::store::{Run, Store, StoreError};

/// A tenant as one complete run saw it. What is written meanwhile is not seen:
/// all that is asked of a snapshot fits together.
#[derive(Debug)]
pub struct Snapshot<'s> {
    store: &'s Store,
    transaction: Transaction<'s>,
    run: Run,
    /// The oldest complete run: what was there then may be older.
    first_run: i64,
}

impl<'s> Snapshot<'s> {
    pub(super) fn open(store: &'s Store, run: Run, first_run: i64) -> Result<Self, ReportError> {
        let transaction = store.connection().unchecked_transaction();
        Ok(Self {
            store,
            transaction: transaction.map_err(|error| store.failed(&error))?,
            run,
            first_run,
        })
    }

    /// Of which run.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// When what it shows was true: when the run ended.
    pub fn as_of(&self) -> Timestamp {
        self.run.ended_at.unwrap_or(self.run.began_at)
    }

    /// Whether the run could tell of anybody when they were last seen. If not,
    /// no trace of somebody means nothing.
    pub fn knows_activity(&self) -> Result<bool, ReportError> {
        let sql = format!("SELECT 1 FROM last_activity l WHERE {} LIMIT 1", at("l"));
        let mut knows = false;
        self.each(
            &sql,
            &self.moment()[..],
            |_| Ok(()),
            |()| {
                knows = true;
                Ok(())
            },
        )?;
        Ok(knows)
    }

    /// All accounts, by name. Those that are gone are left out, unless the vendor
    /// still says that they hold something.
    pub fn people(
        &self,
        visit: impl FnMut(Person) -> Result<(), ReportError>,
    ) -> Result<(), ReportError> {
        let sql = format!(
            "SELECT {} FROM accounts a LEFT JOIN last_activity l ON l.account = a.id AND {}
             WHERE {} AND {LISTED}
             ORDER BY a.display_name COLLATE NOCASE, a.id",
            Person::COLUMNS,
            at("l"),
            at("a"),
        );
        self.each(&sql, &self.moment()[..], Person::read, visit)
    }

    /// What accounts hold.
    pub fn holdings(&self) -> Result<Holdings<'_>, ReportError> {
        let sql = format!(
            "SELECT {} FROM {} WHERE g.account = :account AND {}
             ORDER BY g.resource <> '', g.entitlement_type, r.label COLLATE NOCASE, g.resource,
                      e.label COLLATE NOCASE, g.entitlement",
            Held::COLUMNS,
            Held::tables(),
            at("g"),
        );
        let statement = self.transaction.prepare(&sql);
        Ok(Holdings {
            statement: statement.map_err(|error| self.failed(&error))?,
            snapshot: self,
        })
    }

    /// The parameters of [`at`].
    pub(super) fn moment(&self) -> [(&'static str, i64); 2] {
        [(":tenant", self.run.tenant.id), (":run", self.run.id)]
    }

    /// The count that a query answers with.
    pub(super) fn count(&self, sql: &str) -> Result<u64, ReportError> {
        let mut count = 0;
        self.each(
            sql,
            &self.moment()[..],
            |row| row.get(0),
            |found| {
                count = found;
                Ok(())
            },
        )?;
        Ok(count)
    }

    /// What an error of the database means.
    pub(super) fn failed(&self, error: &rusqlite::Error) -> StoreError {
        self.store.failed(error)
    }

    /// Visits the rows of a query, one after the other.
    pub(super) fn each<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
        visit: impl FnMut(T) -> Result<(), ReportError>,
    ) -> Result<(), ReportError> {
        each(self.store, &self.transaction, sql, params, read, visit)
    }

    /// The same for whoever looks at the row itself.
    pub(super) fn each_row(
        &self,
        sql: &str,
        visit: impl FnMut(&Row<'_>) -> Result<(), ReportError>,
    ) -> Result<(), ReportError> {
        each_row(
            self.store,
            &self.transaction,
            sql,
            &self.moment()[..],
            visit,
        )
    }
}

/// What accounts hold; asked account by account.
#[derive(Debug)]
pub struct Holdings<'t> {
    statement: Statement<'t>,
    snapshot: &'t Snapshot<'t>,
}

impl Holdings<'_> {
    /// What that account holds: what is the tenant's own first, then by kind.
    pub fn of(&mut self, account: &str) -> Result<Vec<Held>, ReportError> {
        let (run, first_run) = (&self.snapshot.run, self.snapshot.first_run);
        let params = named_params! {
            ":tenant": run.tenant.id, ":run": run.id, ":account": account,
        };
        let rows = self
            .statement
            .query_map(params, |row| Held::read(row, first_run));
        rows.and_then(Iterator::collect)
            .map_err(|error| self.snapshot.failed(&error).into())
    }
}

/// Visits the rows of a query, one after the other.
pub(super) fn each<T>(
    store: &Store,
    transaction: &Transaction<'_>,
    sql: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    mut visit: impl FnMut(T) -> Result<(), ReportError>,
) -> Result<(), ReportError> {
    each_row(store, transaction, sql, params, |row| {
        visit(read(row).map_err(|error| store.failed(&error))?)
    })
}

fn each_row(
    store: &Store,
    transaction: &Transaction<'_>,
    sql: &str,
    params: impl Params,
    mut visit: impl FnMut(&Row<'_>) -> Result<(), ReportError>,
) -> Result<(), ReportError> {
    let failed = |error| store.failed(&error);
    let mut statement = transaction.prepare(sql).map_err(failed)?;
    let mut rows = statement.query(params).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        visit(row)?;
    }
    Ok(())
}

/// Accounts `a` that are there, or that somebody believes to be.
pub(super) const LISTED: &str = "(a.status NOT IN ('deprovisioned', 'deleted') OR EXISTS (
    SELECT 1 FROM grants h WHERE h.tenant = :tenant AND h.account = a.id
    AND h.from_run <= :run AND (h.to_run IS NULL OR h.to_run > :run)))";

/// The condition that a row of a versioned table holds in the run `:run`.
pub(super) fn at(alias: &str) -> String {
    at_run(alias, ":run")
}

/// The same for a run by another name.
pub(super) fn at_run(alias: &str, run: &str) -> String {
    format!(
        "({alias}.tenant = :tenant AND {alias}.from_run <= {run} \
         AND ({alias}.to_run IS NULL OR {alias}.to_run > {run}))"
    )
}
