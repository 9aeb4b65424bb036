//! `harness diff`, `export` and `report`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::ConnectArgs;

/// Of whom, and from where.
#[derive(Args, Debug)]
pub struct StoredArgs {
    /// Store that `harness sync` has filled.
    #[arg(long, value_name = "FILE")]
    pub store: PathBuf,
    /// Tenant, by its name in the store. Not needed if it has only one.
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<String>,
}

/// Of whom, from where, and as of when.
#[derive(Args, Debug)]
pub struct SnapshotArgs {
    #[command(flatten)]
    pub stored: StoredArgs,
    /// Run, by its number; the last complete one if not said.
    #[arg(long, value_name = "N")]
    pub run: Option<i64>,
}

#[derive(Args, Debug)]
pub struct DiffArgs {
    /// Complete runs by number, the earlier one first. One: it is compared with the last one. None:
    /// the last two are compared.
    #[arg(value_name = "RUN", num_args = 0..=2)]
    pub runs: Vec<i64>,
    #[command(flatten)]
    pub stored: StoredArgs,
    /// Ask the vendor's audit records who has touched what is different, between the two runs. They
    /// do not say what became of it: where several people have, all of them are named.
    #[arg(long)]
    pub who: bool,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

#[derive(Args, Debug)]
pub struct ExportArgs {
    #[command(flatten)]
    pub snapshot: SnapshotArgs,
    /// What to write.
    #[arg(long, value_enum)]
    pub format: ExportFormat,
    /// File for json and xlsx, folder for csv and parquet. What is there under the same names is
    /// replaced, once all is written. New files are for nobody else to read.
    #[arg(long, short, value_name = "PATH")]
    pub output: PathBuf,
    /// Leave cells of csv and xlsx as they are, for programs. Else what a spreadsheet would take for
    /// a formula gets a `'` in front (csv), and control characters are escaped.
    #[arg(long)]
    pub raw: bool,
}

/// Formats of exports.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum ExportFormat {
    /// A file of each kind.
    Csv,
    /// One document, one row a line.
    Json,
    /// A workbook with a sheet of each kind.
    Xlsx,
    /// A file of each kind, with typed columns.
    Parquet,
}

#[derive(Debug, Subcommand)]
pub enum ReportCommand {
    /// Who has what, since when; when they last logged in, and how much they are on call.
    #[command(
        after_help = "Example:\n  harness report access --store tenants.db --format html --output review.html"
    )]
    Access {
        #[command(flatten)]
        output: ReportArgs,
    },
    /// Which licences are used, and which could be taken back.
    #[command(after_help = "Example:\n  harness report licences --store tenants.db --days 60")]
    Licences {
        #[command(flatten)]
        idle: IdleArgs,
        #[command(flatten)]
        output: ReportArgs,
    },
    /// Who does not use the account, and what hangs on it.
    #[command(
        after_help = "Example:\n  harness report inactive --store tenants.db --format csv --output inactive.csv"
    )]
    Inactive {
        #[command(flatten)]
        idle: IdleArgs,
        #[command(flatten)]
        output: ReportArgs,
    },
}

/// Who counts as inactive.
#[derive(Args, Debug)]
pub struct IdleArgs {
    /// Days without a login after which an account counts as inactive, counted back from the run.
    #[arg(long, value_name = "N", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub days: u32,
}

#[derive(Args, Debug)]
pub struct ReportArgs {
    #[command(flatten)]
    pub snapshot: SnapshotArgs,
    /// How to show it.
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub format: ReportFormat,
    /// File to write; stdout if not said, or if it is `-`. A new file is for nobody else to read.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Formats of reports.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum ReportFormat {
    /// Columns for a terminal.
    Table,
    /// For spreadsheets; nothing in it is taken for a formula.
    Csv,
    /// One page that needs nothing else, to look at, to sort, to filter and to print.
    Html,
}
