//! Reports as CSV, for spreadsheets.

use std::{collections::BTreeMap, io::Write};

use super::{Coverage, Duties, IdleRule, Licence, Person, ReportError, Snapshot, csv::Rows};

/// What every line tells of where it is from: a copy that is filed, or cut up, is
/// evidence by itself.
const ORIGIN: [&str; 3] = ["tenant", "run", "as_of"];

/// What every line tells of an account. `last_login_kind` is what was seen then
/// (`last-login` or `last-activity`), or why there is no time: `never`, or
/// `unknown`.
const ACCOUNT: [&str; 8] = [
    "account",
    "email",
    "name",
    "status",
    "kind",
    "last_login",
    "last_login_kind",
    "last_login_source",
];

impl Snapshot<'_> {
    /// Writes the access review: a line for each grant, and one for each account
    /// that has none. `first_seen` is when the run began that saw the grant first;
    /// `first_seen_kind` says whether it was `new` then, or there `before`, since
    /// no earlier run is known. `decision` and `comment` are the reviewer's.
    pub fn access_csv(&self, out: impl Write) -> Result<(), ReportError> {
        let mut rows = Rows::for_people(out)?;
        rows.write(ORIGIN.into_iter().chain(ACCOUNT).chain([
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
            "first_seen_kind",
            "decision",
            "comment",
        ]))?;
        let origin = self.origin();
        self.access(|entry| {
            let load = load(&entry.duties);
            let account = told(&origin)
                .chain(account(&entry.account, self.coverage()))
                .chain(told(&load));
            if entry.held.is_empty() {
                return rows.write(account.chain([""; 11]));
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
                    if held.was_there_before {
                        "before"
                    } else {
                        "new"
                    },
                    "",
                    "",
                ]))?;
            }
            Ok(())
        })?;
        rows.finish()?.flush()?;
        Ok(())
    }

    /// Writes the licences: a line for each account that holds one, then one for
    /// each that nobody holds. Every line has the numbers of its licence;
    /// `reclaimable` is why this account could do without, and empty if it could
    /// not.
    pub fn licences_csv(&self, rule: &IdleRule, out: impl Write) -> Result<(), ReportError> {
        let mut rows = Rows::for_people(out)?;
        let licence = [
            "licence_id",
            "licence",
            "licence_used",
            "licence_free",
            "licence_reclaimable",
        ];
        let head = ORIGIN.into_iter().chain(licence).chain(ACCOUNT);
        rows.write(head.chain(["since", "reclaimable"]))?;
        let origin = self.origin();
        let licences = self.licences(rule)?;
        let numbers: BTreeMap<&str, [String; 5]> = licences
            .iter()
            .map(|licence| (licence.id.as_str(), numbers(licence)))
            .collect();
        self.seats(rule, |seat| {
            let reason = seat.idle.map(|idle| idle.told()).unwrap_or_default();
            // Whoever holds a licence makes it one of them.
            let numbers = &numbers[seat.licence.as_str()];
            rows.write(
                told(&origin)
                    .chain(told(numbers))
                    .chain(account(&seat.account, self.coverage()))
                    .chain([seat.since.as_deref().unwrap_or_default(), &reason]),
            )
        })?;
        let unused = licences.iter().filter(|of| of.holders.accounts == 0);
        for licence in unused {
            let numbers = &numbers[licence.id.as_str()];
            let nobody = [""; ACCOUNT.len() + 2];
            rows.write(told(&origin).chain(told(numbers)).chain(nobody))?;
        }
        rows.finish()?.flush()?;
        Ok(())
    }

    /// Writes the inactive accounts, a line for each.
    pub fn inactive_csv(&self, rule: &IdleRule, out: impl Write) -> Result<(), ReportError> {
        let mut rows = Rows::for_people(out)?;
        rows.write(ORIGIN.into_iter().chain(ACCOUNT).chain([
            "reason",
            "schedules",
            "escalation_policies",
            "on_call_duties",
            "oldest_grant",
            "grants",
            "holds",
        ]))?;
        let origin = self.origin();
        self.inactive(rule, |entry| {
            let [schedules, policies] = load(&entry.duties);
            let held: Vec<String> = entry.held.iter().map(|held| held.told()).collect();
            let duties = entry.duties.schedules.iter().chain(&entry.duties.policies);
            let account = account(&entry.account, self.coverage());
            rows.write(told(&origin).chain(account).chain([
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

    fn origin(&self) -> [String; 3] {
        let run = self.run();
        [
            run.tenant.name.clone(),
            run.id.to_string(),
            self.as_of().to_string(),
        ]
    }
}

fn told(cells: &[String]) -> impl Iterator<Item = &str> + Clone {
    cells.iter().map(String::as_str)
}

fn account(person: &Person, coverage: Coverage) -> [&str; 8] {
    let seen = person.seen.as_ref();
    [
        &person.id,
        person.email.as_deref().unwrap_or_default(),
        &person.name,
        &person.status,
        &person.kind,
        seen.map_or("", |seen| &seen.at),
        match seen {
            Some(seen) => &seen.kind,
            None => coverage.without_trace(person),
        },
        seen.map_or("", |seen| &seen.source),
    ]
}

fn numbers(licence: &Licence) -> [String; 5] {
    [
        licence.id.clone(),
        licence.label.clone(),
        licence.holders.accounts.to_string(),
        licence.free.to_string(),
        licence.holders.idle().to_string(),
    ]
}

/// On how many schedules and escalation policies somebody is.
fn load(duties: &Duties) -> [String; 2] {
    [
        duties.schedules.len().to_string(),
        duties.policies.len().to_string(),
    ]
}
