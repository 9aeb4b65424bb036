//! Whom a report is about.

use jiff::Timestamp;
use rusqlite::Row;

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

impl Person {
    /// Of `accounts a` and `last_activity l`, either of which may be missing.
    pub(super) const COLUMNS: &str = "a.id AS account_id, a.email, a.display_name, a.status, a.kind AS account_kind, \
         l.kind AS seen_kind, l.at AS seen_at, l.source AS seen_source";

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("account_id")?,
            email: row.get("email")?,
            name: row.get("display_name")?,
            status: row.get("status")?,
            kind: row.get("account_kind")?,
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
            status: "unknown".to_owned(),
            kind: "user".to_owned(),
            seen: seen(row)?,
        })
    }

    /// Whether the invitation has not been accepted.
    pub fn is_pending(&self) -> bool {
        self.status == "pending"
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
