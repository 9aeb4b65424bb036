//! Accounts that the lists disagree about, and so are looked at one by one.
//!
//! Lists move while they are read. An account that was created meanwhile holds
//! something and was not listed; one that left was listed and holds nothing; and
//! one that another's deletion has moved over the edge of a page was not listed
//! at all. The vendor is asked for each of them: what is in the snapshot and was
//! not listed is gone only if the vendor says so.

use rusqlite::{Connection, named_params};

use super::integrity::{Expected, GONE, OUT_OF_BOUNDS, STRAYS, most};

/// So many accounts may disagree because the lists moved, besides those that are
/// gone. With more of them something else is wrong, and the run is refused.
const MOVED: u64 = 200;

/// The next accounts behind `after` that the lists disagree about, by id.
pub(super) fn suspects(
    connection: &Connection,
    expected: &Expected,
    after: &str,
    limit: usize,
    believes_shrinkage: bool,
) -> rusqlite::Result<Vec<String>> {
    let mut suspects = Vec::new();
    let (run, tenant) = (expected.run, expected.tenant);
    if believes_shrinkage || !expected.too_many_gone(connection)? {
        let mut gone = connection.prepare(&format!(
            "SELECT known.id {GONE} AND known.id > :after ORDER BY known.id LIMIT :limit"
        ))?;
        let params =
            named_params! { ":run": run, ":tenant": tenant, ":after": after, ":limit": limit };
        let rows = gone.query_map(params, |row| row.get::<_, String>(0))?;
        for id in rows {
            suspects.push(id?);
        }
    }
    let strays = format!("SELECT DISTINCT grants.account AS id {STRAYS}");
    let of_run = named_params! { ":run": run };
    if count(connection, &strays, of_run)? <= MOVED {
        suspects.extend(behind(connection, &strays, of_run, after, limit)?);
    }
    for kind in &expected.types {
        let of_type = named_params! {
            ":run": run,
            ":type": kind.id,
            ":min": kind.min,
            ":max": most(kind),
        };
        if count(connection, OUT_OF_BOUNDS, of_type)? <= MOVED {
            suspects.extend(behind(connection, OUT_OF_BOUNDS, of_type, after, limit)?);
        }
    }
    suspects.sort_unstable();
    suspects.dedup();
    suspects.truncate(limit);
    Ok(suspects)
}

type Params<'a> = &'a [(&'a str, &'a dyn rusqlite::ToSql)];

fn count(connection: &Connection, ids: &str, of: Params<'_>) -> rusqlite::Result<u64> {
    connection.query_row(&format!("SELECT count(*) FROM ({ids})"), of, |row| {
        row.get(0)
    })
}

/// The first of these that come behind `after`; there are not many.
fn behind(
    connection: &Connection,
    ids: &str,
    of: Params<'_>,
    after: &str,
    limit: usize,
) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(&format!("SELECT id FROM ({ids}) ORDER BY id"))?;
    let rows = statement.query_map(of, |row| row.get::<_, String>(0))?;
    let behind = rows.filter(|id| id.as_ref().map_or(true, |id| id.as_str() > after));
    behind.take(limit).collect()
}
