//! The schema, and how a store gets from an earlier one to it.

use rusqlite::{Connection, TransactionBehavior};

/// What brings a store from each schema to the next one. Their number is the
/// schema of today. One that was released is never changed: a further one is
/// added.
const STEPS: [&str; 1] = [include_str!("schema.sql")];

/// Marks a database as a store (SQLite: `application_id`): "IGAs" in ASCII.
pub(super) const APPLICATION_ID: i64 = 0x4947_4173;

/// The schema of today.
pub(super) const KNOWN: i64 = STEPS.len() as i64;

/// What a database says of itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Found {
    /// Nothing is in it.
    Empty,
    /// It is a store, with that schema.
    Store(i64),
    /// It is somebody else's.
    Foreign,
}

pub(super) fn found(connection: &Connection) -> rusqlite::Result<Found> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    if number("application_id")? == APPLICATION_ID {
        return Ok(Found::Store(number("user_version")?));
    }
    let objects: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(if objects == 0 {
        Found::Empty
    } else {
        Found::Foreign
    })
}

/// Brings a store to the schema of today, in one transaction. Whoever comes
/// second finds it done.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let from = match found(&transaction)? {
        Found::Store(schema) => usize::try_from(schema).unwrap_or(0),
        Found::Empty | Found::Foreign => 0,
    };
    for step in STEPS.iter().skip(from) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", KNOWN)?;
    transaction.commit()
}
