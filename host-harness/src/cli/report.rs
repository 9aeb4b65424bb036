//! `harness report`: access review, licences, inactive accounts.

use std::io::{self, BufWriter, Write};

use jiff::Timestamp;

use super::{
    args::{ReportArgs, ReportCommand, ReportFormat, SnapshotArgs},
    failure::Failure,
    interrupt, output,
};
use crate::{
    report::{Coverage, Duties, Held, History, IdleRule, Licence, Person, ReportError, Snapshot},
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
            let rule = IdleRule::after(idle.days, snapshot);
            match to {
                To::Table(out) => licences_table(snapshot, &rule, out),
                To::Csv(out) => snapshot.licences_csv(&rule, out),
                To::Html(out) => snapshot.licences_page(&rule, out, Timestamp::now()),
            }
        }),
        ReportCommand::Inactive { idle, output } => with(output, |snapshot, to| {
            let rule = IdleRule::after(idle.days, snapshot);
            match to {
                To::Table(out) => inactive_table(snapshot, &rule, out),
                To::Csv(out) => snapshot.inactive_csv(&rule, out),
                To::Html(out) => snapshot.inactive_page(&rule, out, Timestamp::now()),
            }
        }),
    }
}

/// The run that is meant, and on stderr what is to be known of it.
pub(super) fn snapshot<'s>(
    store: &'s Store,
    args: &SnapshotArgs,
) -> Result<Snapshot<'s>, ReportError> {
    let history = History::of(store, args.stored.tenant.as_deref())?;
    let snapshot = history.snapshot(history.run(args.run)?)?;
    output::caveats(snapshot.run());
    Ok(snapshot)
}

/// Where a report goes, and in which format.
enum To<'o> {
    Table(&'o mut dyn Write),
    Csv(&'o mut dyn Write),
    Html(&'o mut dyn Write),
}

/// As a name of a file.
const STDOUT: &str = "-";

/// Makes a report of what the arguments name. A file is there whole or not at
/// all.
fn with(
    args: &ReportArgs,
    make: impl FnOnce(&Snapshot<'_>, To<'_>) -> Result<(), ReportError>,
) -> Result<(), Failure> {
    let store = Store::open_to_read(&args.snapshot.stored.store)?;
    let snapshot = snapshot(&store, &args.snapshot)?;
    output::caveat_of_activity(&snapshot);
    let make = |out: &mut dyn Write| {
        let to = match args.format {
            ReportFormat::Table => To::Table(out),
            ReportFormat::Csv => To::Csv(out),
            ReportFormat::Html => To::Html(out),
        };
        make(&snapshot, to)
    };
    let Some(path) = args
        .output
        .as_deref()
        .filter(|path| path.to_str() != Some(STDOUT))
    else {
        let mut out = BufWriter::new(io::stdout().lock());
        make(&mut out)?;
        out.flush()?;
        return Ok(());
    };
    snapshot.may_write(path)?;
    interrupt::leave_nothing_half_written()?;
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
    let header = [
        "account",
        "status",
        "last login",
        "source",
        "on call",
        "kind",
        "access",
        "since",
    ];
    output::visited_columns(out, &header, |visit| {
        snapshot.access(|entry| {
            let [at, source] = seen(&entry.account, snapshot.coverage());
            let mut account = [
                entry.account.called(),
                entry.account.status.clone(),
                at,
                source,
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
                let row: Vec<String> = account.into_iter().chain(held).collect();
                visit(&row)?;
                // The account is told once.
                account = Default::default();
            }
            Ok(())
        })
    })?;
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
        "disabled",
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
            holders.disabled.to_string(),
        ]
    };
    let licences = snapshot.licences(rule)?;
    let numbers = output::columns(&header, licences.iter().map(row));
    writeln!(out, "{numbers}")?;
    let header = [
        "reclaimable from",
        "licence",
        "why",
        "last login",
        "source",
        "since",
    ];
    output::visited_columns(out, &header, |visit| {
        snapshot.seats(rule, |seat| {
            let Some(idle) = seat.idle else {
                return Ok(());
            };
            let [at, source] = seen(&seat.account, snapshot.coverage());
            visit(&[
                seat.account.called(),
                seat.label,
                idle.told(),
                at,
                source,
                seat.since.as_deref().map_or("-".to_owned(), day),
            ])
        })
    })
}

fn inactive_table(
    snapshot: &Snapshot<'_>,
    rule: &IdleRule,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let header = [
        "account",
        "status",
        "why",
        "last login",
        "source",
        "on call",
        "holds",
    ];
    output::visited_columns(out, &header, |visit| {
        snapshot.inactive(rule, |entry| {
            let [at, source] = seen(&entry.account, snapshot.coverage());
            visit(&[
                entry.account.called(),
                entry.account.status.clone(),
                entry.idle.told(),
                at,
                source,
                load(&entry.duties),
                entry.held.len().to_string(),
            ])
        })
    })?;
    let totals = snapshot.inactive_totals(rule)?;
    talk!(
        "{} of {} inactive: {} not seen for {} days, {} never, {} pending, {} disabled",
        totals.idle(),
        counted(totals.accounts, "account", "accounts"),
        totals.inactive,
        rule.days(),
        totals.never,
        totals.pending,
        totals.disabled,
    );
    Ok(())
}

fn counted(number: u64, one: &str, many: &str) -> String {
    output::counted(usize::try_from(number).unwrap_or(usize::MAX), one, many)
}

/// When somebody was last seen, and by which of the vendor's records.
fn seen(person: &Person, coverage: Coverage) -> [String; 2] {
    match &person.seen {
        None => [coverage.without_trace(person).to_owned(), "-".to_owned()],
        Some(seen) if seen.kind == "last-login" => [day(&seen.at), seen.source.clone()],
        Some(seen) => [day(&seen.at), format!("{} ({})", seen.source, seen.kind)],
    }
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
