//! `harness sync` and `runs`.

use std::path::PathBuf;

use clap::Args;

use super::ConnectArgs;

#[derive(Args, Debug)]
pub struct SyncArgs {
    /// The store: an SQLite database. Made if it is not there.
    #[arg(long, value_name = "FILE")]
    pub store: PathBuf,
    /// Your name for the tenant in the store; what the vendor calls it if not said.
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<String>,
    /// Begin anew, even if a run was cut off.
    #[arg(long)]
    pub restart: bool,
    /// Refuse a run in which more than that is gone of the accounts, or of the grants of a type,
    /// since the last complete one.
    #[arg(long, value_name = "PERCENT", default_value_t = 30, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub max_shrink: u8,
    /// Accept what is not plausible: the run that was refused, without reading again; or else
    /// whatever this one finds.
    #[arg(long, conflicts_with = "restart")]
    pub accept: bool,
    /// Who accepts; your user's name if not said.
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true)]
    pub by: Option<String>,
    /// Items per call. As many as suit the vendor's API if not said.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub page_size: Option<u32>,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

#[derive(Args, Debug)]
pub struct RunsArgs {
    /// The store.
    #[arg(long, value_name = "FILE")]
    pub store: PathBuf,
    /// Only those of this tenant.
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
