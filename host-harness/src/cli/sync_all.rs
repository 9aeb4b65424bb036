//! `harness sync --config`: several tenants, each on its own, some at a time.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{
    args::SyncArgs,
    connect::{self, Access},
    failure::Failure,
    output,
    sync::{ago, line, notices, number, report, rough, stop_on_signals},
    tenants::{TenantEntry, TenantsFile},
};
use crate::{
    Connector, Engine,
    store::{Run, Store},
    sync::{self, Event, Outcome, Stop, SyncOptions},
    text::printable,
};

/// Tenants at a time, if nobody says how many: each waits for its own vendor's
/// rate limit most of the time.
const PARALLEL: usize = 4;

/// Between two lines about one tenant.
const EVERY: Duration = Duration::from_secs(10);

/// What a tenant's sync came to.
struct Ended {
    name: String,
    outcome: Result<Outcome, Failure>,
    took: Duration,
}

pub(super) async fn sync_all(config: &Path, args: &SyncArgs) -> Result<(), Failure> {
    let file = TenantsFile::read(config)?;
    let store = args.store.clone().or(file.store).ok_or_else(|| {
        Failure::usage(
            "nothing says where the store is",
            "name it with `--store`, or as `store` in the file",
        )
    })?;
    // Made, or found wanting, once and for all.
    drop(Store::open(&store)?);
    let connectors = Arc::new(Connectors::load(&file.tenants).await?);
    let parallel = args.parallel.or(file.parallel);
    let room = Arc::new(Semaphore::new(parallel.map_or(PARALLEL, |n| n.get())));
    let stop = Stop::default();
    let signals = stop_on_signals(&stop)?;
    let tasks: Vec<_> = file
        .tenants
        .into_iter()
        .map(|tenant| {
            let options = SyncOptions {
                tenant: Some(tenant.name.clone()),
                page_size: args.page_size,
                max_shrink: tenant.max_shrink.unwrap_or(args.max_shrink),
                restart: args.restart,
                resume_within: Duration::from_secs(args.resume_within * 60 * 60),
                stop: stop.clone(),
                ..SyncOptions::default()
            };
            let name = tenant.name.clone();
            let (room, store, connectors) =
                (Arc::clone(&room), store.clone(), Arc::clone(&connectors));
            let task = tokio::spawn(async move {
                // Never closed.
                let _room = room.acquire_owned().await;
                let began = Instant::now();
                let outcome = one(&tenant, store, &connectors, &options).await;
                (outcome, began.elapsed())
            });
            (name, task)
        })
        .collect();
    let mut all = Vec::new();
    for (name, task) in tasks {
        let (outcome, took) = task.await.unwrap_or_else(|error| {
            let crashed = Failure::call(format!("the sync crashed in the host: {error}"), None);
            (Err(crashed), Duration::ZERO)
        });
        all.push(Ended {
            name,
            outcome,
            took,
        });
    }
    signals.abort();
    show(&all, &store, args.connect.json)
}

/// The connectors that the tenants use, each loaded once. One that can't be is
/// none of them: those who use it say why.
struct Connectors {
    engine: Engine,
    loaded: HashMap<Option<PathBuf>, Connector>,
}

impl Connectors {
    async fn load(tenants: &[TenantEntry]) -> Result<Self, Failure> {
        let engine = connect::engine()?;
        let mut loaded = HashMap::new();
        for tenant in tenants {
            let args = &tenant.connect.reach.connector;
            if !loaded.contains_key(&args.connector)
                && let Ok(connector) = connect::connector(&engine, args).await
            {
                loaded.insert(args.connector.clone(), connector);
            }
        }
        Ok(Self { engine, loaded })
    }

    async fn of(&self, tenant: &TenantEntry) -> Result<Connector, Failure> {
        let args = &tenant.connect.reach.connector;
        match self.loaded.get(&args.connector) {
            Some(connector) => Ok(connector.clone()),
            None => connect::connector(&self.engine, args).await,
        }
    }
}

async fn one(
    tenant: &TenantEntry,
    store: PathBuf,
    connectors: &Connectors,
    options: &SyncOptions,
) -> Result<Outcome, Failure> {
    if options.stop.is_stopped() {
        return Ok(Outcome::NotBegun);
    }
    let connector = connectors.of(tenant).await?;
    let session = connect::session_through(&connector, Access::Read, &tenant.connect).await?;
    let store = match tokio::task::spawn_blocking(move || Store::open_again(&store)).await {
        Ok(store) => store?,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    };
    let name = printable(&tenant.name).into_owned();
    let last = Mutex::new(Instant::now());
    let outcome = sync::run(&session.tenant, store, options, &|event| match event {
        Event::Began { run, resumed } => match resumed {
            Some(_) => talk!(
                "{name}: run {} goes on, {} after it began",
                run.id,
                ago(run)
            ),
            None => talk!("{name}: run {} begins", run.id),
        },
        Event::Page(progress) | Event::Reading(progress) => {
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.elapsed() >= EVERY {
                *last = Instant::now();
                talk!("{name}: {}", line(progress));
            }
        }
        Event::Waiting {
            function,
            why,
            wait,
        } => talk!(
            "{name}: `{function}` failed: {}; tries again in {}",
            printable(why),
            rough(wait)
        ),
        Event::Restarted { function, why } => talk!("{name}: `{function}` begins anew: {why}"),
    })
    .await;
    Ok(outcome?)
}

fn talk_findings(name: &str, run: &Run) {
    for line in report(&run.findings).lines() {
        talk!("{name}: {line}");
    }
}

fn show(all: &[Ended], store: &Path, as_json: bool) -> Result<(), Failure> {
    if as_json {
        let all: Vec<Value> = all.iter().map(Ended::to_json).collect();
        output::json(&Value::Array(all))?;
    } else {
        output::table(
            &[
                "tenant", "outcome", "run", "accounts", "new", "changed", "gone", "requests",
                "saved", "took",
            ],
            all.iter().map(Ended::row),
        )?;
    }
    let mut failed = 0;
    for ended in all {
        let name = printable(&ended.name);
        match &ended.outcome {
            Ok(Outcome::Complete(summary)) => {
                notices(&format!("{name}: "), &summary.run);
                talk_findings(&name, &summary.run);
                continue;
            }
            Ok(Outcome::Refused(run)) => {
                notices(&format!("{name}: "), run);
                talk!(
                    "{name}: run {} is not plausible, and has replaced nothing",
                    run.id
                );
                talk_findings(&name, run);
            }
            Ok(Outcome::Stopped(run)) => talk!("{name}: run {} has stopped", run.id),
            Ok(Outcome::NotBegun) => talk!("{name}: not begun any more"),
            Err(failure) => talk!("{name}: {failure}"),
        }
        failed += 1;
    }
    if failed == 0 {
        return Ok(());
    }
    Err(Failure::call(
        format!(
            "{failed} of {} did not end with a snapshot",
            output::counted(all.len(), "tenant", "tenants")
        ),
        Some(format!(
            "run the command again: what was cut off goes on, what is complete is read anew; \
                 one that is not plausible is accepted by `harness sync --store {} --tenant NAME \
                 --accept`",
            store.display()
        )),
    ))
}

impl Ended {
    fn word(&self) -> &'static str {
        match &self.outcome {
            Ok(Outcome::Complete(_)) => "complete",
            Ok(Outcome::Refused(_)) => "refused",
            Ok(Outcome::Stopped(_)) => "stopped",
            Ok(Outcome::NotBegun) => "not begun",
            Err(_) => "failed",
        }
    }

    fn row(&self) -> Vec<String> {
        let mut row = vec![self.name.clone(), self.word().to_owned()];
        let run = match &self.outcome {
            Ok(Outcome::Complete(summary)) => Some(&summary.run),
            Ok(Outcome::Refused(run) | Outcome::Stopped(run)) => Some(run),
            Ok(Outcome::NotBegun) | Err(_) => None,
        };
        row.push(run.map_or_else(String::new, |run| run.id.to_string()));
        let accounts = match &self.outcome {
            Ok(Outcome::Complete(summary)) => summary
                .changes
                .iter()
                .find(|changes| changes.of == "accounts"),
            _ => None,
        };
        row.extend(match accounts {
            Some(changes) => [
                changes.total,
                changes.added,
                changes.changed,
                changes.removed,
            ]
            .map(number),
            None => [const { String::new() }; 4],
        });
        row.push(run.map_or_else(String::new, |run| number(run.requests)));
        row.push(run.map_or_else(String::new, |run| number(run.cached)));
        row.push(rough(self.took));
        row
    }

    fn to_json(&self) -> Value {
        let (run, changes, error) = match &self.outcome {
            Ok(Outcome::Complete(summary)) => (Some(&summary.run), Some(&summary.changes), None),
            Ok(Outcome::Refused(run) | Outcome::Stopped(run)) => (Some(run), None, None),
            Ok(Outcome::NotBegun) => (None, None, None),
            Err(failure) => (None, None, Some(failure.to_json())),
        };
        json!({
            "tenant": self.name,
            "outcome": self.word(),
            "run": run,
            "changes": changes,
            "error": error,
        })
    }
}
