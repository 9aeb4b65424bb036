//! `harness bench`: a whole sync, measured, and what others need for the same.

mod child;
mod measure;
mod native;
mod outcome;
mod population;
mod python;
mod rows;
mod served;
mod synced;

use std::path::Path;

use super::{
    args::{BenchArgs, BenchPart, ConnectorArgs, Contender, PopulationArgs},
    connect,
    failure::Failure,
    output,
};
use crate::store::Store;
use outcome::{Measured, Outcome, Trial};
use python::Python;
use rows::Rows;
use served::Served;

/// Lists of PagerDuty's reach no further. The sync knows how to go on.
const REACH_OF_LISTS: u32 = 10_000;

/// Who reads a tenant.
enum Reader<'a> {
    Sync(&'a ConnectorArgs),
    Native,
    Python(Python),
}

impl Reader<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Sync(_) => "sync",
            Self::Native => "native",
            Self::Python(_) => "python",
        }
    }
}

pub(super) async fn run(args: &BenchArgs) -> Result<(), Failure> {
    if !args.against.is_empty() && args.population.users > REACH_OF_LISTS {
        return Err(Failure::usage(
            format!(
                "{} users are more than others can list",
                args.population.users
            ),
            format!("compare with up to {REACH_OF_LISTS} users, or leave `--against` out"),
        ));
    }
    if cfg!(debug_assertions) {
        talk!("numbers of a debug build say nothing: `cargo run --release -- bench`");
    }
    let mut readers = vec![Reader::Sync(&args.connector)];
    for contender in &args.against {
        let reader = match contender {
            Contender::Native => Reader::Native,
            Contender::Python => {
                let folder = connect::cache_folder().ok_or_else(|| {
                    Failure::usage(
                        "there is no folder for PagerDuty's client for Python",
                        "name one by `HARNESS_CACHE`",
                    )
                })?;
                Reader::Python(Python::with_client(&folder)?)
            }
        };
        if readers.iter().all(|known| known.name() != reader.name()) {
            readers.push(reader);
        }
    }
    // Compiled code is kept: nobody waits for it with each sync.
    connect::connector(&connect::engine()?, &args.connector).await?;
    let mut served = Served::start(&args.population, args.pace)?;
    let contenders = trials(&mut served, &readers, args.runs)?;
    let smaller = match args.memory_against {
        None => None,
        Some(users) => {
            let population = PopulationArgs {
                users,
                ..args.population
            };
            let mut served = Served::start(&population, args.pace)?;
            let mut measured = trials(&mut served, &readers[..1], args.runs)?;
            measured.pop().map(|measured| (users, measured))
        }
    };
    let outcome = Outcome {
        args,
        population: &served.population,
        contenders,
        smaller,
    };
    if args.json {
        output::json(&outcome.to_json())
    } else {
        outcome.show()
    }
}

/// A process of a benchmark.
pub(super) async fn part(part: &BenchPart) -> Result<(), Failure> {
    let said = match part {
        BenchPart::Simulator { population, pace } => {
            return served::serve(population, *pace).await;
        }
        BenchPart::Sync { connector, read } => synced::run(connector, read).await?,
        BenchPart::Native { read } => native::run(read).await?,
    };
    output::line(&serde_json::to_string(&said).expect("texts and numbers are JSON"))
}

/// Each reads as often as it is to, in turns: what else the machine does hits
/// them alike.
fn trials(
    served: &mut Served,
    readers: &[Reader<'_>],
    runs: u32,
) -> Result<Vec<Measured>, Failure> {
    let mut measured: Vec<Measured> = readers
        .iter()
        .map(|reader| Measured::new(reader.name()))
        .collect();
    // All have to come to the same.
    let mut read: Option<Rows> = None;
    for run in 1..=runs {
        for (reader, measured) in readers.iter().zip(&mut measured) {
            let trial = trial(served, reader)?;
            talk!(
                "run {run} of {runs}: {} took {:.2} s for {} requests",
                reader.name(),
                trial.seconds,
                trial.tally.requests
            );
            match (&trial.rows, &read) {
                (Some(rows), Some(first)) => {
                    if let Some(difference) = first.difference(rows) {
                        return Err(wrong(reader.name(), &difference));
                    }
                }
                (Some(rows), None) => read = Some(rows.clone()),
                (None, _) => {}
            }
            measured.trials.push(trial);
        }
    }
    Ok(measured)
}

fn trial(served: &mut Served, reader: &Reader<'_>) -> Result<Trial, Failure> {
    let folder = tempfile::tempdir().map_err(|error| {
        Failure::usage(
            format!("there is no place for a store: {error}"),
            "name a folder with room by `TMPDIR`",
        )
    })?;
    let store = folder.path().join("store.db");
    let origin = served.begin()?;
    let mut command = match reader {
        Reader::Python(python) => python.walk(&origin),
        Reader::Sync(_) | Reader::Native => {
            let mut command = child::command(reader.name())?;
            command.args(["--origin", &origin, "--store"]).arg(&store);
            command
        }
    };
    if let Reader::Sync(connector) = reader
        && let Some(file) = &connector.connector
    {
        command.arg("--connector").arg(file);
    }
    let (said, took) = child::run(reader.name(), &mut command)?;
    let tally = served.end()?;
    let population = &served.population;
    let (rows, own_requests) = match reader {
        Reader::Python(_) => {
            let listed = |name: &str| said.listed.get(name).copied().unwrap_or(0);
            let expected = [
                ("users", population.users),
                ("licenses", population.licenses),
                ("license_allocations", population.users),
                ("teams", population.teams),
                ("team_memberships", population.team_memberships),
                ("schedules", population.schedules),
                ("shift_schedules", population.shift_schedules),
                ("escalation_policies", population.escalation_policies),
            ];
            let missed = expected.iter().find(|(name, there)| listed(name) != *there);
            if let Some((name, there)) = missed {
                let difference = format!("{} {name} instead of {there}", listed(name));
                return Err(wrong(reader.name(), &difference));
            }
            (None, None)
        }
        Reader::Sync(_) | Reader::Native => {
            let (rows, requests) = written(reader.name(), &store)?;
            if let Some(difference) = rows.against(population) {
                return Err(wrong(reader.name(), &difference));
            }
            (Some(rows), requests)
        }
    };
    Ok(Trial {
        seconds: took.as_secs_f64(),
        tally,
        rows,
        own_requests,
        said,
    })
}

/// What is in the store, and the requests that the run counted, if it did.
fn written(name: &str, store: &Path) -> Result<(Rows, Option<u64>), Failure> {
    let store = Store::open_to_read(store)?;
    let Some((rows, run)) = Rows::read(&store)? else {
        return Err(wrong(name, "no run that is complete"));
    };
    Ok((rows, Some(run.requests).filter(|requests| *requests > 0)))
}

/// Whoever reads something else is not to be compared.
fn wrong(name: &str, what: &str) -> Failure {
    Failure::call(
        format!("{name} did not read what is there: {what}"),
        Some(
            "a benchmark of different work says nothing: this is a defect of one of them"
                .to_owned(),
        ),
    )
}
