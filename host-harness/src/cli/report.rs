//! `harness report`: access review, licences, inactive accounts.

use std::io::{self, BufWriter, Write};

use jiff::Timestamp;

use super::{
    args::{ReportArgs, ReportCommand, ReportFormat, SnapshotArgs},
    failure::Failure,
    output,
};
use crate::{
    report::{Duties, Held, History, IdleRule, Licence, Person, ReportError, Snapshot},
    store::Store,
    whole_file::WholeFile,
};

pub(super) fn run(command: &ReportCommand) -> Result<(), Failure> {
    match command {
        ReportCommand::Access { output } => with(output, |snapshot, to| match to {
            To::Table(out) => access_table(snapshot, out),
            To::Csv(out) => snapshot.access_csv(out),
            To::Html(out) => snapshot.access_page(out, Timestamp::now()),
        }),
        ReportCommand::Licences { idle, output } => with(output, |snapshot, to| {
            let rule = IdleRule::after(idle.days, snapshot)?;
            match to {
                To::Table(out) => licences_table(snapshot, &rule, out),
                To::Csv(out) => snapshot.licences_csv(&rule, out),
                To::Html(out) => snapshot.licences_page(&rule, out, Timestamp::now()),
            }
        }),
        ReportCommand::Inactive { idle, output } => with(output, |snapshot, to| {
            let rule = IdleRule::after(idle.days, snapshot)?;
            match to {
                To::Table(out) => inactive_table(snapshot, &rule, out),
                To::Csv(out) => snapshot.inactive_csv(&rule, out),
                To::Html(out) => snapshot.inactive_page(&rule, out, Timestamp::now()),
            }
        }),
    }
}

/// The run that is meant, and what it leaves out on stderr.
pub(super) fn snapshot<'s>(
    store: &'s Store,
    args: &SnapshotArgs,
) -> Result<Snapshot<'s>, ReportError> {
    let history = History::of(store, args.stored.tenant.as_deref())?;
    let snapshot = history.snapshot(history.run(args.run)?)?;
    let run = snapshot.run();
    for notice in &run.notices {
        talk!(
            "notice: run {}: {}",
            run.id,
            crate::printable(&notice.message)
        );
    }
    Ok(snapshot)
}

/// Where a report goes, and in which format.
enum To<'o> {
    Table(&'o mut dyn Write),
    Csv(&'o mut dyn Write),
    Html(&'o mut dyn Write),
}

/// Makes a report of what the arguments name. A file is there whole or not at
/// all.
fn with(
    args: &ReportArgs,
    make: impl FnOnce(&Snapshot<'_>, To<'_>) -> Result<(), ReportError>,
) -> Result<(), Failure> {
    let store = Store::open_to_read(&args.snapshot.stored.store)?;
    let snapshot = snapshot(&store, &args.snapshot)?;
    let make = |out: &mut dyn Write| {
        let to = match args.format {
            ReportFormat::Table => To::Table(out),
            ReportFormat::Csv => To::Csv(out),
            ReportFormat::Html => To::Html(out),
        };
        make(&snapshot, to)
    };
    let Some(path) = &args.output else {
        let mut out = BufWriter::new(io::stdout().lock());
        make(&mut out)?;
        out.flush()?;
        return Ok(());
    };
    let failed = |cause: io::Error| ReportError::file(path, &cause);
    let mut out = BufWriter::new(WholeFile::begin(path).map_err(failed)?);
    make(&mut out).map_err(|error| error.in_file(path))?;
    let file = out
        .into_inner()
        .map_err(|error| failed(error.into_error()))?;
    file.finish().map_err(failed)?;
    talk!("wrote `{}`: run {}", path.display(), snapshot.run().id);
    Ok(())
}

fn access_table(snapshot: &Snapshot<'_>, out: &mut dyn Write) -> Result<(), ReportError> {
    let mut rows = Vec::new();
    snapshot.access(|entry| {
        let mut account = [
            entry.account.called(),
            entry.account.status.clone(),
            seen(&entry.account),
            load(&entry.duties),
        ];
        let held: Vec<[String; 3]> = match entry.held.as_slice() {
            [] => vec![["-".to_owned(), "nothing".to_owned(), "-".to_owned()]],
            held => held
                .iter()
                .map(|held| [held.kind(), held.told(), since(held)])
                .collect(),
        };
        for held in held {
            rows.push(account.iter().cloned().chain(held).collect());
            // The account is told once.
            account = Default::default();
        }
        Ok(())
    })?;
    let header = [
        "account",
        "status",
        "last login",
        "on call",
        "kind",
        "access",
        "since",
    ];
    table(out, &header, rows)?;
    let totals = snapshot.access_totals()?;
    talk!(
        "{}, {}, {} on call, {} pending",
        counted(totals.accounts, "account", "accounts"),
        counted(totals.held, "grant", "grants"),
        totals.on_call,
        totals.pending,
    );
    Ok(())
}

fn licences_table(
    snapshot: &Snapshot<'_>,
    rule: &IdleRule,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let days = format!("{} days", rule.days());
    let header = [
        "licence",
        "used",
        "free",
        "reclaimable",
        &days,
        "never",
        "pending",
    ];
    let row = |licence: &Licence| {
        let holders = &licence.holders;
        vec![
            licence.label.clone(),
            holders.accounts.to_string(),
            licence.free.to_string(),
            holders.idle().to_string(),
            holders.inactive.to_string(),
            holders.never.to_string(),
            holders.pending.to_string(),
        ]
    };
    let licences = snapshot.licences(rule)?;
    table(out, &header, licences.iter().map(row).collect())?;
    writeln!(out)?;
    let mut rows = Vec::new();
    snapshot.seats(rule, |seat| {
        if let Some(idle) = seat.idle {
            rows.push(vec![
                seat.account.called(),
                seat.label,
                idle.told(),
                seen(&seat.account),
                seat.since.as_deref().map_or("-".to_owned(), day),
            ]);
        }
        Ok(())
    })?;
    let header = ["reclaimable from", "licence", "why", "last login", "since"];
    table(out, &header, rows)?;
    warn_of_no_activity(rule);
    Ok(())
}

fn inactive_table(
    snapshot: &Snapshot<'_>,
    rule: &IdleRule,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let mut rows = Vec::new();
    snapshot.inactive(rule, |entry| {
        rows.push(vec![
            entry.account.called(),
            entry.account.status.clone(),
            entry.idle.told(),
            seen(&entry.account),
            load(&entry.duties),
            entry.held.len().to_string(),
        ]);
        Ok(())
    })?;
    let header = ["account", "status", "why", "last login", "on call", "holds"];
    table(out, &header, rows)?;
    let totals = snapshot.inactive_totals(rule)?;
    talk!(
        "{} of {} inactive: {} not seen for {} days, {} never, {} pending",
        totals.idle(),
        counted(totals.accounts, "account", "accounts"),
        totals.inactive,
        rule.days(),
        totals.never,
        totals.pending,
    );
    warn_of_no_activity(rule);
    Ok(())
}

fn warn_of_no_activity(rule: &IdleRule) {
    if !rule.knows_activity() {
        talk!(
            "notice: this run could read no last logins, so nobody counts as inactive but who has \
             not accepted the invitation"
        );
    }
}

fn table(out: &mut dyn Write, header: &[&str], rows: Vec<Vec<String>>) -> Result<(), ReportError> {
    out.write_all(output::columns(header, rows).as_bytes())?;
    Ok(())
}

fn counted(number: u64, one: &str, many: &str) -> String {
    output::counted(usize::try_from(number).unwrap_or(usize::MAX), one, many)
}

fn seen(person: &Person) -> String {
    person
        .seen
        .as_ref()
        .map_or("never".to_owned(), |seen| day(&seen.at))
}

fn load(duties: &Duties) -> String {
    match duties.count() {
        0 => "-".to_owned(),
        _ => format!(
            "{}, {}",
            output::counted(duties.schedules.len(), "schedule", "schedules"),
            output::counted(duties.policies.len(), "policy", "policies")
        ),
    }
}

fn since(held: &Held) -> String {
    match &held.since {
        Some(since) => day(since),
        None if held.was_there_before => format!("before {}", day(&held.first_seen)),
        None => format!("seen {}", day(&held.first_seen)),
    }
}

/// The day of an RFC 3339 time.
fn day(at: &str) -> String {
    match at.parse::<Timestamp>() {
        Ok(at) => at.strftime("%Y-%m-%d").to_string(),
        Err(_) => at.to_owned(),
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        let hint = error.hint();
        match error {
            // Also the one who reads our output, and has gone away.
            ReportError::Output(error) => error.into(),
            error if error.is_usage() => Self::usage(&error, hint),
            error => Self::call(&error, Some(hint)),
        }
    }
}
