//! The simulator, in a process of its own.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Stdio},
    time::Duration,
};

use pagerduty_simulator::{Listening, Simulator};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{child, population::Population};
use crate::cli::{
    args::{PaceArgs, PopulationArgs},
    failure::Failure,
    output, simulator,
};

/// What the first window of a rate limit lasts: who does not know the limit may
/// run into it then.
const FIRST_MINUTE: Duration = Duration::from_secs(60);

const BEGIN: &str = "begin";
const END: &str = "end";

/// What was asked of the simulator in one run.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct Tally {
    pub(super) requests: u64,
    /// Of these, answered with a 429.
    pub(super) refused: u64,
    /// Of these, later than a minute after the first request.
    pub(super) refused_late: u64,
}

/// The process, seen from the one that started it. It ends with this.
pub(super) struct Served {
    process: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// What it simulates.
    pub(super) population: Population,
}

impl Served {
    pub(super) fn start(population: &PopulationArgs, pace: PaceArgs) -> Result<Self, Failure> {
        let mut command = child::command("simulator")?;
        command.args([
            "--users".to_owned(),
            population.users.to_string(),
            "--seed".to_owned(),
            population.seed.to_string(),
            "--latency".to_owned(),
            pace.latency.to_string(),
        ]);
        for (name, value) in [
            ("--teams", population.teams),
            ("--schedules", population.schedules),
            ("--limit", pace.limit),
        ] {
            if let Some(value) = value {
                command.arg(name).arg(value.to_string());
            }
        }
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| child::failed("the simulator", &error))?;
        let (stdin, stdout) = (process.stdin.take(), process.stdout.take());
        let mut served = Self {
            process,
            stdin: stdin.expect("it was piped"),
            stdout: BufReader::new(stdout.expect("it was piped")),
            population: Population::default(),
        };
        served.population = served.line()?;
        Ok(served)
    }

    /// A run begins: the tenant is as it was at first. Where it is.
    pub(super) fn begin(&mut self) -> Result<String, Failure> {
        self.say(BEGIN)
    }

    /// A run has ended.
    pub(super) fn end(&mut self) -> Result<Tally, Failure> {
        self.say(END)
    }

    fn say<T: DeserializeOwned>(&mut self, word: &str) -> Result<T, Failure> {
        writeln!(self.stdin, "{word}").map_err(|error| child::failed("the simulator", &error))?;
        self.line()
    }

    fn line<T: DeserializeOwned>(&mut self) -> Result<T, Failure> {
        let mut line = String::new();
        self.stdout
            .read_line(&mut line)
            .map_err(|error| child::failed("the simulator", &error))?;
        serde_json::from_str(&line).map_err(|error| child::failed("the simulator", &error))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The process itself. Ends with whoever started it.
pub(super) async fn serve(population: &PopulationArgs, pace: PaceArgs) -> Result<(), Failure> {
    let original = Simulator::new(simulator::paced(population, pace));
    let counted = Population::of(&original).map_err(|error| Failure::call(error, None))?;
    answer(&counted)?;
    let mut current: Option<(Simulator, Listening)> = None;
    while let Some(word) = tokio::task::spawn_blocking(next_line)
        .await
        .map_err(|error| Failure::call(error, None))??
    {
        match (word.trim(), current.take()) {
            (BEGIN, None) => {
                let simulator = original.fork();
                let listening = simulator.listen(([127, 0, 0, 1], 0).into()).await;
                let listening =
                    listening.map_err(|error| child::failed("the simulator", &error))?;
                answer(&listening.origin())?;
                current = Some((simulator, listening));
            }
            (END, Some((simulator, listening))) => {
                listening.stop().await;
                let refusals = simulator.refusals();
                let late = refusals.iter().filter(|after| **after >= FIRST_MINUTE);
                answer(&Tally {
                    requests: simulator.request_count(),
                    refused: refusals.len() as u64,
                    refused_late: late.count() as u64,
                })?;
            }
            (word, _) => {
                return Err(Failure::usage(
                    format!("`{word}` is nothing to say now"),
                    "say `begin`, and then `end`",
                ));
            }
        }
    }
    Ok(())
}

fn next_line() -> Result<Option<String>, Failure> {
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line)?;
    Ok((read > 0).then_some(line))
}

fn answer<T: Serialize>(value: &T) -> Result<(), Failure> {
    output::line(&serde_json::to_string(value).expect("texts and numbers are JSON"))
}
