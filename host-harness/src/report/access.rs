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
    /// Accounts that are there, or hold something nevertheless, listed or not.
    pub accounts: u64,
    /// All that they hold.
    pub held: u64,
    /// Accounts on a schedule or an escalation policy.
    pub on_call: u64,
    /// Accounts whose invitation has not been accepted.
    pub pending: u64,
}

impl Snapshot<'_> {
    /// Visits all accounts by name, with all that they hold, then those that are
    /// not listed and hold something. Nothing but the one visited is in memory.
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
        // Whoever holds something is in the review.
        let of_grants = |what: &str, and: &str| {
            self.count(&format!(
                "SELECT count({what}) FROM grants g WHERE {} {and}",
                at("g")
            ))
        };
        let is_stray = format!(
            "AND NOT EXISTS (SELECT 1 FROM accounts a WHERE a.id = g.account AND {})",
            at("a")
        );
        let is_duty = format!("AND {}", Duties::condition());
        Ok(AccessTotals {
            accounts: accounts("")? + of_grants("DISTINCT g.account", &is_stray)?,
            held: of_grants("*", "")?,
            on_call: of_grants("DISTINCT g.account", &is_duty)?,
            pending: accounts("AND a.status = 'pending'")?,
        })
    }
}
