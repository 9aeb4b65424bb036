//! Whether what a run has read is plausible, before it replaces anything.

use rusqlite::{Connection, ToSql, named_params};

use crate::{
    contract::metadata::EntitlementType,
    store::{ENTITLEMENTS, Finding, GRANTS, LAST_ACTIVITY, RESOURCES, Severity},
};

/// Rows that are shown of a finding.
const EXAMPLES: usize = 5;

/// Of fewer, a large share says nothing: one of three may well leave.
const SMALL: u64 = 20;

/// But that all of so many are gone at once does.
const NOT_BY_CHANCE: u64 = 5;

const AGAIN: &str = "run the sync again: a list that moved while it was read is whole the next \
                     time; what comes back is a defect of the connector";

/// What a run is held against.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) run: i64,
    pub(super) tenant: i64,
    /// The run whose snapshot would be replaced.
    pub(super) previous: Option<i64>,
    /// What the connector says of each type.
    pub(super) types: Vec<EntitlementType>,
    /// So many percent may be gone since then.
    pub(super) max_shrink: u8,
}

/// The accounts that hold too few or too many entitlements of a type. Types that nobody holds one of are left out: the plan, or the
/// credential, does not show them, and a notice has said so.
pub(super) const OUT_OF_BOUNDS: &str = "
    SELECT accounts.id, (
        SELECT count(*) FROM staged_grants AS grants
        WHERE grants.run = :run AND grants.account = accounts.id
          AND grants.entitlement_type = :type
    ) AS held
    FROM staged_accounts AS accounts
    WHERE accounts.run = :run AND NOT held BETWEEN :min AND :max
      AND EXISTS (SELECT 1 FROM staged_grants WHERE run = :run AND entitlement_type = :type)";

/// Grants of accounts that were not listed.
const STRAYS: &str = "
    FROM staged_grants AS grants
    WHERE grants.run = :run AND NOT EXISTS (
        SELECT 1 FROM staged_accounts AS accounts
        WHERE accounts.run = :run AND accounts.id = grants.account)";

/// Accounts of the snapshot that were not listed.
pub(super) const GONE: &str = "
    FROM accounts AS known
    WHERE known.tenant = :tenant AND known.to_run IS NULL AND known.last_seen_run IS NULL
      AND NOT EXISTS (
        SELECT 1 FROM staged_accounts AS seen WHERE seen.run = :run AND seen.id = known.id)";

impl Expected {
    /// Everything that is not plausible, errors first.
    pub(super) fn findings(&self, connection: &Connection) -> rusqlite::Result<Vec<Finding>> {
        let mut findings = Vec::new();
        self.shrinkage(connection, &mut findings)?;
        self.dangling(connection, &mut findings)?;
        self.bounds(connection, &mut findings)?;
        self.duplicates(connection, &mut findings)?;
        findings.sort_by_key(|finding| finding.severity != Severity::Error);
        Ok(findings)
    }

    /// The types that bind somebody. To count what each account holds of the others
    /// would take as long, and find nothing.
    pub(super) fn bounded_types(&self) -> impl Iterator<Item = &EntitlementType> {
        let types = self.types.iter();
        types.filter(|kind| kind.min > 0 || kind.max.is_some())
    }

    /// Whether too many accounts are gone for that to be believed.
    pub(super) fn too_many_gone(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let (gone, known) = self.accounts_gone(connection)?;
        Ok(self.are_too_many(gone, known))
    }

    fn accounts_gone(&self, connection: &Connection) -> rusqlite::Result<(u64, u64)> {
        let of = named_params! { ":run": self.run, ":tenant": self.tenant };
        let gone = connection.query_row(&format!("SELECT count(*) {GONE}"), of, first)?;
        let known = connection.query_row(
            "SELECT count(*) FROM accounts
             WHERE tenant = ?1 AND to_run IS NULL AND last_seen_run IS NULL",
            [self.tenant],
            first,
        )?;
        Ok((gone, known))
    }

    fn is_too_much(&self, gone: u64, known: u64) -> bool {
        known >= SMALL && gone * 100 > known * u64::from(self.max_shrink)
    }

    /// The same of what is not accounts.
    fn have_vanished(&self, gone: u64, known: u64) -> bool {
        self.is_too_much(gone, known) || (gone == known && known >= NOT_BY_CHANCE)
    }

    /// The same of accounts: that nobody is left is never right.
    fn are_too_many(&self, gone: u64, known: u64) -> bool {
        self.is_too_much(gone, known) || (gone > 0 && gone == known)
    }

    fn shrinkage(&self, connection: &Connection, to: &mut Vec<Finding>) -> rusqlite::Result<()> {
        let Some(previous) = self.previous else {
            return Ok(());
        };
        let mut add = |what: &str, gone: u64, known: u64, examples: Vec<String>| {
            to.push(Finding {
                check: "shrinkage".to_owned(),
                severity: Severity::Error,
                message: format!(
                    "{gone} of {known} {what} ({} %) are gone since run {previous}, and {} % may be",
                    gone * 100 / known,
                    self.max_shrink
                ),
                hint: "look whether the credential still sees everything; if it is right, let it \
                       through with `--accept`"
                    .to_owned(),
                examples,
            });
        };
        let of = named_params! { ":run": self.run, ":tenant": self.tenant };
        let (gone, known) = self.accounts_gone(connection)?;
        if self.are_too_many(gone, known) {
            let some = format!("SELECT known.id, known.email {GONE} ORDER BY known.id");
            let examples = examples(connection, &some, of, |row| {
                let (id, email): (String, Option<String>) = (row.get(0)?, row.get(1)?);
                Ok(match email {
                    Some(email) => format!("{id} ({email})"),
                    None => id,
                })
            })?;
            add("accounts", gone, known, examples);
        }
        // Of each type, since one of them can vanish among the others.
        let lost = format!(
            "known.tenant = :tenant AND known.to_run IS NULL AND NOT EXISTS (
                SELECT 1 FROM staged_grants AS seen WHERE seen.run = :run AND {})",
            GRANTS.same_thing("seen", "known"),
        );
        let mut types = connection.prepare(&format!(
            "SELECT entitlement_type, count(*), count(*) FILTER (WHERE {lost})
             FROM grants AS known WHERE known.tenant = :tenant AND known.to_run IS NULL
             GROUP BY entitlement_type"
        ))?;
        let types: Vec<(String, u64, u64)> = types
            .query_map(of, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        let sum = |which: fn(&(String, u64, u64)) -> u64| types.iter().map(which).sum::<u64>();
        let all = ("".to_owned(), sum(|of| of.1), sum(|of| of.2));
        let mut shrunk: Vec<&(String, u64, u64)> = types
            .iter()
            .filter(|(_, known, gone)| self.have_vanished(*gone, *known))
            .collect();
        if shrunk.is_empty() && self.have_vanished(all.2, all.1) {
            shrunk.push(&all);
        }
        for (kind, known, gone) in shrunk {
            let some = format!(
                "SELECT account, entitlement_type, entitlement, resource FROM grants AS known
                 WHERE {lost} AND :type IN ('', entitlement_type)
                 ORDER BY account"
            );
            let of = named_params! { ":run": self.run, ":tenant": self.tenant, ":type": kind };
            let examples = examples(connection, &some, of, held)?;
            let what = match kind.as_str() {
                "" => "grants".to_owned(),
                kind => format!("grants of the type {kind}"),
            };
            add(&what, *gone, *known, examples);
        }
        for (table, what) in [
            (&RESOURCES, "resources"),
            (&ENTITLEMENTS, "entitlements"),
            (&LAST_ACTIVITY, "traces of last activity"),
        ] {
            let lost = format!(
                "FROM {name} AS known WHERE known.tenant = :tenant AND known.to_run IS NULL
                 AND NOT EXISTS (SELECT 1 FROM staged_{name} AS seen WHERE seen.run = :run AND {})",
                table.same_thing("seen", "known"),
                name = table.name,
            );
            let gone = connection.query_row(&format!("SELECT count(*) {lost}"), of, first)?;
            let known = format!(
                "SELECT count(*) FROM {} WHERE tenant = ?1 AND to_run IS NULL",
                table.name
            );
            let known = connection.query_row(&known, [self.tenant], first)?;
            if self.have_vanished(gone, known) {
                let keys = table.keys.join(" || ' ' || ");
                let some = format!("SELECT {keys} {lost} ORDER BY 1");
                let examples = examples(connection, &some, of, |row| row.get(0))?;
                add(what, gone, known, examples);
            }
        }
        Ok(())
    }

    fn dangling(&self, connection: &Connection, to: &mut Vec<Finding>) -> rusqlite::Result<()> {
        let of = named_params! { ":run": self.run };
        let cases = [
            (
                "accounts that were not listed are said to hold something",
                STRAYS.to_owned(),
                "grants.account",
                "grants.account, entitlement_type, entitlement, resource",
            ),
            (
                "entitlements that were not listed are said to be held",
                "FROM staged_grants AS grants
                 WHERE grants.run = :run AND NOT EXISTS (
                     SELECT 1 FROM staged_entitlements AS listed
                     WHERE listed.run = :run
                       AND listed.entitlement_type = grants.entitlement_type
                       AND listed.resource_type = grants.resource_type
                       AND listed.resource = grants.resource
                       AND listed.id = grants.entitlement)"
                    .to_owned(),
                "json_array(entitlement_type, resource_type, resource, entitlement)",
                "grants.account, entitlement_type, entitlement, resource",
            ),
            (
                "entitlements are on resources that were not listed",
                "FROM staged_entitlements AS entitlements
                 WHERE entitlements.run = :run AND NOT EXISTS (
                     SELECT 1 FROM staged_resources AS listed
                     WHERE listed.run = :run
                       AND listed.resource_type = entitlements.resource_type
                       AND listed.id = entitlements.resource)"
                    .to_owned(),
                "json_array(entitlement_type, resource_type, resource, id)",
                "'', entitlement_type, id, resource",
            ),
        ];
        for (what, from, counted, shown) in cases {
            let count = format!("SELECT count(DISTINCT {counted}) {from}");
            let count: u64 = connection.query_row(&count, of, first)?;
            if count > 0 {
                let some = format!("SELECT {shown} {from}");
                to.push(Finding {
                    check: "dangling-reference".to_owned(),
                    severity: Severity::Error,
                    message: format!("{count} {what}"),
                    hint: AGAIN.to_owned(),
                    examples: examples(connection, &some, of, held)?,
                });
            }
        }
        Ok(())
    }

    fn bounds(&self, connection: &Connection, to: &mut Vec<Finding>) -> rusqlite::Result<()> {
        for kind in self.bounded_types() {
            let of = named_params! {
                ":run": self.run,
                ":type": kind.id,
                ":min": kind.min,
                ":max": most(kind),
            };
            let count = format!("SELECT count(*) FROM ({OUT_OF_BOUNDS})");
            let count: u64 = connection.query_row(&count, of, first)?;
            if count == 0 {
                continue;
            }
            let bounds = match kind.max {
                Some(max) if max == kind.min => max.to_string(),
                Some(max) => format!("{} to {max}", kind.min),
                None => format!("{} or more", kind.min),
            };
            let some = format!("{OUT_OF_BOUNDS} ORDER BY accounts.id");
            to.push(Finding {
                check: "bounds".to_owned(),
                severity: Severity::Error,
                message: format!(
                    "{count} accounts do not hold {bounds} of the type {}, as each should",
                    kind.id
                ),
                hint: AGAIN.to_owned(),
                examples: examples(connection, &some, of, |row| {
                    Ok(format!(
                        "{} holds {}",
                        row.get::<_, String>(0)?,
                        row.get::<_, u64>(1)?
                    ))
                })?,
            });
        }
        Ok(())
    }

    fn duplicates(&self, connection: &Connection, to: &mut Vec<Finding>) -> rusqlite::Result<()> {
        let mut kinds = connection.prepare(
            "SELECT of, differs, count(DISTINCT key) FROM staged_duplicates WHERE run = ?1
             GROUP BY of, differs ORDER BY of, differs",
        )?;
        let kinds: Vec<(String, bool, u64)> = kinds
            .query_map([self.run], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?
            .collect::<Result<_, _>>()?;
        for (of, differs, count) in kinds {
            let (severity, how) = if differs {
                (Severity::Error, "and said to be different each time")
            } else {
                // What a list gives twice when something was put in front of it.
                (Severity::Warning, "alike each time")
            };
            let params = named_params! { ":run": self.run, ":of": of, ":differs": differs };
            let some = "SELECT DISTINCT key FROM staged_duplicates
                        WHERE run = :run AND of = :of AND differs = :differs ORDER BY key";
            to.push(Finding {
                check: "duplicate".to_owned(),
                severity,
                message: format!(
                    "{count} {} were listed more than once, {how}",
                    of.replace('_', " ")
                ),
                hint: AGAIN.to_owned(),
                examples: examples(connection, some, params, |row| row.get(0))?,
            });
        }
        Ok(())
    }
}

/// The upper bound of a type.
pub(super) fn most(kind: &EntitlementType) -> i64 {
    kind.max.map_or(i64::MAX, i64::from)
}

fn first(row: &rusqlite::Row<'_>) -> rusqlite::Result<u64> {
    row.get(0)
}

/// `PABC holds role:admin`, from account, type, entitlement and resource.
fn held(row: &rusqlite::Row<'_>) -> rusqlite::Result<String> {
    let text = |at: usize| row.get::<_, String>(at);
    let (account, kind, id, resource) = (text(0)?, text(1)?, text(2)?, text(3)?);
    let on = match resource.as_str() {
        "" => String::new(),
        resource => format!("@{resource}"),
    };
    Ok(match account.as_str() {
        "" => format!("{kind}:{id}{on}"),
        account => format!("{account} holds {kind}:{id}{on}"),
    })
}

fn examples(
    connection: &Connection,
    sql: &str,
    params: &[(&str, &dyn ToSql)],
    show: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<String>,
) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(&format!("{sql} LIMIT {EXAMPLES}"))?;
    let rows = statement.query_map(params, |row| show(row))?;
    rows.collect()
}
