//! Accounts that the lists disagree about, and so are looked at one by one.
//!
//! Lists move while they are read. An account that was created meanwhile holds
//! something and was not listed; one that left was listed and holds nothing; and
//! one that another's deletion has moved over the edge of a page was not listed
//! at all. The vendor is asked for each of them: what is in the snapshot and was
//! not listed is gone only if the vendor says so.

use rusqlite::{Connection, named_params};

use super::integrity::{Expected, GONE, OUT_OF_BOUNDS, most};

/// Accounts that hold something and were not listed. (As sets: to look up the account
/// of each grant takes twice as long.)
const STRAYS: &str = "
    SELECT account AS id FROM staged_grants WHERE run = :run
    EXCEPT SELECT id FROM staged_accounts WHERE run = :run";

/// So many accounts may disagree because the lists moved, besides those that are
/// gone. With more of them something else is wrong, and the run is refused.
const MOVED: u64 = 200;

/// Puts down the accounts that the lists disagree about. Once for all pages of
/// them: to look again with each would take longer the more there are.
pub(super) fn stage_suspects(
    connection: &Connection,
    expected: &Expected,
    believes_shrinkage: bool,
) -> rusqlite::Result<()> {
    let (run, tenant) = (expected.run, expected.tenant);
    let stage = |ids: &str, of: Params<'_>| -> rusqlite::Result<()> {
        connection.execute(
            &format!(
                "INSERT OR IGNORE INTO staged_suspects (run, id) SELECT :run, id FROM ({ids})"
            ),
            of,
        )?;
        Ok(())
    };
    // Mostly there is nobody: to look for them once more would be most of the work.
    let stage_few = |ids: &str, of: Params<'_>| match count(connection, ids, of)? {
        1..=MOVED => stage(ids, of),
        _ => Ok(()),
    };
    // By a process that died before it looked at the first of them.
    connection.execute("DELETE FROM staged_suspects WHERE run = ?1", [run])?;
    if believes_shrinkage || !expected.too_many_gone(connection)? {
        let gone = format!("SELECT known.id AS id {GONE}");
        stage(&gone, named_params! { ":run": run, ":tenant": tenant })?;
    }
    stage_few(STRAYS, named_params! { ":run": run })?;
    for kind in expected.bounded_types() {
        let of_type = named_params! {
            ":run": run,
            ":type": kind.id,
            ":min": kind.min,
            ":max": most(kind),
        };
        stage_few(OUT_OF_BOUNDS, of_type)?;
    }
    Ok(())
}

type Params<'a> = &'a [(&'a str, &'a dyn rusqlite::ToSql)];

fn count(connection: &Connection, ids: &str, of: Params<'_>) -> rusqlite::Result<u64> {
    connection.query_row(&format!("SELECT count(*) FROM ({ids})"), of, |row| {
        row.get(0)
    })
}
