//! Licences: what is used, what is left, what could be taken back.

use std::{collections::BTreeMap, fmt};

use rusqlite::Row;

use super::{
    Idle, IdleRule, IdleTotals, Person, ReportError, Snapshot,
    snapshot::{appeared, at},
};
use crate::store::GRANTS;

/// The kind of access that is a licence. The name is the one that connectors
/// share.
const LICENSE: &str = "license";

/// A licence in numbers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Licence {
    /// Vendor identifier.
    pub id: String,
    /// Its label; the identifier where the vendor does not list it.
    pub label: String,
    /// What the vendor says of it.
    pub description: Option<String>,
    /// Seats that are left.
    pub free: Free,
    /// Accounts that hold it, and how many of them could do without.
    pub holders: IdleTotals,
}

/// What is known of seats that are left.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Free {
    /// So many.
    Seats(u32),
    /// The vendor tells of no limit.
    NoLimit,
    /// The vendor does not list the licence, and says all the same that somebody
    /// holds it.
    Unknown,
}

impl fmt::Display for Free {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seats(seats) => write!(f, "{seats}"),
            Self::NoLimit => f.write_str("no limit"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// An account holds a licence.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seat {
    /// Identifier of the licence.
    pub licence: String,
    /// Its label.
    pub label: String,
    /// Who holds it.
    pub account: Person,
    /// Since when, where the vendor says. RFC 3339.
    pub since: Option<String>,
    /// Why it could be taken back, if it could.
    pub idle: Option<Idle>,
}

impl Snapshot<'_> {
    /// All licences by label, also those that nobody holds.
    pub fn licences(&self, rule: &IdleRule) -> Result<Vec<Licence>, ReportError> {
        let mut licences = BTreeMap::new();
        let sql = format!(
            "SELECT e.id, e.label, e.description, e.available FROM entitlements e
             WHERE e.entitlement_type = '{LICENSE}' AND {}",
            at("e")
        );
        let read = |row: &Row<'_>| {
            Ok(Licence {
                id: row.get("id")?,
                label: row.get("label")?,
                description: row.get("description")?,
                free: match row.get("available")? {
                    Some(seats) => Free::Seats(seats),
                    None => Free::NoLimit,
                },
                holders: IdleTotals::default(),
            })
        };
        self.each(&sql, &self.moment()[..], read, |licence| {
            licences.insert(licence.id.clone(), licence);
            Ok(())
        })?;
        self.seats(rule, |seat| {
            let licence = licences
                .entry(seat.licence.clone())
                .or_insert_with(|| Licence {
                    id: seat.licence,
                    label: seat.label,
                    description: None,
                    free: Free::Unknown,
                    holders: IdleTotals::default(),
                });
            licence.holders.add(seat.idle);
            Ok(())
        })?;
        let mut licences: Vec<Licence> = licences.into_values().collect();
        licences.sort_by(|a, b| (&a.label, &a.id).cmp(&(&b.label, &b.id)));
        Ok(licences)
    }

    /// Visits who holds which licence, by licence and name. Nothing but the one
    /// visited is in memory.
    pub fn seats(
        &self,
        rule: &IdleRule,
        visit: impl FnMut(Seat) -> Result<(), ReportError>,
    ) -> Result<(), ReportError> {
        let sql = format!(
            "SELECT g.entitlement, e.label, g.since, g.account, {} AS given, {}
             FROM grants g
             LEFT JOIN entitlements e ON e.entitlement_type = g.entitlement_type
                 AND e.resource_type = g.resource_type AND e.resource = g.resource
                 AND e.id = g.entitlement AND {}
             LEFT JOIN accounts a ON a.id = g.account AND {}
             LEFT JOIN last_activity l ON l.account = g.account AND {}
             WHERE g.entitlement_type = '{LICENSE}' AND {}
             ORDER BY coalesce(e.label, g.entitlement), g.entitlement,
                      a.display_name COLLATE NOCASE, g.account",
            appeared(&GRANTS, "g", self.first_run()),
            Person::columns(self.first_run()),
            at("e"),
            at("a"),
            at("l"),
            at("g"),
        );
        let read = |row: &Row<'_>| {
            let licence: String = row.get("entitlement")?;
            let account = Person::read_holder(row, "account")?;
            let since: Option<String> = row.get("since")?;
            let given: Option<String> = row.get("given")?;
            Ok(Seat {
                label: row
                    .get::<_, Option<String>>("label")?
                    .unwrap_or_else(|| licence.clone()),
                licence,
                idle: rule.judge_since(&account, since.as_deref().or(given.as_deref())),
                account,
                since,
            })
        };
        self.each(&sql, &self.moment()[..], read, visit)
    }
}
