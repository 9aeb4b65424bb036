//! `harness bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{ConnectorArgs, PaceArgs, PopulationArgs};

#[derive(Args, Debug)]
pub struct BenchArgs {
    #[command(flatten)]
    pub connector: ConnectorArgs,
    #[command(flatten)]
    pub population: PopulationArgs,
    #[command(flatten)]
    pub pace: PaceArgs,
    /// Whom to compare the sync with. Repeatable.
    #[arg(long, value_enum, value_name = "CONTENDER")]
    pub against: Vec<Contender>,
    /// How often each of them runs. What is shown is the median.
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub runs: u32,
    /// Also sync a tenant of so many users, to see what the others of `--users` cost in memory.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub memory_against: Option<u32>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Who can do what a sync does.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Contender {
    /// The same requests and rows in plain Rust.
    Native,
    /// PagerDuty's own client for Python.
    Python,
}

/// What a process of `bench` is.
#[derive(Debug, Subcommand)]
pub enum BenchPart {
    /// The simulator. `begin` and `end` on stdin, a line of JSON for each on stdout.
    Simulator {
        #[command(flatten)]
        population: PopulationArgs,
        #[command(flatten)]
        pace: PaceArgs,
    },
    /// A sync.
    Sync {
        #[command(flatten)]
        connector: ConnectorArgs,
        #[command(flatten)]
        read: ReadArgs,
    },
    /// The walk in plain Rust.
    Native {
        #[command(flatten)]
        read: ReadArgs,
    },
}

/// What to read, and where to.
#[derive(Args, Debug)]
pub struct ReadArgs {
    /// Where the simulator is.
    #[arg(long)]
    pub origin: String,
    /// A store that is not there yet.
    #[arg(long)]
    pub store: PathBuf,
}
