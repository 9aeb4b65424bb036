//! `harness sync`: reads a tenant into a store.

use std::{
    io::IsTerminal,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{
    args::SyncArgs,
    connect,
    failure::Failure,
    output::{self, count, counted},
    signals::Signals,
    sync_all::sync_all,
};
use crate::{
    store::{Changes, Finding, Run, RunState, Severity, Store},
    sync::{self, Event, Outcome, Progress, Stop, SyncError, SyncOptions},
    text::printable,
};

/// Between two lines where nobody sees a bar.
const EVERY: Duration = Duration::from_secs(5);

pub(super) async fn sync(args: &SyncArgs) -> Result<(), Failure> {
    if let Some(config) = &args.config {
        return sync_all(config, args).await;
    }
    let Some(store) = &args.store else {
        // clap asks for one of the two.
        return Err(Failure::usage(
            "nothing says where the store is",
            "name it with `--store`",
        ));
    };
    let store = Store::open(store)?;
    let accept = accepting(args)?;
    if let (Some(by), Some(tenant)) = (&accept, &args.tenant)
        && is_refused(&store, tenant)?
    {
        let outcome = sync::accept(store, tenant, by).await?;
        return show(&outcome, args);
    }
    let mut options = SyncOptions::default();
    options.tenant.clone_from(&args.tenant);
    options.page_size = args.page_size;
    options.max_shrink = args.max_shrink;
    options.restart = args.restart;
    options.resume_within = Duration::from_secs(args.resume_within * 60 * 60);
    options.accept = accept;
    let session = connect::session(&args.connect).await?;
    // Whose run is accepted is a matter of whose credential it is, not of who
    // else waits in the store.
    if let (Some(by), None) = (&options.accept, &args.tenant)
        && let Some(tenant) = sync::whose(&session.tenant, &store).await?
        && is_refused(&store, &tenant.name)?
    {
        let outcome = sync::accept(store, &tenant.name, by).await?;
        session.finish()?;
        return show(&outcome, args);
    }
    let signals = stop_on_signals(&options.stop)?;
    let shown = Shown::new();
    let outcome = sync::run(&session.tenant, store, &options, &|event| shown.tell(event)).await;
    shown.end();
    signals.abort();
    let finished = session.finish();
    let outcome = outcome.map_err(|error| failed(error, args.connect.json))?;
    finished?;
    show(&outcome, args)
}

/// Who accepts, if somebody does.
fn accepting(args: &SyncArgs) -> Result<Option<String>, Failure> {
    if !args.accept {
        return Ok(None);
    }
    match &args.by {
        Some(by) if !by.trim().is_empty() => Ok(Some(by.clone())),
        _ => Err(Failure::usage(
            "`--accept` is written down with who accepts, and nobody is named",
            "say who you are with `--by`",
        )),
    }
}

/// Whether the latest run of the tenant waits to be accepted.
fn is_refused(store: &Store, tenant: &str) -> Result<bool, Failure> {
    let latest = store.runs(Some(tenant))?.pop();
    Ok(latest.is_some_and(|run| run.state == RunState::Refused))
}

fn failed(error: SyncError, as_json: bool) -> Failure {
    let call = match &error {
        SyncError::Call { error, .. } => Some(error.clone()),
        _ => None,
    };
    let failure = Failure::from(error);
    match call {
        Some(call) if as_json => failure.with_json(&call),
        _ => failure,
    }
}

/// The first signal ends the sync at the next page, the second one at once.
pub(super) fn stop_on_signals(stop: &Stop) -> Result<tokio::task::JoinHandle<()>, Failure> {
    let stop = stop.clone();
    let mut signals = Signals::new()?;
    Ok(tokio::spawn(async move {
        for is_first in [true, false] {
            signals.next().await;
            if is_first {
                stop.stop();
                talk!("ends after the page that is being read; once more ends at once");
            }
        }
        // Nothing is lost: what is committed is committed.
        std::process::exit(1);
    }))
}

/// How far it is, on stderr: a line that moves on a terminal, else a line every
/// few seconds.
struct Shown {
    bar: Option<ProgressBar>,
    last: Mutex<Instant>,
}

impl Shown {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self {
            bar,
            last: Mutex::new(Instant::now()),
        }
    }

    fn tell(&self, event: Event<'_>) {
        match event {
            Event::Began { run, resumed } => self.say(&match resumed {
                None => format!("run {} of `{}` begins", run.id, run.tenant.name),
                Some(pages) => format!(
                    "run {} of `{}` goes on, {} after it began; {} there already",
                    run.id,
                    run.tenant.name,
                    ago(run),
                    counted_of(pages, "page is", "pages are"),
                ),
            }),
            Event::Page(progress) | Event::Reading(progress) => self.move_on(progress),
            Event::Waiting {
                function,
                why,
                wait,
            } => self.say(&format!(
                "`{function}` failed: {why}; tries again in {}",
                rough(wait)
            )),
            Event::Restarted { function, why } => {
                self.say(&format!("`{function}` begins anew: {why}"));
            }
        }
    }

    fn move_on(&self, progress: &Progress) {
        if let Some(bar) = &self.bar {
            bar.set_message(line(progress));
            return;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() >= EVERY {
            *last = Instant::now();
            talk!("{}", line(progress));
        }
    }

    fn say(&self, text: &str) {
        let text = printable(text);
        match &self.bar {
            Some(bar) => bar.suspend(|| talk!("{text}")),
            None => talk!("{text}"),
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.end();
    }
}

/// Pages, rows, requests, what is left of the rate limit, and of the time.
pub(super) fn line(progress: &Progress) -> String {
    let what = match progress.function {
        "directory.list-accounts" => "accounts",
        "directory.list-resources" => "resources",
        "directory.list-entitlements" => "entitlements",
        "directory.list-grants" => "grants",
        "directory.get-account" => "accounts looked up",
        "activity.get-last-activity" => "last activity",
        other => other,
    };
    let mut line = format!(
        "{what}: {} in {}; {}",
        number(progress.rows),
        counted_of(progress.pages, "page", "pages"),
        counted_of(progress.requests, "request", "requests"),
    );
    if progress.cached > 0 {
        line += &format!(", {} saved", number(progress.cached));
    }
    if let Some(limit) = progress.rate_limit {
        line += &format!(
            "; {} of {} left of the rate limit",
            number(limit.remaining.into()),
            number(limit.limit.into())
        );
    }
    if let Some(left) = progress.time_left {
        line += &format!("; about {} left", rough(left));
    }
    line
}

/// How long ago a run began.
pub(super) fn ago(run: &Run) -> String {
    let seconds = jiff::Timestamp::now().as_second() - run.began_at.as_second();
    rough(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// A time for people: `40 s`, `3 min`, `2 h 5 min`.
pub(super) fn rough(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..90 => format!("{seconds} s"),
        seconds @ 90..5400 => format!("{} min", (seconds + 30) / 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

pub(super) fn number(number: u64) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX))
}

fn counted_of(number: u64, one: &str, many: &str) -> String {
    counted(usize::try_from(number).unwrap_or(usize::MAX), one, many)
}

fn show(outcome: &Outcome, args: &SyncArgs) -> Result<(), Failure> {
    if args.connect.json {
        output::json(&as_json(outcome))?;
    }
    match outcome {
        Outcome::Complete(summary) => {
            if !args.connect.json {
                changes(&summary.changes)?;
            }
            notices("", &summary.run);
            if !summary.run.findings.is_empty() {
                talk!("{}", report(&summary.run.findings).trim_end());
            }
            let run = &summary.run;
            let accepted = match &run.accepted_by {
                Some(by) => format!(", accepted by {}", printable(by)),
                None => String::new(),
            };
            talk!(
                "run {} of `{}` is complete{accepted}: {}, {} saved",
                run.id,
                printable(&run.tenant.name),
                counted_of(run.requests, "request", "requests"),
                number(run.cached),
            );
            Ok(())
        }
        Outcome::Refused(run) => {
            notices("", run);
            Err(Failure::call(
                format!(
                    "run {} of `{}` is not plausible, and has replaced nothing",
                    run.id, run.tenant.name
                ),
                Some(
                    "if it is right all the same, run the command again with `--accept`; without \
                     it, it reads anew"
                        .to_owned(),
                ),
            )
            .with_detail(report(&run.findings)))
        }
        Outcome::Stopped(run) => Err(Failure::call(
            format!("run {} of `{}` has stopped", run.id, run.tenant.name),
            Some("run the same command again to go on".to_owned()),
        )),
        Outcome::NotBegun => Err(Failure::call(
            "stopped before a run was begun",
            Some("run the same command again".to_owned()),
        )),
    }
}

fn as_json(outcome: &Outcome) -> Value {
    let (outcome, run, changes) = match outcome {
        Outcome::Complete(summary) => ("complete", &summary.run, Some(&summary.changes)),
        Outcome::Refused(run) => ("refused", run, None),
        Outcome::Stopped(run) => ("stopped", run, None),
        Outcome::NotBegun => return json!({ "outcome": "not-begun" }),
    };
    json!({ "outcome": outcome, "run": run, "changes": changes })
}

fn changes(changes: &[Changes]) -> Result<(), Failure> {
    let header = ["what", "total", "new", "changed", "gone"];
    let rows = changes.iter().map(|changes| {
        let numbers = [
            changes.total,
            changes.added,
            changes.changed,
            changes.removed,
        ];
        let mut row = vec![changes.of.replace('_', " ")];
        row.extend(numbers.map(number));
        row
    });
    output::table(&header, rows)
}

pub(super) fn notices(of: &str, run: &Run) {
    for notice in &run.notices {
        let message = printable(&notice.message);
        match &notice.hint {
            Some(hint) => talk!("{of}notice: {message}; hint: {}", printable(hint)),
            None => talk!("{of}notice: {message}"),
        }
    }
}

/// What is not plausible: one finding after the other, aligned.
pub(super) fn report(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.check.len()).max();
    let width = width.unwrap_or(0);
    let mut report = String::new();
    for finding in findings {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let mut line = |first: &str, second: &str, text: &str| {
            let text = printable(text);
            report += &format!("{first:7}  {second:width$}  {text}\n");
        };
        line(severity, &finding.check, &finding.message);
        if !finding.examples.is_empty() {
            line("", "", &format!("such as {}", finding.examples.join(", ")));
        }
        line("", "", &format!("hint: {}", finding.hint));
    }
    report
}
