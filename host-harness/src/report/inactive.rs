//! Inactive accounts: who does not use theirs, and what hangs on it.

use super::{Duties, Held, Idle, IdleRule, IdleTotals, Person, ReportError, Snapshot};

/// An account that is not used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InactiveEntry {
    /// Which.
    pub account: Person,
    /// Why it counts as not used.
    pub idle: Idle,
    /// What it is on call by: whoever removes it must fill these places.
    pub duties: Duties,
    /// Everything that it holds.
    pub held: Vec<Held>,
}

impl InactiveEntry {
    /// Since when it has held the oldest of what it holds, where the vendor says
    /// so of anything. RFC 3339.
    pub fn oldest(&self) -> Option<&str> {
        let since = self.held.iter().filter_map(|held| held.since.as_deref());
        since.min()
    }
}

impl Snapshot<'_> {
    /// Visits the accounts that are not used, by name. Nothing but the one visited
    /// is in memory.
    pub fn inactive(
        &self,
        rule: &IdleRule,
        mut visit: impl FnMut(InactiveEntry) -> Result<(), ReportError>,
    ) -> Result<(), ReportError> {
        let mut holdings = self.holdings()?;
        self.people(|account| {
            let Some(idle) = rule.judge(&account) else {
                return Ok(());
            };
            let held = holdings.of(&account.id)?;
            visit(InactiveEntry {
                idle,
                duties: Duties::among(&held),
                account,
                held,
            })
        })
    }

    /// The same in numbers.
    pub fn inactive_totals(&self, rule: &IdleRule) -> Result<IdleTotals, ReportError> {
        let mut totals = IdleTotals::default();
        self.people(|account| {
            totals.add(rule.judge(&account));
            Ok(())
        })?;
        Ok(totals)
    }
}
