//! `harness conformance`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{ConnectArgs, PopulationArgs, ReachArgs};

#[derive(Args, Debug)]
pub struct ConformanceArgs {
    #[command(flatten)]
    pub reach: ReachArgs,
    /// Check it on recordings: all files `*.json` of this folder that are of the connector's
    /// application.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["simulator", "live"])]
    pub cassette: Option<PathBuf>,
    /// Check it on a simulated PagerDuty in this process, which is started anew for each check that
    /// changes something. What is done if nothing is said; connectors of other vendors are checked
    /// on recordings or live.
    #[arg(long, conflicts_with = "live")]
    pub simulator: bool,
    /// Check it on the tenant that the connection arguments describe, by reading all of it several
    /// times. What the connector declares as a read is sent, whatever it is; requests other than
    /// GET and HEAD are listed first.
    #[arg(long, requires = "read_only")]
    pub live: bool,
    /// Leave out the checks that change something.
    #[arg(long)]
    pub read_only: bool,
    /// Run this check only. Repeatable.
    #[arg(long, value_name = "ID")]
    pub check: Vec<String>,
    /// List the checks instead.
    #[arg(long, conflicts_with_all = ["cassette", "simulator", "live", "against", "record_ceilings"])]
    pub list: bool,
    /// Another version of the connector, the one that this one is to take over from: they are
    /// compared, and swapped.
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
    /// The vendor's description of its API, OpenAPI 3.0 in JSON or YAML: requests and answers of
    /// recordings, or of the reads of a tenant, are held against it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["list", "record_ceilings"])]
    pub openapi: Option<PathBuf>,
    /// Where the vendor is known not to be as it describes itself: JSON with `format`
    /// (`iga-openapi-overlay/1`) and `corrections`, each with `at` (a JSON pointer into the
    /// description), `reason` and `change`: "nullable", "any-format", "comma-separated",
    /// {"or": SCHEMA}, {"only-required": [NAME]}, {"becomes": ANYTHING},
    /// {"responses": {STATUS: RESPONSE}} or {"parameter": PARAMETER}.
    #[arg(long, value_name = "FILE", requires = "openapi")]
    pub openapi_overlay: Option<PathBuf>,
    /// Write into the folder of `--cassette` what the recorded calls may use from now on: what they
    /// use now, and a quarter more.
    #[arg(long, requires = "cassette", conflicts_with_all = ["check", "against"])]
    pub record_ceilings: bool,
    /// How to tell the outcome.
    #[arg(long, value_enum, default_value_t = ConformanceFormat::Table)]
    pub format: ConformanceFormat,
    /// Where to write it; stdout if not said.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// File with the credential. Else `PAGERDUTY_TOKEN` holds it, or else the default profile.
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Connection",
        requires = "live"
    )]
    pub token_file: Option<PathBuf>,
    /// Profile that `harness login` has made.
    #[arg(
        long,
        value_name = "NAME",
        help_heading = "Connection",
        requires = "live",
        conflicts_with = "token_file"
    )]
    pub profile: Option<String>,
    /// How to sign in; `harness info` lists the ways. The first one if not said.
    #[arg(
        long,
        value_name = "SCHEME",
        help_heading = "Connection",
        requires = "live"
    )]
    pub auth: Option<String>,
    /// Users of the simulated account.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=100_000), help_heading = "Simulator and recordings")]
    pub users: u32,
    /// The same seed and number of users make the same account.
    #[arg(
        long,
        value_name = "S",
        default_value_t = 1,
        help_heading = "Simulator and recordings"
    )]
    pub seed: u64,
}

/// Formats of the outcome.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum ConformanceFormat {
    /// A line for each check.
    Table,
    /// One document.
    Json,
    /// JUnit's XML, for build servers.
    Junit,
}

impl ConformanceArgs {
    /// The connection alone, as other commands take it.
    pub fn connect(self) -> ConnectArgs {
        ConnectArgs {
            population: self.population(),
            reach: self.reach,
            token_file: self.token_file,
            profile: self.profile,
            auth: self.auth,
            deadline: 180,
            simulator: false,
            replay: None,
            record: None,
            json: false,
        }
    }

    /// Who lives in the simulator.
    pub fn population(&self) -> PopulationArgs {
        PopulationArgs {
            users: self.users,
            teams: None,
            schedules: None,
            seed: self.seed,
        }
    }
}
