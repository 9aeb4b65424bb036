//! Which tenant, and which of its runs.

use rusqlite::{OptionalExtension as _, Row, params};

use super::{ReportError, Snapshot, person::called};
use crate::store::{Run, RunState, Store, StoredTenant};

/// The complete runs of a tenant.
#[derive(Debug)]
pub struct History<'s> {
    store: &'s Store,
    tenant: StoredTenant,
    /// The oldest first, whatever became of them.
    runs: Vec<Run>,
}

impl<'s> History<'s> {
    /// The history of that tenant, or of the only one that the store has.
    pub fn of(store: &'s Store, tenant: Option<&str>) -> Result<Self, ReportError> {
        let mut tenants = store.tenants()?;
        let known = |tenants: &[StoredTenant]| {
            let names = tenants.iter().map(|tenant| tenant.name.clone());
            names.collect::<Vec<_>>()
        };
        let at = match tenant {
            _ if tenants.is_empty() => return Err(ReportError::NoTenant),
            Some(name) => tenants
                .iter()
                .position(|tenant| tenant.name == name)
                .ok_or_else(|| ReportError::UnknownTenant {
                    name: name.to_owned(),
                    known: known(&tenants),
                })?,
            None if tenants.len() > 1 => {
                return Err(ReportError::SeveralTenants(known(&tenants)));
            }
            None => 0,
        };
        let tenant = tenants.swap_remove(at);
        let runs = store.runs(Some(&tenant.name))?;
        Ok(Self {
            store,
            tenant,
            runs,
        })
    }

    /// Whose.
    pub fn tenant(&self) -> &StoredTenant {
        &self.tenant
    }

    /// A run that is complete, by its number; the last one if none is named.
    pub fn run(&self, number: Option<i64>) -> Result<&Run, ReportError> {
        let Some(number) = number else {
            return self.complete().next_back().ok_or_else(|| self.no_run());
        };
        let run = self.runs.iter().find(|run| run.id == number);
        let run = run.ok_or_else(|| ReportError::UnknownRun {
            run: number,
            tenant: self.tenant.name.clone(),
        })?;
        match run.state {
            RunState::Complete => Ok(run),
            state => Err(ReportError::NotComplete { run: number, state }),
        }
    }

    /// Two complete runs to compare: those that are named; that one and the last
    /// one; the last two.
    pub fn pair(&self, numbers: &[i64]) -> Result<(&Run, &Run), ReportError> {
        let (before, after) = match numbers {
            [] => {
                let mut latest = self.complete().rev();
                let after = latest.next().ok_or_else(|| self.no_run())?;
                let before = latest.next().ok_or_else(|| ReportError::OneRun {
                    run: after.id,
                    tenant: self.tenant.name.clone(),
                })?;
                (before, after)
            }
            [before] => (self.run(Some(*before))?, self.run(None)?),
            [before, after, ..] => (self.run(Some(*before))?, self.run(Some(*after))?),
        };
        if before.id == after.id {
            return Err(ReportError::SameRun(after.id));
        }
        Ok((before, after))
    }

    /// What the tenant looked like in a run of its.
    pub fn snapshot(&self, run: &Run) -> Result<Snapshot<'s>, ReportError> {
        let first = self.complete().next().ok_or_else(|| self.no_run())?;
        Snapshot::open(self.store, run.clone(), first.id)
    }

    /// What an account is called, by its latest version in the store.
    pub fn called(&self, account: &str) -> Result<Option<String>, ReportError> {
        let read = |row: &Row<'_>| {
            let (email, name): (Option<String>, Option<String>) = (row.get(0)?, row.get(1)?);
            Ok(called(email.as_deref(), name.as_deref(), account))
        };
        let found = self.store.connection().query_row(
            "SELECT email, display_name FROM accounts WHERE tenant = ?1 AND id = ?2
             ORDER BY from_run DESC LIMIT 1",
            params![self.tenant.id, account],
            read,
        );
        Ok(found
            .optional()
            .map_err(|error| self.store.failed(&error))?)
    }

    pub(super) fn store(&self) -> &'s Store {
        self.store
    }

    fn complete(&self) -> impl DoubleEndedIterator<Item = &Run> {
        self.runs
            .iter()
            .filter(|run| run.state == RunState::Complete)
    }

    fn no_run(&self) -> ReportError {
        ReportError::NoRun(self.tenant.name.clone())
    }
}
