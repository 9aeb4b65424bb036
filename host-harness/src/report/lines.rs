//! Reports as CSV, for spreadsheets.

use std::io::Write;

use super::{Duties, IdleRule, Person, ReportError, Snapshot, csv::Rows};

/// What every line tells of an account.
const ACCOUNT: [&str; 7] = [
    "account",
    "email",
    "name",
    "status",
    "kind",
    "last_login",
    "last_login_source",
];

impl Snapshot<'_> {
    /// Writes the access review: a line for each grant, and one for each account
    /// that has none. `decision` and `comment` are the reviewer's.
    pub fn access_csv(&self, out: impl Write) -> Result<(), ReportError> {
        let mut rows = Rows::new(out, false);
        rows.write(ACCOUNT.into_iter().chain([
            "schedules",
            "escalation_policies",
            "entitlement_type",
            "entitlement_id",
            "entitlement",
            "resource_type",
            "resource_id",
            "resource",
            "since",
            "first_seen",
            "decision",
            "comment",
        ]))?;
        self.access(|entry| {
            let load = load(&entry.duties);
            let load = load.iter().map(String::as_str);
            let account = account(&entry.account).into_iter().chain(load);
            if entry.held.is_empty() {
                return rows.write(account.chain([""; 10]));
            }
            for held in &entry.held {
                rows.write(account.clone().chain([
                    held.entitlement_type.as_str(),
                    &held.entitlement,
                    &held.label,
                    &held.resource_type,
                    &held.resource,
                    &held.resource_label,
                    held.since.as_deref().unwrap_or_default(),
                    &held.first_seen,
                    "",
                    "",
                ]))?;
            }
            Ok(())
        })?;
        rows.finish()?.flush()?;
        Ok(())
    }

    /// Writes the licences: a line for each account that holds one; `reclaimable`
    /// is why it could do without, and empty if it could not.
    pub fn licences_csv(&self, rule: &IdleRule, out: impl Write) -> Result<(), ReportError> {
        let mut rows = Rows::new(out, false);
        let licence = ["licence_id", "licence"].into_iter();
        rows.write(licence.chain(ACCOUNT).chain(["since", "reclaimable"]))?;
        self.seats(rule, |seat| {
            let reason = seat.idle.map(|idle| idle.told()).unwrap_or_default();
            let licence = [seat.licence.as_str(), &seat.label].into_iter();
            rows.write(
                licence
                    .chain(account(&seat.account))
                    .chain([seat.since.as_deref().unwrap_or_default(), &reason]),
            )
        })?;
        rows.finish()?.flush()?;
        Ok(())
    }

    /// Writes the inactive accounts, a line for each.
    pub fn inactive_csv(&self, rule: &IdleRule, out: impl Write) -> Result<(), ReportError> {
        let mut rows = Rows::new(out, false);
        rows.write(ACCOUNT.into_iter().chain([
            "reason",
            "schedules",
            "escalation_policies",
            "on_call_duties",
            "oldest_grant",
            "grants",
            "holds",
        ]))?;
        self.inactive(rule, |entry| {
            let [schedules, policies] = load(&entry.duties);
            let held: Vec<String> = entry.held.iter().map(|held| held.told()).collect();
            let duties = entry.duties.schedules.iter().chain(&entry.duties.policies);
            rows.write(account(&entry.account).into_iter().chain([
                entry.idle.told().as_str(),
                &schedules,
                &policies,
                &duties.cloned().collect::<Vec<_>>().join("; "),
                entry.oldest().unwrap_or_default(),
                &held.len().to_string(),
                &held.join("; "),
            ]))
        })?;
        rows.finish()?.flush()?;
        Ok(())
    }
}

fn account(person: &Person) -> [&str; 7] {
    let seen = person.seen.as_ref();
    [
        &person.id,
        person.email.as_deref().unwrap_or_default(),
        &person.name,
        &person.status,
        &person.kind,
        seen.map_or("", |seen| &seen.at),
        seen.map_or("", |seen| &seen.source),
    ]
}

/// On how many schedules and escalation policies somebody is.
fn load(duties: &Duties) -> [String; 2] {
    [
        duties.schedules.len().to_string(),
        duties.policies.len().to_string(),
    ]
}
