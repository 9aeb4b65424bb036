//! Access review: who has what.

use super::{
    Duties, Held, Person, ReportError, Snapshot,
    snapshot::{LISTED, at},
};

/// What one account has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AccessEntry {
    /// Whose.
    pub account: Person,
    /// What it is on call by.
    pub duties: Duties,
    /// Everything that it holds.
    pub held: Vec<Held>,
}

/// The review in numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AccessTotals {
    /// Accounts that are there, or hold something nevertheless.
    pub accounts: u64,
    /// All that they hold.
    pub held: u64,
    /// Accounts on a schedule or an escalation policy.
    pub on_call: u64,
    /// Accounts whose invitation has not been accepted.
    pub pending: u64,
}

impl Snapshot<'_> {
    /// Visits all accounts by name, with all that they hold. Nothing but the one
    /// visited is in memory.
    pub fn access(
        &self,
        mut visit: impl FnMut(AccessEntry) -> Result<(), ReportError>,
    ) -> Result<(), ReportError> {
        let mut holdings = self.holdings()?;
        self.people(|account| {
            let held = holdings.of(&account.id)?;
            visit(AccessEntry {
                duties: Duties::among(&held),
                account,
                held,
            })
        })
    }

    /// The same in numbers.
    pub fn access_totals(&self) -> Result<AccessTotals, ReportError> {
        let accounts = |and: &str| {
            self.count(&format!(
                "SELECT count(*) FROM accounts a WHERE {} AND {LISTED} {and}",
                at("a")
            ))
        };
        let on_call = format!(
            "AND EXISTS (SELECT 1 FROM grants g WHERE g.account = a.id AND {} AND {})",
            at("g"),
            Duties::condition(),
        );
        Ok(AccessTotals {
            accounts: accounts("")?,
            held: self.count(&format!(
                "SELECT count(*) FROM grants g JOIN accounts a ON a.id = g.account AND {}
                 WHERE {} AND {LISTED}",
                at("a"),
                at("g")
            ))?,
            on_call: accounts(&on_call)?,
            pending: accounts("AND a.status = 'pending'")?,
        })
    }
}
