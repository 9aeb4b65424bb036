//! Whom a report is about.

use jiff::Timestamp;
use rusqlite::Row;

use super::snapshot::appeared;
use crate::store::ACCOUNTS;

/// An account, and when it was last seen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Person {
    /// Vendor identifier.
    pub id: String,
    /// Its e-mail address, as the vendor spells it.
    pub email: Option<String>,
    /// What people call it. The identifier, where a grant names an account that
    /// the vendor does not list.
    pub name: String,
    /// `active`, `pending`, ...; `unknown` where the vendor does not list it.
    pub status: String,
    /// `user` or `service`.
    pub kind: String,
    /// When the run began that found it new, RFC 3339. None if it may be older:
    /// the first run of all found it there, or no run did.
    pub appeared: Option<String>,
    /// The last trace, if there is any.
    pub seen: Option<Seen>,
}

/// A trace of an account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    /// `last-login` or `last-activity`.
    pub kind: String,
    /// RFC 3339.
    pub at: String,
    /// The vendor's record that says so.
    pub source: String,
}

/// The status of who holds something and is not listed.
const UNLISTED: &str = "unknown";

impl Person {
    /// Of `accounts a` and `last_activity l`, either of which may be missing.
    pub(super) fn columns(first_run: i64) -> String {
        format!(
            "a.id AS account_id, a.email, a.display_name, a.status, a.kind AS account_kind,
             l.kind AS seen_kind, l.at AS seen_at, l.source AS seen_source,
             {} AS appeared",
            appeared(&ACCOUNTS, "a", first_run)
        )
    }

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("account_id")?,
            email: row.get("email")?,
            name: row.get("display_name")?,
            status: row.get("status")?,
            kind: row.get("account_kind")?,
            appeared: row.get("appeared")?,
            seen: seen(row)?,
        })
    }

    /// The same for who holds something, by the identifier in a column: the
    /// account may be missing.
    pub(super) fn read_holder(row: &Row<'_>, id: &str) -> rusqlite::Result<Self> {
        if row.get::<_, Option<String>>("account_id")?.is_some() {
            return Self::read(row);
        }
        let id: String = row.get(id)?;
        Ok(Self {
            name: id.clone(),
            id,
            email: None,
            status: UNLISTED.to_owned(),
            kind: "user".to_owned(),
            appeared: None,
            seen: seen(row)?,
        })
    }

    /// Whether the invitation has not been accepted.
    pub fn is_pending(&self) -> bool {
        self.status == "pending"
    }

    /// Whether nobody can use it: it is suspended, not in use, or gone.
    pub fn is_disabled(&self) -> bool {
        matches!(
            self.status.as_str(),
            "suspended" | "inactive" | "deprovisioned" | "deleted"
        )
    }

    /// Whether the vendor lists it. Of others nothing is known but what they hold.
    pub fn is_listed(&self) -> bool {
        self.status != UNLISTED
    }

    /// The e-mail address and the name, for a sentence.
    pub fn called(&self) -> String {
        called(self.email.as_deref(), Some(&self.name), &self.id)
    }
}

impl Seen {
    /// When, if it is a time.
    pub fn instant(&self) -> Option<Timestamp> {
        self.at.parse().ok()
    }
}

/// `ada@example.com (Ada)`, or what there is of it.
pub(super) fn called(email: Option<&str>, name: Option<&str>, id: &str) -> String {
    match (email, name) {
        (Some(email), Some(name)) if email != name => format!("{email} ({name})"),
        (Some(one), _) | (None, Some(one)) => one.to_owned(),
        (None, None) => id.to_owned(),
    }
}

fn seen(row: &Row<'_>) -> rusqlite::Result<Option<Seen>> {
    let Some(at) = row.get("seen_at")? else {
        return Ok(None);
    };
    Ok(Some(Seen {
        kind: row.get("seen_kind")?,
        at,
        source: row.get("seen_source")?,
    }))
}
