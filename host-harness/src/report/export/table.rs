//! What is exported: the store's tables, as one run saw them.

use rusqlite::types::ValueRef;

use crate::report::{ReportError, Snapshot, snapshot::at};

/// One of the tables. Its name is that in the store.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [Column],
    /// How many of the columns are the key, from the left. Rows come in its order.
    key: usize,
}

/// A column; its name is that in the store.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) holds: Holds,
    pub(super) may_be_empty: bool,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Holds {
    Text,
    /// A JSON object, as text.
    Json,
    /// RFC 3339, as text.
    Time,
    Flag,
    Number,
}

/// What stands in a column of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell<'r> {
    Empty,
    Text(&'r str),
    Flag(bool),
    Number(i64),
}

const fn column(name: &'static str, holds: Holds) -> Column {
    Column {
        name,
        holds,
        may_be_empty: false,
    }
}

const fn optional(name: &'static str, holds: Holds) -> Column {
    Column {
        name,
        holds,
        may_be_empty: true,
    }
}

pub(super) const TABLES: [Table; 5] = [
    Table {
        name: "accounts",
        key: 1,
        columns: &[
            column("id", Holds::Text),
            optional("email", Holds::Text),
            optional("given_name", Holds::Text),
            optional("family_name", Holds::Text),
            column("display_name", Holds::Text),
            column("status", Holds::Text),
            column("kind", Holds::Text),
            column("attributes", Holds::Json),
            optional("last_seen_run", Holds::Number),
        ],
    },
    Table {
        name: "resources",
        key: 2,
        columns: &[
            column("resource_type", Holds::Text),
            column("id", Holds::Text),
            column("label", Holds::Text),
            optional("description", Holds::Text),
        ],
    },
    Table {
        name: "entitlements",
        key: 4,
        columns: &[
            column("entitlement_type", Holds::Text),
            column("resource_type", Holds::Text),
            column("resource", Holds::Text),
            column("id", Holds::Text),
            column("label", Holds::Text),
            optional("description", Holds::Text),
            column("assignable", Holds::Flag),
            optional("available", Holds::Number),
        ],
    },
    Table {
        name: "grants",
        key: 5,
        columns: &[
            column("account", Holds::Text),
            column("entitlement_type", Holds::Text),
            column("resource_type", Holds::Text),
            column("resource", Holds::Text),
            column("entitlement", Holds::Text),
            optional("since", Holds::Time),
        ],
    },
    Table {
        name: "last_activity",
        key: 1,
        columns: &[
            column("account", Holds::Text),
            column("kind", Holds::Text),
            column("at", Holds::Time),
            column("source", Holds::Text),
        ],
    },
];

impl Table {
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.columns.iter().map(|column| column.name)
    }

    /// Visits the rows by key, one after the other, and counts them.
    pub(super) fn visit(
        &self,
        snapshot: &Snapshot<'_>,
        mut visit: impl FnMut(&[Cell<'_>]) -> Result<(), ReportError>,
    ) -> Result<u64, ReportError> {
        let names: Vec<&str> = self.names().collect();
        let sql = format!(
            "SELECT {} FROM {} t WHERE {} ORDER BY {}",
            names.join(", "),
            self.name,
            at("t"),
            names[..self.key].join(", "),
        );
        let mut rows = 0;
        snapshot.each_row(&sql, |row| {
            let cells = self.columns.iter().enumerate().map(|(at, column)| {
                let cell = row.get_ref(at).and_then(|value| cell(value, column.holds));
                Ok(cell.map_err(|error| snapshot.failed(&error))?)
            });
            let cells = cells.collect::<Result<Vec<_>, ReportError>>()?;
            rows += 1;
            visit(&cells)
        })?;
        Ok(rows)
    }
}

/// The tables are strict: what a column does not hold, it can't hold.
fn cell(value: ValueRef<'_>, holds: Holds) -> rusqlite::Result<Cell<'_>> {
    Ok(match value {
        ValueRef::Integer(number) if holds == Holds::Flag => Cell::Flag(number != 0),
        ValueRef::Integer(number) => Cell::Number(number),
        ValueRef::Text(_) => Cell::Text(value.as_str()?),
        ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => Cell::Empty,
    })
}
