//! What is different between two runs.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Row, named_params};
use serde::Serialize;

use super::{
    History, ReportError,
    held::{told, words},
    person::called,
    snapshot::{at_run, each},
};
use crate::store::{ACCOUNTS, ENTITLEMENTS, GRANTS, RESOURCES, Run, Table};

/// Something that is different.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Change {
    /// What kind of thing.
    pub kind: Kind,
    /// What became of it.
    pub change: Fate,
    /// Its identifiers, by the names that the store has for them.
    pub key: BTreeMap<&'static str, String>,
    /// What it is, in people's words.
    pub label: String,
    /// What is different about it, if it was there and is there.
    pub fields: Vec<FieldChange>,
}

/// Kinds of things that a tenant has.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Accounts.
    Account,
    /// What access is granted on.
    Resource,
    /// Access that can be held.
    Entitlement,
    /// Access that is held.
    Grant,
}

/// What became of a thing.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It was not there, and is.
    Created,
    /// It was there, and is not.
    Removed,
    /// It is another than it was.
    Changed,
}

/// A field that is different.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct FieldChange {
    /// For example `status`, or `attributes.job-title`.
    pub field: String,
    /// What it was.
    pub before: Option<String>,
    /// What it is.
    pub after: Option<String>,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Account,
        Self::Resource,
        Self::Entitlement,
        Self::Grant,
    ];

    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Resource => "resource",
            Self::Entitlement => "entitlement",
            Self::Grant => "grant",
        }
    }

    fn table(self) -> &'static Table {
        match self {
            Self::Account => &ACCOUNTS,
            Self::Resource => &RESOURCES,
            Self::Entitlement => &ENTITLEMENTS,
            Self::Grant => &GRANTS,
        }
    }

    /// What tells one from another.
    fn key(self) -> &'static [&'static str] {
        self.table().keys
    }

    /// What may be different about it.
    fn fields(self) -> &'static [&'static str] {
        self.table().says
    }

    /// Labels of what it refers to, and where they are from. `v.seen_in` is the
    /// run that has seen the row `v`.
    fn labels(self) -> (&'static str, String) {
        let at = |alias| at_run(alias, "v.seen_in");
        match self {
            Self::Account | Self::Resource => ("", String::new()),
            Self::Entitlement => (
                ", r.label AS resource_label",
                format!(
                    "LEFT JOIN resources r ON r.resource_type = v.resource_type
                         AND r.id = v.resource AND {}",
                    at("r")
                ),
            ),
            Self::Grant => (
                ", r.label AS resource_label, e.label AS entitlement_label,
                 a.email AS account_email, a.display_name AS account_name",
                format!(
                    "LEFT JOIN resources r ON r.resource_type = v.resource_type
                         AND r.id = v.resource AND {}
                     LEFT JOIN entitlements e ON e.entitlement_type = v.entitlement_type
                         AND e.resource_type = v.resource_type AND e.resource = v.resource
                         AND e.id = v.entitlement AND {}
                     LEFT JOIN accounts a ON a.id = v.account AND {}",
                    at("r"),
                    at("e"),
                    at("a"),
                ),
            ),
        }
    }
}

impl Fate {
    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

/// The JSON object of an account's own fields, which are compared one by one.
const ATTRIBUTES: &str = "attributes";

/// One version of a thing.
struct Version {
    is_after: bool,
    key: Vec<String>,
    fields: Vec<Option<String>>,
    label: String,
}

impl History<'_> {
    /// Visits what is different in the run `after`, as compared with `before`: by
    /// kind, then by identifier.
    pub fn changes(
        &self,
        before: &Run,
        after: &Run,
        mut visit: impl FnMut(Change) -> Result<(), ReportError>,
    ) -> Result<(), ReportError> {
        let store = self.store();
        let transaction = store.connection().unchecked_transaction();
        let transaction = transaction.map_err(|error| store.failed(&error))?;
        let runs = named_params! {
            ":tenant": self.tenant().id, ":before": before.id, ":after": after.id,
        };
        for kind in Kind::ALL {
            // Two versions of a thing follow each other.
            let mut waiting: Option<Version> = None;
            each(
                store,
                &transaction,
                &versions(kind),
                runs,
                |row| Version::read(row, kind),
                |version| {
                    let was = waiting.take();
                    match was {
                        Some(was) if was.key == version.key => {
                            change(kind, Some(was), Some(version)).map_or(Ok(()), &mut visit)
                        }
                        was => {
                            waiting = Some(version);
                            was.and_then(|was| alone(kind, was))
                                .map_or(Ok(()), &mut visit)
                        }
                    }
                },
            )?;
            waiting
                .and_then(|last| alone(kind, last))
                .map_or(Ok(()), &mut visit)?;
        }
        Ok(())
    }
}

/// What only one of the two runs has seen, in the form that it saw.
fn versions(kind: Kind) -> String {
    let (labels, joins) = kind.labels();
    let table = kind.table().name;
    let columns = |alias: &str| {
        let names = kind.key().iter().chain(kind.fields());
        let names: Vec<String> = names.map(|name| format!("{alias}.{name}")).collect();
        names.join(", ")
    };
    let key: Vec<String> = kind.key().iter().map(|name| format!("v.{name}")).collect();
    format!(
        "SELECT v.is_after, {}{labels} FROM (
             SELECT 0 AS is_after, :before AS seen_in, {} FROM {table} t WHERE {} AND NOT {}
             UNION ALL
             SELECT 1, :after, {} FROM {table} t WHERE {} AND NOT {}
         ) v {joins}
         ORDER BY {}, v.is_after",
        columns("v"),
        columns("t"),
        at_run("t", ":before"),
        at_run("t", ":after"),
        columns("t"),
        at_run("t", ":after"),
        at_run("t", ":before"),
        key.join(", "),
    )
}

impl Version {
    fn read(row: &Row<'_>, kind: Kind) -> rusqlite::Result<Self> {
        let key = kind.key().iter().map(|name| row.get(*name));
        let fields = kind.fields().iter().map(|name| match *name {
            "assignable" => {
                let assignable: bool = row.get("assignable")?;
                Ok(Some(if assignable { "yes" } else { "no" }.to_owned()))
            }
            "available" => {
                let available: Option<u32> = row.get("available")?;
                Ok(available.map(|number| number.to_string()))
            }
            name => row.get(name),
        });
        Ok(Self {
            is_after: row.get("is_after")?,
            key: key.collect::<Result<_, _>>()?,
            fields: fields.collect::<Result<_, _>>()?,
            label: label(row, kind)?,
        })
    }

    fn field(&self, kind: Kind, name: &str) -> Option<&str> {
        let at = kind.fields().iter().position(|field| *field == name)?;
        self.fields[at].as_deref()
    }

    /// Whether it is an account that is remembered, and not there.
    fn is_gone(&self, kind: Kind) -> bool {
        kind == Kind::Account
            && matches!(
                self.field(kind, "status"),
                Some("deprovisioned" | "deleted")
            )
    }
}

fn label(row: &Row<'_>, kind: Kind) -> rusqlite::Result<String> {
    let text = |column: &str| row.get::<_, Option<String>>(column);
    let or_id = |column: &str, id: &str| -> rusqlite::Result<String> {
        Ok(match text(column)? {
            Some(label) => label,
            None => row.get(id)?,
        })
    };
    Ok(match kind {
        Kind::Account => called(
            text("email")?.as_deref(),
            text("display_name")?.as_deref(),
            &row.get::<_, String>("id")?,
        ),
        Kind::Resource => format!(
            "{} {}",
            words(&row.get::<_, String>("resource_type")?),
            row.get::<_, String>("label")?
        ),
        Kind::Entitlement => {
            let on: String = row.get("resource")?;
            let what = told(
                &row.get::<_, String>("label")?,
                &on,
                &or_id("resource_label", "resource")?,
            );
            format!(
                "{}: {what}",
                words(&row.get::<_, String>("entitlement_type")?)
            )
        }
        Kind::Grant => {
            let on: String = row.get("resource")?;
            let what = told(
                &or_id("entitlement_label", "entitlement")?,
                &on,
                &or_id("resource_label", "resource")?,
            );
            let account: String = row.get("account")?;
            format!(
                "{}: {}: {what}",
                called(
                    text("account_email")?.as_deref(),
                    text("account_name")?.as_deref(),
                    &account
                ),
                words(&row.get::<_, String>("entitlement_type")?),
            )
        }
    })
}

/// The change of a thing that only one of the runs has seen.
fn alone(kind: Kind, version: Version) -> Option<Change> {
    if version.is_after {
        change(kind, None, Some(version))
    } else {
        change(kind, Some(version), None)
    }
}

fn change(kind: Kind, before: Option<Version>, after: Option<Version>) -> Option<Change> {
    let before = before.filter(|before| !before.is_gone(kind));
    let after = after.filter(|after| !after.is_gone(kind));
    let fields = match (&before, &after) {
        (Some(before), Some(after)) => differing(kind, before, after),
        _ => Vec::new(),
    };
    let (fate, version) = match (before, after) {
        (None, None) => return None,
        (None, Some(after)) => (Fate::Created, after),
        (Some(before), None) => (Fate::Removed, before),
        // It has changed and changed back.
        (Some(_), Some(_)) if fields.is_empty() => return None,
        (Some(_), Some(after)) => (Fate::Changed, after),
    };
    Some(Change {
        kind,
        change: fate,
        key: kind.key().iter().copied().zip(version.key).collect(),
        label: version.label,
        fields,
    })
}

fn differing(kind: Kind, before: &Version, after: &Version) -> Vec<FieldChange> {
    let mut differing = Vec::new();
    let values = before.fields.iter().zip(&after.fields);
    for (name, (before, after)) in kind.fields().iter().zip(values) {
        if before == after {
            continue;
        }
        if *name == ATTRIBUTES {
            let (before, after) = (attributes(before), attributes(after));
            let names = before.keys().chain(after.keys());
            let names: BTreeSet<&String> = names.collect();
            differing.extend(names.into_iter().filter_map(|name| {
                let (before, after) = (before.get(name), after.get(name));
                (before != after).then(|| FieldChange {
                    field: format!("{ATTRIBUTES}.{name}"),
                    before: before.cloned(),
                    after: after.cloned(),
                })
            }));
        } else {
            differing.push(FieldChange {
                field: (*name).to_owned(),
                before: before.clone(),
                after: after.clone(),
            });
        }
    }
    differing
}

fn attributes(json: &Option<String>) -> BTreeMap<String, String> {
    json.as_deref()
        .and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_default()
}
