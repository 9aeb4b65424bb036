//! Rows of the contract, put into the tables of a run under way.

use std::collections::BTreeMap;

use rusqlite::{CachedStatement, ToSql, Transaction, params};

use super::{
    StoredNotice,
    tables::{ACCOUNTS, ENTITLEMENTS, GRANTS, LAST_ACTIVITY, RESOURCES, Table},
};
use crate::contract::{
    activity::LastActivity,
    to_json,
    types::{Account, Entitlement, Grant, Resource},
};

/// The rows of a page.
#[derive(Debug)]
pub(crate) enum Rows {
    Accounts(Vec<Account>),
    Resources(Vec<Resource>),
    Entitlements(Vec<Entitlement>),
    Grants(Vec<Grant>),
    /// What is known of these accounts, and how many were asked about.
    LastActivity(Vec<LastActivity>, usize),
    Lookups(Vec<Lookup>),
}

/// An account that was looked at by itself.
#[derive(Debug)]
pub(crate) struct Lookup {
    pub(crate) id: String,
    /// What the vendor has of it, and what it holds; none if there is no such
    /// account.
    pub(crate) found: Option<(Account, Vec<Grant>)>,
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Accounts(rows) => rows.len(),
            Self::Resources(rows) => rows.len(),
            Self::Entitlements(rows) => rows.len(),
            Self::Grants(rows) => rows.len(),
            Self::LastActivity(_, asked) => *asked,
            Self::Lookups(rows) => rows.len(),
        }
    }

    /// Puts them where they belong.
    pub(super) fn stage(
        &self,
        transaction: &Transaction<'_>,
        run: i64,
    ) -> rusqlite::Result<Staged> {
        let is_news = match self {
            Self::Accounts(rows) => {
                let mut staging = Staging::new(transaction, run, &ACCOUNTS)?;
                rows.iter().try_for_each(|row| staging.account(row))?;
                staging.is_news
            }
            Self::Resources(rows) => {
                let mut staging = Staging::new(transaction, run, &RESOURCES)?;
                rows.iter().try_for_each(|row| staging.resource(row))?;
                staging.is_news
            }
            Self::Entitlements(rows) => {
                let mut staging = Staging::new(transaction, run, &ENTITLEMENTS)?;
                rows.iter().try_for_each(|row| staging.entitlement(row))?;
                staging.is_news
            }
            Self::Grants(rows) => {
                let mut staging = Staging::new(transaction, run, &GRANTS)?;
                rows.iter().try_for_each(|row| staging.grant(row))?;
                staging.is_news
            }
            Self::LastActivity(rows, _) => {
                let mut staging = Staging::new(transaction, run, &LAST_ACTIVITY)?;
                rows.iter().try_for_each(|row| staging.last_activity(row))?;
                true
            }
            Self::Lookups(rows) => {
                let mut corrected = Vec::new();
                for lookup in rows {
                    if correct(transaction, run, lookup)? {
                        corrected.push(lookup.id.as_str());
                    }
                }
                let notice = (!corrected.is_empty()).then(|| StoredNotice {
                    code: "lists-disagreed".to_owned(),
                    message: format!(
                        "the lists moved while they were read, and what they say of these \
                         accounts was put right: {}",
                        corrected.join(", ")
                    ),
                    hint: None,
                });
                return Ok(Staged {
                    is_news: true,
                    notice,
                });
            }
        };
        Ok(Staged {
            is_news,
            notice: None,
        })
    }
}

/// What became of a page.
pub(super) struct Staged {
    /// Whether a row of it was not there before.
    pub(super) is_news: bool,
    /// What of it is worth knowing.
    pub(super) notice: Option<StoredNotice>,
}

/// Puts rows where they belong; what is there already is noted as seen twice.
struct Staging<'t> {
    run: i64,
    of: &'static str,
    /// Or lets them be: what is there is right.
    notes_duplicates: bool,
    /// Whether one of them was not there.
    is_news: bool,
    insert: CachedStatement<'t>,
    same: CachedStatement<'t>,
    duplicate: CachedStatement<'t>,
}

impl<'t> Staging<'t> {
    fn new(transaction: &'t Transaction<'_>, run: i64, table: &Table) -> rusqlite::Result<Self> {
        let name = table.name;
        let columns = [table.keys, table.says].concat();
        let places: Vec<String> = (2..columns.len() + 2).map(|at| format!("?{at}")).collect();
        let same: Vec<String> = columns
            .iter()
            .zip(&places)
            .map(|(column, place)| format!("{column} IS {place}"))
            .collect();
        Ok(Self {
            run,
            of: name,
            notes_duplicates: true,
            is_news: false,
            insert: transaction.prepare_cached(&format!(
                "INSERT INTO staged_{name} (run, {}) VALUES (?1, {}) ON CONFLICT DO NOTHING",
                columns.join(", "),
                places.join(", "),
            ))?,
            same: transaction.prepare_cached(&format!(
                "SELECT EXISTS (SELECT 1 FROM staged_{name} WHERE run = ?1 AND {})",
                same.join(" AND "),
            ))?,
            duplicate: transaction.prepare_cached(
                "INSERT INTO staged_duplicates (run, of, key, differs) VALUES (?1, ?2, ?3, ?4)",
            )?,
        })
    }

    fn account(&mut self, account: &Account) -> rusqlite::Result<()> {
        let run = self.run;
        let (status, kind) = (word(&account.status), word(&account.kind));
        // As an object, whose names are sorted.
        let attributes: BTreeMap<&str, &str> = account
            .attributes
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let attributes = serde_json::to_string(&attributes).expect("texts are JSON");
        self.row(
            || account.id.clone(),
            params![
                run,
                account.id,
                account.email,
                account.given_name,
                account.family_name,
                account.display_name,
                status,
                kind,
                attributes,
            ],
        )
    }

    fn resource(&mut self, resource: &Resource) -> rusqlite::Result<()> {
        let run = self.run;
        self.row(
            || place(&resource.resource_type, &resource.id),
            params![
                run,
                resource.resource_type,
                resource.id,
                resource.label,
                resource.description,
            ],
        )
    }

    fn entitlement(&mut self, entitlement: &Entitlement) -> rusqlite::Result<()> {
        let run = self.run;
        let named = &entitlement.ref_;
        self.row(
            || access(&named.entitlement_type, &named.id, &named.resource),
            params![
                run,
                named.entitlement_type,
                named.resource_type,
                named.resource,
                named.id,
                entitlement.label,
                entitlement.description,
                entitlement.assignable,
                entitlement.available,
            ],
        )
    }

    fn grant(&mut self, grant: &Grant) -> rusqlite::Result<()> {
        let run = self.run;
        let named = &grant.entitlement;
        self.row(
            || {
                let access = access(&named.entitlement_type, &named.id, &named.resource);
                format!("{} holds {access}", grant.account)
            },
            params![
                run,
                grant.account,
                named.entitlement_type,
                named.resource_type,
                named.resource,
                named.id,
                grant.since,
            ],
        )
    }

    fn last_activity(&mut self, activity: &LastActivity) -> rusqlite::Result<()> {
        let run = self.run;
        self.row(
            || activity.account.clone(),
            params![
                run,
                activity.account,
                word(&activity.kind),
                activity.at,
                activity.source,
            ],
        )
    }

    fn row(&mut self, key: impl FnOnce() -> String, row: &[&dyn ToSql]) -> rusqlite::Result<()> {
        if self.insert.execute(row)? > 0 {
            self.is_news = true;
        } else if self.notes_duplicates {
            let same: bool = self.same.query_row(row, |row| row.get(0))?;
            self.duplicate
                .execute(params![self.run, self.of, key(), !same])?;
        }
        Ok(())
    }
}

/// Puts right what the lists have missed, or have held on to; whether anything
/// was wrong. What is listed rightly stays as it was listed.
fn correct(transaction: &Transaction<'_>, run: i64, lookup: &Lookup) -> rusqlite::Result<bool> {
    let before = transaction.total_changes();
    match &lookup.found {
        None => {
            for of in [
                "staged_accounts WHERE run = ?1 AND id",
                "staged_grants WHERE run = ?1 AND account",
            ] {
                transaction.execute(&format!("DELETE FROM {of} = ?2"), params![run, lookup.id])?;
            }
        }
        Some((account, grants)) => {
            let mut accounts = Staging::new(transaction, run, &ACCOUNTS)?;
            accounts.notes_duplicates = false;
            accounts.account(account)?;
            let held = grants.iter().map(|grant| {
                let named = &grant.entitlement;
                [
                    &named.entitlement_type,
                    &named.resource_type,
                    &named.resource,
                    &named.id,
                ]
            });
            let held = serde_json::to_string(&held.collect::<Vec<_>>()).expect("texts are JSON");
            transaction.execute(
                "DELETE FROM staged_grants WHERE run = ?1 AND account = ?2
                 AND json_array(entitlement_type, resource_type, resource, entitlement)
                     NOT IN (SELECT value FROM json_each(?3))",
                params![run, lookup.id, held],
            )?;
            let mut staging = Staging::new(transaction, run, &GRANTS)?;
            staging.notes_duplicates = false;
            grants.iter().try_for_each(|grant| staging.grant(grant))?;
        }
    }
    Ok(transaction.total_changes() > before)
}

/// An enum case, as the schema has it.
fn word<T: serde::Serialize>(case: &T) -> String {
    let text = to_json(case);
    text.as_str().unwrap_or_default().replace('_', "-")
}

/// A resource for people.
fn place(resource_type: &str, id: &str) -> String {
    match id {
        "" => resource_type.to_owned(),
        id => format!("{resource_type} {id}"),
    }
}

/// An entitlement as the command line takes it.
fn access(entitlement_type: &str, id: &str, resource: &str) -> String {
    match resource {
        "" => format!("{entitlement_type}:{id}"),
        resource => format!("{entitlement_type}:{id}@{resource}"),
    }
}
