//! What a tenant looked like in one run.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Params, Row, Statement, Transaction, named_params};

use super::{Coverage, Held, Person, ReportError, destination};
use crate::store::{ACCOUNTS, Run, Store, StoreError, Table};

/// A run that takes longer than this is told with its end: what it shows is not
/// of one moment.
const LONG: SignedDuration = SignedDuration::from_hours(1);

/// A tenant as one complete run saw it. What is written meanwhile is not seen:
/// all that is asked of a snapshot fits together.
#[derive(Debug)]
pub struct Snapshot<'s> {
    store: &'s Store,
    transaction: Transaction<'s>,
    run: Run,
    /// The oldest complete run: what was there then may be older.
    first_run: i64,
    coverage: Coverage,
}

impl<'s> Snapshot<'s> {
    pub(super) fn open(store: &'s Store, run: Run, first_run: i64) -> Result<Self, ReportError> {
        let transaction = store.connection().unchecked_transaction();
        let mut snapshot = Self {
            store,
            transaction: transaction.map_err(|error| store.failed(&error))?,
            run,
            first_run,
            coverage: Coverage::Missing,
        };
        let has_traces = snapshot.count(&format!(
            "SELECT EXISTS (SELECT 1 FROM last_activity l WHERE {})",
            at("l")
        ))?;
        snapshot.coverage = Coverage::of(&snapshot.run, has_traces > 0);
        Ok(snapshot)
    }

    /// Of which run.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// When what it shows was true: when the run began to read it.
    pub fn as_of(&self) -> Timestamp {
        self.run.began_at
    }

    /// When the run had read everything, if that took more than an hour.
    pub fn read_until(&self) -> Option<Timestamp> {
        read_until(&self.run)
    }

    /// What it means that there is no trace of somebody.
    pub fn coverage(&self) -> Coverage {
        self.coverage
    }

    /// All accounts, by name, then those that the vendor does not list, and says
    /// all the same that they hold something. Those that are gone are left out,
    /// unless the vendor still says that they hold something.
    pub fn people(
        &self,
        mut visit: impl FnMut(Person) -> Result<(), ReportError>,
    ) -> Result<(), ReportError> {
        let columns = Person::columns(self.first_run);
        let sql = format!(
            "SELECT {columns} FROM accounts a LEFT JOIN last_activity l ON l.account = a.id AND {}
             WHERE {} AND {LISTED}
             ORDER BY a.display_name COLLATE NOCASE, a.id",
            at("l"),
            at("a"),
        );
        self.each(&sql, &self.moment()[..], Person::read, &mut visit)?;
        let strays = format!(
            "SELECT g.account, {columns} FROM grants g
             LEFT JOIN accounts a ON a.id = g.account AND {}
             LEFT JOIN last_activity l ON l.account = g.account AND {}
             WHERE {} AND a.id IS NULL
             GROUP BY g.account ORDER BY g.account",
            at("a"),
            at("l"),
            at("g"),
        );
        let read = |row: &Row<'_>| Person::read_holder(row, "account");
        self.each(&strays, &self.moment()[..], read, visit)
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

    /// Whether a file may be written there: what is there must be a file, and none
    /// of the store's.
    pub(crate) fn may_write(&self, file: &std::path::Path) -> Result<(), ReportError> {
        destination::check(self.store.path(), file)
    }

    pub(super) fn first_run(&self) -> i64 {
        self.first_run
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

/// The run that was the first to see what a version is of, and since which no run
/// has missed it. Another version begins where something else is said of it.
pub(super) fn first_seen(table: &Table, version: &str) -> String {
    // A gone account has versions as well.
    let was_there = if table.name == ACCOUNTS.name {
        "AND earlier.last_seen_run IS NULL"
    } else {
        ""
    };
    format!(
        "(WITH RECURSIVE seen(run) AS (
             SELECT {version}.from_run
             UNION ALL
             SELECT earlier.from_run FROM seen JOIN {} earlier
             ON earlier.tenant = :tenant AND earlier.to_run = seen.run AND {} {was_there}
         ) SELECT min(run) FROM seen)",
        table.name,
        table.same_thing("earlier", version),
    )
}

/// When the run began that was the first to see it; null if that was the first
/// run of all, which may have found it long there.
pub(super) fn appeared(table: &Table, version: &str, first_run: i64) -> String {
    format!(
        "(SELECT began_at FROM runs WHERE id > {first_run} AND id = {})",
        first_seen(table, version)
    )
}

/// When a run had read everything, if that took so long that it matters.
pub(crate) fn read_until(run: &Run) -> Option<Timestamp> {
    run.ended_at
        .filter(|ended| ended.duration_since(run.began_at) > LONG)
}

/// Who has accepted what was not plausible about a run, and on which day.
pub(crate) fn accepted_by(run: &Run) -> Option<String> {
    let by = run.accepted_by.as_ref()?;
    Some(match run.accepted_at {
        Some(at) => format!("{by} on {}", at.strftime("%Y-%m-%d")),
        None => by.clone(),
    })
}

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
